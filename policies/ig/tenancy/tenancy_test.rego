package ig.tenancy_test

import data.ig.fixtures_test as fixtures
import data.ig.tenancy

denied := {"cross-tenant"}

analyst := {"actor": {"groups": ["analyst"]}}

cases := {
	"own tenant": {
		"read": {"input": fixtures.read, "want": set()},
		"write": {"input": fixtures.write, "want": set()},
		"export": {"input": fixtures.export, "want": set()},
	},
	"another tenant": {
		"read": {"input": object.union(fixtures.read, {"tenant": {"id": "bravo"}}), "want": denied},
		"the group does not help": {
			"input": object.union(fixtures.search, {"tenant": {"id": "bravo"}}),
			"want": denied,
		},
		"another case": {
			"input": object.union(fixtures.read, {"tenant": {"id": "Alpha"}}),
			"want": denied,
		},
	},
	"operations across tenants": {
		"by the group": {"input": fixtures.search, "want": set()},
		"by others": {"input": object.union(fixtures.search, analyst), "want": denied},
		"by no group": {
			"input": object.union(fixtures.search, {"actor": {"groups": []}}),
			"want": denied,
		},
		"by the flag alone": {
			"input": object.union(fixtures.read, {"operation": {"crossTenant": true}}),
			"want": denied,
		},
		"by the action alone": {
			"input": object.union(fixtures.read, {"operation": {"actions": [
				"query:case",
				"crossTenant:search",
			]}}),
			"want": denied,
		},
		"an action that only resembles": {
			"input": object.union(fixtures.read, {"operation": {"actions": ["query:crossTenant:x"]}}),
			"want": set(),
		},
	},
}

# An empty group would pass whatever the policy says.
passed(group) if {
	count(cases[group]) > 0
	failures(group) == set()
}

failures(group) := {note |
	some note, test in cases[group]
	got := tenancy.violation with input as test.input
	got != test.want
}

test_own_tenant if passed("own tenant")

test_another_tenant if passed("another tenant")

test_across_tenants if passed("operations across tenants")
