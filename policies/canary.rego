# Asked before a canary becomes stable: did it serve well in the last window?
#
# Input:  {"requests", "errors": number, "error_rate": number or null,
#          "p99_latency_ms": number or null, "p99_bucket": [low, high or null] or null,
#          "latency_buckets": [{"le_ms": number or null (+Inf), "count": number}],
#          "window_seconds", "resets", "vanished", "samples_needed": number,
#          "healthy": boolean, "health_detail": text, "restarts", "oom_kills": number,
#          "proxy_failures", "proxy_timed_out", "proxy_errors",
#          "proxy_broken": number or null,
#          "proxy_abandoned": [{"waited_ms", "count": number}] or null,
#          "proxy_waiting": the same, or null where the proxy cannot tell,
#          "settled_requests": number or null, "proxy_timeout_seconds": number,
#          "proxy_error": text or null,
#          "stable": {"requests", "error_rate", "p99_latency_ms"} or null,
#          "metrics_error": {"code", "message", "instance"} or null,
#          "source": text, "sources": {"metrics", "health", "proxy"},
#          "confidence": {"level", "error_rate_at_most": share} or null,
#          "instances", "request_rate": number, "time": RFC 3339}
# Limits: data.thresholds.error_rate (a share, 0.01 is 1 %), p99_latency_ms, and
#         optionally min_requests, which then replaces input.samples_needed.
# Answer: data.canary.decision. It passes only on evidence: what is missing, too
#         little or of the wrong type never does. Evidence against the canary
#         (fail) outweighs a want of evidence (inconclusive). `waiting_helps`
#         says whether time alone may bring what is wanting, `sample` how many
#         requests there are of those needed.
package canary

# The answer where the rules below give none.
default decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{
		"code": "undecided",
		"message": "the canary policy reached no decision on these facts",
		"observed": null,
		"limit": null,
	}],
	"reasons": ["the canary policy reached no decision on these facts"],
	"checks": [],
	"limits": {},
	"waiting_helps": false,
	"sample": null,
}

decision := usual_pass if {
	usual_pass
} else := {
	"allow": verdict == "pass",
	"verdict": verdict,
	"violations": violations,
	"reasons": reasons,
	"checks": checks,
	"limits": limits,
	"waiting_helps": waiting_helps,
	"sample": sample,
}

# --- the usual pass --------------------------------------------------------------

# Most canaries that are asked about are good, and nothing about them is in doubt.
# This takes such a one at one look, a third of the work of the rules below, and
# says of it what those would say (both are asked in tests/policy_programs.rs).
# Whatever it does not take is judged by them.
usual_pass := {
	"allow": true,
	"verdict": "pass",
	"violations": [],
	"reasons": array.concat(
		[
			enough_words(least),
			error_rate_words("at or below"),
			p99_by_edge("at or below"),
			proxy_words("proxy_failures 0", shown_error_rate),
			health_words,
		],
		array.concat(note_confidence, note_stable),
	),
	"checks": checks_of(least, seen.error_rate, 0, all_kept),
	"limits": limits,
	"waiting_helps": false,
	"sample": {"seen": seen.requests, "needed": least},
} if {
	are_facts_usual
	are_limits_usual
	seen := input
	object.subset(seen, calm)
	seen.proxy_abandoned == []
	are_waits_short
	seen.proxy_errors <= seen.errors
	least := max([seen.samples_needed, 1])
	seen.requests >= least
	seen.settled_requests >= least
	seen.error_rate <= error_limit
	seen.requests <= edge.total + durations_may_lack
	edge.within * 100 >= edge.total * 99
}

# Nothing happened that needs a second look.
calm := {
	"healthy": true,
	"oom_kills": 0,
	"proxy_broken": 0,
	"proxy_failures": 0,
	"proxy_timed_out": 0,
	"resets": 0,
	"restarts": 0,
	"vanished": 0,
}

# No request waits for longer than it may take, or than the bucket reaches in which the
# P99 of the others lies.
are_waits_short if input.proxy_waiting in [null, []]

are_waits_short if {
	is_array(input.proxy_waiting)
	waiting := input.proxy_waiting
	waits := [request.waited_ms | some request in waiting]
	counts := [request.count | some request in waiting]
	count(waits) == count(waiting)
	count(counts) == count(waiting)
	are_amounts(waits)
	are_counts(counts)
	max(waits) <= p99_limit
	[lowest, highest] := input.p99_bucket
	are_amounts([lowest, highest])
	max(waits) <= highest
}

all_kept := {
	"requests": true,
	"error_rate": true,
	"p99": true,
	"proxy_rate": true,
	"healthy": true,
	"restarts": true,
	"oom_kills": true,
	"patience": true,
	"settled": true,
}

# --- facts and limits ------------------------------------------------------------

# What was given, and null for whatever was not: comparing with it is defined.
# It writes numbers without zeros behind the point (see `limit`).
facts := input if {
	are_facts_usual
} else := object.union(unknown, input) if {
	is_object(input)
} else := unknown

unknown := {
	"confidence": null,
	"error_rate": null,
	"errors": null,
	"health": null,
	"health_detail": null,
	"healthy": null,
	"latency_buckets": null,
	"metrics_error": null,
	"oom_kills": null,
	"p99_bucket": null,
	"p99_latency_ms": null,
	"proxy_abandoned": null,
	"proxy_broken": null,
	"proxy_error": null,
	"proxy_errors": null,
	"proxy_failures": null,
	"proxy_timed_out": null,
	"proxy_timeout_seconds": null,
	"proxy_waiting": null,
	"requests": null,
	"resets": null,
	"restarts": null,
	"samples_needed": null,
	"settled_requests": null,
	"source": null,
	"sources": null,
	"stable": null,
	"vanished": null,
	"window_seconds": null,
}

# Whether all that a canary with figures has is there and of the right kind, at
# one look: then nothing below needs to ask it of each fact. What this does not
# take is looked at one by one.
are_facts_usual if {
	input.metrics_error == null
	is_boolean(input.healthy)
	are_counts([
		input.requests,
		input.errors,
		input.resets,
		input.vanished,
		input.restarts,
		input.oom_kills,
		input.proxy_failures,
		input.proxy_timed_out,
		input.proxy_errors,
		input.proxy_broken,
		input.settled_requests,
		input.samples_needed,
	])
	are_amounts([input.p99_latency_ms, input.window_seconds, input.error_rate, input.proxy_timeout_seconds])
	input.error_rate <= 1
	is_array(input.p99_bucket)
	are_amounts(counts_of_buckets)
	count(counts_of_buckets) == count(input.latency_buckets)
	is_array(input.proxy_abandoned)
	is_list_or_null(input.proxy_waiting)
}

is_list_or_null(value) if is_null(value)

is_list_or_null(value) if is_array(value)

counts_of_buckets := [bucket.count |
	is_array(input.latency_buckets)
	some bucket in input.latency_buckets
]

# Only numbers lie between two numbers: Rego sorts every other type before or
# behind all of them. So the smallest and the largest tell of all.
are_amounts(values) if {
	min(values) >= 0
	max(values) <= longest
}

# Without a point, a sign or an exponent.
are_counts(values) if {
	max(values) <= longest
	trim(json.marshal(values), "[0123456789,]") == ""
}

# Larger than anything that is counted or waits.
longest := 1000000000000000

# What may be reckoned with: the facts of the right kind, and no others.
usable := facts if {
	are_facts_usual
} else := {name: value |
	some name, kind in kinds
	value := facts[name]
	is_kind(value, kind)
}

kinds := {
	"error_rate": "share",
	"errors": "count",
	"oom_kills": "amount",
	"p99_latency_ms": "amount",
	"proxy_broken": "count",
	"proxy_errors": "count",
	"proxy_failures": "count",
	"proxy_timed_out": "count",
	"requests": "count",
	"resets": "amount",
	"restarts": "amount",
	"samples_needed": "count",
	"settled_requests": "count",
	"vanished": "amount",
	"window_seconds": "amount",
}

limits := data.thresholds if {
	is_object(data.thresholds)
} else := {}

# The limits as they are shown, and as OPA compares them rightly: up to 1.20 it
# takes 20.0 for 2, since it cuts every zero off the end of a text with a point
# (open-policy-agent/opa issue 9098). The result of a sum ends in no such zeros.
limit := {
	"error_rate": error_limit,
	"p99_latency_ms": p99_limit,
	"min_requests": null,
} if {
	are_limits_usual
} else := {
	"error_rate": plain(object.get(limits, "error_rate", null)),
	"p99_latency_ms": plain(object.get(limits, "p99_latency_ms", null)),
	"min_requests": plain(object.get(limits, "min_requests", null)),
}

plain(value) := value + 0 if {
	is_number(value)
} else := value

limit_of(name) := plain(object.get(limits, name, null))

# Then there is no need to ask for each of them.
are_limits_usual if {
	is_number(error_limit)
	is_number(p99_limit)
	not has_min_requests
}

has_min_requests if "min_requests" in object.keys(limits)

# What the canary is held to, undefined where it cannot be used. The sum is what is
# looked at: of a text with twenty nines behind the point it makes 1.
error_limit := bound if {
	is_number(limits.error_rate)
	bound := limits.error_rate + 0
	bound >= 0
	bound < 1
}

p99_limit := limits.p99_latency_ms + 0 if is_amount(limits.p99_latency_ms)

# --- verdict -----------------------------------------------------------------

want_of_evidence := {
	"metrics_unavailable",
	"too_few_requests",
	"p99_unknown",
	"canary_starting",
	"process_restarted",
	"process_vanished",
	"proxy_unknown",
	"abandoned_unknown",
	"errors_unknown",
	"requests_unsettled",
}

# A pass needs every comparison made and kept; no violations is not enough.
verdict := "pass" if {
	count(violations) == 0
	is_every_check_kept
} else := "inconclusive" if {
	count(violations) > 0
	every violation in violations { violation.code in want_of_evidence }
} else := "fail" if {
	count(violations) > 0
}

# What `checks` shows, one after the other.
is_every_check_kept if {
	enough
	is_error_rate_kept
	p99.state == "kept"
	is_proxy_rate_kept
	facts.healthy == true
	facts.restarts == 0
	facts.oom_kills == 0
	is_patient
	is_settled
}

# Whether everything that is wanting comes with time: requests, the length of
# the window, and a window in which no process restarted or went away and no
# scrape was cut short (a scrape without series that its process had begins no
# window, and is soon too old to end one).
waiting_helps if {
	verdict == "inconclusive"
	every violation in violations { comes_with_time(violation) }
} else := false

comes_with_time(violation) if {
	violation.code in {
		"canary_starting",
		"too_few_requests",
		"process_restarted",
		"process_vanished",
		"abandoned_unknown",
		"errors_unknown",
	}
}

comes_with_time(violation) if {
	violation.code == "requests_unsettled"
	is_count(violation.observed)
}

comes_with_time(violation) if {
	violation.code == "metrics_unavailable"
	violation.observed in {"window_too_short", "metrics_series_lost"}
}

sample := {"seen": facts.requests, "needed": needed} if {
	is_measured
	is_number(needed)
	is_number(usable.requests)
} else := null

reasons := array.concat(praise, notes) if {
	count(violations) == 0
} else := array.concat([violation.message | some violation in violations], notes)

# What is wrong; what counts most comes first.
violations := [violation |
	some group in [
		bad_limits,
		bad_facts,
		crashes,
		starting,
		unanswered,
		abandoned,
		no_metrics,
		no_proxy_log,
		incomplete,
		too_few,
		too_many_errors,
		too_slow,
		abandoned_unclear,
		errors_unclear,
		unsettled,
	]
	some violation in group
]

checks := checks_of(needed, proxy_error_rate, late_rate, {
	"requests": enough,
	"error_rate": is_error_rate_kept,
	"p99": p99.state == "kept",
	"proxy_rate": is_proxy_rate_kept,
	"healthy": facts.healthy == true,
	"restarts": facts.restarts == 0,
	"oom_kills": facts.oom_kills == 0,
	"patience": is_patient,
	"settled": is_settled,
})

checks_of(least, proxy_rate, waiting_rate, kept) := [
	{
		"fact": "requests",
		"observed": seen.requests,
		"must": ">=",
		"limit": least,
		"unit": "",
		"ok": kept.requests,
	},
	{
		"fact": "error_rate",
		"observed": seen.error_rate,
		"must": "<=",
		"limit": most.error_rate,
		"unit": "",
		"ok": kept.error_rate,
	},
	{
		"fact": "p99_latency_ms",
		"observed": seen.p99_latency_ms,
		"must": "<=",
		"limit": most.p99_latency_ms,
		"unit": "ms",
		"ok": kept.p99,
	},
	{
		"fact": "proxy_error_rate",
		"observed": proxy_rate,
		"must": "<=",
		"limit": most.error_rate,
		"unit": "",
		"ok": kept.proxy_rate,
	},
	{"fact": "healthy", "observed": seen.healthy, "must": "==", "limit": true, "unit": "", "ok": kept.healthy},
	{"fact": "restarts", "observed": seen.restarts, "must": "==", "limit": 0, "unit": "", "ok": kept.restarts},
	{"fact": "oom_kills", "observed": seen.oom_kills, "must": "==", "limit": 0, "unit": "", "ok": kept.oom_kills},
	{
		"fact": "proxy_abandoned_rate",
		"observed": waiting_rate,
		"must": "<=",
		"limit": may_take_longer,
		"unit": "",
		"ok": kept.patience,
	},
	{
		"fact": "settled_requests",
		"observed": seen.settled_requests,
		"must": ">=",
		"limit": least,
		"unit": "",
		"ok": kept.settled,
	},
] if {
	seen := facts
	most := limit
}

# --- facts and limits that cannot be used ----------------------------------------

# A share of 1 and more would let everything through: 5 was meant as 5 %, and 1 as 1 %.
bad_limits := [] if {
	are_limits_usual
} else := [violation |
	some name, kind in {"error_rate": "share below 1", "p99_latency_ms": "amount", "min_requests": "count"}
	is_limit_asked_for(name)
	value := limit_of(name)
	not is_kind(value, kind)
	violation := {
		"code": "limits_missing",
		"message": sprintf("thresholds.%s in data.json is %s: it must be %s", [name, shown(value), described[kind]]),
		"observed": null,
		"limit": value,
	}
]

# min_requests may be absent.
is_limit_asked_for(name) if name != "min_requests"

is_limit_asked_for("min_requests") if has_min_requests

bad_facts := [] if {
	are_facts_usual
} else := [violation |
	some name, kind in required
	value := object.get(given, name, absent)
	not is_kind(value, kind)
	violation := {
		"code": "facts_missing",
		"message": sprintf(
			"%s is not %s%s: it must be %s%s",
			[name, lack_of(value), origin, described[kind], limit_beside(name)],
		),
		"observed": facts[name],
		"limit": limit_of(name),
	}
]

# A value of the wrong kind, as a message shows it.
shown(value) := "absent" if {
	is_null(value)
} else := sprintf("%v", [value]) if {
	is_number(value)
} else := sprintf("the text %v", [value]) if {
	is_string(value)
} else := "no number"

limit_beside(name) := sprintf("; the limit is %v", [limit_of(name)]) if {
	is_number(limit_of(name))
} else := ""

given := input if {
	is_object(input)
} else := {}

# Stands for a fact that is not there at all, where null means not measured.
absent := {"absent": true}

lack_of(value) := "known" if {
	value in {null, absent}
} else := "usable"

required := object.union_n([required_always, required_of_metrics, required_of_sample])

required_always := {"healthy": "flag", "restarts": "count", "oom_kills": "count"}

default required_of_metrics := {}

required_of_metrics := {
	"requests": "count",
	"errors": "count",
	"error_rate": rate_kind,
	"p99_latency_ms": "amount or null",
	"p99_bucket": "list, null or absent",
	"latency_buckets": "list, null or absent",
	"window_seconds": "amount",
	"resets": "count",
	"vanished": "count",
} if {
	is_measured
}

# Without requests there is no rate; with requests there must be one.
rate_kind := "share or null" if facts.requests == 0

rate_kind := "share" if facts.requests != 0

default required_of_sample := {}

required_of_sample := {"samples_needed": "count"} if {
	is_measured
	not has_min_requests
}

described := {
	"flag": "true or false",
	"count": "a whole number from 0",
	"amount": "a number from 0",
	"amount or null": "a number from 0, or null",
	"share": "a share from 0 to 1 (0.01 is 1 %)",
	"share below 1": "a share from 0 to below 1 (0.01 is 1 %)",
	"share or null": "a share from 0 to 1, or null",
	"list, null or absent": "a list",
}

is_kind(value, "flag") if is_boolean(value)

is_kind(value, "count") if is_count(value)

is_kind(value, "amount") if is_amount(value)

is_kind(value, "amount or null") if is_amount(value)

is_kind(value, "amount or null") if is_null(value)

is_kind(value, "list, null or absent") if is_array(value)

is_kind(value, "list, null or absent") if value in {null, absent}

is_kind(value, "share") if is_share(value)

is_kind(value, "share below 1") if {
	is_share(value)
	value < 1
}

is_kind(value, "share or null") if is_share(value)

is_kind(value, "share or null") if is_null(value)

is_count(value) if {
	is_number(value)
	value >= 0
	value == floor(value)
}

is_amount(value) if {
	is_number(value)
	value >= 0
}

is_share(value) if {
	value >= 0
	value <= 1
}

# --- crashes: the failures that the app's own metrics cannot show -----------------

crashes := array.concat(unhealthy, array.concat(restarted, out_of_memory))

# One that has just been started has not failed: what it is, time tells.
starting := [{
	"code": "canary_starting",
	"message": sprintf("healthy is false, and must be true%s: %s", [origin_of("health"), health_detail]),
	"observed": false,
	"limit": true,
} |
	facts.healthy == false
	facts.health == "starting"
]

unhealthy := [{
	"code": "canary_unhealthy",
	"message": sprintf("healthy is false, and must be true%s: %s", [origin_of("health"), health_detail]),
	"observed": false,
	"limit": true,
} |
	facts.healthy == false
	not facts.health == "starting"
]

health_detail := facts.health_detail if {
	is_string(facts.health_detail)
} else := "the canary fails its health check"

restarted := [{
	"code": "canary_restarted",
	"message": sprintf(
		"restarts %v is above the limit 0%s: the canary was started again",
		[facts.restarts, origin_of("health")],
	),
	"observed": facts.restarts,
	"limit": 0,
} |
	usable.restarts > 0
]

out_of_memory := [{
	"code": "canary_out_of_memory",
	"message": sprintf(
		"oom_kills %v is above the limit 0%s: the canary was killed for want of memory",
		[facts.oom_kills, origin_of("health")],
	),
	"observed": facts.oom_kills,
	"limit": 0,
} |
	usable.oom_kills > 0
]

# --- requests that only the proxy saw fail: unanswered, broken off, not counted ------

# A request that got no answer is nothing that the canary counts: a process that is
# gone counts nothing. Where the proxy gave up first it may stand in both figures
# (see `may_be_counted_twice`). One whose answer broke off the canary may have counted
# as answered or not at all: it is taken for one of those that it counted. Errors
# that it answered are the same in both figures, and it may have missed some.
proxy_total := seen.proxy_failures + max([seen.requests, seen.proxy_broken, seen.proxy_errors]) if {
	are_requests_known
	seen := usable
}

are_requests_known if are_facts_usual

are_requests_known if {
	not are_facts_usual
	is_measured
	seen := usable
	is_number(seen.requests)
	is_number(seen.errors)
	is_number(seen.proxy_errors)
	is_number(seen.proxy_failures)
	is_number(seen.proxy_broken)
}

# Scrape and log are read one after the other, so that a few may be in one of them
# alone, however many there are: those are but a doubt.
errors_may_differ := 5

more_errors := max([facts.proxy_errors - facts.errors, 0]) if is_number(proxy_total)

# The errors that the canary answered and did not count.
uncounted := 0 if {
	has_no_proxy_failures
} else := more_errors if {
	more_errors > errors_may_differ
} else := 0 if {
	is_number(more_errors)
}

failed_for_sure := ((facts.errors + uncounted) + facts.proxy_failures) + facts.proxy_broken

# Without any the rate is what the canary counts.
has_no_proxy_failures if {
	seen := usable
	seen.proxy_failures == 0
	seen.proxy_broken == 0
	seen.proxy_errors <= seen.errors + errors_may_differ
}

has_proxy_failures if (uncounted + facts.proxy_failures) + facts.proxy_broken > 0

proxy_error_rate := facts.error_rate if {
	has_no_proxy_failures
} else := min([failed_for_sure / proxy_total, 1]) if {
	proxy_total > 0
	has_proxy_failures
} else := null

shown_proxy_rate := shown_error_rate if {
	has_no_proxy_failures
} else := share_beside(proxy_error_rate, error_limit) if {
	is_number(proxy_error_rate)
}

is_proxy_rate_kept if {
	is_number(proxy_error_rate)
	proxy_error_rate <= error_limit
} else := false

# One that timed out or broke off the canary may have counted as an error as well:
# then it is one failure, and not two.
may_be_counted_twice := min([facts.errors, facts.proxy_timed_out + facts.proxy_broken]) if {
	is_number(proxy_total)
	is_number(usable.proxy_timed_out)
}

# A quotient here as everywhere else: a product is rounded on another side, and one
# of 1000 was above a limit of 0.001.
surely_failed := (failed_for_sure - may_be_counted_twice) / proxy_total if proxy_total > 0

# The sample is what the proxy sent: a canary that answers nothing at all has
# enough of it.
unanswered := [{
	"code": "proxy_failures",
	"message": sprintf("%s: with them the error rate is %s, above the limit %s%s: %s%s", [
		failures_shown,
		shown_proxy_rate,
		shown_limit,
		window,
		failures_of_all,
		origin_of("proxy"),
	]),
	"observed": proxy_error_rate,
	"limit": limit.error_rate,
} |
	is_number(needed)
	proxy_total >= needed
	has_proxy_failures
	is_number(error_limit)
	surely_failed > error_limit
]

errors_unclear := array.concat(errors_uncounted, errors_twice)

errors_twice := [{
	"code": "errors_unknown",
	"message": sprintf("%s, errors %v%s: if none of them is counted twice, the error rate is %s, above the limit %s%s", [
		failures_shown,
		facts.errors,
		window,
		share_beside(proxy_error_rate, error_limit),
		share(error_limit),
		origin_of("proxy"),
	]),
	"observed": proxy_error_rate,
	"limit": error_limit,
} |
	enough
	is_error_rate_kept
	is_number(proxy_error_rate)
	not is_proxy_rate_kept
	surely_failed <= error_limit
]

errors_uncounted := [{
	"code": "errors_unknown",
	"message": sprintf("proxy_errors %v, errors %v%s: if the canary did not count them, the error rate is %s, above the limit %s%s", [
		facts.proxy_errors,
		facts.errors,
		window,
		share_beside(with_uncounted, error_limit),
		share(error_limit),
		origin_of("proxy"),
	]),
	"observed": facts.proxy_errors,
	"limit": error_limit,
} |
	enough
	is_error_rate_kept
	is_proxy_rate_kept
	uncounted == 0
	more_errors > 0
	with_uncounted > error_limit
]

with_uncounted := (failed_for_sure + more_errors) / proxy_total if proxy_total > 0

# What there is none of is left out, but for the first.
failures_shown := sprintf("proxy_failures %v", [facts.proxy_failures]) if {
	has_no_proxy_failures
} else := concat(", ", [shown_fact |
	some name in ["proxy_failures", "proxy_broken", "proxy_errors"]
	is_failure_shown(name)
	shown_fact := sprintf("%s %v", [name, facts[name]])
])

is_failure_shown(name) if name == "proxy_failures"

is_failure_shown("proxy_broken") if facts.proxy_broken != 0

is_failure_shown("proxy_errors") if uncounted != 0

failures_of_all := sprintf("%v of %v requests got no answer", [facts.proxy_failures, proxy_total]) if {
	facts.proxy_broken == 0
	uncounted == 0
} else := sprintf("of %v requests %v got no answer and %v one that broke off", [
	proxy_total,
	facts.proxy_failures,
	facts.proxy_broken,
]) if {
	uncounted == 0
} else := sprintf("of %v requests %v got no answer, %v one that broke off and %v an error (5xx), of which the canary counted %v", [
	proxy_total,
	facts.proxy_failures,
	facts.proxy_broken,
	facts.proxy_errors,
	facts.errors,
])

# --- requests that were given up, or wait -------------------------------------------

# One that waited longer for an answer than the limit of the P99 took longer than
# that, whatever its client's reason, whether or not the canary counts it, and
# whatever it comes to if it waits still: more than the 1 % that may is a P99 above
# its limit. One that was given up sooner may have been left of the client's own
# free will, and says nothing alone.
may_take_longer := 0.01

default is_patient := false

is_patient if {
	facts.proxy_abandoned == []
	waits_none
}

is_patient if {
	are_waits_known
	is_number(late_rate)
	count(abandoned) == 0
	count(abandoned_unclear) == 0
}

has_waits if facts.proxy_abandoned != []

has_waits if not waits_none

waits_none if facts.proxy_waiting == null

waits_none if facts.proxy_waiting == []

are_waits_known if {
	are_waits(facts.proxy_abandoned)
	is_waiting_known
}

is_waiting_known if facts.proxy_waiting == null

is_waiting_known if are_waits(facts.proxy_waiting)

are_waits(list) if {
	is_array(list)
	every waiting in list {
		waiting.waited_ms >= 0
		waiting.waited_ms <= longest_wait
		is_count(waiting.count)
	}
}

# Longer than anything waits. What lies between two numbers is one (see `are_amounts`).
longest_wait := 1000000000000000

given_up_after(bound) := sum([waiting.count |
	is_array(facts.proxy_abandoned)
	some waiting in facts.proxy_abandoned
	waiting.waited_ms > bound
])

# Of a time as long as the window, the last in which it could have waited so long:
# what is older has been counted before. As many as timed out in this one came before it too, and stand for as
# many of those that wait: they are errors already.
still_wait_after(bound) := max([0, waiting_after(bound) - facts.proxy_timed_out]) if {
	is_number(usable.proxy_timed_out)
} else := waiting_after(bound)

waiting_after(bound) := sum([waiting.count |
	is_array(facts.proxy_waiting)
	some waiting in facts.proxy_waiting
	waiting.waited_ms > bound
	waiting.waited_ms <= bound + window_ms
])

window_ms := usable.window_seconds * 1000

waited_longer_than(bound) := given_up_after(bound) + still_wait_after(bound)

default late := 0

late := waited_longer_than(p99_limit) if {
	has_waits
	are_waits_known
	is_number(p99_limit)
}

default late_rate := null

late_rate := 0 if {
	late == 0
	are_waits_known
}

late_rate := late / (proxy_total + late) if late > 0

is_late_rate_high if late * 100 > proxy_total + late

abandoned := [{
	"code": "proxy_abandoned",
	"message": sprintf("%s: more than the %v %% that may take longer%s", [
		were_late,
		percent(may_take_longer),
		origin_of("proxy"),
	]),
	"observed": late_rate,
	"limit": may_take_longer,
} |
	late > 0
	is_number(needed)
	proxy_total + late >= needed
	is_late_rate_high
]

were_late := without_answer(p99_limit, "the limit of p99_latency_ms")

without_answer(bound, meaning) := sprintf(
	"%s of %v requests%s: their clients gave up without an answer after more than %v ms, %s",
	[waits_shown(bound), proxy_total + waited_longer_than(bound), window, bound, meaning],
) if {
	still_wait_after(bound) == 0
} else := sprintf(
	"%s of %v requests%s: they wait for an answer, or their clients gave up, after more than %v ms, %s",
	[waits_shown(bound), proxy_total + waited_longer_than(bound), window, bound, meaning],
)

waits_shown(bound) := sprintf("proxy_abandoned %v", [given_up_after(bound)]) if {
	still_wait_after(bound) == 0
} else := sprintf("proxy_waiting %v, proxy_abandoned %v", [still_wait_after(bound), given_up_after(bound)])

# What such requests would have come to is not known, and neither is what they
# say of the figures that are kept without them. One doubt is enough.
abandoned_unclear := [{
	"code": "abandoned_unknown",
	"message": sprintf("%s%s", [doubts[0], origin_of("proxy")]),
	"observed": late_rate,
	"limit": may_take_longer,
} |
	has_waits
	are_waits_known
	count(doubts) > 0
	not is_late_rate_high
]

doubts := array.concat(doubt_of_errors, array.concat(doubt_of_slow, doubt_of_early))

# They may be errors: a proxy that waits longer than its clients sees none.
doubt_of_errors := [sprintf("%s; whether they fail is not known, and with them the error rate may be above its limit %s", [
	were_late,
	share(error_limit),
]) |
	late > 0
	is_number(error_limit)
	(failed_for_sure + late) / (proxy_total + late) > error_limit
]

# The slow ones that the histogram has may be others.
doubt_of_slow := [sprintf("%s; whether the canary counted them is not known, and if not, more than %v %% took longer", [
	were_late,
	percent(may_take_longer),
]) |
	late > 0
	p99.state == "kept"
	not is_surely_kept(late)
]

# At the P99 only 1 % are still waiting, of whom some may leave. More than that,
# and more than a few, have not been left by chance: they hung.
doubt_of_early := [sprintf(
	"%s, and only %v %% of those that were counted took so long: what they would have taken is not known",
	[
		without_answer(p99_bounds[1], "where the P99 of the others ends"),
		percent(may_take_longer),
	],
) |
	is_bounded
	p99.state == "kept"
	after_p99 := waited_longer_than(p99_bounds[1])
	after_p99 > 5
	after_p99 * 100 > proxy_total + after_p99
]

# --- requests that hang where the proxy cannot tell ---------------------------------

# It shows one that hangs when its time is up, and no sooner. So as many requests as
# a sample needs must have been answered so long ago that what hung beside them is
# in the figures, and no more than the limit of errors may have.
default is_settled := false

is_settled if {
	is_number(needed)
	usable.settled_requests >= needed
	is_none_hanging
}

is_none_hanging if facts.proxy_timed_out == 0

is_none_hanging if {
	facts.proxy_timed_out != 0
	not is_hanging
}

is_hanging if {
	is_number(error_limit)
	seen := usable
	is_number(seen.settled_requests)
	seen.proxy_timed_out > 0
	seen.proxy_timed_out / (seen.settled_requests + seen.proxy_timed_out) > error_limit
}

unsettled := [{
	"code": "requests_unsettled",
	"message": sprintf("settled_requests %s%s", [why_unsettled, origin_of("metrics")]),
	"observed": facts.settled_requests,
	"limit": needed,
} |
	enough
	not is_settled
]

why_unsettled := sprintf("is not known: it must be a whole number from 0; the limit is %v", [needed]) if {
	not is_settling_known
} else := sprintf(
	"%v is below the limit %v: a request may hang unseen for %v s (nginx.proxy_timeout), and too few are older",
	[facts.settled_requests, needed, facts.proxy_timeout_seconds],
) if {
	facts.settled_requests < needed
} else := sprintf(
	"%v, proxy_timed_out %v: of the requests of that time more hung than the limit of the error rate %s",
	[facts.settled_requests, facts.proxy_timed_out, share(error_limit)],
) if {
	is_hanging
}

is_settling_known if is_number(usable.settled_requests)

no_proxy_log := [{
	"code": "proxy_unknown",
	"message": sprintf("proxy_failures is not known%s: %s; its limit is %s of all requests", [
		origin_of("proxy"),
		proxy_error,
		shown_limit,
	]),
	"observed": null,
	"limit": limit.error_rate,
} |
	not is_proxy_known
]

is_proxy_known if {
	are_facts_usual
	are_waits_known
}

is_proxy_known if {
	not are_facts_usual
	seen := usable
	is_number(seen.proxy_failures)
	is_number(seen.proxy_timed_out)
	is_number(seen.proxy_errors)
	is_number(seen.proxy_broken)
	are_waits_known
}

proxy_error := facts.proxy_error if {
	is_string(facts.proxy_error)
} else := "it must be a whole number from 0"

shown_limit := share(error_limit) if {
	is_number(error_limit)
} else := "unknown"

# --- processes that came and went in the window --------------------------------------

incomplete := array.concat(process_restarted, process_vanished)

process_restarted := [{
	"code": "process_restarted",
	"message": sprintf(
		"resets %v is above the limit 0%s%s: what a process did before it restarted is not in the figures",
		[facts.resets, window, origin_of("metrics")],
	),
	"observed": facts.resets,
	"limit": 0,
} |
	is_measured
	usable.resets > 0
]

process_vanished := [{
	"code": "process_vanished",
	"message": sprintf(
		"vanished %v is above the limit 0%s%s: what a process did before it went away is not in the figures",
		[facts.vanished, window, origin_of("metrics")],
	),
	"observed": facts.vanished,
	"limit": 0,
} |
	is_measured
	usable.vanished > 0
]

# --- metrics and sample size ------------------------------------------------------

is_measured if facts.metrics_error == null

no_metrics := [{
	"code": "metrics_unavailable",
	"message": sprintf("no metrics of the canary%s: %s%s", [origin_of_error, metrics_error, limits_beside]),
	"observed": object.get(facts, ["metrics_error", "code"], null),
	"limit": null,
} |
	not is_measured
]

metrics_error := message if {
	message := object.get(facts, ["metrics_error", "message"], null)
	is_string(message)
} else := "the cause is not known"

# The instance that could not be read, where it is one of them.
origin_of_error := sprintf(" (%s)", [instance]) if {
	instance := object.get(facts, ["metrics_error", "instance"], null)
	is_string(instance)
} else := origin_of("metrics")

limits_beside := sprintf("; the limits are error_rate %s and p99_latency_ms %v ms", [
	share(error_limit),
	p99_limit,
]) if {
	is_number(error_limit)
	is_number(p99_limit)
} else := ""

# At least one: no requests means no data, not 0 %.
needed := max([usable.samples_needed, 1]) if {
	not has_min_requests
	is_number(usable.samples_needed)
} else := max([limit.min_requests, 1]) if {
	is_count(limit.min_requests)
} else := null

enough if {
	is_measured
	is_number(needed)
	usable.requests >= needed
} else := false

too_few := [{
	"code": "too_few_requests",
	"message": sprintf("requests %v is below the limit %v%s%s: %v of %v requests", [
		facts.requests,
		needed,
		window,
		origin_of("metrics"),
		facts.requests,
		needed,
	]),
	"observed": facts.requests,
	"limit": needed,
} |
	is_measured
	is_number(usable.requests)
	is_number(needed)
	not enough
]

# --- error rate ---------------------------------------------------------------------

is_error_rate_kept if {
	is_measured
	usable.error_rate <= error_limit
} else := false

too_many_errors := [{
	"code": "error_rate_high",
	"message": error_rate_words("above"),
	"observed": facts.error_rate,
	"limit": limit.error_rate,
} |
	enough
	is_number(usable.error_rate)
	is_number(error_limit)
	not is_error_rate_kept
]

error_rate_words(related) := sprintf("error_rate %s is %s the limit %s%s: %v of %v requests failed%s", [
	shown_error_rate,
	related,
	shown_limit,
	window,
	facts.errors,
	facts.requests,
	origin_of_metrics,
])

shown_error_rate := share_beside(usable.error_rate, error_limit)

# --- P99 ------------------------------------------------------------------------------

too_slow := [{
	"code": code,
	"message": p99.message,
	"observed": facts.p99_latency_ms,
	"limit": p99_limit,
} |
	enough
	is_number(p99_limit)
	code := {"high": "p99_high", "unknown": "p99_unknown"}[p99.state]
]

# Durations of some requests say nothing about the others. Counter and histogram
# are written one after the other, so a scrape may see a request in one of them
# alone, a few of them however many there are. Lack more, they may all have been
# slow: unknown is what they could decide. More durations than requests are no
# fault: a histogram without paths has the health checks too.
durations_may_lack := 5

has_few_durations if {
	is_measured
	lacking := usable.requests - durations
	lacking > durations_may_lack
	not is_surely_kept(lacking)
	not is_surely_high(lacking)
}

# Whether the P99 is kept however long so many more requests took.
is_surely_kept(more) if surely_within * 100 >= (durations + more) * 99

is_surely_high(more) if (edge.within + more) * 100 < (edge.total + more) * 99

# How many took no longer than the limit, by the highest bucket edge that is not
# above it.
surely_within := max([bucket.count |
	some bucket in buckets
	is_number(bucket.le_ms)
	bucket.le_ms <= p99_limit
]) if {
	is_number(p99_limit)
}

# How many durations the histogram has; undefined without any.
durations := last.count if {
	are_facts_usual
	last := buckets[count(buckets) - 1]
	last.le_ms == null
	last.count == max(counts_of_buckets)
	last.count > 0
} else := total if {
	total := max(counts_at(null))
	total > 0
}

# Where a bucket edge equals the limit, the share at or below it decides
# exactly; counts are compared, since a quotient would be rounded.
p99 := {"state": "unknown", "message": p99_of_few} if {
	has_few_durations
} else := {"state": "kept", "message": p99_by_edge("at or below")} if {
	edge.within * 100 >= edge.total * 99
} else := {"state": "high", "message": p99_by_edge("above")} if {
	edge.within * 100 < edge.total * 99
} else := {"state": "high", "message": p99_beyond(", and so above the limit")} if {
	p99_highest_bound >= p99_limit
} else := {"state": "unknown", "message": p99_beyond("; it is not known whether it is above the limit")} if {
	is_number(p99_highest_bound)
} else := {"state": "high", "message": p99_estimated("above")} if {
	usable.p99_latency_ms > p99_limit
} else := {"state": "kept", "message": p99_estimated("at or below")} if {
	usable.p99_latency_ms <= p99_limit
	is_bounded
} else := {"state": "unknown", "message": p99_absent}

# Undefined without a limit, an edge at it, or anything counted.
edge := {"within": min(within), "total": total} if {
	is_measured
	is_number(p99_limit)
	total := durations
	within := counts_at(p99_limit)
	max(within) <= total
}

# What the buckets with this edge counted.
counts_at(bound) := [bucket.count |
	some bucket in buckets
	bucket.le_ms == bound
]

# What is no list has no buckets.
buckets := facts.latency_buckets if {
	are_facts_usual
} else := [bucket |
	is_array(facts.latency_buckets)
	some bucket in facts.latency_buckets
	is_amount(bucket.count)
]

# The bucket that holds the P99: its lower and upper bound in milliseconds.
p99_bounds := facts.p99_bucket if {
	is_measured
	is_array(facts.p99_bucket)
} else := []

# The P99 lies in the last bucket: above this bound, no one knows how far.
p99_highest_bound := p99_bounds[0] if {
	count(p99_bounds) == 2
	is_amount(p99_bounds[0])
	is_null(p99_bounds[1])
}

is_bounded if {
	count(p99_bounds) == 2
	is_amount(p99_bounds[0])
	is_amount(p99_bounds[1])
	p99_bounds[0] <= p99_bounds[1]
}

p99_by_edge(related) := sprintf("%s is %s the limit %v ms%s: %v of %v requests (%v %%) took at most %v ms, 99 %% must%s", [
	p99_shown,
	related,
	limit.p99_latency_ms,
	window,
	edge.within,
	edge.total,
	percent(edge.within / edge.total),
	limit.p99_latency_ms,
	origin_of_metrics,
])

p99_estimated(related) := sprintf("%s is %s the limit %v ms%s%s%s", [
	p99_shown,
	related,
	limit.p99_latency_ms,
	window,
	p99_interval,
	origin_of("metrics"),
])

p99_beyond(conclusion) := sprintf(
	"p99_latency_ms is above %v ms, the highest bound of the histogram%s %v ms%s%s",
	[p99_highest_bound, conclusion, limit.p99_latency_ms, window, origin_of("metrics")],
)

p99_absent := sprintf(
	"p99_latency_ms is not known%s%s: the metrics have no usable latency histogram; the limit is %v ms",
	[window, origin_of("metrics"), limit.p99_latency_ms],
)

p99_of_few := sprintf(
	"p99_latency_ms is not known%s%s: the latency histogram has durations of %v of %v requests; the limit is %v ms",
	[window, origin_of("metrics"), durations, facts.requests, limit.p99_latency_ms],
)

p99_shown := sprintf("p99_latency_ms %v ms", [precise(usable.p99_latency_ms, limit.p99_latency_ms)]) if {
	is_number(usable.p99_latency_ms)
} else := "p99_latency_ms"

p99_interval := sprintf(" (estimated inside the bucket from %v to %v ms)", p99_bounds) if {
	is_bounded
} else := ""

# --- words -----------------------------------------------------------------------------

praise := [
	enough_words(needed),
	error_rate_words("at or below"),
	p99.message,
	proxy_words(failures_shown, shown_proxy_rate),
	health_words,
]

enough_words(least) := sprintf("%v requests%s, %v are needed%s", [facts.requests, window, least, origin_of_metrics])

proxy_words(failures, rate) := sprintf("%s: with them the error rate is %s, at or below the limit %s%s%s", [
	failures,
	rate,
	shown_limit,
	window,
	origin_of("proxy"),
])

health_words := sprintf("the canary is healthy, with 0 restarts and 0 kills for want of memory%s", [origin_of("health")])

notes := array.concat(array.concat(note_abandoned, note_confidence), note_stable)

note_abandoned := [sprintf("note: %v requests were given up by their clients%s, %v of them after more than %v ms%s", [
	given_up_after(-1),
	note_waiting,
	late,
	limit.p99_latency_ms,
	origin_of("proxy"),
]) |
	is_waiting_notable
	are_waits_known
	is_number(p99_limit)
]

# Some always wait where there is traffic.
is_waiting_notable if facts.proxy_abandoned != []

is_waiting_notable if late > 0

note_waiting := "" if {
	not is_array(facts.proxy_waiting)
} else := sprintf(" and %v wait for an answer", [sum([waiting.count |
	some waiting in facts.proxy_waiting
	is_count(waiting.count)
])])

# How much the sample can show; a limit is on what was seen.
note_confidence := [sprintf("note: with %v %% confidence the true error_rate is at most %s", [
	percent(confidence.level),
	rounded_share(confidence.error_rate_at_most),
]) |
	is_measured
	confidence := facts.confidence
	is_object(confidence)
	is_share(confidence.level)
	is_share(confidence.error_rate_at_most)
]

# For comparison only: a stable release that fails too points at something else
# than the canary, but does not make the canary good.
note_stable := [sprintf("note: stable %s in the same window: error_rate %s of %v requests%s", [
	stable_relation,
	rounded_share(stable.error_rate),
	stable.requests,
	stable_p99,
]) |
	stable := facts.stable
	stable.error_rate >= 0
	stable.error_rate <= 1
	stable.requests >= 0
	stable.requests <= longest
]

stable_relation := "is failing too" if {
	facts.stable.error_rate > error_limit
} else := "for comparison"

stable_p99 := sprintf(", p99_latency_ms %v ms", [rounded(facts.stable.p99_latency_ms)]) if {
	facts.stable.p99_latency_ms >= 0
	facts.stable.p99_latency_ms <= longest
} else := ""

window := sprintf(" over the last %v s", [rounded(usable.window_seconds)]) if {
	is_number(usable.window_seconds)
} else := ""

origin := sprintf(" (%s)", [facts.source]) if {
	is_string(facts.source)
	facts.source != ""
} else := ""

# Where a kind of facts was read; of the canary, where nothing better is told.
origin_of(kind) := sprintf(" (%s)", [text]) if {
	text := facts.sources[kind]
	is_string(text)
	text != ""
} else := origin

origin_of_metrics := origin_of("metrics")

share(value) := sprintf("%v (%v %%)", [value, percent(value)])

# The little more takes halves (1.275) up on every engine: they compute with
# different precision, and one has 127.4999… where another has 127.5. It is too little
# to show in anything below 50,000,000,000.
percent(value) := round(value * 10000.00000001) / 100

rounded(value) := round(value * 10.00000000001) / 10

rounded_share(value) := sprintf("%v (%v %%)", [parts / 10000, parts / 100]) if {
	parts := round(value * 10000.00000001)
}

# Rounded, unless that would print the limit for a value beside it.
share_beside(observed, bound) := rounded_share(observed) if {
	round(observed * 10000.00000001) / 10000 != bound
} else := share(observed) if {
	observed != bound
	observed >= 0.0001
} else := rounded_share(observed)

precise(observed, bound) := near if {
	near := rounded(observed)
	near != bound
} else := observed if {
	observed != bound
	observed >= 0.0001
} else := rounded(observed)
