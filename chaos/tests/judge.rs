//! The checker: a history in which everything is right, and what breaks exactly one
//! invariant of it.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use ig_chaos::check::{Decision, Ending, Invariant, Promises, Record};
use ig_chaos::history::{Arrival, Breakers, Change, Event, Fault, Kind, Request, What};
use ig_chaos::world::{region_of, tenant_name};

const PROMISES: Promises = Promises {
    gateways_go: false,
    directory_goes: false,
    recovery_ms: 1_000,
    p95_ms: Some(350),
    breakers_open: false,
};

fn decision(number: u64) -> String {
    format!("{number:08x}-0000-7000-8000-000000000000")
}

fn request(id: u64, kind: Kind, tenant: usize, at: u64) -> Request {
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

fn arrival(id: u64, tenant: usize, at: u64, is_write: bool) -> Arrival {
    Arrival {
        id: Some(id),
        region: region_of(tenant).to_owned(),
        is_primary: is_write,
        tenant: tenant_name(tenant),
        decision: decision(id),
        query: "text".into(),
        is_write,
        at,
    }
}

fn change(what: What, key: &str, at: u64) -> Change {
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
struct Story {
    requests: Vec<Request>,
    arrivals: Vec<Arrival>,
    changes: Vec<Change>,
    faults: Vec<Fault>,
    breakers: Vec<Breakers>,
    ending: Ending,
}

impl Story {
    fn right() -> Self {
        let mut story = Self {
            requests: Vec::new(),
            arrivals: Vec::new(),
            changes: vec![
                change(What::User, "0/ada", 0),
                change(What::Deactivation, "user-2", 500_000),
                change(What::Publication, "revision-2", 600_000),
                exported("asset-1"),
            ],
            faults: vec![Fault {
                name: "something".into(),
                from: 2_000_000,
                until: 4_000_000,
            }],
            breakers: Vec::new(),
            ending: Ending {
                publications: [("revision-1".to_owned(), 1), ("revision-2".to_owned(), 2)].into(),
                users: [("0/ada".to_owned(), 1)].into(),
                exports: [("asset-1".to_owned(), 1)].into(),
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
            decisions.push(Decision {
                id: decision(id),
                is_allowed: true,
                revision: Some(if id < 10 { "revision-1" } else { "revision-2" }.into()),
            });
        }
        for id in 60..70 {
            let at = 1_600_000 + (id - 60) * 300_000;
            story.requests.push(request(id, Kind::Deactivated, 2, at));
            story.requests.push(request(id + 100, Kind::AdHoc, 1, at));
        }
        story.ending.decisions = vec![decisions];
        story
    }

    fn failing(&self) -> Vec<Invariant> {
        let events: Vec<_> = (self.requests.iter().cloned().map(Event::Request))
            .chain(self.arrivals.iter().cloned().map(Event::Arrival))
            .chain(self.changes.iter().cloned().map(Event::Change))
            .chain(self.faults.iter().cloned().map(Event::Fault))
            .chain(self.breakers.iter().cloned().map(Event::Breakers))
            .collect();
        let verdicts = Record::of(&events, &self.ending, PROMISES).judge();
        assert!(
            verdicts.iter().all(|verdict| verdict.looked_at > 0),
            "{verdicts:?}"
        );
        let failing = verdicts.into_iter().filter(|verdict| !verdict.holds);
        failing.map(|verdict| verdict.invariant).collect()
    }

    fn request(&mut self, id: u64) -> &mut Request {
        self.requests.iter_mut().find(|one| one.id == id).unwrap()
    }
}

/// What is changed, and the invariant that it breaks.
type Row = (&'static str, Invariant, fn(&mut Story));

const ROWS: &[Row] = &[
    (
        "an ad-hoc query arrives",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals.push(arrival(165, 1, 3_000_000, false));
            story.ending.decisions[0].push(Decision {
                id: decision(165),
                is_allowed: true,
                revision: Some("revision-2".into()),
            });
        },
    ),
    (
        "a request that nobody sent arrives",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals.push(arrival(9_999, 1, 3_000_000, false));
        },
    ),
    (
        "one without a number arrives",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals[7].id = None;
        },
    ),
    (
        "a text of no catalogue arrives",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals[7].query = "other".into();
        },
    ),
    (
        "one arrives that was denied",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].is_allowed = false;
        },
    ),
    (
        "one arrives that was denied, where a log is not whole",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions_lost = true;
            story.ending.decisions[0][7].is_allowed = false;
        },
    ),
    (
        "one arrives without a decision",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals[7].decision.clear();
        },
    ),
    (
        "one was allowed by a revision that never was",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].revision = Some("revision-9".into());
        },
    ),
    (
        "one was allowed by a revision that is broken",
        Invariant::NothingUndecided,
        |story| {
            let mut poison = change(What::Poison, "revision-2", 600_000);
            poison.acknowledged = None;
            story.changes.push(poison);
        },
    ),
    (
        "one was allowed by no revision",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].revision = None;
        },
    ),
    (
        "a tenant gets another's data",
        Invariant::NothingForeign,
        |story| {
            story.request(7).data_of = Some(tenant_name(3));
        },
    ),
    (
        "a tenant gets nobody's data",
        Invariant::NothingForeign,
        |story| {
            story.request(7).data_of = None;
        },
    ),
    ("another region answers", Invariant::InRegion, |story| {
        story.request(7).signed_by = Some(region_of(0).to_owned());
    }),
    ("nobody's region answers", Invariant::InRegion, |story| {
        story.request(7).signed_by = None;
    }),
    (
        "another region is asked, and its answer is lost",
        Invariant::InRegion,
        |story| {
            let mut other = arrival(7, 1, 700_000, false);
            other.region = region_of(0).to_owned();
            story.arrivals.push(other);
        },
    ),
    (
        "a replica is asked to write",
        Invariant::InRegion,
        |story| {
            story.arrivals[5].is_primary = false;
        },
    ),
    (
        "a request arrives as another tenant's",
        Invariant::NothingForeign,
        |story| {
            story.arrivals[7].tenant = tenant_name(3);
        },
    ),
    (
        "a gateway goes back",
        Invariant::RevisionsForward,
        |story| {
            story.ending.decisions[0][20].revision = Some("revision-1".into());
        },
    ),
    (
        "a gateway stays at what it has",
        Invariant::RevisionsForward,
        |story| {
            story.ending.behind.push("edge".into());
        },
    ),
    ("a user is lost", Invariant::NothingLost, |story| {
        story.ending.users.clear();
    }),
    ("a user is there twice", Invariant::NothingLost, |story| {
        story.ending.users.insert("0/ada".into(), 2);
    }),
    ("a write arrives twice", Invariant::NothingLost, |story| {
        let again = story.arrivals[5].clone();
        story.arrivals.push(again);
    }),
    (
        "a write is answered that no host saw",
        Invariant::NothingLost,
        |story| {
            story.arrivals.remove(5);
        },
    ),
    ("an export is lost", Invariant::NothingLost, |story| {
        story.ending.exports.clear();
    }),
    ("an export is made twice", Invariant::NothingLost, |story| {
        story.ending.exports.insert("asset-1".into(), 2);
    }),
    (
        "an export is not in the ledger",
        Invariant::NothingLost,
        |story| {
            story.ending.entries.clear();
        },
    ),
    (
        "an export is in the ledger twice",
        Invariant::NothingLost,
        |story| {
            story.ending.entries.insert("entry of asset-1".into(), 2);
        },
    ),
    ("no export is ever made", Invariant::NothingLost, |story| {
        story.changes.retain(|one| one.what != What::Export);
    }),
    ("the ledger is not right", Invariant::NothingLost, |story| {
        story.ending.ledger = Some("entry 3 differs".into());
    }),
    (
        "one who is out is served late",
        Invariant::DeactivatedStayOut,
        |story| {
            let late = request(69, Kind::Read, 2, 0);
            let asked = story.request(69);
            asked.status = 200;
            (asked.signed_by, asked.data_of) = (late.signed_by, late.data_of);
            story.arrivals.push(arrival(69, 2, 4_300_000, false));
            story.ending.decisions[0].push(Decision {
                id: decision(69),
                is_allowed: true,
                revision: Some("revision-2".into()),
            });
        },
    ),
    (
        "one who is out is denied, and served again",
        Invariant::DeactivatedStayOut,
        |story| {
            story
                .requests
                .push(request(70, Kind::Deactivated, 2, 600_000));
            let mut again = request(71, Kind::Read, 2, 700_000);
            again.kind = Kind::Deactivated;
            story.requests.push(again);
            story.arrivals.push(arrival(71, 2, 700_000, false));
            story.ending.decisions[0].push(Decision {
                id: decision(71),
                is_allowed: true,
                revision: Some("revision-2".into()),
            });
        },
    ),
    ("an answer is no GraphQL", Invariant::WellFormed, |story| {
        story.request(165).is_well_formed = false;
    }),
    ("an answer never comes", Invariant::WellFormed, |story| {
        story.request(165).status = 0;
    }),
    (
        "nobody is served for two seconds more",
        Invariant::Recovers,
        |story| {
            for id in 41..58 {
                story.request(id).status = 503;
            }
        },
    ),
    ("a breaker stays open", Invariant::Recovers, |story| {
        story.breakers.push(Breakers {
            gateway: 0,
            open: vec!["upstream-primary default.rq_open".into()],
            hosts_out: 0,
            at: 5_000_000,
        });
    }),
    ("the slow ones are refused", Invariant::InTime, |story| {
        for id in 20..23 {
            story.request(id).status = 503;
        }
    }),
    ("those served meanwhile wait", Invariant::InTime, |story| {
        for id in 20..40 {
            story.request(id).took = 400_000;
        }
    }),
];

#[test]
fn what_is_right_is_found_right() {
    assert_eq!(Story::right().failing(), []);
}

#[test]
fn each_fault_breaks_its_invariant_and_no_other() {
    for (what, invariant, change) in ROWS {
        let mut story = Story::right();
        change(&mut story);
        assert_eq!(story.failing(), [*invariant], "{what}");
    }
    for invariant in Invariant::ALL {
        let is_tried = ROWS.iter().any(|(_, one, _)| *one == invariant);
        assert!(is_tried, "nothing breaks {invariant:?}");
    }
}

#[test]
fn a_publication_that_is_lost_is_found() {
    let mut story = Story::right();
    story
        .changes
        .push(change(What::Publication, "revision-3", 700_000));
    assert_eq!(story.failing(), [Invariant::NothingLost]);
}

/// What was not acknowledged may be there, or not.
#[test]
fn what_nobody_was_told_may_be_either() {
    for count in [0, 1] {
        let mut story = Story::right();
        story.changes.push(change(What::User, "0/bob", 0));
        story.ending.users.insert("0/bob".into(), 1);
        story.changes[0].acknowledged = None;
        story.ending.users.insert("0/ada".into(), count);
        assert_eq!(story.failing(), []);
    }
}
