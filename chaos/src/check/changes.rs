//! What the control plane and hosts were asked to change.

use std::collections::BTreeMap;

use super::{Invariant, Record, Verdict};
use crate::history::{Change, Kind, What};

impl Record<'_> {
    pub(super) fn nothing_lost(&self) -> Verdict {
        let mut violations = self.writes_not_once();
        let mut looked_at = 0;
        for change in &self.changes {
            looked_at += usize::from(self.is_kept(change));
            violations.extend(self.not_there_once(change));
            violations.extend(self.not_in_ledger(change));
        }
        // Where nothing is acknowledged, nothing can be lost.
        for what in [What::User, What::Publication, What::Export, What::Operation] {
            let mut of = self.changes.iter().filter(|one| one.what == what);
            if !of.any(|one| one.acknowledged.is_some()) {
                violations.push(format!("no {what:?} was acknowledged"));
            }
        }
        violations.extend(self.ending.ledger.clone());
        Verdict::of(Invariant::NothingLost, looked_at, violations)
    }

    /// Whether a change leaves something that is looked for.
    fn is_kept(&self, change: &Change) -> bool {
        match change.what {
            What::User | What::Export | What::Operation => true,
            What::Publication => change.acknowledged.is_some(),
            What::Deactivation | What::Poison => false,
        }
    }

    /// What is wrong with what a change left. One that nobody was told of may be there,
    /// or not.
    fn not_there_once(&self, change: &Change) -> Option<String> {
        let there = match change.what {
            What::User => &self.ending.users,
            What::Export => &self.ending.exports,
            What::Operation => &self.ending.operations,
            What::Publication => {
                let is_there = self.ending.publications.contains_key(&change.key);
                let is_lost = change.acknowledged.is_some() && !is_there;
                return is_lost.then(|| format!("the publication {} is lost", change.key));
            }
            What::Deactivation | What::Poison => return None,
        };
        let (what, key) = (change.what, &change.key);
        let times = there.get(key).copied().unwrap_or_default();
        match (change.acknowledged.is_some(), times) {
            (true, 1) | (false, 0 | 1) => None,
            (true, 0) => Some(format!("{what:?} {key} is lost")),
            (_, times) => Some(format!("{what:?} {key} is there {times} times")),
        }
    }

    /// Writes that hosts saw otherwise than once: what may have happened is not tried
    /// again, and what was answered has happened.
    fn writes_not_once(&self) -> Vec<String> {
        let mut arrived: BTreeMap<u64, usize> = BTreeMap::new();
        let writes = self.arrivals.iter().filter(|one| one.is_write);
        for id in writes.filter_map(|one| one.id) {
            *arrived.entry(id).or_default() += 1;
        }
        let asked = self.requests.values();
        let asked = asked.filter(|one| one.kind == Kind::Write);
        let wrong = asked.filter_map(|one| {
            let times = arrived.get(&one.id).copied().unwrap_or_default();
            let is_right = times == 1 || times == 0 && one.status != 200;
            (!is_right).then(|| {
                let (id, status) = (one.id, one.status);
                format!("the write {id} was answered {status}, and arrived {times} times")
            })
        });
        wrong.collect()
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
            let mut made: Vec<_> = decisions
                .iter()
                .filter_map(|one| {
                    let at = one.at()?;
                    Some(Taken {
                        from: one.begun.map_or(at, |begun| begun.min(at)),
                        until: at,
                        number: number(one.revision.as_deref()?)?,
                    })
                })
                .collect();
            // What a run before did is no part of this one.
            let is_of_run = |one: &Taken| one.from >= self.ending.began;
            looked_at += made.iter().filter(|one| is_of_run(one)).count();
            let back = went_back(&mut made).filter(|(_, one)| is_of_run(one));
            violations.extend(back.map(|(newest, one)| {
                let (number, after) = (one.number, one.from - newest.until);
                let newest = newest.number;
                format!("gateway {gateway} went from {newest} to {number}, {after} ms later")
            }));
        }
        let behind = self.ending.behind.iter();
        violations.extend(behind.map(|node| format!("{node} does not come to the newest")));
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

/// When a request took its revision: at some millisecond of these.
#[derive(Clone, Copy, Debug)]
struct Taken {
    from: u64,
    until: u64,
    number: u64,
}

/// Those that surely took an older revision than one before them, each with that one: a time
/// that has not ended when another begins says nothing of which came first. Within a
/// gateway's one worker revisions follow each other, so no other order is needed.
fn went_back(taken: &mut [Taken]) -> impl Iterator<Item = (Taken, Taken)> {
    let mut ended = taken.to_vec();
    ended.sort_unstable_by_key(|one| one.until);
    taken.sort_unstable_by_key(|one| one.from);
    let (mut ended, mut newest) = (ended.into_iter().peekable(), None::<Taken>);
    taken.iter().filter_map(move |one| {
        while let Some(before) = ended.next_if(|other| other.until < one.from) {
            if newest.is_none_or(|newest| newest.number < before.number) {
                newest = Some(before);
            }
        }
        newest
            .filter(|newest| one.number < newest.number)
            .map(|newest| (newest, *one))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_came_later_went_back() {
        for (taken, back) in [
            // From, until, and the revision's number.
            (vec![(1, 1, 1), (2, 2, 2), (3, 3, 2)], vec![]),
            (vec![(1, 1, 2), (2, 2, 1)], vec![(2, 1)]),
            // Within a millisecond nothing has an order.
            (vec![(1, 1, 2), (1, 1, 1)], vec![]),
            (vec![(1, 5, 2), (5, 6, 1)], vec![]),
            (vec![(1, 5, 2), (6, 6, 1)], vec![(2, 1)]),
            // One that was held, beside those that were not.
            (vec![(1, 1, 1), (2, 9, 1), (3, 3, 2), (4, 4, 2)], vec![]),
            (vec![(1, 1, 2), (2, 9, 1), (3, 3, 2)], vec![(2, 1)]),
            // One that came back for good is one each time.
            (vec![(1, 1, 3), (2, 2, 1), (3, 3, 2)], vec![(3, 1), (3, 2)]),
        ] {
            let taken = taken.into_iter().map(|(from, until, number)| Taken {
                from,
                until,
                number,
            });
            let mut taken: Vec<_> = taken.collect();
            // A log is in the order of answers.
            taken.reverse();
            let found: Vec<_> = went_back(&mut taken)
                .map(|(newest, one)| (newest.number, one.number))
                .collect();
            assert_eq!(found, back, "{taken:?}");
        }
    }
}
