//! The checker: a history in which everything is right, and what breaks exactly one
//! invariant of it.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod story;

use ig_chaos::check::{Ending, Invariant, Record};
use ig_chaos::history::{Breakers, Kind, Running, What};
use ig_chaos::world::{region_of, tenant_name};

use story::{PROMISES, Story, allowed, arrival, change, decision, operation, request, unlogged};

/// What is changed, and the invariant that it breaks.
type Row = (&'static str, Invariant, fn(&mut Story));

const ROWS: &[Row] = &[
    (
        "an ad-hoc query arrives",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals.push(arrival(165, 1, 3_000_000, false));
            story.ending.decisions[0].push(allowed(165, 1, false, "revision-2"));
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
            story.ending.unlogged.push(unlogged(1, 0, 9_000_000));
            story.ending.decisions[0][7].is_allowed = false;
        },
    ),
    (
        "one arrives that no gateway decided",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0].remove(7);
        },
    ),
    (
        "one arrives that no gateway decided, and was served before a log was written",
        Invariant::NothingUndecided,
        |story| {
            story.ending.unlogged.push(unlogged(1, 800_000, 9_000_000));
            story.ending.decisions[0].remove(7);
        },
    ),
    (
        "one arrives that no gateway decided, once its gateway is there again",
        Invariant::NothingUndecided,
        |story| {
            story.ending.unlogged.push(unlogged(1, 0, 600_000));
            story.ending.decisions[0].remove(7);
        },
    ),
    (
        "one arrives that no gateway decided, and another region's log is not whole",
        Invariant::NothingUndecided,
        |story| {
            story.ending.unlogged.push(unlogged(0, 0, 9_000_000));
            story.ending.decisions[0].remove(7);
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
        "one arrives by another tenant's decision",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].tenant = Some(tenant_name(3));
        },
    ),
    (
        "one arrives by a decision of nobody",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].tenant = None;
        },
    ),
    (
        "one arrives by another operation's decision",
        Invariant::NothingUndecided,
        |story| {
            story.ending.decisions[0][7].operation = Some(operation(true).into());
        },
    ),
    (
        "two arrive by one decision",
        Invariant::NothingUndecided,
        |story| {
            story.arrivals[9].decision = decision(7);
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
            story.ending.decisions[0][7].tenant = Some(tenant_name(3));
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
    (
        "a gateway runs what was never published",
        Invariant::RevisionsForward,
        |story| {
            story.running.push(Running {
                node: "edge".into(),
                revision: "revision-9".into(),
                at: 3_000_000,
            });
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
    ("an operation is lost", Invariant::NothingLost, |story| {
        story.ending.operations.clear();
    }),
    (
        "an operation is there twice",
        Invariant::NothingLost,
        |story| {
            story.ending.operations.insert("operation-1".into(), 2);
        },
    ),
    (
        "no operation is ever pushed",
        Invariant::NothingLost,
        |story| {
            story.changes.retain(|one| one.what != What::Operation);
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
            story.ending.decisions[0].push(allowed(69, 2, false, "revision-2"));
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
            story.ending.decisions[0].push(allowed(71, 2, false, "revision-2"));
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
    (
        "a breaker is to open, and none does",
        Invariant::Recovers,
        |story| {
            story.promises.breakers_open = true;
        },
    ),
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

/// A run that did nothing has shown nothing.
#[test]
fn where_nothing_was_looked_at_nothing_holds() {
    let ending = Ending::default();
    let verdicts = Record::of(&[], &ending, PROMISES).judge();
    let failing = verdicts.iter().filter(|verdict| !verdict.holds);
    let failing: Vec<_> = failing.map(|verdict| verdict.invariant).collect();
    assert_eq!(failing, Invariant::ALL);
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

/// A gateway that is killed takes the end of its log with it.
#[test]
fn what_a_killed_gateway_decided_may_be_in_no_log() {
    let mut story = Story::right();
    story.ending.unlogged.push(unlogged(1, 600_000, 900_000));
    story.ending.decisions[0].remove(7);
    assert_eq!(story.failing(), []);
    // Nobody knows when a request was over that got no answer of an upstream.
    story.ending.unlogged[0].from = 800_000;
    story.request(7).status = 503;
    assert_eq!(story.failing(), []);
}

/// Logs of gateways go on from one run to the next.
#[test]
fn what_went_back_in_a_run_before_is_no_part_of_this_one() {
    let mut story = Story::right();
    story.ending.decisions[0][20].revision = Some("revision-1".into());
    let at = story.ending.decisions[0][20].at().unwrap();
    story.ending.began = at;
    assert_eq!(story.failing(), [Invariant::RevisionsForward]);
    story.ending.began = at + 1;
    assert_eq!(story.failing(), []);
}

#[test]
fn what_was_held_in_front_of_the_guard_has_the_revision_of_when_it_came() {
    let begun_with = |other: usize| {
        let mut story = Story::right();
        let decisions = &mut story.ending.decisions[0];
        decisions[20].begun = decisions[other].at();
        decisions[20].revision = Some("revision-1".into());
        story.failing()
    };
    // Number 10 is the first of the second revision.
    assert_eq!(begun_with(10), []);
    assert_eq!(begun_with(11), [Invariant::RevisionsForward]);
}
