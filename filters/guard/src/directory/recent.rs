//! The changes that were told of last: facts on their way may be from before one.

use std::collections::VecDeque;

use ig_contract::directory::{Change, Facts, FactsRequest};

/// Changes that are kept. Facts are on their way for a moment only; those that
/// are from before what is kept count as overtaken.
const MOST: usize = 4_096;

#[derive(Default)]
pub(super) struct Recent {
    /// What changed up to this position is not known any more.
    forgotten: u64,
    /// Each with the position of the answer that told of it, which is its own or
    /// a later one.
    changes: VecDeque<(u64, Change)>,
}

impl Recent {
    /// Of what changed up to a position nothing is known.
    pub(super) fn since(position: u64) -> Self {
        Self {
            forgotten: position,
            changes: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, position: u64, change: Change) {
        if self.changes.len() >= MOST
            && let Some((gone, _)) = self.changes.pop_front()
        {
            self.forgotten = gone;
        }
        self.changes.push_back((position, change));
    }

    /// Whether a change that facts do not have concerns them, as it would concern
    /// them in the cache. Changes of others do not: while many are made, there is
    /// always one that is newer.
    pub(super) fn overtakes(&self, question: &FactsRequest, facts: &Facts) -> bool {
        let newer = self.changes.iter().rev();
        let mut newer = newer.take_while(|(position, _)| *position > facts.position);
        let concerns = |change: &Change| {
            let is_theirs =
                change.user.is_none() || facts.user.is_none() || change.user == facts.user;
            change.tenant == question.tenant && is_theirs
        };
        facts.position < self.forgotten || newer.any(|(_, change)| concerns(change))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.changes.len()
    }
}
