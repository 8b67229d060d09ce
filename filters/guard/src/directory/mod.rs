//! What a worker knows of the control plane's directory: facts about subjects,
//! and how sure they are. Shared by all requests, and by every revision that asks
//! the same directory.
//!
//! Facts are dropped as soon as a poll tells of a change, so their age alone
//! never decides. It counts where polls fail: then nobody tells of changes.

mod cache;
mod recent;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ig_contract::directory::{Changes, Facts, FactsRequest, WAIT_MS};
use ig_contract::snapshot;

use self::cache::Cache;
use self::recent::Recent;

/// A worker's knowledge of a directory.
pub struct Directory {
    state: RefCell<State>,
}

/// What is known of a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// This.
    Known(Rc<Facts>),
    /// Nothing that may be used: ask. The answer is brought with this ticket.
    Unknown(Ticket),
    /// Nothing may be used any more: the control plane is away for too long.
    Expired,
}

/// What became of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Learned {
    /// These facts hold; those from before, where there was no answer.
    Known(Rc<Facts>),
    /// A change of these facts may have overtaken the answer: ask again.
    Overtaken(Ticket),
    /// There was no answer, and nothing is known.
    Unavailable,
}

/// Ties an answer to the numbering of changes that it was asked under.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticket(u64);

/// How sure the facts are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Every change is told of within a poll.
    Fresh,
    /// Changes may be missed: the last poll failed or was answered by something
    /// that cannot be read, none was answered yet, or the last answer is too old.
    Stale,
    /// So for longer than the head allows.
    Expired,
}

/// A question about changes, to be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Poll {
    /// Its number, with which the answer is brought.
    pub number: u64,
    /// Position of the last change known.
    pub after: Option<u64>,
    /// How long to wait for a change, in milliseconds.
    pub wait_ms: u32,
}

/// What became of a poll.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Polled {
    /// This has changed.
    Answered(Changes),
    /// There is an answer, and nobody knows what it tells of.
    Unreadable,
    /// There is no answer.
    Failed,
}

impl Polled {
    /// Reads the body of an answer of 200; there is none if it is too long.
    pub fn read(body: Option<&[u8]>) -> Self {
        body.and_then(|body| serde_json::from_slice(body).ok())
            .map_or(Self::Unreadable, Self::Answered)
    }
}

struct State {
    limits: Limits,
    clock: Clock,
    cache: Cache,
    /// Of the last processed changes.
    position: Option<u64>,
    recent: Recent,
    ticket: Ticket,
    /// When a poll was answered last, or this was made.
    contact: Duration,
    /// Whether the last poll that ended was answered.
    is_answered: bool,
    /// The poll that is under way, and when it began.
    poll: Option<(u64, Duration)>,
    polls: u64,
    /// When the next one may begin.
    next_poll: Duration,
    generation: u64,
}

/// What the head says, as durations.
struct Limits {
    ttl: Duration,
    max_stale: Duration,
    /// How long a poll may take.
    poll: Duration,
    entries: usize,
}

impl From<&snapshot::Directory> for Limits {
    fn from(settings: &snapshot::Directory) -> Self {
        Self {
            ttl: Duration::from_secs(settings.ttl_seconds.into()),
            max_stale: Duration::from_secs(settings.max_stale_seconds.into()),
            poll: Duration::from_millis(u64::from(WAIT_MS) + u64::from(settings.timeout_ms)),
            entries: (settings.cache_entries as usize).max(1),
        }
    }
}

/// Time that only grows, made of the host's, which is set now and then.
#[derive(Default)]
struct Clock {
    now: Duration,
    wall: Option<Duration>,
}

impl Clock {
    fn advance(&mut self, wall: Duration) {
        let passed = wall.saturating_sub(self.wall.unwrap_or(wall));
        self.now = self.now.saturating_add(passed);
        self.wall = Some(wall);
    }
}

/// Least time from the beginning of a poll to that of the next. Where much is
/// changed, an answer tells of all that changed meanwhile; and a directory that
/// does not wait is not asked all the time. It is somewhat less than a tick, so
/// that no tick comes a little too early.
const GAP: Duration = Duration::from_millis(40);
/// From a poll that failed to the next.
const RETRY: Duration = Duration::from_secs(1);

impl Directory {
    /// Knows nothing yet.
    pub fn new(settings: &snapshot::Directory) -> Self {
        let state = State {
            limits: settings.into(),
            clock: Clock::default(),
            cache: Cache::default(),
            position: None,
            recent: Recent::default(),
            ticket: Ticket::default(),
            contact: Duration::ZERO,
            is_answered: false,
            poll: None,
            polls: 0,
            next_poll: Duration::ZERO,
            generation: 0,
        };
        Self {
            state: RefCell::new(state),
        }
    }

    /// Takes over the limits of a new revision.
    pub fn adopt(&self, settings: &snapshot::Directory) {
        self.state.borrow_mut().limits = settings.into();
    }

    /// Says what the host's time is. Requests do not ask for it: they are decided
    /// by the time that was said last.
    pub fn advance(&self, wall: Duration) {
        self.state.borrow_mut().clock.advance(wall);
    }

    /// How sure the facts are.
    pub fn freshness(&self) -> Freshness {
        self.state.borrow().freshness()
    }

    /// What is known of a subject.
    pub fn lookup(&self, question: &FactsRequest) -> Lookup {
        let state = self.state.borrow();
        let freshness = state.freshness();
        if freshness == Freshness::Expired {
            return Lookup::Expired;
        }
        match state.cache.get(question) {
            // Whom nobody can ask about is who they were.
            Some(entry) if freshness == Freshness::Stale || state.is_young(entry.since) => {
                Lookup::Known(entry.facts.clone())
            }
            _ => Lookup::Unknown(state.ticket),
        }
    }

    /// What is known of a subject whose connection stays open: every change is told
    /// of, so facts do not age while they are not asked for.
    pub fn recall(&self, question: &FactsRequest) -> Lookup {
        let state = self.state.borrow();
        if state.freshness() == Freshness::Expired {
            return Lookup::Expired;
        }
        match state.cache.get(question) {
            Some(entry) => Lookup::Known(entry.facts.clone()),
            None => Lookup::Unknown(state.ticket),
        }
    }

    /// Grows whenever facts were forgotten because of a change, or because nobody
    /// knows what changed.
    pub fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// Brings the answer to a question, or its absence.
    pub fn on_facts(
        &self,
        question: &Rc<FactsRequest>,
        ticket: Ticket,
        facts: Option<Facts>,
    ) -> Learned {
        let mut state = self.state.borrow_mut();
        let Some(facts) = facts else {
            return state.fall_back(question);
        };
        if ticket != state.ticket || state.recent.overtakes(question, &facts) {
            return Learned::Overtaken(state.ticket);
        }
        let (now, most) = (state.clock.now, state.limits.entries);
        Learned::Known(state.cache.put(question, facts, now, most))
    }

    /// The poll to send now; none while one is under way.
    pub fn next_poll(&self) -> Option<Poll> {
        let mut state = self.state.borrow_mut();
        let now = state.clock.now;
        // Its end is always told of, unless somebody forgot to.
        let lost = state.limits.poll + Duration::from_secs(1);
        if state.poll.is_some_and(|(_, began)| now <= began + lost) {
            return None;
        }
        if now < state.next_poll {
            return None;
        }
        state.next_poll = now + GAP;
        state.polls += 1;
        state.poll = Some((state.polls, now));
        Some(Poll {
            number: state.polls,
            after: state.position,
            // As long as this is under way, nobody knows whether the directory is
            // back: it is to answer at once.
            wait_ms: if state.is_answered { WAIT_MS } else { 0 },
        })
    }

    /// Brings the answer to a poll, or its absence.
    pub fn on_changes(&self, poll: u64, polled: Polled) {
        let mut state = self.state.borrow_mut();
        // One that was given up may have been overtaken by the next.
        if state.poll.is_none_or(|(number, _)| number != poll) {
            return;
        }
        state.poll = None;
        state.is_answered = matches!(polled, Polled::Answered(_));
        if let Polled::Answered(changes) = polled {
            state.contact = state.clock.now;
            state.process(changes);
            return;
        }
        state.next_poll = state.clock.now + RETRY;
        if polled == Polled::Unreadable {
            state.start_anew();
        }
    }

    /// Gives up a poll whose answer nobody waits for any more.
    pub fn abandon(&self, poll: u64) {
        let mut state = self.state.borrow_mut();
        if state.poll.is_some_and(|(number, _)| number == poll) {
            state.poll = None;
        }
    }
}

impl State {
    fn freshness(&self) -> Freshness {
        let silence = self.clock.now.saturating_sub(self.contact);
        if self.is_answered && silence <= self.limits.poll {
            Freshness::Fresh
        } else if silence <= self.limits.max_stale {
            Freshness::Stale
        } else {
            Freshness::Expired
        }
    }

    fn is_young(&self, since: Duration) -> bool {
        self.clock.now.saturating_sub(since) < self.limits.ttl
    }

    /// Facts past their time, where there are no others.
    fn fall_back(&self, question: &FactsRequest) -> Learned {
        match self.cache.get(question) {
            Some(entry) if self.freshness() != Freshness::Expired => {
                Learned::Known(entry.facts.clone())
            }
            _ => Learned::Unavailable,
        }
    }

    fn process(&mut self, changes: Changes) {
        // The first answer does not say what changed before it.
        let is_anew = self.position.is_none_or(|known| changes.position < known);
        if changes.reset || is_anew {
            self.forget(Recent::since(changes.position));
        } else {
            self.generation += u64::from(!changes.changes.is_empty());
            for change in changes.changes {
                self.cache.forget(&change, changes.position);
                self.recent.note(changes.position, change);
            }
        }
        self.position = Some(changes.position);
    }

    /// Anybody may have changed, and it is not known up to which position.
    fn start_anew(&mut self) {
        // Whoever asks without a position is told of no change.
        if self.position.take().is_some() {
            self.forget(Recent::default());
        }
    }

    /// Forgets everything: positions of before mean nothing now, nor do answers
    /// on their way.
    fn forget(&mut self, recent: Recent) {
        self.ticket.0 += 1;
        self.generation += 1;
        self.cache.clear();
        self.recent = recent;
    }
}
