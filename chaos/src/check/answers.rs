//! What clients were answered.

use std::collections::BTreeMap;

use super::{Invariant, Record, Verdict};
use crate::history::Request;
use crate::world::tenant_name;

impl Record<'_> {
    pub(super) fn nothing_foreign(&self) -> Verdict {
        let served: Vec<_> = self.served().collect();
        let violations = served.iter().filter_map(|request| {
            let own = tenant_name(request.tenant);
            let of = request.data_of.as_deref();
            (of != Some(&own)).then(|| format!("{}: {own} got data of {of:?}", request.id))
        });
        let mut violations: Vec<_> = violations.collect();
        for arrival in &self.arrivals {
            let request = arrival.id.and_then(|id| self.requests.get(&id));
            let Some(request) = request else { continue };
            let (own, of) = (tenant_name(request.tenant), &arrival.tenant);
            if *of != own {
                violations.push(format!("{} of {own} arrived as of {of}", request.id));
            }
        }
        Verdict::of(Invariant::NothingForeign, served.len(), violations)
    }

    pub(super) fn well_formed(&self) -> Verdict {
        let violations = self.requests.values().filter_map(|request| {
            let what = format!("{} ({:?})", request.id, request.kind);
            match request.status {
                0 if self.promises.gateways_go => None,
                0 => Some(format!(
                    "{what} got no answer within {} ms",
                    request.took / 1000
                )),
                status if !request.is_well_formed => {
                    Some(format!("{what} got {status}, which is no GraphQL answer"))
                }
                _ => None,
            }
        });
        let violations = violations.collect();
        Verdict::of(Invariant::WellFormed, self.requests.len(), violations)
    }

    pub(super) fn recovers(&self) -> Verdict {
        let due: Vec<_> = self
            .requests
            .values()
            .filter(|one| one.kind.is_due())
            .collect();
        let Some((_, end)) = self.window() else {
            return Verdict::of(Invariant::Recovers, 0, vec!["nothing was disturbed".into()]);
        };
        let after: Vec<_> = due.iter().filter(|one| one.at > end).collect();
        let failures = after.iter().filter(|one| one.status != 200);
        let last = failures.map(|one| one.at + one.took).max().unwrap_or(end);
        let took = last.saturating_sub(end) / 1000;
        let mut violations = Vec::new();
        if took > self.promises.recovery_ms {
            violations.push(format!("the last failure came {took} ms after the fault"));
        }
        if !after.iter().any(|one| one.at >= last && one.status == 200) {
            violations.push("nobody was served afterwards".to_owned());
        }
        violations.extend(self.breakers_left());
        Verdict::of(Invariant::Recovers, after.len(), violations)
    }

    /// Breakers that stayed open, and those that were to open and did not.
    fn breakers_left(&self) -> Vec<String> {
        let mut last = BTreeMap::new();
        for seen in self.breakers() {
            last.insert(seen.gateway, seen);
        }
        let open = last.values().filter(|seen| !seen.open.is_empty());
        let left =
            open.map(|seen| format!("gateway {}: {:?} stayed open", seen.gateway, seen.open));
        let mut left: Vec<_> = left.collect();
        let has_opened = self.breakers().any(|seen| !seen.open.is_empty());
        if self.promises.breakers_open && !has_opened {
            left.push("no breaker opened".to_owned());
        }
        left
    }

    pub(super) fn in_time(&self) -> Verdict {
        let during = self.served_during();
        let mut violations = Vec::new();
        if let Some(most) = self.promises.p95_ms {
            // Who is not served waits for ever: to refuse the slow ones is to be late.
            let mut took = during.clone();
            took.resize(took.len() + self.unserved_during(), u64::MAX);
            if quantile(&took, 0.95) / 1000 > most {
                violations.push(format!(
                    "not 95 of 100 were served within {most} ms: {} were not at all, \
                     and 95 of 100 others within {} ms",
                    self.unserved_during(),
                    quantile(&during, 0.95) / 1000
                ));
            }
            if during.is_empty() {
                violations.push("nobody was served meanwhile".to_owned());
            }
        }
        Verdict::of(Invariant::InTime, during.len(), violations)
    }

    fn served(&self) -> impl Iterator<Item = &&Request> {
        self.requests.values().filter(|one| one.status == 200)
    }

    /// Microseconds that requests took that were served during the fault, ascending.
    pub fn served_during(&self) -> Vec<u64> {
        let Some((from, until)) = self.window() else {
            return Vec::new();
        };
        let during = self
            .served()
            .filter(|one| one.kind.is_due() && one.at >= from && one.at < until);
        let mut took: Vec<_> = during.map(|one| one.took).collect();
        took.sort_unstable();
        took
    }

    /// Requests due during the fault that were not served.
    pub fn unserved_during(&self) -> usize {
        let Some((from, until)) = self.window() else {
            return 0;
        };
        let due = self.requests.values().filter(|one| one.kind.is_due());
        due.filter(|one| one.at >= from && one.at < until && one.status != 200)
            .count()
    }
}

/// A quantile of ascending times.
pub(crate) fn quantile(sorted: &[u64], part: f64) -> u64 {
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}
