# METADATA
# title: Retention at write time
# description: >-
#   A mutation states only retentions that are allowed, and one that touches
#   personal data must state one. Null is a value that states nothing.
package ig.retention

allowed := {"short-30d", "legal-hold"}

violation contains "retention-too-long" if {
	writes
	some value in stated
	value != null
	not value in allowed
}

# What the schema itself says about personal data is held to the same list.
violation contains "retention-too-long" if {
	writes
	some resource in input.resources
	resource.pii
	declared := object.get(resource, "retention", null)
	declared != null
	not declared in allowed
}

violation contains "retention-missing" if {
	writes
	null in stated
}

violation contains "retention-missing" if {
	writes
	touches_pii
	count(stated) == 0
}

writes if input.operation.type == "mutation"

stated := object.get(input.facts, "retention", [])

touches_pii if {
	some resource in input.resources
	resource.pii
}

# A caller can say that what it writes is personal data, but not that what the
# schema marks as such is none.
touches_pii if true in object.get(input.facts, "pii", [])
