package ig_test

request := {"operation": {"actions": ["case:read"]}, "facts": {"retention": ["short"]}}

test_case_read if data.ig.decision.allow with input as request

test_retention if {
	long := object.union(request, {"facts": {"retention": ["long"]}})
	not data.ig.decision.allow with input as long
}

test_other_actions if not data.ig.decision.allow with input as {"operation": {"actions": ["x"]}}
