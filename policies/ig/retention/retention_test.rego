package ig.retention_test

import data.ig.fixtures_test as fixtures
import data.ig.retention

too_long := {"retention-too-long"}

missing := {"retention-missing"}

stating(values) := fixtures.with_facts(fixtures.write, {"retention": values})

# A write that touches no personal data by the schema's word.
plain(facts) := object.union(fixtures.with_facts(fixtures.write, facts), {"resources": [{}]})

declaring(resources) := object.union(fixtures.write, {"resources": resources})

cases := {
	"allowed": {
		"30 days": {"input": stating(["short-30d"]), "want": set()},
		"legal hold": {"input": stating(["legal-hold"]), "want": set()},
		"both": {"input": stating(["short-30d", "legal-hold"]), "want": set()},
		"nothing stated, no personal data": {"input": plain({}), "want": set()},
		"stated to be none": {"input": plain({"pii": [false, null]}), "want": set()},
	},
	"too long": {
		"forever": {"input": stating(["forever"]), "want": too_long},
		"one of many": {"input": stating(["short-30d", "forever"]), "want": too_long},
		"empty": {"input": stating([""]), "want": too_long},
		"not a string": {"input": stating([30]), "want": too_long},
		"nested": {"input": stating([["short-30d"]]), "want": too_long},
		"no personal data": {"input": plain({"retention": ["forever"]}), "want": too_long},
		"declared by the schema": {
			"input": declaring([{"pii": true, "retention": "forever"}]),
			"want": too_long,
		},
	},
	"declared by the schema": {
		"allowed": {"input": declaring([{"pii": true, "retention": "legal-hold"}]), "want": set()},
		"not personal": {
			"input": declaring([{"pii": false, "retention": "7y"}, {"retention": "7y"}]),
			"want": set(),
		},
		"does not replace the fact": {
			"input": fixtures.with_facts(declaring([{"pii": true, "retention": "short-30d"}]), {}),
			"want": missing,
		},
	},
	"missing": {
		"no fact": {"input": fixtures.with_facts(fixtures.write, {}), "want": missing},
		"no value": {"input": stating([]), "want": missing},
		"null": {"input": stating([null]), "want": missing},
		"null beside a value": {"input": stating(["short-30d", null]), "want": missing},
		"null, no personal data": {"input": plain({"retention": [null]}), "want": missing},
		"said to be personal data": {"input": plain({"pii": [false, true]}), "want": missing},
		"said to be none against the schema": {
			"input": fixtures.with_facts(fixtures.write, {"pii": [false]}),
			"want": missing,
		},
		"one resource of many": {
			"input": fixtures.with_facts(declaring([{"licenseClass": "cc0"}, {"pii": true}]), {}),
			"want": missing,
		},
		"and too long": {"input": stating([null, "forever"]), "want": missing | too_long},
	},
	"reads": {
		"personal data": {
			"input": object.union(fixtures.read, {"resources": [{"pii": true}]}),
			"want": set(),
		},
		"a fact on a query": {
			"input": object.union(fixtures.read, {"facts": {"retention": ["forever", null]}}),
			"want": set(),
		},
		"a declared retention": {
			"input": object.union(fixtures.read, {"resources": [{"pii": true, "retention": "7y"}]}),
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
	got := retention.violation with input as test.input
	got != test.want
}

test_allowed if passed("allowed")

test_too_long if passed("too long")

test_declared if passed("declared by the schema")

test_missing if passed("missing")

test_reads if passed("reads")
