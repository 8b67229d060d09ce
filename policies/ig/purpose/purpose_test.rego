package ig.purpose_test

import data.ig.fixtures_test as fixtures
import data.ig.purpose

denied := {"purpose-not-granted"}

with_purposes(purpose, granted) := object.union(
	fixtures.read,
	{"purpose": purpose, "actor": {"purposes": granted}},
)

cases := {
	"granted": {
		"the only one": {"input": with_purposes("audit", ["audit"]), "want": set()},
		"one of many": {"input": with_purposes("audit", ["export", "audit"]), "want": set()},
	},
	"not granted": {
		"another": {"input": with_purposes("audit", ["export"]), "want": denied},
		"none": {"input": with_purposes("audit", []), "want": denied},
		"a prefix": {"input": with_purposes("audit", ["auditing"]), "want": denied},
		"another case": {"input": with_purposes("Audit", ["audit"]), "want": denied},
		"the list is one string": {"input": with_purposes("audit", "audit"), "want": denied},
		"no list": {"input": with_purposes("audit", null), "want": denied},
	},
}

# An empty group would pass whatever the policy says.
passed(group) if {
	count(cases[group]) > 0
	failures(group) == set()
}

failures(group) := {note |
	some note, test in cases[group]
	got := purpose.violation with input as test.input
	got != test.want
}

test_granted if passed("granted")

test_not_granted if passed("not granted")
