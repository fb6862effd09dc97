package freeze_test

import data.freeze

freezes := [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}]

limits(list) := {"cpu_load": 2.0, "freezes": list}

at(time) := during(freezes, time)

during(list, time) := decision if {
	decision := freeze.decision with input as {"time": time} with data.thresholds as limits(list)
}

noon := "2026-11-23T12:00:00Z"

# A freeze that would not last at noon, but for its form.
unsound(changes) if {
	decision := during([object.union(freezes[0], changes)], noon)
	decision.allow == false
	decision.verdict == "fail"
	[violation.code | some violation in decision.violations] == ["freeze_unsound"]
	startswith(decision.reasons[0], "freezes[0] is not sound")
}

test_denies_inside_a_freeze if {
	decision := at("2026-12-24T18:00:00Z")
	decision.allow == false
	decision.violations[0].code == "frozen"
	decision.reasons == [concat(" ", [
		"time 2026-12-24T18:00:00Z is inside the freeze",
		"from 2026-12-20T00:00:00Z to 2027-01-02T00:00:00Z: year's end",
	])]
}

test_begins_with_its_first_second if {
	at("2026-12-19T23:59:59.999Z").allow == true
	at("2026-12-20T00:00:00.000+00:00").allow == false
}

test_ends_before_its_last if {
	at("2027-01-01T23:59:59Z").allow == false
	decision := at("2027-01-02T00:00:00Z")
	decision.allow == true
	decision.verdict == "pass"
	decision.reasons == ["no freeze at 2027-01-02T00:00:00Z, 1 are announced"]
}

test_denies_a_time_of_another_zone if {
	names(at("2026-11-23T12:00:00+02:00"), "time_unusable", "the text 2026-11-23T12:00:00+02:00")
}

test_tells_parts_of_a_second_apart if {
	list := [{"from": "2026-12-20T00:00:00.25Z", "until": "2026-12-20T00:00:00.5+00:00", "why": "a blink"}]
	during(list, "2026-12-20T00:00:00.2Z").allow == true
	during(list, "2026-12-20T00:00:00.250Z").allow == false
	during(list, "2026-12-20T00:00:00.49Z").allow == false
	during(list, "2026-12-20T00:00:00.500Z").allow == true
}

# The one violation says what is wrong and which form is meant.
names(decision, code, what) if {
	decision.allow == false
	decision.verdict == "fail"
	[violation.code | some violation in decision.violations] == [code]
	contains(decision.reasons[0], sprintf("is %s: it must be", [what]))
}

test_denies_without_a_time if {
	decision := freeze.decision with input as {} with data.thresholds as limits(freezes)
	names(decision, "time_unusable", "absent")
	of_a_text := freeze.decision with input as noon with data.thresholds as limits(freezes)
	names(of_a_text, "time_unusable", "absent")
}

test_denies_a_time_in_another_form if {
	names(at("2026-11-23"), "time_unusable", "the text 2026-11-23")
	names(at(20261123), "time_unusable", "20261123")
}

test_denies_without_a_list if {
	names(during(null, noon), "freezes_missing", "absent")
	decision := freeze.decision with input as {"time": noon} with data.thresholds as {"cpu_load": 2.0}
	names(decision, "freezes_missing", "absent")
	decision.limits == {"cpu_load": 2.0}
}

test_denies_what_is_no_list if {
	names(during("none", noon), "freezes_missing", "the text none")
	names(during(false, noon), "freezes_missing", "false")
}

test_denies_without_limits if {
	decision := freeze.decision with input as {"time": noon} with data.thresholds as null
	names(decision, "freezes_missing", "absent")
}

test_denies_where_no_rule_decides if {
	decision := freeze.decision with freeze.violations as [] with input as {} with data.thresholds as {}
	decision.allow == false
	decision.violations[0].code == "undecided"
}

test_denies_a_freeze_without_its_time_of_day if unsound({"from": "2026-12-24Z"})

test_denies_a_freeze_with_a_short_date if unsound({"from": "2026-12-4T00:00:00Z"})

test_denies_a_freeze_that_begins_in_words if unsound({"from": "tomorrowZ"})

test_denies_a_freeze_in_a_month_that_is_none if unsound({"until": "2027-13-02T00:00:00Z"})

test_denies_a_freeze_of_another_zone if unsound({"until": "2027-01-02T00:00:00+02:00"})

test_denies_a_freeze_with_more_than_a_time if unsound({"until": "2027-01-02T00:00:00Z\n"})

test_denies_a_freeze_that_ends_before_it_begins if {
	unsound({"from": "2027-01-02T00:00:00Z", "until": "2026-12-20T00:00:00Z"})
}

test_denies_a_freeze_that_ends_as_it_begins if unsound({"until": "2026-12-20T00:00:00.0+00:00"})

test_denies_a_freeze_without_an_end if unsound({"until": null})

test_denies_a_freeze_without_a_reason if unsound({"why": null})

test_denies_a_freeze_that_is_a_text if {
	decision := during(["2026-12-20"], noon)
	decision.violations[0].code == "freeze_unsound"
}

test_names_the_freeze_that_is_not_sound_beside_one_that_lasts if {
	decision := during(array.concat(freezes, [{"from": "soon"}]), "2026-12-24T18:00:00Z")
	[violation.code | some violation in decision.violations] == ["freeze_unsound", "frozen"]
	startswith(decision.reasons[0], "freezes[1] is not sound")
}
