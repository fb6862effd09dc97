package freeze_test

import data.freeze

freezes := [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}]

limits := {"cpu_load": 2.0}

at(time) := decision if {
	decision := freeze.decision with input as {"time": time}
		with data.freezes as freezes
		with data.thresholds as limits
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
	at("2026-11-23T12:00:00+02:00").allow == false
}

test_denies_without_a_time if {
	decision := freeze.decision with input as {} with data.freezes as freezes with data.thresholds as limits
	decision.allow == false
}

test_denies_without_a_list if {
	decision := freeze.decision with input as {"time": "2026-11-23T12:00:00Z"}
		with data.freezes as null
		with data.thresholds as limits
	decision.allow == false
}

test_denies_a_freeze_that_is_not_sound if {
	decision := freeze.decision with input as {"time": "2026-11-23T12:00:00Z"}
		with data.freezes as [{"from": "tomorrow", "until": "2027-01-02T00:00:00Z", "why": "?"}]
		with data.thresholds as limits
	decision.allow == false
}
