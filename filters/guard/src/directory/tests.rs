//! What may be used, and for how long; and that no change is missed.

mod property;

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
    seconds: u64,
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
            seconds: 1_000,
        };
        known.directory.advance(Duration::from_secs(known.seconds));
        known
    }

    /// One whose poll was answered with position 10.
    fn polled() -> Self {
        let known = Self::new();
        known.poll(Some(changes(10, &[])));
        known
    }

    fn wait(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.directory.advance(Duration::from_secs(self.seconds));
    }

    fn poll(&self, answer: Option<Changes>) {
        let poll = self.directory.next_poll().unwrap();
        self.directory.on_changes(poll.number, answer);
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
        known.poll(Some(changes(11, changed)));
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

#[test]
fn facts_that_a_change_may_have_overtaken_are_asked_for_again() {
    let known = Known::polled();
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
        known.poll(Some(answer.clone()));
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
    known.poll(Some(changes(10, &[])));
    assert_eq!(known.known("alpha", "s"), None);
}

#[test]
fn facts_are_asked_for_again_after_their_time() {
    let mut known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    for seconds in [10, 10, 9] {
        known.wait(seconds);
        known.poll(Some(changes(10, &[])));
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

/// (seconds, poll, freshness): what happened after how long, one after another.
#[test]
fn freshness_is_what_polls_make_it() {
    use Freshness::{Expired, Fresh, Stale};
    let mut known = Known::new();
    assert_eq!(known.directory.freshness(), Stale, "never answered");
    let ok = || Some(Some(changes(10, &[])));
    let steps = [
        (0, ok(), Fresh),
        (11, None, Fresh),
        // Longer than a poll may take.
        (1, None, Stale),
        (0, ok(), Fresh),
        (1, Some(None), Stale),
        (59, Some(None), Stale),
        (1, None, Expired),
        (1, Some(None), Expired),
        (0, ok(), Fresh),
        // However long was waited: the last poll counts.
        (5, ok(), Fresh),
    ];
    for (number, (seconds, poll, expected)) in steps.into_iter().enumerate() {
        known.wait(seconds);
        if let Some(answer) = poll {
            known.poll(answer);
        }
        assert_eq!(known.directory.freshness(), expected, "step {number}");
    }
    let mut silent = Known::new();
    silent.wait(60);
    assert_eq!(silent.directory.freshness(), Stale);
    silent.wait(1);
    assert_eq!(silent.directory.freshness(), Expired);
}

#[test]
fn whom_nobody_can_ask_about_is_who_they_were_for_a_while() {
    let mut known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    known.poll(None);
    known.wait(60);
    assert_eq!(known.known("alpha", "s"), Some(10), "past its time");
    known.wait(1);
    let question = question("alpha", "s");
    assert_eq!(known.directory.lookup(&question), Lookup::Expired);
    let learned = known.directory.on_facts(&question, Ticket::default(), None);
    assert_eq!(learned, Learned::Unavailable);
    // Back again, and nothing was missed: but its time is over.
    known.poll(Some(changes(10, &[])));
    assert_eq!(known.known("alpha", "s"), None);
}

#[test]
fn a_clock_that_is_set_back_stops_for_a_moment_only() {
    let mut known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    known.directory.advance(Duration::from_secs(5));
    assert_eq!(known.directory.freshness(), Freshness::Fresh);
    known.seconds = 5;
    known.wait(12);
    assert_eq!(known.directory.freshness(), Freshness::Stale);
}

#[test]
fn one_poll_is_under_way_and_its_answer_counts() {
    let mut known = Known::new();
    let first = known.directory.next_poll().unwrap();
    assert_eq!(first.after, None);
    assert_eq!(known.directory.next_poll(), None);
    known.directory.abandon(first.number);
    let second = known.directory.next_poll().unwrap();
    known
        .directory
        .on_changes(first.number, Some(changes(3, &[])));
    assert_eq!(known.directory.freshness(), Freshness::Stale, "given up");
    known.directory.abandon(first.number);
    assert_eq!(known.directory.next_poll(), None, "not this one");
    known
        .directory
        .on_changes(second.number, Some(changes(5, &[])));
    let third = known.directory.next_poll().unwrap();
    assert_eq!(third.after, Some(5));
    // One that nobody ends does not keep the next from being sent for ever.
    known.wait(12);
    assert_eq!(known.directory.next_poll(), None);
    known.wait(1);
    assert!(known.directory.next_poll().is_some());
}

#[test]
fn a_directory_that_does_not_wait_is_asked_slowly() {
    let mut known = Known::polled();
    let count = |known: &Known| {
        let polls = std::iter::from_fn(|| {
            let poll = known.directory.next_poll()?;
            known
                .directory
                .on_changes(poll.number, Some(changes(10, &[])));
            Some(())
        });
        polls.take(100).count()
    };
    assert_eq!(count(&known), 9);
    known.wait(1);
    assert_eq!(count(&known), 10);
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
