//! WebSockets: what is decided of each message, and what becomes of a connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ig_contract::snapshot::{Head, Retired, Subscriptions};
use ig_contract::{DenyCode, Mode, Outcome};
use ig_guard::{Entropy, Guard, Notice, Socket, Standing, Step, Turn};
use ig_websocket::{Event, Limits, Reader, Role, text_frame};
use serde_json::{Value, json};

use crate::directory::{facts, poll, with_directory};
use crate::fixture::{ALPHA, BOTH, CASES, KIOSK, ME, NOW, Sent, by_id, guard, header};

pub(crate) const START: Duration = Duration::from_secs(NOW);
const KEY: [u8; 4] = [9, 8, 7, 6];

/// Ids of decisions by number, and one mask.
#[derive(Default)]
struct Numbers(Cell<u32>);

impl Entropy for Numbers {
    fn mask(&self) -> Option<[u8; 4]> {
        Some(KEY)
    }

    fn decision_id(&self) -> Option<String> {
        self.0.set(self.0.get() + 1);
        Some(format!("decision-{}", self.0.get()))
    }
}

pub(crate) fn with_sockets(head: &mut Head) {
    head.subscriptions = Some(Subscriptions {
        max_operations: 2,
        messages_per_second: 10,
        idle_timeout_seconds: 100,
        ..Subscriptions::default()
    });
}

pub(crate) fn handshake() -> Sent {
    Sent::post("")
        .set(":method", "GET")
        .without("content-type")
        .with("upgrade", "websocket")
        .with("sec-websocket-version", "13")
        .with("sec-websocket-protocol", "graphql-transport-ws")
        .with("sec-websocket-extensions", "permessage-deflate")
}

/// A socket whose handshake goes on.
pub(crate) fn unanswered(guard: &Rc<Guard>, sent: &Sent) -> Socket {
    let (mut exchange, step) = sent.begin(Some(guard));
    let step = match step {
        Step::FetchFacts(_) => exchange.on_facts(Some(facts(1, &["analysts"]))),
        step => step,
    };
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    let entropy = Rc::new(Numbers::default());
    let mut socket = Socket::new(&exchange, guard, entropy, START).unwrap();
    socket.set_verified(sent.verified.clone());
    socket
}

/// A socket whose handshake the upstream has taken.
pub(crate) fn open(guard: &Rc<Guard>, sent: &Sent) -> Socket {
    let mut socket = unanswered(guard, sent);
    assert!(socket.on_notice(Notice::Opened, START).is_silent());
    socket
}

/// What frames say: messages as JSON, closes as their code.
fn said(role: Role, frames: &[u8]) -> Vec<Value> {
    let limits = Limits {
        message_bytes: 1 << 20,
        fragments: 10,
    };
    let (mut reader, mut rest) = (Reader::new(role, limits), frames);
    let mut said = Vec::new();
    while let Some(event) = reader.next(&mut rest).unwrap() {
        said.push(match event {
            Event::Text(text) => serde_json::from_str(&text).unwrap(),
            Event::Close { code, .. } => json!(code),
            other => json!(format!("{other:?}")),
        });
    }
    said
}

pub(crate) fn to_client(turn: &Turn) -> Vec<Value> {
    said(Role::Server, &turn.to_client)
}

fn to_upstream(turn: &Turn) -> Vec<Value> {
    said(Role::Client, &turn.to_upstream)
}

pub(crate) fn frame(message: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    text_frame(&mut out, &message.to_string(), Some(KEY));
    out
}

pub(crate) fn send(socket: &mut Socket, message: &Value) -> Turn {
    socket.on_client(&frame(message), START)
}

pub(crate) fn hear(socket: &mut Socket, message: &Value) -> Turn {
    let mut out = Vec::new();
    text_frame(&mut out, &message.to_string(), None);
    socket.on_server(&out, START)
}

/// A socket that is acknowledged.
pub(crate) fn acknowledged(guard: &Rc<Guard>) -> Socket {
    let mut socket = open(guard, &handshake());
    send(&mut socket, &json!({"type": "connection_init"}));
    let ack = json!({"type": "connection_ack"});
    assert_eq!(to_client(&hear(&mut socket, &ack)), [ack]);
    socket
}

pub(crate) fn subscribe(id: &str, text: &str) -> Value {
    let payload: Value = serde_json::from_str(&by_id(text, "")).unwrap();
    json!({"id": id, "type": "subscribe", "payload": payload})
}

fn code(turn: &Turn) -> Value {
    to_client(turn)[0]["payload"][0]["extensions"]["code"].clone()
}

#[test]
fn handshakes() {
    let guard = guard(BOTH, with_sockets);
    let forward = handshake().with("content-length", "11").forwarded(&guard);
    assert!(forward.remove.contains(&"content-length".to_owned()));
    assert_eq!(
        header(&forward, "sec-websocket-protocol"),
        Some("graphql-transport-ws")
    );
    assert!(
        forward
            .remove
            .contains(&"sec-websocket-extensions".to_owned())
    );
    assert!(
        forward.records.contains(r#""rule":"websocket""#),
        "{}",
        forward.records
    );
    // Within HTTP/2 neither is said, and upstreams of HTTP/1.1 demand both.
    let bare = handshake().without("sec-websocket-version");
    let forward = bare.forwarded(&guard);
    assert_eq!(header(&forward, "sec-websocket-version"), Some("13"));
    let key = header(&forward, "sec-websocket-key").unwrap();
    assert_eq!(key, "c3b420d0da859689dd47fA==");
    let own = handshake().with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(header(&own.forwarded(&guard), "sec-websocket-key"), None);
    let good = handshake;
    let table = [
        (good().of_nobody(), 401, "token"),
        (good().set("upgrade", "h2c"), 403, "upgrade"),
        (good().set(":method", "POST"), 403, "upgrade-method"),
        (
            good().without("sec-websocket-protocol"),
            403,
            "sub-protocol",
        ),
        (
            good().set("sec-websocket-protocol", "chat"),
            403,
            "sub-protocol",
        ),
        (good().set("sec-websocket-version", "8"), 403, "upgrade"),
        (good().set(":path", "/other"), 404, "path-not-endpoint"),
        (good().with("x-ig-purpose", "audit"), 400, "header-input"),
    ];
    for (sent, status, rule) in table {
        assert_eq!(sent.verdict(&guard), (status, rule.to_owned()), "{sent:?}");
    }
    // Whose pages may come, where that is said. Others than browsers say nothing.
    let guard = crate::fixture::guard(BOTH, |head| {
        with_sockets(head);
        let origins = ["https://app.example".to_owned()];
        head.subscriptions.as_mut().unwrap().origins = Some(origins.into());
    });
    let page = |origin: &str| good().with("origin", origin);
    for sent in [good(), page("https://app.example")] {
        assert_eq!(sent.verdict(&guard).0, 200, "{sent:?}");
    }
    for sent in [
        page("https://evil.example"),
        page("https://app.example.evil.example"),
        page("null"),
        page("https://app.example").with("origin", "https://app.example"),
    ] {
        assert_eq!(sent.verdict(&guard), (403, "origin".to_owned()), "{sent:?}");
    }
    // Off, whatever else.
    let guard = crate::fixture::guard(BOTH, |_| ());
    assert_eq!(good().verdict(&guard), (403, "upgrade".to_owned()));
}

#[test]
fn a_subscribe_is_decided_as_a_request() {
    let guard = guard(BOTH, with_sockets);
    let mut socket = acknowledged(&guard);
    let turn = send(&mut socket, &subscribe("1", ME));
    let sent = to_upstream(&turn);
    assert_eq!(sent.len(), 1, "{turn:?}");
    assert_eq!(
        sent[0],
        json!({"id": "1", "type": "subscribe",
        "payload": {"query": ME, "operationName": "Me", "variables": {}}})
    );
    assert_eq!(turn.verdicts[0].outcome, Outcome::Allow);
    assert!(
        turn.records.contains(r#""operation":"Me""#),
        "{}",
        turn.records
    );

    let ad_hoc = json!({"id": "2", "type": "subscribe", "payload": {"query": "{ me }"}});
    let turn = send(&mut socket, &ad_hoc);
    assert!(turn.to_upstream.is_empty());
    assert_eq!(code(&turn), "PERSISTED_QUERY_ID_REQUIRED");
    assert_eq!(
        turn.verdicts[0].code,
        Some(DenyCode::PersistedQueryIdRequired)
    );

    let next = json!({"id": "1", "type": "next", "payload": {"data": null}});
    assert_eq!(to_client(&hear(&mut socket, &next)), [next]);
    // Of an operation that was denied nothing comes, whatever the upstream says.
    let other = json!({"id": "2", "type": "next", "payload": {"data": null}});
    assert!(hear(&mut socket, &other).is_silent());
    let complete = json!({"id": "1", "type": "complete"});
    assert_eq!(to_client(&hear(&mut socket, &complete))[0], complete);
    assert!(hear(&mut socket, &complete).is_silent());
    assert_eq!(socket.running(), 0);
}

#[test]
fn a_text_passes_where_the_allow_list_only_watches() {
    let guard = guard(BOTH, |head| {
        with_sockets(head);
        head.modes.persisted_query = Mode::Shadow;
        head.modes.policy = Mode::Shadow;
    });
    let mut socket = acknowledged(&guard);
    let payload = json!({"query": "{ me }", "extra": 1});
    let turn = send(
        &mut socket,
        &json!({"id": "1", "type": "subscribe", "payload": payload}),
    );
    assert_eq!(to_upstream(&turn)[0]["payload"], payload);
    assert_eq!(turn.verdicts[0].outcome, Outcome::ShadowDeny);
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let guard = guard(BOTH, with_sockets);
    let init = json!({"type": "connection_init"});
    let cases: [(&str, bool, &[Value], u16); 7] = [
        ("before init", false, &[subscribe("1", ME)], 4401),
        (
            "before ack",
            false,
            &[init.clone(), subscribe("1", ME)],
            4401,
        ),
        ("init twice", true, std::slice::from_ref(&init), 4429),
        (
            "an id twice",
            true,
            &[subscribe("1", ME), subscribe("1", ME)],
            4409,
        ),
        ("no message", true, &[json!({"type": "next"})], 4400),
        (
            "an array",
            true,
            &[json!({"id": "1", "type": "subscribe", "payload": [{}]})],
            4400,
        ),
        (
            "a wrong payload",
            false,
            &[json!({"type": "connection_init", "payload": {"x-ig-purpose": 1}})],
            4400,
        ),
    ];
    for (name, is_acknowledged, messages, code) in cases {
        let mut socket = match is_acknowledged {
            true => acknowledged(&guard),
            false => open(&guard, &handshake()),
        };
        let mut last = Turn::default();
        for message in messages {
            last = send(&mut socket, message);
        }
        assert_eq!(to_client(&last), [json!(code)], "{name}");
        assert!(last.is_over && socket.is_over(), "{name}");
        assert_eq!(to_upstream(&last), [json!(1001)], "{name}");
        assert!(send(&mut socket, &init).is_silent());
    }
    let mut socket = acknowledged(&guard);
    let turn = socket.on_client(b"\xc1\x80abcd", START);
    assert_eq!(to_client(&turn), [json!(1002)]);
    assert!(turn.records.contains("websocket-frame"), "{}", turn.records);
}

#[test]
fn limits_of_a_connection() {
    let guard = guard(BOTH, with_sockets);
    let mut socket = acknowledged(&guard);
    send(&mut socket, &subscribe("1", ME));
    send(&mut socket, &subscribe("2", ME));
    assert_eq!(
        code(&send(&mut socket, &subscribe("3", ME))),
        "RATE_LIMITED"
    );
    let ping = json!({"type": "ping"});
    let mut turns: Vec<_> = (0..7).map(|_| send(&mut socket, &ping)).collect();
    assert_eq!(to_client(&turns.pop().unwrap()), [json!(4429)]);
    // With time, more may be said.
    let mut socket = acknowledged(&guard);
    for second in 0..5 {
        for _ in 0..9 {
            let turn = socket.on_client(&frame(&ping), START + Duration::from_secs(second));
            assert!(!turn.is_over);
        }
    }
    let mut silent = open(&guard, &handshake());
    assert!(silent.on_time(START + Duration::from_secs(9)).is_silent());
    assert_eq!(
        to_client(&silent.on_time(START + Duration::from_secs(10))),
        [json!(4408)]
    );
    let mut idle = acknowledged(&guard);
    assert!(idle.on_time(START + Duration::from_secs(99)).is_silent());
    assert_eq!(
        to_client(&idle.on_time(START + Duration::from_secs(100))),
        [json!(1001)]
    );
}

/// What a client sends while something is asked waits, up to a limit.
#[test]
fn a_client_that_runs_ahead_is_held_and_then_cut() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        with_sockets(head);
    });
    poll(&guard, 1, None);
    let mut socket = acknowledged(&guard);
    // The facts are forgotten, so the next message asks.
    poll(&guard, 2, Some("u1"));
    let turn = send(&mut socket, &subscribe("1", ME));
    assert!(matches!(turn.ask, Some(Step::FetchFacts(_))) && turn.is_silent());
    assert!(send(&mut socket, &subscribe("2", CASES)).is_silent());
    let turn = socket.on_facts(Some(facts(2, &["analysts"])), START);
    let ids: Vec<_> = to_upstream(&turn)
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, ["1", "2"]);

    let mut socket = acknowledged(&guard);
    poll(&guard, 3, Some("u1"));
    send(&mut socket, &subscribe("1", ME));
    let mut is_cut = false;
    for _ in 0..80 {
        is_cut |= to_client(&socket.on_client(&[0; 1_000], START)) == [json!(4429)];
    }
    assert!(is_cut);
}

pub(crate) fn known(standing: Standing) -> Turn {
    match standing {
        Standing::Known(turn) => *turn,
        Standing::Ask(..) => panic!("it asks"),
    }
}

#[test]
fn a_suspended_subjects_connection_ends() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        with_sockets(head);
    });
    poll(&guard, 1, None);
    let mut socket = acknowledged(&guard);
    send(&mut socket, &subscribe("1", ME));
    assert!(known(socket.look(START)).is_silent());
    let before = guard.directory().unwrap().generation();
    poll(&guard, 2, Some("u1"));
    assert_ne!(guard.directory().unwrap().generation(), before);
    let Standing::Ask(question, ticket) = socket.look(START) else {
        panic!("it does not ask");
    };
    let mut suspended = facts(2, &["analysts"]);
    suspended.active = false;
    assert!(guard.keep_facts(&question, ticket, Some(suspended)));
    let turn = known(socket.look(START));
    assert_eq!(to_client(&turn), [json!(4403)]);
    assert!(turn.records.contains("suspended"), "{}", turn.records);
}

#[test]
fn what_policy_takes_back_ends_and_the_rest_goes_on() {
    let guard = guard(BOTH, |head| {
        with_directory(head);
        with_sockets(head);
    });
    poll(&guard, 1, None);
    let mut socket = acknowledged(&guard);
    send(&mut socket, &subscribe("1", ME));
    poll(&guard, 2, Some("u1"));
    let Standing::Ask(question, ticket) = socket.look(START) else {
        panic!("it does not ask");
    };
    // Who is banned is there still, and may do nothing.
    assert!(guard.keep_facts(&question, ticket, Some(facts(2, &["banned"]))));
    let turn = known(socket.look(START));
    assert_eq!(code(&turn), "POLICY_DENIED");
    assert_eq!(to_upstream(&turn), [json!({"id": "1", "type": "complete"})]);
    assert!(!turn.is_over && socket.running() == 0);
    assert!(known(socket.look(START)).is_silent());
}

#[test]
fn a_retired_operation_drains_or_ends() {
    let before = guard(BOTH, with_sockets);
    let kiosk = ALPHA.replace('}', r#","azp":"kiosk"}"#);
    let begin = || {
        let mut socket = open(&before, &handshake().of(&kiosk));
        send(&mut socket, &json!({"type": "connection_init"}));
        hear(&mut socket, &json!({"type": "connection_ack"}));
        assert!(
            !send(&mut socket, &subscribe("1", KIOSK))
                .to_upstream
                .is_empty()
        );
        socket
    };
    let after = |retired| {
        guard(BOTH, |head| {
            with_sockets(head);
            head.subscriptions.as_mut().unwrap().retired = retired;
            // For whoever it was, the operation is in the catalogue no more.
            head.identity.client_claim = "client".into();
        })
    };
    let mut socket = begin();
    assert!(known(socket.on_revision(&after(Retired::Drain), START)).is_silent());
    assert_eq!(
        code(&send(&mut socket, &subscribe("2", KIOSK))),
        "PERSISTED_QUERY_NOT_IN_LIST"
    );
    assert_eq!(socket.running(), 1);
    let mut socket = begin();
    let turn = known(socket.on_revision(&after(Retired::Close), START));
    assert_eq!(code(&turn), "PERSISTED_QUERY_NOT_IN_LIST");
    assert_eq!(to_upstream(&turn), [json!({"id": "1", "type": "complete"})]);
    // Without the setting there are no sockets.
    let mut socket = begin();
    let off = guard(BOTH, |_| ());
    assert_eq!(
        to_client(&known(socket.on_revision(&off, START))),
        [json!(4403)]
    );
}

#[test]
fn a_connection_ends_with_its_token() {
    let guard = guard(BOTH, with_sockets);
    let claims = ALPHA.replace('}', &format!(r#","exp":{}}}"#, NOW + 30));
    let mut socket = open(&guard, &handshake().of(&claims));
    send(&mut socket, &json!({"type": "connection_init"}));
    assert!(socket.on_time(START + Duration::from_secs(29)).is_silent());
    let turn = socket.on_time(START + Duration::from_secs(30));
    assert_eq!(to_client(&turn), [json!(4403)]);
}
