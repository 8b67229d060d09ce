package ig

default decision := {"allow": false, "rule": "default-deny", "obligations": []}

decision := {"allow": true, "rule": "case-read", "obligations": []} if {
	"case:read" in input.operation.actions
	not too_long
}

too_long if {
	some class in input.facts.retention
	data.ig.retention[class] > 30
}
