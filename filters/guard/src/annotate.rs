//! What a request that goes on says to its upstream, and to Envoy's routes.

use ig_contract::snapshot::{OperationKind, Route};
use ig_contract::{Mode, headers};

use crate::Exchange;
use crate::effect::Forward;
use crate::exchange::By;
use crate::record::{Records, Ruling};

impl Exchange {
    pub(crate) fn annotate(
        &self,
        rulings: &[Ruling],
        records: Records,
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
                headers::TRACE,
            ];
            forward.remove.retain(|name| !read.contains(&name.as_str()));
        }
        forward.records = records.json;
        forward.verdicts = records.verdicts;
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
        // So may what goes on as it came: the upstream may read it otherwise.
        let is_known = !self.decides_what() || self.mode(By::PersistedQuery) == Mode::Enforce;
        let route = match only_reads && is_known {
            true => Route::Replica,
            false => Route::Primary,
        };
        set(headers::ROUTE, route.as_str());
        #[cfg(feature = "policy")]
        self.annotate_caller(&mut forward, route);
        forward
    }

    #[cfg(feature = "policy")]
    fn annotate_caller(&self, forward: &mut Forward, route: Route) {
        let Some(guard) = &self.guard else {
            return;
        };
        let caller = self.asker.caller();
        if let Some(caller) = caller {
            forward.set.push((headers::ACTOR, caller.subject.clone()));
            forward.set.push((headers::TENANT, caller.tenant.clone()));
        }
        let own = caller.and_then(|caller| caller.region.as_deref());
        if let Some(region) = self.stay(guard, route).unwrap_or(own) {
            forward.set.push((headers::REGION, region.to_owned()));
        }
        let priority = self.priority(guard);
        forward
            .set
            .extend(priority.map(|name| (headers::PRIORITY, name.to_owned())));
        self.annotate_cost(guard, forward);
    }
}
