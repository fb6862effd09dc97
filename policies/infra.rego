# Asked before a deploy: is there room on the machine?
#
# Input:  {"disk_free_gb": number, "cpu_load": number, "cpus": number,
#          "sources": {"disk_free_gb": text, "cpu_load": text}, "time": RFC 3339}
# Limits: data.thresholds.disk_free_gb (GB) and data.thresholds.cpu_load (the
#         load average of the whole machine, not of one processor).
# Answer: data.infra.decision. Whatever cannot be compared denies: in Rego a
#         missing fact makes a comparison undefined, which is not a violation.
package infra

# The answer where the rules below give none.
default decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{
		"code": "undecided",
		"message": "the infra policy reached no decision on these facts",
		"observed": null,
		"limit": null,
	}],
	"reasons": ["the infra policy reached no decision on these facts"],
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

# What is compared: the fact and the limit have the same name.
rules := [
	{"fact": "disk_free_gb", "must": ">=", "unit": "GB", "code": "disk_free_low"},
	{"fact": "cpu_load", "must": "<=", "unit": "", "code": "cpu_load_high"},
]

facts := input if {
	is_object(input)
} else := {}

limits := data.thresholds if {
	is_object(data.thresholds)
} else := {}

# A pass needs every comparison made and kept; no violations is not enough.
verdict := "pass" if {
	count(violations) == 0
	count(checks) == count(rules)
	every check in checks { check.ok == true }
} else := "fail" if {
	count(violations) > 0
}

reasons := [sentence(check) | some check in checks] if {
	count(violations) == 0
} else := [violation.message | some violation in violations]

checks := [check |
	some rule in rules
	observed := plain(object.get(facts, rule.fact, null))
	limit := plain(object.get(limits, rule.fact, null))
	check := {
		"fact": rule.fact,
		"observed": observed,
		"must": rule.must,
		"limit": limit,
		"unit": rule.unit,
		"ok": kept(rule.must, observed, limit),
	}
]

# Only what is not kept is looked at more closely.
violations := [violation |
	some i, check in checks
	check.ok == false
	violation := violation_of(check, rules[i].code)
]

# The limit comes first: without it the fact says nothing.
violation_of(check, _) := {
	"code": "limits_missing",
	"message": sprintf(
		"%s%s cannot be judged%s: thresholds.%s in data.json is %s, and must be a number from 0",
		[check.fact, known(check.observed), origin(check.fact), check.fact, shown(check.limit)],
	),
	"observed": check.observed,
	"limit": check.limit,
} if {
	not usable(check.limit)
} else := {
	"code": "facts_missing",
	"message": sprintf(
		"%s is not %s%s; the limit is %s",
		[check.fact, lack_of(check.observed), origin(check.fact), amount(check.limit, check.unit)],
	),
	"observed": check.observed,
	"limit": check.limit,
} if {
	not usable(check.observed)
}

violation_of(check, code) := {
	"code": code,
	"message": sentence(check),
	"observed": check.observed,
	"limit": check.limit,
} if {
	usable(check.limit)
	usable(check.observed)
	not check.ok
}

known(value) := "" if {
	is_null(value)
} else := sprintf(" %s", [shown(value)])

# A value of whatever kind, as a message shows it.
shown(value) := "absent" if {
	is_null(value)
} else := sprintf("%v", [value]) if {
	is_number(value)
} else := sprintf("the text %v", [value]) if {
	is_string(value)
} else := "no number"

lack_of(value) := "known" if {
	value == null
} else := "usable: it must be a number from 0"

sentence(check) := sprintf("%s %s is %s the limit %s%s", [
	check.fact,
	amount(precise(check.observed, check.limit), check.unit),
	relation[check.must][check.ok],
	amount(check.limit, check.unit),
	origin(check.fact),
])

relation := {
	">=": {true: "at or above", false: "below"},
	"<=": {true: "at or below", false: "above"},
}

kept(">=", observed, limit) if {
	usable(observed)
	usable(limit)
	observed >= limit
} else := false

kept("<=", observed, limit) if {
	usable(observed)
	usable(limit)
	observed <= limit
} else := false

usable(value) if {
	is_number(value)
	value >= 0
}

# A number as OPA compares it rightly: up to 1.20 it takes 20.0 for 2, since it
# cuts every zero off the end of a text with a point (open-policy-agent/opa
# issue 9098). The result of a sum ends in no such zeros.
plain(value) := value + 0 if {
	is_number(value)
} else := value

# Where the fact was read, with the load of one processor beside the machine's.
origin(fact) := sprintf(" (%s)", [concat(", ", details)]) if {
	details := [detail |
		some detail in [object.get(facts, ["sources", fact], ""), object.get(beside, fact, "")]
		is_string(detail)
		detail != ""
	]
	count(details) > 0
} else := ""

beside := {"cpu_load": sprintf("%v on each of %v processors", [rounded(load / cpus), cpus])} if {
	load := plain(object.get(facts, "cpu_load", null))
	usable(load)
	cpus := plain(object.get(facts, "cpus", null))
	usable(cpus)
	cpus > 0
} else := {}

amount(value, "") := sprintf("%v", [value])

amount(value, unit) := sprintf("%v %s", [value, unit]) if unit != ""

# Two decimals, unless they would print the limit for a value beside it.
precise(observed, limit) := observed if {
	round((observed * 100) + 0.000001) / 100 == limit
	observed != limit
} else := round((observed * 100) + 0.000001) / 100

# The little more takes halves (1.275) up on every engine: they compute with
# different precision, and one has 127.4999… where another has 127.5.
rounded(value) := round((value * 100) + 0.000001) / 100
