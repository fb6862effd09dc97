# A gate of one's own: no deploys while a freeze lasts.
#
# To use it, copy this file and its test to policies/, name the gate in the
# manifest
#
#     policy:
#       gates:
#         - package: freeze
#           before: deploy
#
# and the freezes in policies/data.json, under "thresholds":
#
#     "freezes": [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}]
#
# Times are in UTC and in this form. A freeze that is written otherwise, or ends
# before it begins, denies every deploy until it is corrected.
#
# Here, in a folder whose name begins with a dot, no engine loads it.
package freeze

# The answer where the rules below give none. A default is a constant, so it
# cannot repeat the limits; the code `undecided` says why.
default decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{"code": "undecided", "message": "the freeze policy reached no decision on these facts"}],
	"reasons": ["the freeze policy reached no decision on these facts"],
	"limits": {},
}

# `limits` repeats all thresholds: it proves that the engine has those on disk,
# the freezes among them.
decision := {
	"allow": count(violations) == 0,
	"verdict": verdict,
	"violations": violations,
	"reasons": reasons,
	"limits": limits,
}

default facts := {}

facts := input if is_object(input)

default limits := {}

limits := data.thresholds if is_object(data.thresholds)

default freezes := []

freezes := data.thresholds.freezes if is_array(data.thresholds.freezes)

# A pass needs what it rests on; no violations is not enough.
verdict := "pass" if {
	count(violations) == 0
	is_utc(input.time)
	is_array(data.thresholds.freezes)
}

verdict := "fail" if count(violations) > 0

reasons := [violation.message | some violation in violations] if count(violations) > 0

reasons := [sprintf("no freeze at %s, %v are announced", [input.time, count(freezes)])] if {
	count(violations) == 0
}

violations := array.concat(array.concat(no_list, no_time), array.concat(unsound, frozen))

# Without a list nobody knows whether a freeze lasts; one without freezes says so.
no_list := [violation |
	listed := object.get(limits, "freezes", null)
	not is_array(listed)
	violation := {
		"code": "freezes_missing",
		"message": sprintf(
			"thresholds.freezes in data.json is %s: it must be a list of freezes, and [] where there is none",
			[shown(listed)],
		),
		"limit": listed,
	}
]

no_time := [violation |
	asked := object.get(facts, "time", null)
	not is_utc(asked)
	violation := {
		"code": "time_unusable",
		"message": sprintf(
			"the fact time is %s: it must be a time in UTC like 2026-12-20T00:00:00Z",
			[shown(asked)],
		),
		"observed": asked,
	}
]

shown(value) := "absent" if {
	is_null(value)
} else := sprintf("the text %v", [value]) if {
	is_string(value)
} else := sprintf("%v", [value])

# Which freezes can be understood, by their place in the list.
sound contains place if {
	some place, freeze in freezes
	is_utc(freeze.from)
	is_utc(freeze.until)
	instant(freeze.from) < instant(freeze.until)
	is_string(freeze.why)
}

# What cannot be understood may be meant for now.
unsound := [violation |
	some place, freeze in freezes
	not place in sound
	violation := {
		"code": "freeze_unsound",
		"message": sprintf(
			"freezes[%d] is not sound: `from` and `until` must be times like 2026-12-20T00:00:00Z, %s",
			[place, "`from` before `until`, and `why` a text"],
		),
		"observed": freeze,
	}
]

frozen := [violation |
	some place, freeze in freezes
	place in sound
	is_utc(input.time)
	now := instant(input.time)
	now >= instant(freeze.from)
	now < instant(freeze.until)
	violation := {
		"code": "frozen",
		"message": sprintf(
			"time %s is inside the freeze from %s to %s: %s",
			[input.time, freeze.from, freeze.until, freeze.why],
		),
		"observed": input.time,
		"limit": freeze.until,
	}
]

is_utc(time) if {
	is_string(time)
	day := `[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	clock := `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?`
	regex.match(sprintf(`^%sT%s(Z|\+00:00)$`, [day, clock]), time)
}

# Times in UTC have the order of their texts, without the zone and the zeros at
# the end of a fraction.
instant(time) := concat("", [substring(time, 0, 19), trim_right(substring(time, 19, -1), ".0:+Z")])
