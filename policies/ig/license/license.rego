# METADATA
# title: Licence and terms of service on export
# description: >-
#   Every licence class in an export must be compatible with the terms of
#   service of every destination. What is not in the table is denied, and so is
#   an export that names no class or no destination.
package ig.license

# compatible[licenseClass] = the terms of service it may leave under.
compatible := {
	"cc0": {"internal", "partner", "public", "commercial"},
	"cc-by": {"internal", "partner", "public", "commercial"},
	"cc-by-nc": {"internal", "partner", "public"},
	"partner-only": {"internal", "partner"},
	"proprietary": {"internal"},
}

violation contains "license-incompatible" if {
	exports
	count(classes) == 0
}

violation contains "license-incompatible" if {
	exports
	count(terms) == 0
}

violation contains "license-incompatible" if {
	exports
	some class in classes
	some term in terms
	not permits(class, term)
}

exports if {
	some action in input.operation.actions
	startswith(action, "export:")
}

# A function and not `every`: see "Traps" in policies/README.md.
permits(class, term) if term in compatible[class]

classes contains class if some class in object.get(input.facts, "licenseClass", [])

# What the schema declares counts beside what the caller states.
classes contains class if {
	some resource in input.resources
	some key, class in resource
	key == "licenseClass"
}

terms contains term if some term in object.get(input.facts, "destination.tos", [])
