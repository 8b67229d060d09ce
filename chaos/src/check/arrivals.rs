//! What reached upstreams.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Decision, Invariant, Record, Verdict};
use crate::history::{Arrival, Kind, Micros, Request, What};
use crate::world::{MAX_STALE, region_of};

/// Within which a deactivation is known to every guard that hears of changes.
const SECOND: Micros = 1_000_000;

/// What arrivals are compared with.
struct Decided<'a> {
    /// By id. A deny does not take back what the same id allows.
    decisions: HashMap<&'a str, &'a Decision>,
    /// Revisions that nobody can read.
    poisoned: BTreeSet<&'a str>,
}

impl Record<'_> {
    pub(super) fn nothing_undecided(&self) -> Verdict {
        let decided = self.decided();
        let mut used: HashMap<&str, u64> = HashMap::new();
        let mut violations = Vec::new();
        for arrival in &self.arrivals {
            let Some(id) = arrival.id else {
                violations.push(format!("a request without a number arrived: {arrival:?}"));
                continue;
            };
            // One whose client was not yet told anything is known by its kind all
            // the same: clients note what they sent.
            let Some(request) = self.requests.get(&id) else {
                violations.push(format!("{id} arrived, and nobody sent it"));
                continue;
            };
            if !request.kind.may_arrive() && request.kind != Kind::Deactivated {
                violations.push(format!("{id}, {:?}, arrived", request.kind));
            }
            if !self.ending.catalogue.contains(&arrival.query) {
                violations.push(format!("{id} arrived with a text of no catalogue"));
            }
            if arrival.decision.is_empty() {
                violations.push(format!("{id} arrived without a decision"));
                continue;
            }
            // A gateway that asks another host asks with the same decision.
            let first = *used.entry(&arrival.decision).or_insert(id);
            if first != id {
                violations.push(format!("{id} arrived with the decision of {first}"));
            }
            let why = self.not_allowed(&decided, request, arrival);
            violations.extend(why.map(|why| format!("{id} arrived: {why}")));
        }
        Verdict::of(Invariant::NothingUndecided, self.arrivals.len(), violations)
    }

    fn decided(&self) -> Decided<'_> {
        let all = || self.ending.decisions.iter().flatten();
        let denied = all().filter(|one| !one.is_allowed);
        let allowed = all().filter(|one| one.is_allowed);
        let by_id = denied.chain(allowed).map(|one| (one.id.as_str(), one));
        let changes = self.changes.iter();
        let poisons = changes.filter(|one| one.what == What::Poison);
        Decided {
            decisions: by_id.collect(),
            poisoned: poisons.map(|one| one.key.as_str()).collect(),
        }
    }

    /// Why an arrival's decision does not allow it: it has to be one of this tenant and
    /// this operation.
    fn not_allowed(
        &self,
        decided: &Decided<'_>,
        request: &Request,
        arrival: &Arrival,
    ) -> Option<String> {
        let Some(decision) = decided.decisions.get(arrival.decision.as_str()) else {
            // A line is written before who asked has the upstream's answer. Who has none of
            // it may have given up long before the gateway did.
            let served = (request.status == 200).then_some(request.at + request.took);
            let is_lost = self.ending.unlogged.iter().any(|one| {
                one.region == arrival.region
                    && arrival.at <= one.until
                    && served.is_none_or(|served| served >= one.from)
            });
            return (!is_lost).then(|| format!("no gateway decided {}", arrival.decision));
        };
        if !decision.is_allowed {
            return Some("it was denied".to_owned());
        }
        let (tenant, operation) = (&decision.tenant, &decision.operation);
        if tenant.as_ref() != Some(&arrival.tenant) {
            let of = &arrival.tenant;
            return Some(format!("{tenant:?} was allowed, and it is of {of}"));
        }
        if operation.as_ref() != Some(&arrival.operation) {
            let is = &arrival.operation;
            return Some(format!("{operation:?} was allowed, and it is {is}"));
        }
        let revision = decision.revision.as_deref().unwrap_or_default();
        if !self.ending.publications.contains_key(revision) {
            return Some(format!("{revision} was never published"));
        }
        let is_broken = decided.poisoned.contains(revision);
        is_broken.then(|| format!("{revision} is broken"))
    }

    pub(super) fn in_region(&self) -> Verdict {
        let mut violations = Vec::new();
        for arrival in &self.arrivals {
            let request = arrival.id.and_then(|id| self.requests.get(&id));
            let Some(request) = request else { continue };
            let home = region_of(request.tenant);
            if arrival.region != home {
                violations.push(format!(
                    "{} of {home} arrived in {}",
                    request.id, arrival.region
                ));
            }
            if arrival.is_write && !arrival.is_primary {
                violations.push(format!("{}, a write, arrived at a replica", request.id));
            }
        }
        for request in self.requests.values().filter(|one| one.status == 200) {
            let home = region_of(request.tenant);
            if request.signed_by.as_deref() != Some(home) {
                violations.push(format!(
                    "{} of {home} was answered by {:?}",
                    request.id, request.signed_by
                ));
            }
        }
        Verdict::of(Invariant::InRegion, self.arrivals.len(), violations)
    }

    pub(super) fn deactivated_stay_out(&self) -> Verdict {
        let changes = self
            .changes
            .iter()
            .filter(|one| one.what == What::Deactivation);
        let since: BTreeMap<&str, Micros> = changes
            .filter_map(|one| Some((one.key.as_str(), one.acknowledged?)))
            .collect();
        let bound = match self.promises.directory_goes {
            true => (MAX_STALE + 2) * SECOND,
            false => SECOND,
        };
        let arrived: BTreeSet<u64> = self.arrivals.iter().filter_map(|one| one.id).collect();
        // By user and gateway: when it was first denied.
        let mut denied: BTreeMap<(&str, usize), Micros> = BTreeMap::new();
        let asked: Vec<_> = self
            .requests
            .values()
            .filter(|one| one.kind == Kind::Deactivated)
            .collect();
        for request in &asked {
            if request.code.as_deref() == Some("SUBJECT_INACTIVE") {
                let end = request.at + request.took;
                let first = denied
                    .entry((&request.user, request.gateway))
                    .or_insert(end);
                *first = end.min(*first);
            }
        }
        let mut violations = Vec::new();
        for request in asked.iter().filter(|one| arrived.contains(&one.id)) {
            let Some(since) = since.get(request.user.as_str()) else {
                continue;
            };
            let late = request.at.saturating_sub(*since);
            if late > bound {
                violations.push(format!(
                    "{} was served {} ms after the deactivation was acknowledged",
                    request.user,
                    late / 1000
                ));
            }
            let first = denied.get(&(request.user.as_str(), request.gateway));
            if first.is_some_and(|first| *first < request.at) {
                violations.push(format!("{} was denied, and served again", request.user));
            }
        }
        Verdict::of(Invariant::DeactivatedStayOut, asked.len(), violations)
    }
}
