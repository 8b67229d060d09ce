//! Who asks, where a directory says so.

use std::rc::Rc;
use std::time::Duration;

use ig_contract::directory::{Change, Changes, Facts, FactsRequest};
use ig_contract::snapshot::{Head, Link, Modes};
use ig_contract::{Mode, headers};
use ig_guard::directory::Polled;
use ig_guard::{Directory, Exchange, Guard, Guards, Step};

use crate::fixture::{
    ALPHA, BOTH, BRAVO, CREATE, EVERYWHERE, EXPORT, ME, REMOTE, Sent, by_id, guard, header, rule,
};

pub(crate) fn with_directory(head: &mut Head) {
    let settings = r#"{"cluster":"c","authority":"a","ttlSeconds":100,"maxStaleSeconds":60}"#;
    head.directory = Some(serde_json::from_str(settings).unwrap());
    let alpha = head.tenants.get_mut("alpha").unwrap();
    let investigation = ["investigation".to_owned()];
    alpha.purposes_by_group = ["analysts", "banned"]
        .map(|group| (group.to_owned(), investigation.clone().into()))
        .into();
}

fn asking() -> Rc<Guard> {
    guard(BOTH, with_directory)
}

pub(crate) fn facts(position: u64, groups: &[&str]) -> Facts {
    Facts {
        position,
        user: Some("u1".into()),
        active: true,
        step_up_from: 0,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn directory(guard: &Guard) -> &Directory {
    guard.directory().unwrap()
}

/// Answers a poll: somebody of alpha changed, or nobody.
pub(crate) fn poll(guard: &Guard, position: u64, user: Option<&str>) {
    let change = user.map(|user| Change {
        tenant: "alpha".into(),
        user: Some(user.into()),
    });
    let changes = Changes {
        position,
        reset: false,
        changes: change.into_iter().collect(),
    };
    end_poll(guard, Polled::Answered(changes));
}

/// A second after the one before.
fn end_poll(guard: &Guard, polled: Polled) {
    wait(guard, 1);
    let poll = directory(guard).next_poll().unwrap();
    directory(guard).on_changes(poll.number, polled);
}

/// Lets time pass.
fn wait(guard: &Guard, seconds: u64) {
    // A clock that is set back lets none pass.
    for time in [0, seconds] {
        directory(guard).advance(Duration::from_secs(time));
    }
}

/// Brings facts to a request that asks for them, and then its body.
fn answer(exchange: &mut Exchange, sent: &Sent, facts: Option<Facts>) -> Step {
    match exchange.on_facts(facts) {
        Step::AwaitBody => exchange.on_body(sent.body.clone()),
        step => step,
    }
}

fn decide(guard: &Rc<Guard>, sent: &Sent, facts: Option<Facts>) -> Step {
    let (mut exchange, step) = sent.begin(Some(guard));
    match step {
        Step::FetchFacts(_) => answer(&mut exchange, sent, facts),
        step => panic!("not asked: {step:?}"),
    }
}

fn verdict(step: Step) -> (u16, String) {
    match step {
        Step::Forward(_) => (200, String::new()),
        Step::Reply(reply) => (reply.status, rule(&reply)),
        step => panic!("undecided: {step:?}"),
    }
}

fn asked(step: &Step) -> &FactsRequest {
    match step {
        Step::FetchFacts(question) => question,
        step => panic!("not asked: {step:?}"),
    }
}

#[test]
fn a_subject_is_asked_about_once_and_then_known() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        let link = Link {
            claim: "oid".into(),
            ..Link::default()
        };
        let alpha = head.tenants.get_mut("alpha").unwrap();
        alpha.issuers = [("https://issuer.test".to_owned(), link)].into();
    });
    let sent = Sent::post(by_id(ME, "")).of(&ALPHA.replace('{', r#"{"oid":"o-7","#));
    let (mut exchange, step) = sent.begin(Some(&guard));
    let question = FactsRequest {
        graph: "test".into(),
        tenant: "alpha".into(),
        issuer: "https://issuer.test".into(),
        subject: "a@alpha.io".into(),
        link: Some("o-7".into()),
    };
    assert_eq!(*asked(&step), question);
    let step = answer(&mut exchange, &sent, Some(facts(1, &["analysts"])));
    let Step::Forward(forward) = step else {
        panic!("{step:?}");
    };
    assert_eq!(header(&forward, headers::ACTOR), Some("a@alpha.io"));
    assert_eq!(sent.verdict(&guard).0, 200, "the next one asks nobody");
    // Another link is another subject, and so is another tenant's.
    let others = [ALPHA.replace('{', r#"{"oid":"o-8","#), BRAVO.into()];
    for claims in others {
        let (_, step) = sent.clone().of(&claims).begin(Some(&guard));
        assert_ne!(*asked(&step), question);
    }
}

#[test]
fn facts_decide_and_tokens_do_not() {
    let nobody = Facts {
        user: None,
        ..facts(1, &["analysts"])
    };
    let suspended = Facts {
        active: false,
        ..facts(1, &["analysts"])
    };
    let table = [
        (facts(1, &["analysts"]), 200, ""),
        // The token grants the purpose, the directory does not.
        (facts(1, &[]), 403, "purpose-not-granted"),
        (facts(1, &["strangers"]), 403, "purpose-not-granted"),
        (facts(1, &["banned"]), 403, "banned"),
        (suspended, 403, "suspended"),
        (nobody, 403, "unlinked"),
    ];
    for (facts, status, rule) in table {
        let guard = asking();
        // Its groups are not believed either.
        let claims = ALPHA.replace('{', r#"{"groups":["analysts"],"#);
        let sent = Sent::post(by_id(ME, "")).of(&claims);
        let step = decide(&guard, &sent, Some(facts.clone()));
        if let Step::Reply(reply) = &step {
            assert!(reply.records.contains(r#""tenantId":"alpha""#), "{facts:?}");
            assert!(reply.records.contains(r#""actor":"a@alpha.io""#));
        }
        let expected = (status, rule.to_owned());
        assert_eq!(verdict(step), expected, "{facts:?}");
        assert_eq!(sent.verdict(&guard), expected, "{facts:?} remembered");
    }
}

#[test]
fn nobody_is_asked_about_what_is_denied_anyway() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        let bravo = head.tenants.get_mut("bravo").unwrap();
        bravo.issuers = [("https://other.test".to_owned(), Link::default())].into();
    });
    let good = || Sent::post(by_id(ME, ""));
    let table = [
        (good().of_nobody(), 401, "token"),
        (good().of("{}"), 401, "token"),
        (
            good().of(&ALPHA.replace("\"alpha\"", "\"zulu\"")),
            403,
            "tenant-unknown",
        ),
        (good().of(BRAVO), 403, "issuer"),
        (good().with("x-ig-purpose", "twice"), 400, "header-input"),
        (
            good().set("content-type", "text/plain"),
            415,
            "content-type",
        ),
        (good().set(":method", "PUT"), 405, "method"),
        (good().set(":path", "/other"), 404, "path-not-endpoint"),
        (good().with("upgrade", "websocket"), 403, "upgrade"),
    ];
    for (sent, status, rule) in table {
        assert_eq!(sent.verdict(&guard), (status, rule.to_owned()), "{sent:?}");
    }
}

#[test]
fn without_an_answer_it_is_not_known_who_asks() {
    let guard = asking();
    poll(&guard, 5, None);
    let sent = Sent::post(by_id(ME, ""));
    let unavailable = (503, "directory-unavailable".to_owned());
    assert_eq!(verdict(decide(&guard, &sent, None)), unavailable);
    // A failure is not remembered, and what a change overtook is asked for once
    // more, and no more.
    for last in [4, 5] {
        let (mut exchange, step) = sent.begin(Some(&guard));
        let question = asked(&step).clone();
        let again = exchange.on_facts(Some(facts(4, &["analysts"])));
        assert_eq!(*asked(&again), question);
        let step = answer(&mut exchange, &sent, Some(facts(last, &["analysts"])));
        match last {
            5 => assert_eq!(verdict(step).0, 200),
            _ => assert_eq!(verdict(step), unavailable),
        }
    }
}

/// Whatever changes while it is asked who they are, however often.
#[test]
fn who_is_first_seen_is_let_in_while_others_change() {
    let guard = asking();
    poll(&guard, 5, None);
    let sent = Sent::post(by_id(ME, ""));
    for position in 6..20 {
        let (mut exchange, step) = sent.begin(Some(&guard));
        asked(&step);
        poll(&guard, position, Some("u2"));
        let step = answer(&mut exchange, &sent, Some(facts(5, &["analysts"])));
        assert_eq!(verdict(step).0, 200, "{position}");
        // Another numbering: they are first seen again.
        poll(&guard, 4, None);
    }
}

#[test]
fn a_change_counts_for_the_next_request_and_for_remembered_decisions() {
    let guard = asking();
    poll(&guard, 1, None);
    let sent = Sent::post(by_id(ME, ""));
    let mut position = 1;
    let mut change = |groups: &[&str]| {
        position += 1;
        poll(&guard, position, Some("u1"));
        verdict(decide(&guard, &sent, Some(facts(position, groups))))
    };
    for _ in 0..2 {
        assert_eq!(change(&["analysts"]).0, 200);
        assert_eq!(change(&["analysts"]).0, 200, "of the same groups");
        assert_eq!(change(&["analysts", "banned"]), (403, "banned".into()));
    }
    poll(&guard, 100, Some("u2"));
    assert_eq!(sent.verdict(&guard), (403, "banned".into()), "not theirs");
}

/// Whoever sends a body slowly does not keep what they had at its beginning.
#[test]
fn a_change_counts_until_the_body_is_there() {
    let guard = asking();
    poll(&guard, 1, None);
    let sent = Sent::post(by_id(ME, ""));
    assert_eq!(
        verdict(decide(&guard, &sent, Some(facts(1, &["analysts"])))).0,
        200
    );
    let pairs = sent.headers.iter();
    let head = ig_guard::RequestHead::read(pairs.map(|(name, value)| (&name[..], &value[..])));
    let mut exchange = Exchange::new(Some(guard.clone()), "id".into(), head);
    exchange.identify(|| sent.verified.clone());
    assert_eq!(exchange.on_head(false), Step::AwaitBody);
    poll(&guard, 2, Some("u1"));
    let step = exchange.on_body(sent.body.clone());
    asked(&step);
    let suspended = Facts {
        active: false,
        ..facts(2, &["analysts"])
    };
    let step = exchange.on_facts(Some(suspended));
    assert_eq!(verdict(step), (403, "suspended".into()));
}

#[test]
fn a_body_has_its_limit_while_facts_are_awaited() {
    let guard = asking();
    let sent = Sent::post(vec![b' '; 2_001]);
    let (exchange, step) = sent.begin(Some(&guard));
    asked(&step);
    assert_eq!(exchange.on_body_size(2_000), None);
    let step = exchange.on_body_size(2_001).unwrap();
    assert_eq!(verdict(step), (413, "body-limit".into()));
}

#[test]
fn a_get_is_decided_as_soon_as_facts_are_here() {
    let guard = asking();
    let target = format!(
        "/graphql?documentId=sha256:{}",
        ig_contract::TextHash::of(ME.as_bytes())
    );
    let sent = Sent::post("")
        .set(":method", "GET")
        .set(":path", target)
        .without("content-type");
    let (mut exchange, step) = sent.begin(Some(&guard));
    asked(&step);
    let step = exchange.on_facts(Some(facts(1, &["analysts"])));
    assert_eq!(verdict(step).0, 200);
}

#[test]
fn texts_are_fetched_after_facts() {
    let guard = asking();
    let sent = Sent::post(by_id(REMOTE[0], ""));
    let step = decide(&guard, &sent, Some(facts(1, &["analysts"])));
    assert!(matches!(step, Step::FetchTexts(_)), "{step:?}");
}

/// Status and rule of reading, exporting, reaching everywhere, and of all three
/// at a time.
fn verdicts(guard: &Rc<Guard>) -> [(u16, String); 4] {
    let [me, export, everywhere] = [ME, EXPORT, EVERYWHERE].map(|text| by_id(text, ""));
    let batch = format!("[{me},{export},{everywhere}]");
    [me, export, everywhere, batch].map(|body| Sent::post(body).verdict(guard))
}

#[test]
fn what_may_be_out_of_date_exports_nothing() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        // These would need a proof as well.
        head.modes.step_up = Mode::Shadow;
    });
    let ok = (200, String::new());
    let stale = (503, "directory-stale".to_owned());
    // Nobody has said what changes, but facts can be had.
    let me = Sent::post(by_id(ME, ""));
    let analyst = || Some(facts(1, &["analysts"]));
    assert_eq!(verdict(decide(&guard, &me, analyst())), ok);
    let read_only = [
        ok.clone(),
        stale.clone(),
        stale.clone(),
        (503, "batch-aborted".into()),
    ];
    assert_eq!(verdicts(&guard), read_only);
    poll(&guard, 1, None);
    assert_eq!(verdict(decide(&guard, &me, analyst())), ok);
    assert_eq!(verdicts(&guard), [(); 4].map(|()| ok.clone()));
    end_poll(&guard, Polled::Failed);
    assert_eq!(verdicts(&guard), read_only);
    // What policy denies is denied for good.
    let forever = by_id(CREATE, r#","variables":{"retention":"forever"}"#);
    assert_eq!(Sent::post(forever).verdict(&guard).0, 403);
    wait(&guard, 59);
    assert_eq!(verdicts(&guard), read_only);
    wait(&guard, 1);
    assert_eq!(verdicts(&guard), [(); 4].map(|()| stale.clone()));
    // Who was never known is not asked about either.
    assert_eq!(me.clone().of(BRAVO).verdict(&guard), stale);
    assert_eq!(me.of_nobody().verdict(&guard).0, 401);
    poll(&guard, 1, None);
    assert_eq!(verdicts(&guard), [(); 4].map(|()| ok.clone()));
}

#[test]
fn in_shadow_nobody_waits_for_more_than_an_answer() {
    let shadow = Modes {
        persisted_query: Mode::Shadow,
        policy: Mode::Shadow,
        step_up: Mode::Shadow,
        ..Modes::default()
    };
    let suspended = Facts {
        active: false,
        ..facts(1, &[])
    };
    let table = [
        (None, "directory-unavailable"),
        (Some(suspended), "suspended"),
        (Some(facts(1, &["analysts"])), "allow"),
    ];
    for (facts, rule) in table {
        let guard = guard(BOTH, |head| {
            with_directory(head);
            head.tenants.get_mut("alpha").unwrap().modes = Some(shadow);
        });
        let sent = Sent::post(by_id(ME, ""));
        let step = decide(&guard, &sent, facts);
        let Step::Forward(forward) = step else {
            panic!("{rule}: {step:?}");
        };
        assert_eq!(forward.body, None);
        assert!(forward.records.contains(&format!(r#""rule":"{rule}""#)));
        assert_eq!(header(&forward, headers::TENANT), Some("alpha"));
    }
    // The tenant's mode is not the general one.
    let guard = guard(BOTH, |head| {
        with_directory(head);
        head.modes = shadow;
        head.tenants.get_mut("alpha").unwrap().modes = Some(Modes::default());
    });
    let step = decide(&guard, &Sent::post(by_id(ME, "")), None);
    assert_eq!(verdict(step).0, 503);
    // Expired is no reason to stop either.
    let watching = || {
        let guard = self::guard(BOTH, |head| {
            with_directory(head);
            head.modes = shadow;
        });
        wait(&guard, 100);
        guard
    };
    assert_eq!(Sent::post(by_id(ME, "")).verdict(&watching()).0, 200);
}

#[test]
fn an_instance_without_policy_asks_nobody() {
    let allow_list = Guards {
        persisted_query: true,
        policy: false,
    };
    let guard = guard(allow_list, with_directory);
    assert!(guard.directory().is_none());
    assert_eq!(Sent::post(by_id(ME, "")).verdict(&guard).0, 200);
}

#[test]
fn a_new_revision_goes_on_with_what_is_known() {
    let before = asking();
    let sent = Sent::post(by_id(ME, ""));
    decide(&before, &sent, Some(facts(1, &["analysts"])));
    let mut head = crate::fixture::head();
    with_directory(&mut head);
    let mut after = Guard::new(crate::fixture::snapshot(head), BOTH).unwrap();
    after.share_directory(before.directory().unwrap().clone());
    assert_eq!(sent.verdict(&Rc::new(after)).0, 200);
}
