# METADATA
# title: Is there enough to decide by?
# description: >-
#   Rules of the other concerns ask for what is wrong. Asked about a field that
#   is absent or of another type they would find nothing wrong, so everything
#   they read is checked here, once, and what fails is denied by default.
package ig.request

# One body without helper functions: it runs for every request, and a call
# costs the engine as much as the check. Elements of `groups` and `purposes`
# are only ever compared with strings, so their types need no check.
complete if {
	is_string(input.purpose)
	input.purpose != ""

	is_string(input.actor.sub)
	input.actor.sub != ""
	is_string(input.actor.tenant)
	input.actor.tenant != ""
	is_array(input.actor.groups)
	is_array(input.actor.purposes)

	is_string(input.tenant.id)

	input.operation.type in {"query", "mutation", "subscription"}
	is_boolean(input.operation.crossTenant)
	is_array(input.operation.actions)
	count(input.operation.actions) > 0
	every action in input.operation.actions {
		is_string(action)
	}

	is_array(input.resources)
	every resource in input.resources {
		is_object(resource)
		is_boolean(object.get(resource, "pii", false))
	}

	is_object(input.facts)
	every _, values in input.facts {
		is_array(values)
	}
}
