# METADATA
# title: Tenant isolation
# description: >-
#   An actor works in its own tenant. Operations that see other tenants are for
#   members of one group, and still run from the actor's own tenant.
package ig.tenancy

violation contains "cross-tenant" if input.actor.tenant != input.tenant.id

violation contains "cross-tenant" if {
	crosses
	not "cross-tenant-analyst" in input.actor.groups
}

crosses if input.operation.crossTenant

# The name of the action binds as well: a schema that forgets the flag must
# not open the door.
crosses if {
	some action in input.operation.actions
	startswith(action, "crossTenant:")
}
