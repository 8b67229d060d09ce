//! A history in which everything is right.

use ig_chaos::check::{Decision, Ending, Invariant, Promises, Record, Unlogged};
use ig_chaos::history::{Arrival, Breakers, Change, Event, Fault, Kind, Request, Running, What};
use ig_chaos::world::{region_of, tenant_name};

pub(crate) const PROMISES: Promises = Promises {
    gateways_go: false,
    directory_goes: false,
    recovery_ms: 1_000,
    p95_ms: Some(350),
    breakers_open: false,
};

pub(crate) fn decision(number: u64) -> String {
    format!("{number:08x}-0000-7000-8000-000000000000")
}

pub(crate) fn request(id: u64, kind: Kind, tenant: usize, at: u64) -> Request {
    let is_served = kind.may_arrive();
    Request {
        id,
        kind,
        tenant,
        user: format!("user-{tenant}"),
        gateway: 0,
        at,
        took: 2_000,
        status: if is_served { 200 } else { 403 },
        code: (!is_served).then(|| "SUBJECT_INACTIVE".to_owned()),
        rule: None,
        is_well_formed: true,
        signed_by: is_served.then(|| region_of(tenant).to_owned()),
        data_of: is_served.then(|| tenant_name(tenant)),
    }
}

pub(crate) fn arrival(id: u64, tenant: usize, at: u64, is_write: bool) -> Arrival {
    Arrival {
        id: Some(id),
        region: region_of(tenant).to_owned(),
        is_primary: is_write,
        tenant: tenant_name(tenant),
        decision: decision(id),
        query: "text".into(),
        operation: operation(is_write).into(),
        is_write,
        at,
    }
}

pub(crate) fn operation(is_write: bool) -> &'static str {
    if is_write { "CreateAsset" } else { "CaseById" }
}

/// That a request of a tenant may go.
pub(crate) fn allowed(id: u64, tenant: usize, is_write: bool, revision: &str) -> Decision {
    Decision {
        id: decision(id),
        begun: None,
        is_allowed: true,
        tenant: Some(tenant_name(tenant)),
        operation: Some(operation(is_write).into()),
        revision: Some(revision.into()),
    }
}

/// That a region's gateway was ended.
pub(crate) fn unlogged(region: usize, from: u64, until: u64) -> Unlogged {
    Unlogged {
        region: region_of(region).to_owned(),
        from,
        until,
    }
}

pub(crate) fn change(what: What, key: &str, at: u64) -> Change {
    Change {
        what,
        key: key.into(),
        at,
        acknowledged: Some(at + 1_000),
        entry: None,
    }
}

/// An asset that was exported, with its entry in the ledger.
fn exported(asset: &str) -> Change {
    Change {
        entry: Some(format!("entry of {asset}")),
        ..change(What::Export, asset, 300_000)
    }
}

/// A history, and what is true at its end.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) requests: Vec<Request>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) changes: Vec<Change>,
    faults: Vec<Fault>,
    pub(crate) breakers: Vec<Breakers>,
    pub(crate) running: Vec<Running>,
    pub(crate) promises: Promises,
    pub(crate) ending: Ending,
}

impl Story {
    pub(crate) fn right() -> Self {
        let mut story = Self {
            requests: Vec::new(),
            arrivals: Vec::new(),
            changes: vec![
                change(What::User, "0/ada", 0),
                change(What::Deactivation, "user-2", 500_000),
                change(What::Publication, "revision-2", 600_000),
                exported("asset-1"),
                change(What::Operation, "operation-1", 400_000),
            ],
            faults: vec![Fault {
                name: "something".into(),
                from: 2_000_000,
                until: 4_000_000,
            }],
            breakers: Vec::new(),
            running: Vec::new(),
            promises: PROMISES,
            ending: Ending {
                publications: [("revision-1".to_owned(), 1), ("revision-2".to_owned(), 2)].into(),
                users: [("0/ada".to_owned(), 1)].into(),
                exports: [("asset-1".to_owned(), 1)].into(),
                operations: [("operation-1".to_owned(), 1)].into(),
                entries: [("entry of asset-1".to_owned(), 1)].into(),
                catalogue: ["text".to_owned()].into(),
                ..Ending::default()
            },
        };
        let mut decisions = Vec::new();
        for id in 0..60 {
            let (at, tenant) = (id * 100_000, id as usize % 2);
            let kind = if id % 5 == 0 { Kind::Write } else { Kind::Read };
            story.requests.push(request(id, kind, tenant, at));
            story
                .arrivals
                .push(arrival(id, tenant, at, kind == Kind::Write));
            let revision = if id < 10 { "revision-1" } else { "revision-2" };
            decisions.push(allowed(id, tenant, kind == Kind::Write, revision));
        }
        for id in 60..70 {
            let at = 1_600_000 + (id - 60) * 300_000;
            story.requests.push(request(id, Kind::Deactivated, 2, at));
            story.requests.push(request(id + 100, Kind::AdHoc, 1, at));
        }
        story.ending.decisions = vec![decisions];
        story
    }

    pub(crate) fn failing(&self) -> Vec<Invariant> {
        let events: Vec<_> = (self.requests.iter().cloned().map(Event::Request))
            .chain(self.arrivals.iter().cloned().map(Event::Arrival))
            .chain(self.changes.iter().cloned().map(Event::Change))
            .chain(self.faults.iter().cloned().map(Event::Fault))
            .chain(self.breakers.iter().cloned().map(Event::Breakers))
            .chain(self.running.iter().cloned().map(Event::Running))
            .collect();
        let verdicts = Record::of(&events, &self.ending, self.promises).judge();
        assert!(
            verdicts.iter().all(|verdict| verdict.looked_at > 0),
            "{verdicts:?}"
        );
        let failing = verdicts.into_iter().filter(|verdict| !verdict.holds);
        failing.map(|verdict| verdict.invariant).collect()
    }

    pub(crate) fn request(&mut self, id: u64) -> &mut Request {
        self.requests.iter_mut().find(|one| one.id == id).unwrap()
    }
}
