//! What the control plane was asked for.

use super::{Invariant, Record, Verdict};
use crate::history::{Change, What};

impl Record<'_> {
    pub(super) fn nothing_lost(&self) -> Verdict {
        let mut violations = Vec::new();
        let mut looked_at = 0;
        for change in &self.changes {
            match change.what {
                What::User => {
                    looked_at += 1;
                    let there = self.ending.users.get(&change.key).copied();
                    match (change.acknowledged.is_some(), there.unwrap_or_default()) {
                        (true, 1) | (false, 0 | 1) => {}
                        (true, 0) => violations.push(format!("{} is lost", change.key)),
                        (_, many) => {
                            violations.push(format!("{} is there {many} times", change.key))
                        }
                    }
                }
                What::Publication if change.acknowledged.is_some() => {
                    looked_at += 1;
                    if !self.ending.publications.contains_key(&change.key) {
                        violations.push(format!("the publication {} is lost", change.key));
                    }
                }
                What::Export => {
                    looked_at += 1;
                    let there = self.ending.exports.get(&change.key).copied();
                    match (change.acknowledged.is_some(), there.unwrap_or_default()) {
                        (true, 1) | (false, 0 | 1) => {}
                        (true, 0) => violations.push(format!("the export {} is lost", change.key)),
                        (_, many) => {
                            violations.push(format!("{} is exported {many} times", change.key));
                        }
                    }
                }
                What::Publication | What::Deactivation | What::Poison => {}
            }
            violations.extend(self.not_in_ledger(change));
        }
        violations.extend(self.ending.ledger.clone());
        Verdict::of(Invariant::NothingLost, looked_at, violations)
    }

    /// What is wrong with the ledger's entry of a change that was acknowledged.
    fn not_in_ledger(&self, change: &Change) -> Option<String> {
        let entry = change.acknowledged.and(change.entry.as_ref())?;
        match self.ending.entries.get(entry).copied().unwrap_or_default() {
            1 => None,
            times => Some(format!(
                "{:?} {} is in the ledger {times} times",
                change.what, change.key
            )),
        }
    }

    pub(super) fn revisions_forward(&self) -> Verdict {
        let mut violations = Vec::new();
        let mut looked_at = 0;
        let number = |revision: &str| self.ending.publications.get(revision).copied();
        for (gateway, decisions) in self.ending.decisions.iter().enumerate() {
            // By when they were made: a log is in the order of answers.
            let mut made: Vec<_> = decisions
                .iter()
                .filter_map(|one| Some((one.at()?, number(one.revision.as_deref()?)?)))
                .collect();
            made.sort_unstable();
            looked_at += made.len();
            // Within a millisecond nothing has an order.
            let (mut before, mut highest, mut now) = (0, 0, 0);
            for (at, number) in made {
                if at > now {
                    (before, now) = (highest, at);
                }
                if number < before {
                    violations.push(format!("gateway {gateway} went from {before} to {number}"));
                }
                highest = highest.max(number);
            }
        }
        // What the control plane says of proxies has no order: two replicas say it.
        for running in &self.running {
            looked_at += 1;
            if number(&running.revision).is_none() {
                let revision = &running.revision;
                violations.push(format!("{} runs {revision}, never published", running.node));
            }
        }
        Verdict::of(Invariant::RevisionsForward, looked_at, violations)
    }
}
