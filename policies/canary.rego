# Asked before a canary becomes stable: did it serve well in the last window?
#
# Input:  {"requests", "errors": number, "error_rate": number or null,
#          "p99_latency_ms": number or null, "p99_bucket": [low, high or null] or null,
#          "latency_buckets": [{"le_ms": number or null (+Inf), "count": number}],
#          "window_seconds", "resets", "samples_needed": number,
#          "healthy": boolean, "restarts", "oom_kills": number,
#          "stable": {"requests", "error_rate", "p99_latency_ms"} or null,
#          "metrics_error": {"code", "message"} or null, "source": text,
#          "request_rate": number, "time": RFC 3339}
# Limits: data.thresholds.error_rate (a share, 0.01 is 1 %), p99_latency_ms, and
#         optionally min_requests, which then replaces input.samples_needed.
# Answer: data.canary.decision. It passes only on evidence: what is missing, too
#         little or of the wrong type never does. Evidence against the canary
#         (fail) outweighs a want of evidence (inconclusive).
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
}

decision := {
	"allow": verdict == "pass",
	"verdict": verdict,
	"violations": violations,
	"reasons": reasons,
	"checks": checks,
	"limits": limits,
}

default facts := {}

facts := input if is_object(input)

default limits := {}

limits := data.thresholds if is_object(data.thresholds)

fact(name) := plain(object.get(facts, name, null))

limit(name) := plain(object.get(limits, name, null))

# A number as OPA compares it rightly: up to 1.20 it takes 20.0 for 2, since it
# cuts every zero off the end of a text with a point (open-policy-agent/opa
# issue 9098). The result of a sum ends in no such zeros.
plain(value) := value + 0 if {
	is_number(value)
} else := value

# --- verdict -----------------------------------------------------------------

want_of_evidence := {"metrics_unavailable", "too_few_requests", "p99_unknown"}

failures := [violation |
	some violation in violations
	not violation.code in want_of_evidence
]

verdict := "fail" if count(failures) > 0

verdict := "inconclusive" if {
	count(violations) > 0
	count(failures) == 0
}

# A pass needs every comparison made and kept; no violations is not enough.
verdict := "pass" if {
	count(violations) == 0
	count(checks) == 6
	every check in checks { check.ok == true }
}

reasons := array.concat([violation.message | some violation in violations], notes) if count(violations) > 0

reasons := array.concat(praise, notes) if count(violations) == 0

# What counts most comes first.
violations := [violation |
	some group in [
		bad_limits,
		bad_facts,
		crashes,
		no_metrics,
		too_few,
		too_many_errors,
		too_slow,
	]
	some violation in group
]

checks := [
	check("requests", ">=", needed, "", enough),
	check("error_rate", "<=", limit("error_rate"), "", is_error_rate_kept),
	check("p99_latency_ms", "<=", limit("p99_latency_ms"), "ms", p99.state == "kept"),
	check("healthy", "==", true, "", fact("healthy") == true),
	check("restarts", "==", 0, "", fact("restarts") == 0),
	check("oom_kills", "==", 0, "", fact("oom_kills") == 0),
]

check(name, must, bound, unit, ok) := {
	"fact": name,
	"observed": fact(name),
	"must": must,
	"limit": bound,
	"unit": unit,
	"ok": ok,
}

# --- facts and limits that cannot be used ----------------------------------------

# A share above 1 would let everything through: 5 was meant as 5 %.
bad_limits := [violation |
	some name, kind in {"error_rate": "share", "p99_latency_ms": "amount", "min_requests": "count"}
	is_limit_asked_for(name)
	value := limit(name)
	not is_kind(value, kind)
	violation := {
		"code": "limits_missing",
		"message": sprintf("thresholds.%s in data.json must be %s", [name, described[kind]]),
		"observed": null,
		"limit": value,
	}
]

# min_requests may be absent.
is_limit_asked_for(name) if name != "min_requests"

is_limit_asked_for("min_requests") if "min_requests" in object.keys(limits)

bad_facts := [violation |
	some name, kind in required
	value := plain(object.get(facts, name, absent))
	not is_kind(value, kind)
	violation := {
		"code": "facts_missing",
		"message": sprintf("%s is not %s%s: it must be %s", [name, lack_of(value), origin, described[kind]]),
		"observed": fact(name),
		"limit": limit(name),
	}
]

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
} if {
	is_measured
}

# Without requests there is no rate; with requests there must be one.
rate_kind := "share or null" if fact("requests") == 0

rate_kind := "share" if fact("requests") != 0

default required_of_sample := {}

required_of_sample := {"samples_needed": "count"} if {
	is_measured
	not "min_requests" in object.keys(limits)
}

described := {
	"flag": "true or false",
	"count": "a whole number from 0",
	"amount": "a number from 0",
	"amount or null": "a number from 0, or null",
	"share": "a share from 0 to 1 (0.01 is 1 %)",
	"share or null": "a share from 0 to 1, or null",
	"list, null or absent": "a list",
}

is_kind(value, "flag") if is_boolean(value)

is_kind(value, "count") if {
	is_amount(value)
	value == floor(value)
}

is_kind(value, "amount") if is_amount(value)

is_kind(value, "amount or null") if is_amount(value)

is_kind(value, "amount or null") if is_null(value)

is_kind(value, "list, null or absent") if is_array(value)

is_kind(value, "list, null or absent") if value in {null, absent}

is_kind(value, "share") if is_share(value)

is_kind(value, "share or null") if is_share(value)

is_kind(value, "share or null") if is_null(value)

is_amount(value) if {
	is_number(value)
	value >= 0
}

is_share(value) if {
	is_amount(value)
	value <= 1
}

# --- crashes: the failures that the app's own metrics cannot show -----------------

crashes := array.concat(unhealthy, array.concat(restarted, out_of_memory))

unhealthy := [{
	"code": "canary_unhealthy",
	"message": sprintf("healthy is false, and must be true%s: the canary fails its health check", [origin]),
	"observed": false,
	"limit": true,
} |
	fact("healthy") == false
]

restarted := [{
	"code": "canary_restarted",
	"message": sprintf("restarts %v is above the limit 0%s: the canary was started again", [fact("restarts"), origin]),
	"observed": fact("restarts"),
	"limit": 0,
} |
	is_amount(fact("restarts"))
	fact("restarts") > 0
]

out_of_memory := [{
	"code": "canary_out_of_memory",
	"message": sprintf(
		"oom_kills %v is above the limit 0%s: the canary was killed for want of memory",
		[fact("oom_kills"), origin],
	),
	"observed": fact("oom_kills"),
	"limit": 0,
} |
	is_amount(fact("oom_kills"))
	fact("oom_kills") > 0
]

# --- metrics and sample size ------------------------------------------------------

is_measured if fact("metrics_error") == null

no_metrics := [{
	"code": "metrics_unavailable",
	"message": sprintf("no metrics of the canary%s: %s", [origin, metrics_error]),
	"observed": object.get(facts, ["metrics_error", "code"], null),
	"limit": null,
} |
	not is_measured
]

metrics_error := message if {
	message := object.get(facts, ["metrics_error", "message"], null)
	is_string(message)
} else := "the cause is not known"

# At least one: no requests means no data, not 0 %.
needed := max([limit("min_requests"), 1]) if {
	is_kind(limit("min_requests"), "count")
} else := null if {
	"min_requests" in object.keys(limits)
} else := max([fact("samples_needed"), 1]) if {
	is_kind(fact("samples_needed"), "count")
} else := null

default enough := false

enough if {
	is_measured
	is_kind(fact("requests"), "count")
	is_number(needed)
	fact("requests") >= needed
}

too_few := [{
	"code": "too_few_requests",
	"message": sprintf("%v of %v requests%s%s", [fact("requests"), needed, window, origin]),
	"observed": fact("requests"),
	"limit": needed,
} |
	is_measured
	is_kind(fact("requests"), "count")
	is_number(needed)
	not enough
]

# --- error rate ---------------------------------------------------------------------

default is_error_rate_kept := false

is_error_rate_kept if {
	is_measured
	is_share(fact("error_rate"))
	is_share(limit("error_rate"))
	fact("error_rate") <= limit("error_rate")
}

too_many_errors := [{
	"code": "error_rate_high",
	"message": error_rate_sentence,
	"observed": fact("error_rate"),
	"limit": limit("error_rate"),
} |
	enough
	is_share(fact("error_rate"))
	is_share(limit("error_rate"))
	not is_error_rate_kept
]

error_rate_sentence := sprintf("error_rate %s is %s the limit %s%s: %v of %v requests failed%s", [
	share(precise(fact("error_rate"), limit("error_rate"), 10000)),
	relation[is_error_rate_kept],
	share(limit("error_rate")),
	window,
	fact("errors"),
	fact("requests"),
	origin,
]) if {
	is_share(fact("error_rate"))
	is_share(limit("error_rate"))
}

relation := {true: "at or below", false: "above"}

# --- P99 ------------------------------------------------------------------------------

too_slow := [{
	"code": code,
	"message": p99.message,
	"observed": fact("p99_latency_ms"),
	"limit": limit("p99_latency_ms"),
} |
	enough
	is_amount(limit("p99_latency_ms"))
	code := {"high": "p99_high", "unknown": "p99_unknown"}[p99.state]
]

# Where a bucket edge equals the limit, the share at or below it decides
# exactly; counts are compared, since a quotient would be rounded.
p99 := {"state": "kept", "message": p99_by_edge("at or below")} if {
	edge.within * 100 >= edge.total * 99
} else := {"state": "high", "message": p99_by_edge("above")} if {
	edge.within * 100 < edge.total * 99
} else := {"state": "high", "message": p99_beyond(", and so above the limit")} if {
	is_amount(limit("p99_latency_ms"))
	p99_highest_bound >= limit("p99_latency_ms")
} else := {"state": "unknown", "message": p99_beyond("; it is not known whether it is above the limit")} if {
	is_number(p99_highest_bound)
} else := {"state": "high", "message": p99_estimated("above")} if {
	is_amount(fact("p99_latency_ms"))
	is_amount(limit("p99_latency_ms"))
	fact("p99_latency_ms") > limit("p99_latency_ms")
} else := {"state": "kept", "message": p99_estimated("at or below")} if {
	is_amount(fact("p99_latency_ms"))
	is_amount(limit("p99_latency_ms"))
	fact("p99_latency_ms") <= limit("p99_latency_ms")
	is_bounded
} else := {"state": "unknown", "message": p99_absent}

# Undefined without a limit, an edge at it, or anything counted.
edge := {"within": min(within), "total": total} if {
	is_measured
	is_amount(limit("p99_latency_ms"))
	total := max([bucket.count | some bucket in buckets; bucket.le_ms == null])
	total > 0
	within := [bucket.count | some bucket in buckets; bucket.le_ms == limit("p99_latency_ms")]
	max(within) <= total
}

default buckets := []

buckets := usable_buckets(fact("latency_buckets")) if is_array(fact("latency_buckets"))

usable_buckets(list) := [bucket |
	some listed in list
	is_object(listed)
	bucket := {"le_ms": plain(listed.le_ms), "count": plain(listed.count)}
	is_amount(bucket.count)
]

# The bucket that holds the P99: its lower and upper bound in milliseconds.
default p99_bounds := []

p99_bounds := [plain(bound) | some bound in fact("p99_bucket")] if {
	is_measured
	is_array(fact("p99_bucket"))
}

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
	limit("p99_latency_ms"),
	window,
	edge.within,
	edge.total,
	percent(edge.within / edge.total),
	limit("p99_latency_ms"),
	origin,
])

p99_estimated(related) := sprintf("%s is %s the limit %v ms%s%s%s", [
	p99_shown,
	related,
	limit("p99_latency_ms"),
	window,
	p99_interval,
	origin,
])

p99_beyond(conclusion) := sprintf(
	"p99_latency_ms is above %v ms, the highest bound of the histogram%s %v ms%s%s",
	[p99_highest_bound, conclusion, limit("p99_latency_ms"), window, origin],
)

p99_absent := sprintf(
	"p99_latency_ms is not known%s%s: the metrics have no usable latency histogram; the limit is %v ms",
	[window, origin, limit("p99_latency_ms")],
)

p99_shown := sprintf("p99_latency_ms %v ms", [precise(fact("p99_latency_ms"), limit("p99_latency_ms"), 10)]) if {
	is_amount(fact("p99_latency_ms"))
} else := "p99_latency_ms"

p99_interval := sprintf(" (estimated inside the bucket from %v to %v ms)", p99_bounds) if {
	is_bounded
} else := ""

# --- words -----------------------------------------------------------------------------

praise := [
	sprintf("%v requests%s, %v are needed%s", [fact("requests"), window, needed, origin]),
	error_rate_sentence,
	p99.message,
	"the canary is healthy, with 0 restarts and 0 kills for want of memory",
]

notes := array.concat(note_resets, note_stable)

note_resets := [sprintf("note: restarts of processes inside the window: %v, counted from zero", [resets]) |
	resets := fact("resets")
	is_amount(resets)
	resets > 0
]

# For comparison only: a stable release that fails too points at something else
# than the canary, but does not make the canary good.
note_stable := [sprintf("note: stable %s in the same window: error_rate %s of %v requests%s", [
	stable_relation,
	share(rounded(stable("error_rate"), 10000)),
	stable("requests"),
	stable_p99,
]) |
	is_share(stable("error_rate"))
	is_amount(stable("requests"))
]

stable(name) := plain(object.get(fact("stable"), name, null)) if {
	is_object(fact("stable"))
} else := null

stable_relation := "is failing too" if {
	is_share(limit("error_rate"))
	stable("error_rate") > limit("error_rate")
} else := "for comparison"

stable_p99 := sprintf(", p99_latency_ms %v ms", [rounded(stable("p99_latency_ms"), 10)]) if {
	is_amount(stable("p99_latency_ms"))
} else := ""

window := sprintf(" over the last %v s", [rounded(fact("window_seconds"), 10)]) if {
	is_amount(fact("window_seconds"))
} else := ""

origin := sprintf(" (%s)", [fact("source")]) if {
	is_string(fact("source"))
	fact("source") != ""
} else := ""

share(value) := sprintf("%v (%v %%)", [value, percent(value)])

percent(value) := rounded(value * 100, 100)

# Rounded, unless that would print the limit for a value beside it.
precise(observed, bound, scale) := observed if {
	rounded(observed, scale) == bound
	observed != bound
	observed >= 0.0001
} else := rounded(observed, scale)

# The little more takes halves (1.275) up on every engine: they compute with
# different precision, and one has 127.4999… where another has 127.5.
rounded(value, scale) := round((value * scale) + 0.000001) / scale
