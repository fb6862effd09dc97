package infra_test

import data.infra

limits := {"disk_free_gb": 10, "cpu_load": 2.0, "error_rate": 0.01, "p99_latency_ms": 500}

roomy := {
	"disk_free_gb": 80.1,
	"cpu_load": 0.4,
	"cpus": 2,
	"sources": {"disk_free_gb": "/var/lib/docker", "cpu_load": "load average of the last minute"},
}

changed(facts) := object.union(roomy, facts)

codes(decision) := [violation.code | some violation in decision.violations]

denies(decision, expected) if {
	decision.allow == false
	decision.verdict == "fail"
	codes(decision) == expected
	count(decision.reasons) == count(expected)
}

test_passes_a_roomy_host_with_reasons if {
	decision := infra.decision with input as roomy with data.thresholds as limits
	decision.allow == true
	decision.verdict == "pass"
	decision.violations == []
	decision.reasons == [
		"disk_free_gb 80.1 GB is at or above the limit 10 GB (/var/lib/docker)",
		"cpu_load 0.4 is at or below the limit 2 (load average of the last minute, 0.2 on each of 2 processors)",
	]
	decision.limits == limits
}

test_passes_exactly_at_both_limits if {
	decision := infra.decision with input as changed({"disk_free_gb": 10, "cpu_load": 2})
		with data.thresholds as limits
	decision.allow == true
	[check.ok | some check in decision.checks] == [true, true]
}

test_denies_a_full_disk if {
	decision := infra.decision with input as changed({"disk_free_gb": 4.2}) with data.thresholds as limits
	denies(decision, ["disk_free_low"])
	decision.violations == [{
		"code": "disk_free_low",
		"message": "disk_free_gb 4.2 GB is below the limit 10 GB (/var/lib/docker)",
		"observed": 4.2,
		"limit": 10,
	}]
	[check.ok | some check in decision.checks] == [false, true]
}

test_denies_a_busy_host if {
	decision := infra.decision with input as changed({"cpu_load": 3.5}) with data.thresholds as limits
	denies(decision, ["cpu_load_high"])
}

test_denies_both_at_once if {
	decision := infra.decision with input as {"disk_free_gb": 1, "cpu_load": 9} with data.thresholds as limits
	denies(decision, ["disk_free_low", "cpu_load_high"])
}

test_does_not_round_a_value_to_the_limit if {
	decision := infra.decision with input as changed({"disk_free_gb": 9.999}) with data.thresholds as limits
	startswith(decision.reasons[0], "disk_free_gb 9.999 GB is below the limit 10 GB")
}

test_denies_missing_facts if {
	denies(infra.decision, ["facts_missing", "facts_missing"]) with input as {} with data.thresholds as limits
}

test_denies_facts_of_a_wrong_type if {
	decision := infra.decision with input as changed({"disk_free_gb": "80", "cpu_load": -1})
		with data.thresholds as limits
	denies(decision, ["facts_missing", "facts_missing"])
	decision.violations[0].observed == "80"
}

test_denies_an_input_that_is_no_object if {
	decision := infra.decision with input as [80, 0.4] with data.thresholds as limits
	denies(decision, ["facts_missing", "facts_missing"])
}

test_denies_missing_limits if {
	decision := infra.decision with input as roomy with data.thresholds as {"cpu_load": 2.0}
	denies(decision, ["limits_missing"])
}

test_says_which_limit_is_missing_without_facts_too if {
	decision := infra.decision with input as {} with data.thresholds as {"cpu_load": "2"}
	decision.reasons == [
		"disk_free_gb cannot be judged: thresholds.disk_free_gb in data.json is absent, and must be a number from 0",
		"cpu_load cannot be judged: thresholds.cpu_load in data.json is the text 2, and must be a number from 0",
	]
}

test_denies_limits_that_are_no_object if {
	decision := infra.decision with input as roomy with data.thresholds as [10, 2.0]
	denies(decision, ["limits_missing", "limits_missing"])
	decision.limits == {}
}

test_does_without_sources if {
	decision := infra.decision with input as {"disk_free_gb": 80, "cpu_load": 0.4} with data.thresholds as limits
	decision.reasons == [
		"disk_free_gb 80 GB is at or above the limit 10 GB",
		"cpu_load 0.4 is at or below the limit 2",
	]
}

test_denies_when_no_rule_gives_an_answer if {
	decision := infra.decision with input as roomy with data.thresholds as limits with data.infra.checks as []
	denies(decision, ["undecided"])
}

# OPA alone compares 20.0 and 2.0 as equal.
test_tells_powers_of_ten_apart if {
	load := infra.decision with input as changed({"cpu_load": 20.0}) with data.thresholds as limits
	denies(load, ["cpu_load_high"])
	disk := infra.decision with input as changed({"disk_free_gb": 1.0})
		with data.thresholds as object.union(limits, {"disk_free_gb": 10.0})
	denies(disk, ["disk_free_low"])
}
