//! No change is missed, in whatever order answers arrive.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const TENANTS: u8 = 2;
const SUBJECTS: u8 = 3;

#[derive(Clone, Debug)]
enum Event {
    /// The tenant's subject is another user from now on, or nobody.
    Link(u8, u8, Option<u8>),
    /// A user changed, or everybody of the tenant.
    Change(u8, Option<u8>),
    /// A question reaches the server, where the guard has one.
    Ask(u8, u8),
    /// One of the answers reaches the guard.
    Answer(prop::sample::Index),
    /// A poll reaches the server.
    Poll,
    /// Its answer reaches the guard, or never does, or as something else.
    Polled(Arrival),
    /// The server begins to count anew. It says so, or its positions do.
    Renumber(bool),
    Wait(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    Whole,
    Never,
    Broken,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        18 => Just(Arrival::Whole),
        1 => Just(Arrival::Never),
        1 => Just(Arrival::Broken),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    use Event::{Answer, Ask, Change, Link, Poll, Polled, Renumber, Wait};
    let user = || prop::option::of(0_u8..3);
    let subject = || (0..TENANTS, 0..SUBJECTS);
    prop_oneof![
        2 => (subject(), user()).prop_map(|((tenant, subject), user)| Link(tenant, subject, user)),
        2 => (0..TENANTS, user()).prop_map(|(tenant, user)| Change(tenant, user)),
        6 => subject().prop_map(|(tenant, subject)| Ask(tenant, subject)),
        6 => any::<prop::sample::Index>().prop_map(Answer),
        4 => Just(Poll),
        4 => arrival().prop_map(Polled),
        1 => any::<bool>().prop_map(Renumber),
        1 => (0_u8..20).prop_map(Wait),
    ]
}

/// The control plane: whom subjects are linked to, and what changed when.
#[derive(Default)]
struct Server {
    links: BTreeMap<(u8, u8), u8>,
    /// Position, the event's number, and what changed.
    log: Vec<(u64, usize, Change)>,
    position: u64,
    numbering: u32,
}

impl Server {
    fn change(&mut self, at: usize, tenant: u8, user: Option<u8>) {
        self.position += 1;
        let change = Change {
            tenant: tenant.to_string(),
            user: user.map(|user| user.to_string()),
        };
        self.log.push((self.position, at, change));
    }

    fn link(&mut self, at: usize, tenant: u8, subject: u8, user: Option<u8>) {
        let before = match user {
            Some(user) => self.links.insert((tenant, subject), user),
            None => self.links.remove(&(tenant, subject)),
        };
        for user in [before, user].into_iter().flatten() {
            self.change(at, tenant, Some(user));
        }
    }

    fn renumber(&mut self, says_so: bool) {
        self.log.clear();
        self.numbering += 1;
        if !says_so {
            self.position = 0;
        }
    }

    /// Facts have the number of the event they were made at as their group.
    fn facts(&self, at: usize, tenant: u8, subject: u8) -> Facts {
        let user = self.links.get(&(tenant, subject));
        Facts {
            position: self.position,
            user: user.map(ToString::to_string),
            active: true,
            step_up_from: 0,
            groups: [at.to_string()].into(),
        }
    }

    /// `numbering` is the one of `after`.
    fn changes(&self, after: Option<u64>, numbering: u32) -> Changes {
        let is_other = after.is_some() && numbering != self.numbering;
        let since = self
            .log
            .iter()
            .filter(|(at, ..)| !is_other && after.is_some_and(|after| *at > after));
        Changes {
            position: self.position,
            reset: is_other && after.is_some_and(|after| self.position >= after),
            changes: since.map(|(_, _, change)| change.clone()).collect(),
        }
    }
}

/// A poll's answer on its way, and how the server was when it was made.
struct Answered {
    poll: Poll,
    changes: Changes,
    at: usize,
    numbering: u32,
    log: Vec<(u64, usize, Change)>,
}

#[derive(Default)]
struct Run {
    server: Server,
    answers: Vec<(Rc<FactsRequest>, Ticket, Facts)>,
    answered: Option<Answered>,
    /// Of the guard's position.
    numbering: u32,
    /// Nothing of before this event may be used.
    forgotten: usize,
    /// The changes that the guard was told of.
    told: Vec<(usize, Change)>,
}

impl Run {
    /// The event of the last change that facts must have.
    fn must_have(&self, tenant: &str, user: Option<&String>) -> usize {
        let concerns = |change: &Change| {
            let is_theirs = change.user.is_none() || user.is_none() || change.user.as_ref() == user;
            change.tenant == tenant && is_theirs
        };
        let told = self.told.iter().filter(|(_, change)| concerns(change));
        told.map(|(at, _)| *at).fold(self.forgotten, usize::max)
    }

    fn check(&self, question: &FactsRequest, facts: &Facts) {
        let made: usize = facts.groups.first().unwrap().parse().unwrap();
        let least = self.must_have(&question.tenant, facts.user.as_ref());
        assert!(
            made >= least,
            "{question:?}: made at {made}, changed at {least}"
        );
    }

    fn check_all(&self, known: &Known) {
        for tenant in 0..TENANTS {
            for subject in 0..SUBJECTS {
                let question = question(&tenant.to_string(), &subject.to_string());
                if let Lookup::Known(facts) = known.directory.lookup(&question) {
                    self.check(&question, &facts);
                }
            }
        }
        known.count();
    }

    fn on(&mut self, at: usize, event: Event, known: &Known) {
        match event {
            Event::Link(tenant, subject, user) => self.server.link(at, tenant, subject, user),
            Event::Change(tenant, user) => self.server.change(at, tenant, user),
            Event::Renumber(says_so) => self.server.renumber(says_so),
            Event::Wait(seconds) => known.wait(seconds.into()),
            Event::Ask(tenant, subject) => {
                let question = question(&tenant.to_string(), &subject.to_string());
                if let Lookup::Unknown(ticket) = known.directory.lookup(&question) {
                    let facts = self.server.facts(at, tenant, subject);
                    self.answers.push((question, ticket, facts));
                }
            }
            Event::Answer(which) if !self.answers.is_empty() => {
                let which = which.index(self.answers.len());
                let (question, ticket, facts) = self.answers.swap_remove(which);
                let learned = known.directory.on_facts(&question, ticket, Some(facts));
                if let Learned::Known(facts) = learned {
                    self.check(&question, &facts);
                }
            }
            Event::Poll if self.answered.is_none() => {
                known.pass(RETRY);
                let (server, numbering) = (&self.server, self.numbering);
                self.answered = known.directory.next_poll().map(|poll| Answered {
                    poll,
                    changes: server.changes(poll.after, numbering),
                    at,
                    numbering: server.numbering,
                    log: server.log.clone(),
                });
            }
            Event::Polled(arrival) => {
                if let Some(answered) = self.answered.take() {
                    self.polled(at, answered, arrival, known);
                }
            }
            Event::Answer(_) | Event::Poll => {}
        }
    }

    fn polled(&mut self, at: usize, answered: Answered, arrival: Arrival, known: &Known) {
        let (poll, changes) = (answered.poll, answered.changes);
        let polled = match arrival {
            Arrival::Whole => Polled::Answered(changes),
            Arrival::Never => Polled::Failed,
            Arrival::Broken => Polled::Unreadable,
        };
        known.directory.on_changes(poll.number, polled);
        if arrival == Arrival::Broken && poll.after.is_some() {
            self.forgotten = at;
        }
        if arrival != Arrival::Whole {
            return;
        }
        if poll.after.is_some() && self.numbering != answered.numbering {
            self.forgotten = answered.at;
        }
        self.numbering = answered.numbering;
        let log = answered.log.into_iter();
        self.told.extend(log.map(|(_, at, change)| (at, change)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_facts_are_older_than_a_change(events in prop::collection::vec(events(), 0..120)) {
        let known = Known::new();
        let mut run = Run::default();
        for (at, event) in events.into_iter().enumerate() {
            run.on(at + 1, event, &known);
            run.check_all(&known);
        }
    }
}
