package ig.license_test

import data.ig.fixtures_test as fixtures
import data.ig.license

denied := {"license-incompatible"}

exporting(classes, terms) := fixtures.with_facts(
	fixtures.export,
	{"licenseClass": classes, "destination.tos": terms},
)

declaring(resources) := object.union(fixtures.export, {"resources": resources})

all_terms := {"internal", "partner", "public", "commercial", "unknown"}

# Written out once more, so that a slip in the policy's table shows.
permitted_pairs := {
	["cc0", "internal"], ["cc0", "partner"], ["cc0", "public"], ["cc0", "commercial"],
	["cc-by", "internal"], ["cc-by", "partner"], ["cc-by", "public"], ["cc-by", "commercial"],
	["cc-by-nc", "internal"], ["cc-by-nc", "partner"], ["cc-by-nc", "public"],
	["partner-only", "internal"], ["partner-only", "partner"],
	["proprietary", "internal"],
}

pair_violation(class, term) := set() if [class, term] in permitted_pairs

pair_violation(class, term) := denied if not [class, term] in permitted_pairs

all_classes := {"cc0", "cc-by", "cc-by-nc", "partner-only", "proprietary", "unknown", ""}

table_cases := {sprintf("%s to %s", [class, term]): test |
	some class in all_classes
	some term in all_terms
	test := {"input": exporting([class], [term]), "want": pair_violation(class, term)}
}

cases := {
	"the table": table_cases,
	"several values": {
		"all compatible": {
			"input": exporting(["cc0", "cc-by"], ["internal", "commercial"]),
			"want": set(),
		},
		"one class is not": {
			"input": exporting(["cc-by", "proprietary"], ["partner"]),
			"want": denied,
		},
		"one destination is not": {
			"input": exporting(["proprietary"], ["internal", "partner"]),
			"want": denied,
		},
	},
	"nothing to allow by": {
		"no class": {"input": exporting([], ["internal"]), "want": denied},
		"no destination": {"input": exporting(["cc0"], []), "want": denied},
		"null class": {"input": exporting([null], ["internal"]), "want": denied},
		"null destination": {"input": exporting(["cc0"], [null]), "want": denied},
		"null beside a class": {"input": exporting(["cc0", null], ["internal"]), "want": denied},
		"not a string": {"input": exporting([{"cc0": true}], ["internal"]), "want": denied},
		"no facts": {"input": fixtures.with_facts(fixtures.export, {}), "want": denied},
	},
	"declared by the schema": {
		"compatible": {"input": declaring([{"licenseClass": "cc0"}]), "want": set()},
		"not": {"input": declaring([{"licenseClass": "proprietary"}]), "want": denied},
		"null": {"input": declaring([{"licenseClass": null}]), "want": denied},
		"none": {"input": declaring([{"pii": false}]), "want": set()},
		"alone": {
			"input": fixtures.with_facts(
				declaring([{"licenseClass": "cc0"}]),
				{"destination.tos": ["internal"]},
			),
			"want": set(),
		},
	},
	"other actions": {
		"a read of a restricted class": {
			"input": object.union(fixtures.read, {"resources": [{"licenseClass": "unknown"}]}),
			"want": set(),
		},
		"an action that only resembles": {
			"input": object.union(fixtures.read, {"operation": {"actions": ["mutation:export:x"]}}),
			"want": set(),
		},
		"one export among others": {
			"input": object.union(fixtures.read, {"operation": {"actions": [
				"mutation:createAsset",
				"export:cases",
			]}}),
			"want": denied,
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
	got := license.violation with input as test.input
	got != test.want
}

test_table if {
	count(cases["the table"]) == count(all_classes) * count(all_terms)
	passed("the table")
}

test_several_values if passed("several values")

test_nothing_to_allow_by if passed("nothing to allow by")

test_declared if passed("declared by the schema")

test_other_actions if passed("other actions")
