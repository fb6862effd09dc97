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
# and the freezes in policies/data.json, beside "thresholds":
#
#     "freezes": [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}]
#
# Here, in a folder whose name begins with a dot, no engine loads it.
package freeze

# The answer where the rules below give none: the time or the list is missing.
default decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{"code": "undecided", "message": "the freeze policy reached no decision on these facts"}],
	"reasons": ["the freeze policy reached no decision on these facts"],
	"limits": {},
}

# `limits` repeats all thresholds: it proves that the engine has those on disk.
decision := {
	"allow": count(violations) == 0,
	"verdict": verdict,
	"violations": violations,
	"reasons": reasons,
	"limits": data.thresholds,
} if {
	is_utc(input.time)
	is_array(data.freezes)
	every freeze in freezes { is_sound(freeze) }
}

default freezes := []

freezes := data.freezes if is_array(data.freezes)

verdict := "pass" if count(violations) == 0

verdict := "fail" if count(violations) > 0

reasons := [violation.message | some violation in violations] if count(violations) > 0

reasons := [sprintf("no freeze at %s, %v are announced", [input.time, count(freezes)])] if {
	count(violations) == 0
}

violations := [violation |
	some freeze in freezes
	now := substring(input.time, 0, 19)
	now >= substring(freeze.from, 0, 19)
	now < substring(freeze.until, 0, 19)
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

# Times in UTC have the order of their texts.
is_utc(time) if endswith(time, "Z")

is_utc(time) if endswith(time, "+00:00")

is_sound(freeze) if {
	is_utc(freeze.from)
	is_utc(freeze.until)
	is_string(freeze.why)
}
