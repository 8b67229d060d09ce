//! Whether the system stayed safe: invariants over a history, each by itself.

mod access_log;
mod answers;
mod arrivals;
mod changes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

pub use self::access_log::{Decision, read as read_access_log};
pub(crate) use self::answers::quantile;
use crate::history::{Arrival, Breakers, Change, Event, Fault, Micros, Request, Running};

/// What has to hold, whatever is done to the system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// No request reaches an upstream without an allow decision of a published
    /// revision.
    NothingUndecided,
    /// No request arrives as another tenant's, and no answer has another's data.
    NothingForeign,
    /// No host of another region sees or answers a tenant's request, and no replica a
    /// write.
    InRegion,
    /// No proxy goes back to an earlier revision, and each comes to the newest.
    RevisionsForward,
    /// What was acknowledged is there, once.
    NothingLost,
    /// Who was deactivated stays out.
    DeactivatedStayOut,
    /// Answers are GraphQL over HTTP, also those that say no.
    WellFormed,
    /// Who may is served again soon after the fault.
    Recovers,
    /// Those served meanwhile were served in time, where the fault leaves room for it.
    InTime,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NothingUndecided,
        Self::NothingForeign,
        Self::InRegion,
        Self::RevisionsForward,
        Self::NothingLost,
        Self::DeactivatedStayOut,
        Self::WellFormed,
        Self::Recovers,
        Self::InTime,
    ];
}

/// What a scenario promises about its fault.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promises {
    /// Gateways themselves go away, so a client may get no answer at all.
    pub gateways_go: bool,
    /// Guards may be cut off from the directory.
    pub directory_goes: bool,
    /// Milliseconds from the fault's end until who may is served.
    pub recovery_ms: u64,
    /// 95 of 100 of those served meanwhile were, within so many milliseconds.
    pub p95_ms: Option<u64>,
    /// A breaker opens, so that what is too much waits for nobody.
    pub breakers_open: bool,
}

/// What is true at the end, beside the history.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Number of each publication by its revision.
    pub publications: HashMap<String, u64>,
    /// Gateways that did not come to what was published last, with nothing in the way.
    pub behind: Vec<String>,
    /// How often each user that was asked for is there, by its key.
    pub users: BTreeMap<String, usize>,
    /// How often each asset was exported, by its id.
    pub exports: BTreeMap<String, usize>,
    /// How many documents of the catalogue have each id.
    pub operations: BTreeMap<String, usize>,
    /// How often the ledger has each entry, by its SHA-256.
    pub entries: HashMap<String, usize>,
    /// What is wrong with the ledger.
    pub ledger: Option<String>,
    /// What gateways decided since they were started, by gateway: in runs before, too.
    pub decisions: Vec<Vec<Decision>>,
    /// Milliseconds since 1970 at which this run began.
    pub began: u64,
    /// Gateways that were ended before all of their log was written.
    pub unlogged: Vec<Unlogged>,
    /// SHA-256 of the catalogue's texts.
    pub catalogue: BTreeSet<String>,
}

/// A gateway that was ended. It had just written its log, which has a line for each request
/// that was over by then; no other gateway lost any.
#[derive(Clone, Debug)]
pub struct Unlogged {
    /// Whose hosts it asks.
    pub region: String,
    /// When it began to write its log.
    pub from: Micros,
    /// When it was there again.
    pub until: Micros,
}

/// A history, by what it is of.
pub struct Record<'a> {
    requests: BTreeMap<u64, &'a Request>,
    arrivals: Vec<&'a Arrival>,
    changes: Vec<&'a Change>,
    running: Vec<&'a Running>,
    breakers: Vec<&'a Breakers>,
    faults: Vec<&'a Fault>,
    ending: &'a Ending,
    promises: Promises,
}

/// One invariant's verdict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Which.
    pub invariant: Invariant,
    /// Whether it holds.
    pub holds: bool,
    /// How much was looked at; nothing is no proof.
    pub looked_at: usize,
    /// What broke it, the first few.
    pub violations: Vec<String>,
}

/// Violations that a verdict names.
const NAMED: usize = 20;

impl Verdict {
    fn of(invariant: Invariant, looked_at: usize, violations: Vec<String>) -> Self {
        Self {
            invariant,
            holds: violations.is_empty(),
            looked_at,
            violations: violations.into_iter().take(NAMED).collect(),
        }
    }
}

impl<'a> Record<'a> {
    /// Sorts a history.
    pub fn of(events: &'a [Event], ending: &'a Ending, promises: Promises) -> Self {
        let mut this = Self {
            requests: BTreeMap::new(),
            arrivals: Vec::new(),
            changes: Vec::new(),
            running: Vec::new(),
            breakers: Vec::new(),
            faults: Vec::new(),
            ending,
            promises,
        };
        for event in events {
            match event {
                Event::Request(request) => {
                    this.requests.insert(request.id, request);
                }
                Event::Arrival(arrival) => this.arrivals.push(arrival),
                Event::Change(change) => this.changes.push(change),
                Event::Running(running) => this.running.push(running),
                Event::Breakers(breakers) => this.breakers.push(breakers),
                Event::Fault(fault) => this.faults.push(fault),
            }
        }
        this
    }

    /// Every invariant's verdict.
    pub fn judge(&self) -> Vec<Verdict> {
        let one = |invariant| match invariant {
            Invariant::NothingUndecided => self.nothing_undecided(),
            Invariant::NothingForeign => self.nothing_foreign(),
            Invariant::InRegion => self.in_region(),
            Invariant::RevisionsForward => self.revisions_forward(),
            Invariant::NothingLost => self.nothing_lost(),
            Invariant::DeactivatedStayOut => self.deactivated_stay_out(),
            Invariant::WellFormed => self.well_formed(),
            Invariant::Recovers => self.recovers(),
            Invariant::InTime => self.in_time(),
        };
        let mut verdicts: Vec<_> = Invariant::ALL.into_iter().map(one).collect();
        for verdict in &mut verdicts {
            let is_asked = verdict.invariant != Invariant::InTime || self.promises.p95_ms.is_some();
            if is_asked && verdict.looked_at == 0 {
                verdict.holds = false;
                verdict.violations.push("nothing was looked at".to_owned());
            }
        }
        verdicts
    }

    /// What gateways said of their breakers, in that order.
    pub fn breakers(&self) -> impl Iterator<Item = &'a Breakers> {
        self.breakers.iter().copied()
    }

    /// From the first fault's beginning to the last one's end.
    pub fn window(&self) -> Option<(Micros, Micros)> {
        let from = self.faults.iter().map(|fault| fault.from).min()?;
        let until = self.faults.iter().map(|fault| fault.until).max()?;
        Some((from, until))
    }
}
