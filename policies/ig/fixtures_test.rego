# Inputs that the tests of all concerns start from: each is allowed as it is,
# so a test shows the one change that matters.
package ig.fixtures_test

ada := {
	"iss": "https://issuer.test",
	"sub": "a@alpha.io",
	"tenant": "alpha",
	"groups": ["analyst"],
	"purposes": ["investigation", "audit", "export"],
}

read := {
	"actor": ada,
	"purpose": "investigation",
	"authority": null,
	"tenant": {"id": "alpha", "region": "eu-west-1"},
	"operation": {
		"name": "CaseById",
		"type": "query",
		"actions": ["query:case"],
		"crossTenant": false,
		"stepUp": false,
	},
	"resources": [],
	"facts": {},
}

write := object.union(read, {
	"operation": {"name": "CreateAsset", "type": "mutation", "actions": ["mutation:createAsset"]},
	"resources": [{"pii": true}],
	"facts": {"retention": ["short-30d"]},
})

export := object.union(read, {
	"purpose": "export",
	"operation": {"name": "ExportAssets", "type": "mutation", "actions": ["export:assets"]},
	"facts": {"licenseClass": ["cc-by"], "destination.tos": ["partner"]},
})

search := object.union(read, {
	"actor": {"groups": ["analyst", "cross-tenant-analyst"]},
	"authority": "warrant-17",
	"operation": {"name": "CrossTenantSearch", "actions": ["crossTenant:search"], "crossTenant": true},
	"resources": [{"pii": true}],
})

# Other facts replace those of the base, instead of joining them.
with_facts(base, facts) := object.union(object.remove(base, ["facts"]), {"facts": facts})
