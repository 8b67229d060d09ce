//! When polls are sent, and what becomes of them.

use super::*;

fn unmoved() -> Polled {
    Polled::Answered(changes(10, &[]))
}

/// (seconds, poll, freshness): what happened after how long, one after another.
#[test]
fn freshness_is_what_polls_make_it() {
    use Freshness::{Expired, Fresh, Stale};
    let known = Known::new();
    assert_eq!(known.directory.freshness(), Stale, "never answered");
    let steps = [
        (0, Some(unmoved()), Fresh),
        (11, None, Fresh),
        // Longer than a poll may take.
        (1, None, Stale),
        (0, Some(unmoved()), Fresh),
        (1, Some(Polled::Failed), Stale),
        (59, Some(Polled::Failed), Stale),
        (1, None, Expired),
        (1, Some(Polled::Failed), Expired),
        (0, Some(unmoved()), Fresh),
        // However long was waited: the last poll counts.
        (5, Some(unmoved()), Fresh),
        // An answer that nobody can read tells nobody of changes.
        (1, Some(Polled::Unreadable), Stale),
        (60, None, Expired),
    ];
    for (number, (seconds, poll, expected)) in steps.into_iter().enumerate() {
        known.wait(seconds);
        if let Some(polled) = poll {
            known.poll(polled);
        }
        assert_eq!(known.directory.freshness(), expected, "step {number}");
    }
    let silent = Known::new();
    silent.wait(60);
    assert_eq!(silent.directory.freshness(), Stale);
    silent.wait(1);
    assert_eq!(silent.directory.freshness(), Expired);
}

#[test]
fn one_poll_is_under_way_and_its_answer_counts() {
    let known = Known::new();
    let first = known.directory.next_poll().unwrap();
    assert_eq!(first.after, None);
    known.wait(1);
    assert_eq!(known.directory.next_poll(), None);
    known.directory.abandon(first.number);
    let second = known.directory.next_poll().unwrap();
    let answer = |poll: Poll, position| {
        let polled = Polled::Answered(changes(position, &[]));
        known.directory.on_changes(poll.number, polled);
    };
    answer(first, 3);
    assert_eq!(known.directory.freshness(), Freshness::Stale, "given up");
    known.directory.abandon(first.number);
    known.wait(1);
    assert_eq!(known.directory.next_poll(), None, "not this one");
    answer(second, 5);
    let third = known.directory.next_poll().unwrap();
    assert_eq!(third.after, Some(5));
    // One that nobody ends does not keep the next from being sent for ever.
    known.wait(12);
    assert_eq!(known.directory.next_poll(), None);
    known.wait(1);
    assert!(known.directory.next_poll().is_some());
}

/// Whatever a directory answers at once, and for however long: it is not asked all
/// the time, and never left alone for long. One that waited is asked at once.
#[test]
fn no_answer_delays_the_next_poll_for_long_nor_hurries_it() {
    type Answer = fn(u64) -> Polled;
    let failed: Answer = |_| Polled::Failed;
    let unreadable: Answer = |_| Polled::Unreadable;
    let table: [(&str, Answer, _); 6] = [
        ("the same", |_| unmoved(), GAP),
        ("more", |at| Polled::Answered(changes(at, &[])), GAP),
        (
            "changes",
            |at| Polled::Answered(changes(at, &[("bravo", Some("u"))])),
            GAP,
        ),
        ("less", |at| Polled::Answered(changes(999 - at, &[])), GAP),
        ("nothing", failed, RETRY),
        ("nonsense", unreadable, RETRY),
    ];
    for (name, answer, pause) in table {
        let known = Known::polled();
        known.wait(1);
        known.poll(answer(11));
        for at in 12..200 {
            let (poll, waited) = known.next_poll();
            assert_eq!(waited, pause, "{name}");
            known.directory.on_changes(poll.number, answer(at));
        }
    }
    let known = Known::polled();
    known.wait(1);
    for position in 11..20 {
        let (poll, waited) = known.next_poll();
        assert_eq!((waited, poll.wait_ms), (Duration::ZERO, WAIT_MS));
        known.pass(GAP);
        let polled = Polled::Answered(changes(position, &[]));
        known.directory.on_changes(poll.number, polled);
    }
}

/// However much others change, the next poll is soon, and tells of it.
#[test]
fn a_burst_of_others_hides_nobody() {
    let known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u1")));
    let others = [("bravo", Some("u1")), ("bravo", Some("u2"))];
    for position in 11..500 {
        known.told(changes(position, &others));
        assert_eq!(known.known("alpha", "s"), Some(10), "nothing of theirs");
    }
    let begun = known.clock.get();
    known.told(changes(500, &[others[0], ("alpha", Some("u1")), others[1]]));
    assert!(known.clock.get() - begun <= GAP);
    assert_eq!(known.known("alpha", "s"), None);
}

#[test]
fn a_directory_that_is_back_answers_at_once() {
    let known = Known::new();
    // (what becomes of a poll, how long the next one is to wait)
    let steps = [
        (Polled::Failed, 0),
        (unmoved(), WAIT_MS),
        (unmoved(), WAIT_MS),
        (Polled::Failed, 0),
        (Polled::Failed, 0),
        (unmoved(), WAIT_MS),
        (Polled::Unreadable, 0),
        (unmoved(), WAIT_MS),
    ];
    let mut expected = 0;
    for (polled, next) in steps {
        let is_back = polled == unmoved();
        let poll = known.poll(polled);
        assert_eq!(poll.wait_ms, expected, "{poll:?}");
        assert_eq!(known.directory.freshness() == Freshness::Fresh, is_back);
        expected = next;
    }
}

#[test]
fn an_answer_that_nobody_can_read_may_tell_of_anything() {
    let known = Known::polled();
    known.learn("alpha", "s", facts(10, Some("u")));
    let before = known.ticket();
    known.poll(Polled::Unreadable);
    assert_eq!(known.known("alpha", "s"), None);
    // Nor is it known whether facts on their way are from before.
    let question = question("alpha", "s");
    let late = Some(facts(99, Some("u")));
    let late = known.directory.on_facts(&question, before, late);
    assert!(matches!(late, Learned::Overtaken(_)), "{late:?}");
    // Positions begin anew: any is believed, and facts of before it are not.
    let learned = known.learn("alpha", "s", facts(3, Some("u")));
    assert!(matches!(learned, Learned::Known(_)), "{learned:?}");
    // Without a position nobody is told of changes; there is nothing to forget.
    let poll = known.poll(Polled::Unreadable);
    assert_eq!(poll.after, None);
    assert_eq!(known.known("alpha", "s"), Some(3));
    assert_eq!(known.told(changes(5, &[])).after, None);
    assert_eq!(known.known("alpha", "s"), None);
    assert_eq!(known.told(changes(5, &[])).after, Some(5));
}

#[test]
fn what_is_no_answer_is_unreadable() {
    let answer = serde_json::to_vec(&changes(7, &[("alpha", None)])).unwrap();
    let read = Polled::read(Some(&answer));
    assert_eq!(read, Polled::Answered(changes(7, &[("alpha", None)])));
    let table: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"{}"),
        Some(b"<html>"),
        Some(br#"{"position":-1,"reset":false,"changes":[]}"#),
        answer.get(..answer.len() - 1),
    ];
    for body in table {
        assert_eq!(Polled::read(body), Polled::Unreadable, "{body:?}");
    }
}
