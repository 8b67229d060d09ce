//! Facts by subject, and subjects by user, so that a change finds them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use ig_contract::directory::{Change, Facts, FactsRequest};

#[derive(Default)]
pub(super) struct Cache {
    entries: HashMap<Rc<FactsRequest>, Entry>,
    /// By tenant and user; no user where nobody is linked to the subject.
    subjects: HashMap<String, HashMap<Option<String>, HashSet<Rc<FactsRequest>>>>,
}

pub(super) struct Entry {
    pub(super) facts: Rc<Facts>,
    pub(super) since: Duration,
}

impl Cache {
    pub(super) fn get(&self, question: &FactsRequest) -> Option<&Entry> {
        self.entries.get(question)
    }

    /// Keeps facts, and answers with the newest of the subject. With `most`
    /// others here, all of them are forgotten first, which costs a question each
    /// and needs no bookkeeping on the hot path.
    pub(super) fn put(
        &mut self,
        question: &Rc<FactsRequest>,
        facts: Facts,
        now: Duration,
        most: usize,
    ) -> Rc<Facts> {
        match self.entries.get(question) {
            // Of two answers at a time, the older may come last.
            Some(known) if known.facts.position > facts.position => return known.facts.clone(),
            Some(_) => self.remove(question),
            None if self.entries.len() >= most => self.clear(),
            None => {}
        }
        let facts = Rc::new(facts);
        self.subjects
            .entry(question.tenant.clone())
            .or_default()
            .entry(facts.user.clone())
            .or_default()
            .insert(question.clone());
        let entry = Entry {
            facts: facts.clone(),
            since: now,
        };
        self.entries.insert(question.clone(), entry);
        facts
    }

    fn remove(&mut self, question: &Rc<FactsRequest>) {
        let Some(entry) = self.entries.remove(question) else {
            return;
        };
        let Some(users) = self.subjects.get_mut(&question.tenant) else {
            return;
        };
        if let Some(subjects) = users.get_mut(&entry.facts.user) {
            subjects.remove(question);
            if subjects.is_empty() {
                users.remove(&entry.facts.user);
            }
        }
        if users.is_empty() {
            self.subjects.remove(&question.tenant);
        }
    }

    /// Forgets whom a change concerns: the user's subjects, and those that nobody
    /// was linked to, since one of them may be the user's now. Facts that are of
    /// `position`, at which the change is known, or later have it already.
    pub(super) fn forget(&mut self, change: &Change, position: u64) {
        let Some(users) = self.subjects.get(&change.tenant) else {
            return;
        };
        let concerned: Vec<_> = match &change.user {
            Some(_) => [change.user.clone(), None]
                .iter()
                .filter_map(|user| users.get(user))
                .flatten()
                .collect(),
            None => users.values().flatten().collect(),
        };
        let is_old = |question: &&Rc<FactsRequest>| {
            let entry = self.entries.get(*question);
            entry.is_none_or(|entry| entry.facts.position < position)
        };
        let gone: Vec<_> = concerned.into_iter().filter(is_old).cloned().collect();
        for question in gone {
            self.remove(&question);
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.subjects.clear();
    }

    /// Entries, and places in the index; equal at all times.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let subjects = self.subjects.values().flat_map(HashMap::values);
        (self.entries.len(), subjects.map(HashSet::len).sum())
    }
}
