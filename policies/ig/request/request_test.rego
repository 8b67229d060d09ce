package ig.request_test

import data.ig.fixtures_test as fixtures
import data.ig.request

changed(change) := {"input": object.union(fixtures.read, change), "want": false}

without(key) := {"input": object.remove(fixtures.read, [key]), "want": false}

without_in(part, key) := {
	"input": object.union(
		object.remove(fixtures.read, [part]),
		{part: object.remove(fixtures.read[part], [key])},
	),
	"want": false,
}

cases := {
	"complete": {
		"read": {"input": fixtures.read, "want": true},
		"write": {"input": fixtures.write, "want": true},
		"export": {"input": fixtures.export, "want": true},
		"search": {"input": fixtures.search, "want": true},
		"a fact of null": {
			"input": object.union(fixtures.read, {"facts": {"retention": [null]}}),
			"want": true,
		},
		"no groups, no purposes": {
			"input": object.union(fixtures.read, {"actor": {"groups": [], "purposes": []}}),
			"want": true,
		},
	},
	"a part is absent": {
		"actor": without("actor"),
		"purpose": without("purpose"),
		"tenant": without("tenant"),
		"operation": without("operation"),
		"resources": without("resources"),
		"facts": without("facts"),
		"actor.sub": without_in("actor", "sub"),
		"actor.tenant": without_in("actor", "tenant"),
		"actor.groups": without_in("actor", "groups"),
		"actor.purposes": without_in("actor", "purposes"),
		"tenant.id": without_in("tenant", "id"),
		"operation.type": without_in("operation", "type"),
		"operation.actions": without_in("operation", "actions"),
		"operation.crossTenant": without_in("operation", "crossTenant"),
	},
	"a part is of another type": {
		"actor": changed({"actor": null}),
		"actor.sub": changed({"actor": {"sub": ""}}),
		"actor.sub of a number": changed({"actor": {"sub": 7}}),
		"actor.tenant": changed({"actor": {"tenant": null}}),
		"an empty actor.tenant": changed({"actor": {"tenant": ""}}),
		"actor.groups": changed({"actor": {"groups": "cross-tenant-analyst"}}),
		"actor.purposes": changed({"actor": {"purposes": {"a": "audit"}}}),
		"purpose": changed({"purpose": ["investigation"]}),
		"an empty purpose": changed({"purpose": ""}),
		"tenant.id": changed({"tenant": {"id": 1}}),
		"operation.type": changed({"operation": {"type": "batch"}}),
		"no actions": changed({"operation": {"actions": []}}),
		"operation.actions": changed({"operation": {"actions": "query:case"}}),
		"operation.actions as a map": changed({"operation": {"actions": {"a": "query:case"}}}),
		"operation.actions of null": changed({"operation": {"actions": ["query:case", null]}}),
		"operation.crossTenant": changed({"operation": {"crossTenant": "no"}}),
		"resources": changed({"resources": {"a": {"pii": true}}}),
		"a resource": changed({"resources": [{"pii": true}, "pii"]}),
		"resource.pii": changed({"resources": [{"pii": "no"}]}),
		"facts": changed({"facts": ["forever"]}),
		"facts of lists": changed({"facts": [["forever"]]}),
		"a fact": changed({"facts": {"retention": "short-30d"}}),
		"a fact of a map": changed({"facts": {"retention": {"a": "short-30d"}}}),
	},
}

default complete(_) := false

complete(document) if request.complete with input as document

# An empty group would pass whatever the policy says.
passed(group) if {
	count(cases[group]) > 0
	failures(group) == set()
}

failures(group) := {note |
	some note, test in cases[group]
	complete(test.input) != test.want
}

test_complete if passed("complete")

test_absent if passed("a part is absent")

test_other_type if passed("a part is of another type")
