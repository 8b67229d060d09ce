package ig.decision_test

import data.ig
import data.ig.fixtures_test as fixtures

allowed := {"allow": true, "rule": "allow", "obligations": []}

denied(rule) := {"allow": false, "rule": rule, "obligations": []}

bob := {"sub": "b@bravo.io", "tenant": "bravo", "groups": ["analyst"], "purposes": ["investigation"]}

cases := {
	"the demo's operations": {
		"read": {"input": fixtures.read, "want": allowed},
		"write": {"input": fixtures.write, "want": allowed},
		"export": {"input": fixtures.export, "want": allowed},
		"search by a cross-tenant analyst": {"input": fixtures.search, "want": allowed},
		"subscription": {
			"input": object.union(fixtures.read, {"operation": {
				"name": "CaseEvents",
				"type": "subscription",
				"actions": ["subscription:caseEvents"],
			}}),
			"want": allowed,
		},
		"audit": {"input": object.union(fixtures.read, {"purpose": "audit"}), "want": allowed},
		"bravo": {
			"input": object.union(fixtures.read, {
				"actor": bob,
				"tenant": {"id": "bravo", "region": "us-east-1"},
			}),
			"want": allowed,
		},
	},
	"each violation denies": {
		"purpose": {
			"input": object.union(fixtures.read, {"purpose": "marketing"}),
			"want": denied("purpose-not-granted"),
		},
		"bravo may not export": {
			"input": object.union(fixtures.export, {
				"actor": bob,
				"tenant": {"id": "bravo", "region": "us-east-1"},
			}),
			"want": denied("purpose-not-granted"),
		},
		"retention": {
			"input": fixtures.with_facts(fixtures.write, {"retention": ["forever"]}),
			"want": denied("retention-too-long"),
		},
		"no retention": {
			"input": fixtures.with_facts(fixtures.write, {}),
			"want": denied("retention-missing"),
		},
		"licence": {
			"input": fixtures.with_facts(
				fixtures.export,
				{"licenseClass": ["proprietary"], "destination.tos": ["public"]},
			),
			"want": denied("license-incompatible"),
		},
		"search by an analyst": {
			"input": object.union(fixtures.search, {"actor": {"groups": ["analyst"]}}),
			"want": denied("cross-tenant"),
		},
	},
	"the smallest name explains": {
		"two of one concern": {
			"input": fixtures.with_facts(fixtures.write, {"retention": [null, "forever"]}),
			"want": denied("retention-missing"),
		},
		"all concerns": {
			"input": object.union(
				fixtures.with_facts(fixtures.write, {"retention": ["forever"]}),
				{
					"purpose": "marketing",
					"operation": {"actions": ["export:assets", "mutation:createAsset"]},
					"tenant": {"id": "bravo"},
				},
			),
			"want": denied("cross-tenant"),
		},
		"without tenancy": {
			"input": object.union(
				fixtures.with_facts(fixtures.write, {"retention": ["forever"]}),
				{"purpose": "marketing", "operation": {"actions": ["export:assets"]}},
			),
			"want": denied("license-incompatible"),
		},
	},
	"what cannot be decided is denied by default": {
		"nothing": {"input": {}, "want": denied("default-deny")},
		"null": {"input": null, "want": denied("default-deny")},
		"a string": {"input": "allow", "want": denied("default-deny")},
		"an array": {"input": [fixtures.read], "want": denied("default-deny")},
		"no purpose": {
			"input": object.union(fixtures.read, {"purpose": null}),
			"want": denied("default-deny"),
		},
		# The violation alone would say purpose-not-granted.
		"incomplete and wrong": {
			"input": object.union(object.remove(fixtures.read, ["facts"]), {"purpose": "marketing"}),
			"want": denied("default-deny"),
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
	got := ig.decision with input as test.input
	got != test.want
}

test_demo if passed("the demo's operations")

test_each_violation if passed("each violation denies")

test_smallest_name if passed("the smallest name explains")

test_default_deny if passed("what cannot be decided is denied by default")

# A comparison that is undefined would look like no failure.
test_always_an_object if {
	every group in cases {
		every test in group {
			decision := ig.decision with input as test.input
			object.keys(decision) == {"allow", "rule", "obligations"}
			is_boolean(decision.allow)
			is_string(decision.rule)
			is_array(decision.obligations)
		}
	}
}

test_no_input_at_all if ig.decision == denied("default-deny")
