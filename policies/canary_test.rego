package canary_test

import data.canary

limits := {"disk_free_gb": 10, "cpu_load": 2.0, "error_rate": 0.01, "p99_latency_ms": 500}

good := {
	"requests": 300,
	"errors": 1,
	"error_rate": 0.003333,
	"p99_latency_ms": 430.25,
	"p99_bucket": [250, 500],
	"latency_buckets": [
		{"le_ms": 250, "count": 290},
		{"le_ms": 500, "count": 299},
		{"le_ms": null, "count": 300},
	],
	"window_seconds": 30,
	"resets": 0,
	"vanished": 0,
	"samples_needed": 50,
	"settled_requests": 290,
	"healthy": true,
	"restarts": 0,
	"oom_kills": 0,
	"proxy_abandoned": [],
	"proxy_broken": 0,
	"proxy_errors": 0,
	"proxy_failures": 0,
	"proxy_timed_out": 0,
	"proxy_timeout_seconds": 30,
	"proxy_waiting": null,
	"proxy_error": null,
	"stable": null,
	"metrics_error": null,
	"source": "app-green",
}

no_figures := {
	"requests": null,
	"errors": null,
	"error_rate": null,
	"p99_latency_ms": null,
	"p99_bucket": null,
	"latency_buckets": [],
	"window_seconds": null,
	"resets": null,
	"vanished": null,
	"metrics_error": {"code": "timed_out", "message": "metrics timed out"},
}

changed(facts) := object.union(good, facts)

codes(decision) := [violation.code | some violation in decision.violations]

gives(decision, verdict, expected) if {
	decision.allow == false
	decision.verdict == verdict
	codes(decision) == expected
	count(decision.reasons) >= count(expected)
}

# --- pass --------------------------------------------------------------------

test_passes_a_good_canary_with_reasons if {
	decision := canary.decision with input as good with data.thresholds as limits
	decision.allow == true
	decision.verdict == "pass"
	decision.violations == []
	decision.limits == limits
	every check in decision.checks { check.ok }
	decision.reasons == [
		"300 requests over the last 30 s, 50 are needed (app-green)",
		concat(" ", [
			"error_rate 0.0033 (0.33 %) is at or below the limit 0.01 (1 %) over the last 30 s:",
			"1 of 300 requests failed (app-green)",
		]),
		concat(" ", [
			"p99_latency_ms 430.3 ms is at or below the limit 500 ms over the last 30 s:",
			"299 of 300 requests (99.67 %) took at most 500 ms, 99 % must (app-green)",
		]),
		concat(" ", [
			"proxy_failures 0: with them the error rate is 0.0033 (0.33 %),",
			"at or below the limit 0.01 (1 %) over the last 30 s (app-green)",
		]),
		"the canary is healthy, with 0 restarts and 0 kills for want of memory (app-green)",
	]
	decision.waiting_helps == false
}

test_passes_exactly_at_both_limits if {
	edge := [{"le_ms": 500, "count": 297}, {"le_ms": null, "count": 300}]
	facts := changed({"requests": 100, "error_rate": 0.01, "latency_buckets": edge})
	decision := canary.decision with input as facts with data.thresholds as limits
	decision.allow == true
}

# --- error rate --------------------------------------------------------------

test_fails_on_errors if {
	facts := changed({"requests": 100, "errors": 52, "error_rate": 0.52})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["error_rate_high"])
	decision.violations[0].observed == 0.52
	decision.violations[0].limit == 0.01
	decision.violations[0].message == concat(" ", [
		"error_rate 0.52 (52 %) is above the limit 0.01 (1 %) over the last 30 s:",
		"52 of 100 requests failed (app-green)",
	])
}

test_does_not_round_a_rate_to_the_limit if {
	facts := changed({"requests": 50000, "errors": 502, "error_rate": 0.01004})
	decision := canary.decision with input as facts with data.thresholds as limits
	startswith(decision.reasons[0], "error_rate 0.01004 ")
}

# --- the usual pass ----------------------------------------------------------

# Judged at one look, or by every rule: one answer.
test_usual_pass_is_what_the_rules_say if {
	every usual in [
		{},
		{"requests": 50, "settled_requests": 50, "error_rate": 0.01, "proxy_errors": 1},
		{"samples_needed": 0},
		{"requests": 305},
		{"proxy_waiting": []},
		{"proxy_waiting": [{"waited_ms": 500, "count": 7}, {"waited_ms": 3, "count": 1}]},
		{"stable": {"requests": 900, "error_rate": 0.5, "p99_latency_ms": 120.04}},
	] {
		facts := changed(usual)
		one_look := canary.usual_pass with input as facts with data.thresholds as limits
		all_rules := canary.decision with input as facts
			with data.thresholds as limits
			with data.canary.usual_pass as false
		one_look.allow == true
		one_look == all_rules
	}
}

test_what_is_not_usual_is_judged_by_the_rules if {
	every unusual in [
		{"requests": 49},
		{"requests": 306},
		{"settled_requests": 49},
		{"error_rate": 0.010001},
		{"errors": 1.5},
		{"healthy": false},
		{"restarts": 1},
		{"oom_kills": 1},
		{"resets": 1},
		{"vanished": 1},
		{"proxy_failures": 1},
		{"proxy_broken": 1},
		{"proxy_timed_out": 1},
		{"proxy_errors": 2},
		{"proxy_abandoned": [{"waited_ms": 1, "count": 1}]},
		{"proxy_waiting": [{"waited_ms": 501, "count": 1}]},
		{"proxy_waiting": [{"waited_ms": 1, "count": 0.5}]},
		{"proxy_waiting": [{"waited_ms": "1", "count": 1}]},
		{"proxy_waiting": [{"count": 1}]},
		{"proxy_waiting": [{"waited_ms": 300, "count": 1}], "p99_bucket": [100, 250]},
		{"latency_buckets": []},
		{"latency_buckets": [{"le_ms": 500, "count": 296}, {"le_ms": null, "count": 300}]},
		{"latency_buckets": [{"le_ms": 250, "count": 300}, {"le_ms": null, "count": 300}]},
		{"latency_buckets": [{"le_ms": 500}, {"le_ms": null, "count": 300}]},
		{"metrics_error": {"code": "x", "message": "x"}},
		{"window_seconds": null},
	] {
		not canary.usual_pass with input as changed(unusual) with data.thresholds as limits
	}
	every other in [{"min_requests": 50}, {"error_rate": 1}, {"error_rate": "0.01"}, {"p99_latency_ms": null}] {
		not canary.usual_pass with input as good with data.thresholds as object.union(limits, other)
	}
}

# --- P99 ---------------------------------------------------------------------

test_fails_one_request_short_at_the_edge if {
	edge := [{"le_ms": 500, "count": 296}, {"le_ms": null, "count": 300}]
	decision := canary.decision with input as changed({"latency_buckets": edge}) with data.thresholds as limits
	gives(decision, "fail", ["p99_high"])
}

test_estimates_without_an_edge if {
	facts := changed({"p99_bucket": [400, 800], "latency_buckets": [{"le_ms": null, "count": 300}]})
	below := canary.decision with input as facts with data.thresholds as limits
	below.allow == true
	contains(below.reasons[2], "(estimated inside the bucket from 400 to 800 ms)")
	slow := object.union(facts, {"p99_latency_ms": 700})
	above := canary.decision with input as slow with data.thresholds as limits
	gives(above, "fail", ["p99_high"])
}

test_does_not_round_a_p99_to_the_limit if {
	facts := changed({"p99_latency_ms": 500.04, "p99_bucket": [400, 800], "latency_buckets": [{"le_ms": null, "count": 300}]})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["p99_high"])
	startswith(decision.reasons[0], "p99_latency_ms 500.04 ms is above the limit 500 ms")
}

test_last_bucket_fails_from_the_limit_on if {
	facts := changed({"p99_latency_ms": 600, "p99_bucket": [600, null], "latency_buckets": []})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["p99_high"])
}

test_last_bucket_below_the_limit_is_inconclusive if {
	facts := changed({"p99_latency_ms": 300, "p99_bucket": [300, null], "latency_buckets": []})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["p99_unknown"])
}

test_no_histogram_is_inconclusive if {
	facts := changed({"p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["p99_unknown"])
}

test_durations_of_some_requests_are_inconclusive if {
	few := [{"le_ms": 500, "count": 284}, {"le_ms": null, "count": 284}]
	decision := canary.decision with input as changed({"latency_buckets": few}) with data.thresholds as limits
	gives(decision, "inconclusive", ["p99_unknown"])
	decision.waiting_helps == false
	decision.reasons[0] == concat(" ", [
		"p99_latency_ms is not known over the last 30 s (app-green):",
		"the latency histogram has durations of 284 of 300 requests; the limit is 500 ms",
	])
}

test_a_few_durations_may_be_missing if {
	most := [{"le_ms": 500, "count": 295}, {"le_ms": null, "count": 295}]
	decision := canary.decision with input as changed({"latency_buckets": most}) with data.thresholds as limits
	decision.allow == true
}

test_missing_durations_may_all_have_been_slow if {
	fast := [{"le_ms": 500, "count": 288}, {"le_ms": null, "count": 288}]
	decision := canary.decision with input as changed({"latency_buckets": fast}) with data.thresholds as limits
	gives(decision, "inconclusive", ["p99_unknown"])
	many := changed({"requests": 3000, "latency_buckets": [{"le_ms": 500, "count": 2980}, {"le_ms": null, "count": 2980}]})
	few := canary.decision with input as many with data.thresholds as limits
	few.allow == true
}

test_missing_durations_do_not_hide_slow_ones if {
	slow := [{"le_ms": 500, "count": 200}, {"le_ms": null, "count": 280}]
	decision := canary.decision with input as changed({"latency_buckets": slow}) with data.thresholds as limits
	gives(decision, "fail", ["p99_high"])
}

test_more_durations_than_requests_are_no_fault if {
	more := [{"le_ms": 500, "count": 400}, {"le_ms": null, "count": 400}]
	decision := canary.decision with input as changed({"latency_buckets": more}) with data.thresholds as limits
	decision.allow == true
}

test_evidence_against_outweighs_want_of_evidence if {
	facts := changed({"error_rate": 0.5, "p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["error_rate_high", "p99_unknown"])
}

test_edge_decides_without_a_figure if {
	decision := canary.decision with input as changed({"p99_latency_ms": null, "p99_bucket": null})
		with data.thresholds as limits
	decision.allow == true
	startswith(decision.reasons[2], "p99_latency_ms is at or below")
}

# --- sample size and crashes -------------------------------------------------

test_too_few_requests_are_inconclusive_whatever_they_show if {
	facts := changed({"requests": 12, "errors": 6, "error_rate": 0.5})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["too_few_requests"])
	decision.reasons == ["requests 12 is below the limit 50 over the last 30 s (app-green): 12 of 50 requests"]
	decision.waiting_helps == true
	decision.sample == {"seen": 12, "needed": 50}
}

test_no_requests_are_never_a_pass if {
	facts := changed({"requests": 0, "errors": 0, "error_rate": null, "samples_needed": 0})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["too_few_requests"])
}

test_min_requests_replaces_samples_needed if {
	more := object.union(limits, {"min_requests": 500})
	decision := canary.decision with input as good with data.thresholds as more
	gives(decision, "inconclusive", ["too_few_requests"])
	broken := object.union(limits, {"min_requests": "500"})
	denied := canary.decision with input as good with data.thresholds as broken
	gives(denied, "fail", ["limits_missing"])
}

test_crashes_fail_whatever_the_sample if {
	facts := changed({"requests": 3, "healthy": false, "restarts": 2, "oom_kills": 1})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["canary_unhealthy", "canary_restarted", "canary_out_of_memory", "too_few_requests"])
}

test_starting_is_no_failure_and_no_pass if {
	facts := changed({"healthy": false, "health": "starting", "health_detail": "app-green is still starting"})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["canary_starting"])
	endswith(decision.reasons[0], ": app-green is still starting")
	decision.waiting_helps == true
	crashed := canary.decision with input as object.union(facts, {"restarts": 1}) with data.thresholds as limits
	gives(crashed, "fail", ["canary_restarted", "canary_starting"])
}

# --- missing evidence --------------------------------------------------------

test_no_metrics_are_inconclusive if {
	decision := canary.decision with input as changed(no_figures) with data.thresholds as limits
	gives(decision, "inconclusive", ["metrics_unavailable"])
	decision.reasons == [concat(" ", [
		"no metrics of the canary (app-green): metrics timed out;",
		"the limits are error_rate 0.01 (1 %) and p99_latency_ms 500 ms",
	])]
	decision.waiting_helps == false
	decision.sample == null
}

test_an_instance_that_cannot_be_read_is_named if {
	error := {"code": "metrics_http", "message": "metrics answered HTTP 500", "instance": "app-green at 172.18.0.4:3000"}
	decision := canary.decision with input as changed(object.union(no_figures, {"metrics_error": error}))
		with data.thresholds as limits
	startswith(decision.reasons[0], "no metrics of the canary (app-green at 172.18.0.4:3000): metrics answered HTTP 500;")
}

test_a_window_that_is_too_short_comes_with_time if {
	error := {"code": "window_too_short", "message": "the window is 12000 ms"}
	decision := canary.decision with input as changed(object.union(no_figures, {"metrics_error": error}))
		with data.thresholds as limits
	gives(decision, "inconclusive", ["metrics_unavailable"])
	decision.waiting_helps == true
}

test_series_that_were_lost_are_in_a_later_window if {
	error := {"code": "metrics_series_lost", "message": "metrics incomplete"}
	decision := canary.decision with input as changed(object.union(no_figures, {"metrics_error": error}))
		with data.thresholds as limits
	gives(decision, "inconclusive", ["metrics_unavailable"])
	decision.waiting_helps == true
}

test_what_is_malformed_does_not_come_with_time if {
	error := {"code": "metrics_malformed", "message": "metrics malformed"}
	decision := canary.decision with input as changed(object.union(no_figures, {"metrics_error": error}))
		with data.thresholds as limits
	gives(decision, "inconclusive", ["metrics_unavailable"])
	decision.waiting_helps == false
}

test_an_error_of_the_scrape_outweighs_good_figures if {
	decision := canary.decision with input as changed({"metrics_error": {}}) with data.thresholds as limits
	gives(decision, "inconclusive", ["metrics_unavailable"])
}

test_no_metrics_of_a_crashed_canary_fail if {
	facts := object.union(changed(no_figures), {"healthy": false})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["canary_unhealthy", "metrics_unavailable"])
}

test_missing_facts_fail if {
	every name in [
		"requests",
		"errors",
		"error_rate",
		"p99_latency_ms",
		"window_seconds",
		"resets",
		"vanished",
		"samples_needed",
		"healthy",
		"restarts",
		"oom_kills",
	] {
		facts := object.remove(good, [name])
		decision := canary.decision with input as facts with data.thresholds as limits
		gives(decision, "fail", ["facts_missing"])
	}
}

test_facts_of_a_wrong_type_fail if {
	every name in [
		"requests",
		"errors",
		"error_rate",
		"p99_latency_ms",
		"p99_bucket",
		"latency_buckets",
		"window_seconds",
		"resets",
		"vanished",
		"samples_needed",
		"healthy",
		"restarts",
		"oom_kills",
	] {
		decision := canary.decision with input as changed({name: "1"}) with data.thresholds as limits
		gives(decision, "fail", ["facts_missing"])
	}
}

test_an_input_that_is_no_object_fails if {
	decision := canary.decision with input as "fine" with data.thresholds as limits
	decision.verdict == "fail"
	{code | some code in codes(decision)} == {"facts_missing", "proxy_unknown"}
}

test_unusable_limits_fail if {
	every unusable in [
		object.remove(limits, ["error_rate"]),
		object.remove(limits, ["p99_latency_ms"]),
		object.union(limits, {"error_rate": "0.01"}),
		object.union(limits, {"error_rate": 5}),
		object.union(limits, {"error_rate": 1}),
		object.union(limits, {"error_rate": 0.99999999999999999999999}),
		object.union(limits, {"p99_latency_ms": -1}),
	] {
		decision := canary.decision with input as good with data.thresholds as unusable
		gives(decision, "fail", ["limits_missing"])
	}
	none := canary.decision with input as good with data.thresholds as null
	gives(none, "fail", ["limits_missing", "limits_missing"])
	none.reasons[0] == "thresholds.error_rate in data.json is absent: it must be a share from 0 to below 1 (0.01 is 1 %)"
}

test_fails_when_no_rule_gives_an_answer if {
	decision := canary.decision with input as good
		with data.thresholds as limits
		with data.canary.usual_pass as false
		with data.canary.is_every_check_kept as false
	gives(decision, "fail", ["undecided"])
}

# --- requests that only the proxy saw ---------------------------------------

test_a_canary_that_answers_nothing_fails_by_the_proxys_word if {
	nothing := {"requests": 0, "errors": 0, "error_rate": null, "p99_latency_ms": null, "proxy_failures": 60}
	decision := canary.decision with input as changed(nothing) with data.thresholds as limits
	gives(decision, "fail", ["proxy_failures", "too_few_requests"])
	decision.violations[0].observed == 1
	decision.violations[0].limit == 0.01
	decision.reasons[0] == concat(" ", [
		"proxy_failures 60: with them the error rate is 1 (100 %), above the limit 0.01 (1 %)",
		"over the last 30 s: 60 of 60 requests got no answer (app-green)",
	])
}

test_failures_at_the_proxy_add_to_those_of_the_app if {
	facts := changed({"requests": 97, "errors": 0, "error_rate": 0, "proxy_failures": 3})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["proxy_failures"])
	few := canary.decision with input as changed({"proxy_failures": 2}) with data.thresholds as limits
	few.allow == true
}

test_few_failures_at_the_proxy_are_too_few_to_judge if {
	nothing := {"requests": 0, "errors": 0, "error_rate": null, "proxy_failures": 3}
	decision := canary.decision with input as changed(nothing) with data.thresholds as limits
	gives(decision, "inconclusive", ["too_few_requests"])
}

test_answers_that_broke_off_are_errors_among_the_counted if {
	facts := changed({"requests": 1000, "errors": 0, "error_rate": 0, "proxy_broken": 677})
	decision := canary.decision with input as facts with data.thresholds as limits
	codes(decision)[0] == "proxy_failures"
	decision.verdict == "fail"
	decision.reasons[0] == concat(" ", [
		"proxy_failures 0, proxy_broken 677: with them the error rate is 0.677 (67.7 %), above the limit 0.01 (1 %)",
		"over the last 30 s: of 1000 requests 0 got no answer and 677 one that broke off (app-green)",
	])
}

test_requests_given_up_after_the_limit_are_slow_ones if {
	facts := changed({"requests": 423, "proxy_abandoned": [{"waited_ms": 200, "count": 9}, {"waited_ms": 1000, "count": 184}]})
	decision := canary.decision with input as facts with data.thresholds as limits
	"proxy_abandoned" in codes(decision)
	decision.verdict == "fail"
	decision.reasons[0] == concat(" ", [
		"proxy_abandoned 184 of 607 requests over the last 30 s: their clients gave up without an answer after more",
		"than 500 ms, the limit of p99_latency_ms: more than the 1 % that may take longer (app-green)",
	])
}

test_requests_given_up_in_time_are_told_and_pass if {
	facts := changed({"proxy_abandoned": [{"waited_ms": 200, "count": 9}]})
	decision := canary.decision with input as facts with data.thresholds as limits
	decision.allow == true
	some reason in decision.reasons
	reason == "note: 9 requests were given up by their clients, 0 of them after more than 500 ms (app-green)"
}

test_requests_given_up_more_often_than_may_fail_are_waited_for if {
	strict := object.union(limits, {"error_rate": 0.001})
	facts := changed({"errors": 0, "error_rate": 0, "proxy_abandoned": [{"waited_ms": 9000, "count": 1}]})
	decision := canary.decision with input as facts with data.thresholds as strict
	gives(decision, "inconclusive", ["abandoned_unknown"])
	decision.waiting_helps == true
}

test_records_without_what_the_proxy_saw_are_no_pass if {
	unbroken := canary.decision with input as object.remove(good, ["proxy_broken"]) with data.thresholds as limits
	gives(unbroken, "inconclusive", ["proxy_unknown"])
	patient := canary.decision with input as object.remove(good, ["proxy_abandoned"]) with data.thresholds as limits
	gives(patient, "inconclusive", ["proxy_unknown"])
}

test_errors_and_requests_given_up_are_added if {
	facts := changed({
		"requests": 1000,
		"errors": 9,
		"error_rate": 0.009,
		"latency_buckets": [{"le_ms": 500, "count": 1000}, {"le_ms": null, "count": 1000}],
		"proxy_abandoned": [{"waited_ms": 9000, "count": 9}],
	})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["abandoned_unknown"])
	decision.waiting_helps == true
}

test_slow_ones_and_requests_given_up_are_added_without_an_edge_at_the_limit if {
	facts := changed({
		"requests": 1000,
		"errors": 0,
		"error_rate": 0,
		"latency_buckets": [{"le_ms": 400, "count": 991}, {"le_ms": 900, "count": 1000}, {"le_ms": null, "count": 1000}],
		"p99_latency_ms": 399,
		"p99_bucket": [0, 400],
		"proxy_abandoned": [{"waited_ms": 9000, "count": 9}],
	})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["abandoned_unknown"])
}

test_a_proxy_that_does_not_tell_is_no_pass if {
	unknown := {"proxy_failures": null, "proxy_error": "its log cannot be read"}
	decision := canary.decision with input as changed(unknown) with data.thresholds as limits
	gives(decision, "inconclusive", ["proxy_unknown"])
	decision.waiting_helps == false
	decision.reasons[0] == concat(" ", [
		"proxy_failures is not known (app-green): its log cannot be read;",
		"its limit is 0.01 (1 %) of all requests",
	])
	absent := canary.decision with input as object.remove(good, ["proxy_failures"]) with data.thresholds as limits
	gives(absent, "inconclusive", ["proxy_unknown"])
}

test_sources_are_told_for_each_kind_of_fact if {
	sources := {"metrics": "/metrics of app-green", "health": "state of app-green", "proxy": "the proxy's log"}
	facts := changed({"sources": sources, "proxy_failures": 100, "healthy": false, "health_detail": "it answers 503"})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["canary_unhealthy", "proxy_failures"])
	decision.reasons[0] == "healthy is false, and must be true (state of app-green): it answers 503"
	endswith(decision.reasons[1], "requests got no answer (the proxy's log)")
}

# --- processes that came and went -------------------------------------------

test_what_restarted_or_went_away_leaves_the_figures_incomplete if {
	facts := changed({"resets": 1, "vanished": 2})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["process_restarted", "process_vanished"])
	decision.waiting_helps == true
	startswith(decision.reasons[1], "vanished 2 is above the limit 0 over the last 30 s (app-green): ")
}

test_waiting_is_no_use_while_anything_else_is_wanting if {
	facts := changed({"resets": 1, "p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["process_restarted", "p99_unknown"])
	decision.waiting_helps == false
}

# --- notes -------------------------------------------------------------------

test_notes_do_not_decide if {
	failing := {"requests": 900, "errors": 90, "error_rate": 0.1, "p99_latency_ms": 80}
	decision := canary.decision with input as changed({"stable": failing}) with data.thresholds as limits
	decision.allow == true
	array.slice(decision.reasons, 5, 6) == [concat(" ", [
		"note: stable is failing too in the same window:",
		"error_rate 0.1 (10 %) of 900 requests, p99_latency_ms 80 ms",
	])]
}

test_the_size_of_the_sample_is_noted if {
	facts := changed({"confidence": {"level": 0.95, "error_rate_at_most": 0.015732}})
	decision := canary.decision with input as facts with data.thresholds as limits
	decision.allow == true
	decision.reasons[5] == "note: with 95 % confidence the true error_rate is at most 0.0157 (1.57 %)"
}

test_notes_do_without_a_latency if {
	fine := {"requests": 900, "errors": 0, "error_rate": 0, "p99_latency_ms": null}
	decision := canary.decision with input as changed({"stable": fine, "source": ""}) with data.thresholds as limits
	decision.reasons[5] == "note: stable for comparison in the same window: error_rate 0 (0 %) of 900 requests"
}

# OPA alone compares 5000.0 and 500.0 as equal.
test_tells_powers_of_ten_apart if {
	facts := changed({"p99_latency_ms": 5000.0, "p99_bucket": [2500.0, 10000.0], "latency_buckets": []})
	slow := canary.decision with input as facts
		with data.thresholds as object.union(limits, {"p99_latency_ms": 500.0})
	gives(slow, "fail", ["p99_high"])
}

# --- what the canary does not count, and what hangs -----------------------------

test_errors_that_the_canary_does_not_count_are_counted_by_the_proxy if {
	facts := changed({"errors": 2, "error_rate": 0.006667, "proxy_errors": 40})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["proxy_failures"])
	decision.reasons[0] == concat(" ", [
		"proxy_failures 0, proxy_errors 40: with them the error rate is 0.1333 (13.33 %), above the limit 0.01 (1 %)",
		"over the last 30 s: of 300 requests 0 got no answer, 0 one that broke off and 40 an error (5xx), of which the",
		"canary counted 2 (app-green)",
	])
}

test_a_few_errors_more_than_the_canary_counted_are_a_doubt if {
	facts := changed({"errors": 2, "error_rate": 0.006667, "proxy_errors": 4})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["errors_unknown"])
	decision.waiting_helps == true
	decision.reasons[0] == concat(" ", [
		"proxy_errors 4, errors 2 over the last 30 s: if the canary did not count them, the error rate is",
		"0.0133 (1.33 %), above the limit 0.01 (1 %) (app-green)",
	])
}

test_requests_that_wait_longer_than_the_limit_are_slow_ones if {
	facts := changed({"proxy_waiting": [{"waited_ms": 12, "count": 3}, {"waited_ms": 6100, "count": 8}]})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "fail", ["proxy_abandoned"])
	decision.reasons[0] == concat(" ", [
		"proxy_waiting 8, proxy_abandoned 0 of 308 requests over the last 30 s: they wait for an answer, or their",
		"clients gave up, after more than 500 ms, the limit of p99_latency_ms: more than the 1 % that may take longer",
		"(app-green)",
	])
}

test_requests_under_way_say_nothing if {
	facts := changed({"proxy_waiting": [{"waited_ms": 12, "count": 3}]})
	decision := canary.decision with input as facts with data.thresholds as limits
	decision.allow == true
	count([reason | some reason in decision.reasons; startswith(reason, "note")]) == 0
}

test_a_request_may_hang_unseen_until_the_proxy_gives_up if {
	decision := canary.decision with input as changed({"settled_requests": 12}) with data.thresholds as limits
	gives(decision, "inconclusive", ["requests_unsettled"])
	decision.waiting_helps == true
	decision.reasons[0] == concat(" ", [
		"settled_requests 12 is below the limit 50: a request may hang unseen for 30 s (nginx.proxy_timeout), and too",
		"few are older (app-green)",
	])
}

test_what_is_settled_is_no_matter_of_time_where_it_is_not_told if {
	decision := canary.decision with input as object.remove(good, ["settled_requests"]) with data.thresholds as limits
	gives(decision, "inconclusive", ["requests_unsettled"])
	decision.waiting_helps == false
}

test_requests_that_hang_are_not_hidden_by_newer_ones if {
	facts := changed({
		"requests": 9000,
		"latency_buckets": [{"le_ms": 500, "count": 9000}, {"le_ms": null, "count": 9000}],
		"settled_requests": 60,
		"proxy_failures": 2,
		"proxy_timed_out": 2,
	})
	decision := canary.decision with input as facts with data.thresholds as limits
	gives(decision, "inconclusive", ["requests_unsettled"])
	decision.reasons[0] == concat(" ", [
		"settled_requests 60, proxy_timed_out 2: of the requests of that time more hung than the limit of the error",
		"rate 0.01 (1 %) (app-green)",
	])
}
