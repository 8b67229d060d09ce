//! What a request that goes on says to its upstream, and to Envoy's routes.

use ig_contract::headers;
use ig_contract::snapshot::{OperationKind, Route};

use crate::Exchange;
use crate::effect::Forward;
use crate::record::Ruling;

impl Exchange {
    pub(crate) fn annotate(
        &self,
        rulings: &[Ruling],
        records: String,
        mut forward: Forward,
    ) -> Forward {
        forward.remove = self.head.strip().to_vec();
        // An instance behind this one may have to read who asks, with which
        // proof, and who sent it.
        if !self.decides_who() {
            let read = [
                headers::JWT_PAYLOAD,
                headers::STEP_UP,
                headers::FORWARDED_BY,
            ];
            forward.remove.retain(|name| !read.contains(&name.as_str()));
        }
        forward.records = records;
        let mut set = |name, value: &str| forward.set.push((name, value.to_owned()));
        set(headers::DECISION_ID, &self.decision_id);
        let selected: Option<Vec<_>> = rulings
            .iter()
            .map(|ruling| ruling.selected.as_ref())
            .collect();
        let names = selected.as_ref().map(|all| {
            let names = all.iter().map(|one| one.operation.name.as_str());
            names.collect::<Vec<_>>().join(",")
        });
        if let Some(names) = names {
            set(headers::OPERATION, &names);
        }
        // What is not known may write.
        let only_reads = selected.is_some_and(|all| {
            let mut kinds = all.iter().map(|one| one.operation.kind);
            kinds.all(|kind| kind != OperationKind::Mutation)
        });
        let route = match only_reads {
            true => Route::Replica,
            false => Route::Primary,
        };
        set(headers::ROUTE, route.as_str());
        #[cfg(feature = "policy")]
        self.annotate_caller(&mut forward);
        forward
    }

    #[cfg(feature = "policy")]
    fn annotate_caller(&self, forward: &mut Forward) {
        let Some(guard) = &self.guard else {
            return;
        };
        let caller = self.asker.caller();
        if let Some(caller) = caller {
            forward.set.push((headers::ACTOR, caller.subject.clone()));
            forward.set.push((headers::TENANT, caller.tenant.clone()));
        }
        let own = caller.and_then(|caller| caller.region.as_deref());
        if let Some(region) = self.stay(guard).unwrap_or(own) {
            forward.set.push((headers::REGION, region.to_owned()));
        }
        let tenants = &guard.snapshot().head().tenants;
        let tenant = caller.and_then(|caller| tenants.get(&caller.tenant));
        let priority = tenant.map(|tenant| tenant.priority).unwrap_or_default();
        if priority != ig_contract::snapshot::Priority::Default {
            let priority = priority.as_str().to_owned();
            forward.set.push((headers::PRIORITY, priority));
        }
        self.annotate_cost(guard, forward);
    }
}
