//! What reached upstreams.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Decision, Invariant, Record, Verdict};
use crate::history::{Kind, Micros, What};
use crate::world::{MAX_STALE, region_of};

/// Within which a deactivation is known to every guard that hears of changes.
const SECOND: Micros = 1_000_000;

impl Record<'_> {
    pub(super) fn nothing_undecided(&self) -> Verdict {
        let mut violations = Vec::new();
        let allowed: HashMap<&str, &Decision> = self
            .ending
            .decisions
            .iter()
            .flatten()
            .filter(|decision| decision.is_allowed)
            .map(|decision| (decision.id.as_str(), decision))
            .collect();
        let denies = self.ending.decisions.iter().flatten();
        let denied: BTreeSet<&str> = denies
            .filter(|decision| !decision.is_allowed)
            .map(|decision| decision.id.as_str())
            .collect();
        let changes = self.changes.iter();
        let poisons = changes.filter(|one| one.what == What::Poison);
        let poisoned: BTreeSet<&str> = poisons.map(|one| one.key.as_str()).collect();
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
            match allowed.get(arrival.decision.as_str()) {
                Some(decision) => {
                    let revision = decision.revision.as_deref().unwrap_or_default();
                    if !self.ending.publications.contains_key(revision) {
                        violations.push(format!("{id}: {revision} was never published"));
                    }
                    if poisoned.contains(revision) {
                        violations.push(format!("{id}: {revision} is broken"));
                    }
                }
                None if denied.contains(arrival.decision.as_str()) => {
                    violations.push(format!("{id} was denied, and arrived"));
                }
                // A proxy that was killed wrote not all of its log.
                None if self.ending.decisions_lost && !arrival.decision.is_empty() => {}
                None => violations.push(format!("{id}: no gateway allowed {:?}", arrival.decision)),
            }
        }
        Verdict::of(Invariant::NothingUndecided, self.arrivals.len(), violations)
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
