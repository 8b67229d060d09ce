//! What may be used, and for how long; and that no change is missed.

mod polls;
mod property;

use std::cell::Cell;

use ig_contract::directory::Change;

use super::*;

fn settings() -> snapshot::Directory {
    let json =
        r#"{"cluster":"c","authority":"a","ttlSeconds":30,"maxStaleSeconds":60,"cacheEntries":3}"#;
    serde_json::from_str(json).unwrap()
}

/// A directory, and the host's clock.
struct Known {
    directory: Directory,
    clock: Cell<Duration>,
}

fn question(tenant: &str, subject: &str) -> Rc<FactsRequest> {
    Rc::new(FactsRequest {
        graph: "g".into(),
        tenant: tenant.into(),
        issuer: "https://issuer.test".into(),
        subject: subject.into(),
        link: None,
    })
}

fn facts(position: u64, user: Option<&str>) -> Facts {
    Facts {
        position,
        user: user.map(ToOwned::to_owned),
        active: user.is_some(),
        step_up_from: 0,
        groups: [format!("of-{position}")].into(),
    }
}

fn changes(position: u64, changes: &[(&str, Option<&str>)]) -> Changes {
    let changes = changes.iter().map(|(tenant, user)| Change {
        tenant: (*tenant).into(),
        user: user.map(ToOwned::to_owned),
    });
    Changes {
        position,
        reset: false,
        changes: changes.collect(),
    }
}

impl Known {
    fn new() -> Self {
        let known = Self {
            directory: Directory::new(&settings()),
            clock: Cell::new(Duration::from_secs(1_000)),
        };
        known.directory.advance(known.clock.get());
        known
    }

    /// One whose poll was answered with position 10.
    fn polled() -> Self {
        let known = Self::new();
        known.told(changes(10, &[]));
        known
    }

    fn pass(&self, time: Duration) {
        self.clock.set(self.clock.get() + time);
        self.directory.advance(self.clock.get());
    }

    fn wait(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// The next poll, and how long it had to wait.
    fn next_poll(&self) -> (Poll, Duration) {
        let begun = self.clock.get();
        loop {
            if let Some(poll) = self.directory.next_poll() {
                return (poll, self.clock.get() - begun);
            }
            self.pass(Duration::from_millis(1));
        }
    }

    fn poll(&self, polled: Polled) -> Poll {
        let (poll, _) = self.next_poll();
        self.directory.on_changes(poll.number, polled);
        poll
    }

    fn told(&self, changes: Changes) -> Poll {
        self.poll(Polled::Answered(changes))
    }

    fn ticket(&self) -> Ticket {
        match self.directory.lookup(&question("nobody", "asked")) {
            Lookup::Unknown(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn learn(&self, tenant: &str, subject: &str, facts: Facts) -> Learned {
        let ticket = self.ticket();
        let question = question(tenant, subject);
        self.directory.on_facts(&question, ticket, Some(facts))
    }

    /// Position of the facts that are used.
    fn known(&self, tenant: &str, subject: &str) -> Option<u64> {
        match self.directory.lookup(&question(tenant, subject)) {
            Lookup::Known(facts) => Some(facts.position),
            Lookup::Unknown(_) | Lookup::Expired => None,
        }
    }

    fn count(&self) -> usize {
        let (entries, places) = self.directory.state.borrow().cache.count();
        assert_eq!(entries, places);
        entries
    }
}

#[test]
fn a_change_drops_whom_it_concerns() {
    type Case<'a> = (&'a [(&'a str, Option<&'a str>)], [bool; 4]);
    let table: &[Case<'_>] = &[
        (&[], [true; 4]),
        // Who was linked to nobody may be anybody of the tenant now.
        (&[("alpha", Some("u1"))], [false, true, false, true]),
        (&[("alpha", Some("u9"))], [true, true, false, true]),
        (&[("alpha", None)], [false, false, false, true]),
        (&[("bravo", Some("u1"))], [true, true, true, false]),
        (&[("zulu", None), ("zulu", Some("u1"))], [true; 4]),
        (
            &[("alpha", Some("u2")), ("bravo", None)],
            [true, false, false, false],
        ),
    ];
    for (changed, expected) in table {
        let mut settings = settings();
        settings.cache_entries = 10;
        let known = Known::polled();
        known.directory.adopt(&settings);
        for (tenant, subject, user) in [
            ("alpha", "s1", Some("u1")),
            ("alpha", "s2", Some("u2")),
            ("alpha", "s3", None),
            ("bravo", "s1", Some("u1")),
        ] {
            known.learn(tenant, subject, facts(10, user));
        }
        known.told(changes(11, changed));
        let all = [
            ("alpha", "s1"),
            ("alpha", "s2"),
            ("alpha", "s3"),
            ("bravo", "s1"),
        ];
        let kept = all.map(|(tenant, subject)| known.known(tenant, subject).is_some());
        assert_eq!(kept, *expected, "{changed:?}");
        assert_eq!(known.count(), kept.iter().filter(|kept| **kept).count());
    }
}

/// They were asked for after the change, and before the worker was told of it:
/// without the control plane, who is known stays known.
#[test]
fn facts_that_have_a_change_outlive_its_news() {
    for (position, is_known) in [(10, false), (11, false), (12, true), (13, true)] {
        for user in [Some("u1"), None] {
            let known = Known::polled();
            known.learn("alpha", "s1", facts(position, Some("u1")));
            known.told(changes(12, &[("alpha", user)]));
            assert_eq!(known.known("alpha", "s1").is_some(), is_known, "{position}");
            assert_eq!(known.count(), usize::from(is_known));
        }
    }
}

#[test]
fn facts_that_a_change_may_have_overtaken_are_asked_for_again() {
    let known = Known::polled();
    // Nobody told what changed before the first answer.
    assert!(matches!(
        known.learn("alpha", "s", facts(9, Some("u"))),
        Learned::Overtaken(_)
    ));
    assert_eq!(known.known("alpha", "s"), None, "nor kept");
    let learned = known.learn("alpha", "s", facts(10, Some("u")));
    assert!(matches!(learned, Learned::Known(_)));
    // Of two answers at a time, the older may come last.
    known.learn("alpha", "s", facts(12, Some("u")));
    let learned = known.learn("alpha", "s", facts(11, Some("u")));
    assert_eq!(learned, Learned::Known(Rc::new(facts(12, Some("u")))));
    assert_eq!(known.known("alpha", "s"), Some(12));
}

/// Facts are on their way while a poll is answered: those that the change may
/// concern are asked for again, and no others.
#[test]
fn only_a_change_of_theirs_overtakes_facts() {
    let reset = Changes {
        reset: true,
        ..changes(20, &[])
    };
    // (what is told at position 20, whether facts of each of these users hold)
    let table = [
        (changes(20, &[]), [true; 3]),
        (changes(20, &[("bravo", None)]), [true; 3]),
        (changes(20, &[("bravo", Some("u1"))]), [true; 3]),
        (changes(20, &[("alpha", Some("u1"))]), [false, true, false]),
        (
            changes(20, &[("alpha", Some("u9")), ("bravo", None)]),
            [true, true, false],
        ),
        (changes(20, &[("alpha", None)]), [false; 3]),
        (reset, [false; 3]),
    ];
    for (told, expected) in table {
        let holds = [Some("u1"), Some("u2"), None].map(|user| {
            let known = Known::polled();
            let ticket = known.ticket();
            known.told(told.clone());
            // Others go on, and change nothing about it.
            known.told(changes(30, &[("bravo", Some("u1"))]));
            let question = question("alpha", "s");
            let at = |position| Some(facts(position, user));
            let learned = known.directory.on_facts(&question, ticket, at(19));
            let Learned::Overtaken(again) = learned else {
                return true;
            };
            let learned = known.directory.on_facts(&question, again, at(20));
            assert_eq!(learned, Learned::Known(Rc::new(facts(20, user))));
            false
        });
        assert_eq!(holds, expected, "{told:?}");
    }
}

#[test]
fn changes_that_are_not_kept_overtake_everybody() {
    let known = Known::polled();
    let many = vec![("bravo", Some("u1")); 3_000];
    let learned = |position| {
        let learned = known.learn("alpha", "s", facts(position, Some("u1")));
        matches!(learned, Learned::Known(_))
    };
    known.told(changes(11, &many));
    assert!(learned(10));
    known.told(changes(12, &many));
    assert!(!learned(10) && learned(11));
    for position in 13..100 {
        known.told(changes(position, &many));
        let kept = known.directory.state.borrow().recent.count();
        assert!(kept <= 4_096, "{kept}");
    }
    assert!(!learned(97) && learned(99));
}

#[test]
fn another_numbering_forgets_everything() {
    let reset = |position| Changes {
        reset: true,
        ..changes(position, &[])
    };
    let table = [
        (changes(10, &[]), true),
        (changes(9, &[]), false),
        (reset(10), false),
        (reset(11), false),
    ];
    for (answer, is_kept) in table {
        let known = Known::polled();
        known.learn("alpha", "s", facts(10, Some("u")));
        let before = known.ticket();
        known.told(answer.clone());
        assert_eq!(known.known("alpha", "s").is_some(), is_kept, "{answer:?}");
        // An answer on its way is of the numbering before.
        let late = question("alpha", "t");
        let late = known
            .directory
            .on_facts(&late, before, Some(facts(99, None)));
        assert_eq!(matches!(late, Learned::Known(_)), is_kept, "{answer:?}");
    }
    // What changed before the first answer, nobody told.
    let known = Known::new();
    known.learn("alpha", "s", facts(10, Some("u")));
    known.told(changes(10, &[]));
    assert_eq!(known.known("alpha", "s"), None);
}

#[test]
fn facts_are_asked_for_again_after_their_time() {
    let known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    for seconds in [10, 10, 9] {
        known.wait(seconds);
        known.told(changes(10, &[]));
        assert_eq!(known.known("alpha", "s"), Some(10));
    }
    known.wait(1);
    assert_eq!(known.known("alpha", "s"), None);
    // Without an answer they still hold.
    let question = question("alpha", "s");
    let learned = known.directory.on_facts(&question, known.ticket(), None);
    assert_eq!(learned, Learned::Known(Rc::new(facts(10, Some("u")))));
    let learned = known.learn("alpha", "s", facts(11, Some("u")));
    assert!(matches!(learned, Learned::Known(_)));
    assert_eq!(known.known("alpha", "s"), Some(11));
}

#[test]
fn nobody_known_and_nobody_to_ask() {
    let known = Known::polled();
    let question = question("alpha", "s");
    let learned = known.directory.on_facts(&question, known.ticket(), None);
    assert_eq!(learned, Learned::Unavailable);
}

#[test]
fn whom_nobody_can_ask_about_is_who_they_were_for_a_while() {
    let known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    known.poll(Polled::Failed);
    known.wait(59);
    assert_eq!(known.known("alpha", "s"), Some(10), "past its time");
    known.wait(1);
    let question = question("alpha", "s");
    assert_eq!(known.directory.lookup(&question), Lookup::Expired);
    let learned = known.directory.on_facts(&question, Ticket::default(), None);
    assert_eq!(learned, Learned::Unavailable);
    // Back again, and nothing was missed: but its time is over.
    known.told(changes(10, &[]));
    assert_eq!(known.known("alpha", "s"), None);
}

#[test]
fn a_clock_that_is_set_back_stops_for_a_moment_only() {
    let known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    known.clock.set(Duration::from_secs(5));
    known.wait(0);
    assert_eq!(known.directory.freshness(), Freshness::Fresh);
    known.wait(12);
    assert_eq!(known.directory.freshness(), Freshness::Stale);
}

#[test]
fn what_is_kept_is_bounded() {
    let known = Known::polled();
    for number in 0..10 {
        known.learn("alpha", &format!("s{number}"), facts(10, Some("u")));
        assert!(known.count() <= 3);
        let last = known.known("alpha", &format!("s{number}"));
        assert_eq!(last, Some(10), "the last one is here");
    }
    for _ in 0..5 {
        known.learn("alpha", "s9", facts(10, None));
    }
    assert_eq!(known.count(), 1, "one of them again needs no room");
}
