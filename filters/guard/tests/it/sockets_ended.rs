//! Whatever ends a connection leaves a record that says why.

use std::rc::Rc;
use std::time::Duration;

use ig_contract::{DenyCode, Outcome};
use ig_guard::{Guard, Notice, Standing, Turn};
use serde_json::{Value, json};

use crate::directory::{poll, with_directory};
use crate::fixture::{ALPHA, BOTH, ME, NOW, guard};
use crate::residency::gateway;
use crate::sockets::{
    START, acknowledged, frame, handshake, hear, known, open, send, subscribe, to_client,
    unanswered, with_sockets,
};

/// What the client is told, and what the last record says.
fn said(turn: &Turn) -> (Option<Value>, Value, Option<DenyCode>) {
    let records: Vec<Value> = serde_json::from_str(&format!("[{}]", turn.records)).unwrap();
    assert_eq!(records.len(), turn.verdicts.len());
    let (record, verdict) = (records.last().unwrap(), turn.verdicts.last().unwrap());
    assert_eq!(verdict.outcome, Outcome::Deny, "{record}");
    assert_eq!(record["tenantId"], "alpha", "{record}");
    (to_client(turn).pop(), record["rule"].clone(), verdict.code)
}

fn after(seconds: u64) -> Duration {
    START + Duration::from_secs(seconds)
}

/// The last of some messages, one a second.
fn last(guard: &Rc<Guard>, messages: impl IntoIterator<Item = Value>) -> Turn {
    let mut socket = acknowledged(guard);
    let turns = messages
        .into_iter()
        .zip(1..)
        .map(|(message, second)| socket.on_client(&frame(&message), after(second)));
    turns.last().unwrap()
}

/// That a turn closed the socket with this code, by a rule of sockets.
fn assert_ended(turn: &Turn, close: u16, rule: &str, code: DenyCode) {
    let rule = json!(format!("websocket-{rule}"));
    assert_eq!(said(turn), (Some(json!(close)), rule.clone(), Some(code)));
    assert!(turn.is_over, "{rule}");
}

#[test]
fn what_a_client_does() {
    let guard = guard(BOTH, with_sockets);
    let init = json!({"type": "connection_init"});
    let wrong = json!({"type": "connection_init", "payload": {"x-ig-purpose": 1}});
    let twice = ["1", "1"].map(|id| subscribe(id, ME));
    // More than a connection decides on, whatever becomes of them.
    let many = (0..=512).map(|id| subscribe(&id.to_string(), ME));
    let mut busy = acknowledged(&guard);
    let ping = json!({"type": "ping"});
    let rate = (0..10).fold(Turn::default(), |_, _| send(&mut busy, &ping));
    let bytes = |bytes: &[u8]| acknowledged(&guard).on_client(bytes, START);
    let ahead = unanswered(&guard, &handshake()).on_client(&vec![0; 70_000], START);
    let claims = ALPHA.replace('}', &format!(r#","exp":{}}}"#, NOW + 30));
    let mut expired = open(&guard, &handshake().of(&claims));
    send(&mut expired, &init);
    let begun = || open(&guard, &handshake());
    let table = [
        (
            bytes(b"\x82\x80\x09\x08\x07\x06"),
            1003,
            "binary",
            DenyCode::BadRequest,
        ),
        (bytes(b"\xc1\x80"), 1002, "frame", DenyCode::BadRequest),
        (
            bytes(&frame(&json!([]))),
            4400,
            "message",
            DenyCode::BadRequest,
        ),
        (
            send(&mut begun(), &wrong),
            4400,
            "init",
            DenyCode::BadRequest,
        ),
        (
            last(&guard, [init]),
            4429,
            "second-init",
            DenyCode::BadRequest,
        ),
        (
            send(&mut begun(), &subscribe("1", ME)),
            4401,
            "before-ack",
            DenyCode::BadRequest,
        ),
        (last(&guard, twice), 4409, "id", DenyCode::BadRequest),
        (
            begun().on_time(after(10)),
            4408,
            "init-timeout",
            DenyCode::BadRequest,
        ),
        (
            acknowledged(&guard).on_time(after(100)),
            1001,
            "idle",
            DenyCode::BadRequest,
        ),
        (
            expired.on_time(after(30)),
            4403,
            "expired",
            DenyCode::BadRequest,
        ),
        (rate, 4429, "rate", DenyCode::RateLimited),
        (ahead, 4429, "ahead", DenyCode::RateLimited),
        (last(&guard, many), 1012, "decisions", DenyCode::RateLimited),
    ];
    for (turn, close, rule, code) in table {
        assert_ended(&turn, close, rule, code);
    }
}

#[test]
fn what_an_upstream_does() {
    let guard = guard(BOTH, with_sockets);
    let bytes = |bytes: &[u8]| acknowledged(&guard).on_server(bytes, START);
    let early = hear(
        &mut open(&guard, &handshake()),
        &json!({"type": "connection_ack"}),
    );
    let strange = hear(&mut acknowledged(&guard), &json!({"type": "subscribe"}));
    let table = [
        (bytes(b"\x82\x00"), "binary"),
        (bytes(b"\xc1\x00"), "frame"),
        (strange, "message"),
        (early, "message"),
    ];
    for (turn, rule) in table {
        let rule = json!(format!("websocket-upstream-{rule}"));
        let code = Some(DenyCode::UpstreamUnavailable);
        assert_eq!(said(&turn), (Some(json!(1011)), rule, code));
        assert!(turn.is_over);
    }
}

/// Where the upstream does not take the handshake, nobody reads frames.
#[test]
fn another_answer_than_the_one_to_the_handshake() {
    let guard = guard(BOTH, with_sockets);
    let mut socket = unanswered(&guard, &handshake());
    assert!(
        socket
            .on_client(&frame(&json!({"type": "ping"})), START)
            .is_silent()
    );
    let turn = socket.on_notice(Notice::Mismatched, START);
    let code = Some(DenyCode::UpstreamUnavailable);
    assert_eq!(said(&turn), (None, json!("websocket-answer"), code));
    assert!(turn.is_silent() && turn.is_over && socket.is_over());
}

#[test]
fn what_changes_around_it() {
    let plain = guard(BOTH, with_sockets);
    let off = guard(BOTH, |_| ());
    let off = known(acknowledged(&plain).on_revision(&off, START));
    let elsewhere = gateway(Some("us"), BOTH, with_sockets);
    let moved = known(acknowledged(&plain).on_revision(&elsewhere, START));
    let asking = guard(BOTH, |head| {
        with_directory(head);
        with_sockets(head);
    });
    poll(&asking, 1, None);
    let unknown = acknowledged(&asking).on_no_facts();
    let table = [
        (off, 4403, "off", DenyCode::UpgradeRefused),
        (moved, 1012, "moved", DenyCode::RegionMisdirected),
        (unknown, 1013, "directory", DenyCode::GuardUnavailable),
    ];
    for (turn, close, rule, code) in table {
        assert_ended(&turn, close, rule, code);
    }
}

/// While the directory is asked who this is, at a gateway where its tenant lives no more.
#[test]
fn what_is_asked_meanwhile_is_let_go_nowhere() {
    let in_region = |here, idle| {
        gateway(Some(here), BOTH, |head| {
            with_directory(head);
            with_sockets(head);
            head.subscriptions.as_mut().unwrap().idle_timeout_seconds = idle;
        })
    };
    let (before, after) = (in_region("eu", 100), in_region("us", 99));
    poll(&before, 1, None);
    poll(&after, 1, None);
    let mut socket = acknowledged(&before);
    let standing = socket.on_revision(&after, START);
    assert!(matches!(standing, Standing::Ask(..)), "{standing:?}");
    let turn = send(&mut socket, &subscribe("1", ME));
    let code = Some(DenyCode::RegionMisdirected);
    assert_eq!(
        said(&turn),
        (Some(json!(1012)), json!("websocket-moved"), code)
    );
    assert_eq!(turn.verdicts.len(), 1);
    assert!(turn.is_over && socket.running() == 0);
}
