# METADATA
# title: The guard's decision
# description: >-
#   The one entry point. Always an object {allow, rule, obligations}. `rule`
#   names what decided: "allow", the lexically smallest violation, or
#   "default-deny" when the input does not say enough to decide.
# entrypoint: true
package ig

import data.ig.license
import data.ig.purpose
import data.ig.request
import data.ig.retention
import data.ig.tenancy

default decision := {"allow": false, "rule": "default-deny", "obligations": []}

decision := {"allow": true, "rule": "allow", "obligations": []} if {
	request.complete
	count(violations) == 0
}

# Any one rule explains a denial; the smallest name is the same on every
# engine, where the order of a set need not be.
decision := {"allow": false, "rule": min(violations), "obligations": []} if {
	request.complete
	count(violations) > 0
}

# Each concern names its own violations. A new concern is one line here.
violations contains rule if some rule in license.violation

violations contains rule if some rule in purpose.violation

violations contains rule if some rule in retention.violation

violations contains rule if some rule in tenancy.violation
