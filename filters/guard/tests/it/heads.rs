//! Headers: what a client may set, what is removed, what is refused.

use ig_contract::{Mode, headers};
use ig_guard::Guards;

use crate::fixture::{BOTH, ME, Sent, by_id, guard, header};

#[test]
fn of_the_clients_own_names_only_three_stay() {
    let guard = guard(BOTH, |_| ());
    let ours = [
        "x-ig-tenant",
        "x-ig-actor",
        "x-ig-region",
        "x-ig-operation",
        "x-ig-decision-id",
        "x-ig-anything",
        "x_ig_tenant",
        "x-ig_tenant",
        "x_ig-purpose",
    ];
    let mut sent = Sent::post(by_id(ME, "")).with("x-ig-authority", "warrant 7");
    for name in ours {
        sent = sent.with(name, "spoofed").with(name, b"\xff\xfe");
    }
    let forward = sent.with("x-ig-step-up", "token").forwarded(&guard);
    for name in ours {
        assert!(forward.remove.iter().any(|known| known == name), "{name}");
    }
    // Neither the proof nor the payload is the upstream's business.
    for name in [headers::STEP_UP, headers::JWT_PAYLOAD] {
        assert!(forward.remove.iter().any(|known| known == name), "{name}");
    }
    for name in [headers::PURPOSE, headers::AUTHORITY] {
        assert!(!forward.remove.iter().any(|known| known == name), "{name}");
    }
    assert_eq!(header(&forward, headers::ACTOR), Some("a@alpha.io"));
    assert_eq!(header(&forward, headers::TENANT), Some("alpha"));
    assert_eq!(header(&forward, headers::REGION), Some("eu"));
    assert_eq!(header(&forward, headers::OPERATION), Some("Me"));
}

/// (name, value, status, rule) of one more header on a good request.
#[test]
fn one_more_header() {
    let long = "x".repeat(300);
    let table: &[(&str, &[u8], u16, &str)] = &[
        ("x-ig-purpose", b"audit", 400, "header-input"),
        ("x-ig-authority", b"a \xc3\xa9", 400, "header-input"),
        ("x-ig-authority", b"\xff", 400, "header-input"),
        ("x-ig-authority", b"", 400, "header-input"),
        ("x-ig-authority", long.as_bytes(), 400, "header-input"),
        ("x-ig-authority", b"warrant 7", 200, ""),
        ("x-ig-step-up", b"\x80", 400, "header-input"),
        ("x-ig-jwt-payload", b"e30", 401, "payload-not-forwarded"),
        ("content-type", b"application/json", 415, "content-type"),
        ("content-encoding", b"gzip", 415, "content-encoding"),
        ("content-encoding", b"identity", 200, ""),
        ("upgrade", b"websocket", 403, "upgrade"),
        ("accept", b"\xff\xfe", 200, ""),
        ("cookie", b"\x80\x81", 200, ""),
        ("x-http-method-override", b"DELETE", 200, ""),
    ];
    let guard = guard(BOTH, |_| ());
    for (name, value, status, rule) in table {
        let sent = Sent::post(by_id(ME, "")).with(name, value);
        let got = sent.verdict(&guard);
        assert_eq!(got, (*status, (*rule).to_owned()), "{name}: {value:?}");
    }
}

/// An instance without policy passes them on, so it checks them.
#[test]
fn an_allow_list_alone_takes_inputs_once() {
    let alone = Guards {
        persisted_query: true,
        policy: false,
    };
    let guard = guard(alone, |_| ());
    let sent = || Sent::post(by_id(ME, ""));
    assert_eq!(sent().verdict(&guard).0, 200);
    let twice = sent().with("x-ig-purpose", "audit").verdict(&guard);
    assert_eq!(twice, (400, "header-input".into()));
    let bytes = sent().with("x-ig-authority", b"\xff").verdict(&guard);
    assert_eq!(bytes, (400, "header-input".into()));
}

/// (name, value or none, status, rule) of a header in place of a good one.
#[test]
fn another_header() {
    let table: &[(&str, Option<&str>, u16, &str)] = &[
        ("x-ig-purpose", None, 403, "purpose-required"),
        ("x-ig-purpose", Some("audit"), 403, "purpose-not-granted"),
        ("x-ig-purpose", Some("two words"), 400, "header-input"),
        (":method", Some("PUT"), 405, "method"),
        (":method", None, 405, "method"),
        (":path", Some("/other"), 404, "path-not-endpoint"),
        (":path", Some("/graphql/"), 404, "path-not-endpoint"),
        (":path", None, 404, "path-not-endpoint"),
        ("content-type", None, 415, "content-type"),
        (
            "content-type",
            Some("application/graphql"),
            415,
            "content-type",
        ),
        (
            "content-type",
            Some("multipart/form-data"),
            415,
            "content-type",
        ),
        ("x-ig-jwt-payload", None, 401, "payload-not-forwarded"),
    ];
    let guard = guard(BOTH, |_| ());
    for (name, value, status, rule) in table {
        let mut sent = Sent::post(by_id(ME, "")).without(name);
        if let Some(value) = value {
            sent = sent.with(name, value);
        }
        let got = sent.verdict(&guard);
        assert_eq!(got, (*status, (*rule).to_owned()), "{name}: {value:?}");
    }
}

/// (name, whether it is removed where the request is written anew, in shadow)
#[test]
fn trailers() {
    let table: [(&[u8], bool, bool); 5] = [
        (b"x-ig-actor", true, true),
        (b"x_ig_actor", true, true),
        (b"x-ig-purpose", true, true),
        (b"x-checksum", true, false),
        (b"\xff", true, false),
    ];
    for (name, anew, in_shadow) in table {
        for (mode, expected) in [(Mode::Enforce, anew), (Mode::Shadow, in_shadow)] {
            let guard = guard(BOTH, |head| head.modes.persisted_query = mode);
            let (exchange, _) = Sent::post(by_id(ME, "")).begin(Some(&guard));
            assert_eq!(
                exchange.removes_trailer(name),
                expected,
                "{mode:?} {name:?}"
            );
        }
    }
}

#[test]
fn frameworks_cannot_be_told_another_method_or_path() {
    let guard = guard(BOTH, |_| ());
    for name in [
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ] {
        let forward = Sent::post(by_id(ME, "")).with(name, "x").forwarded(&guard);
        assert!(forward.remove.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn answers_are_of_the_type_that_is_asked_for_and_never_cached() {
    let guard = guard(BOTH, |_| ());
    for (accept, expected) in [
        ("", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        (
            "application/graphql-response+json",
            "application/graphql-response+json; charset=utf-8",
        ),
    ] {
        let reply = Sent::post("{}").with("accept", accept).denied(&guard);
        let get = |name: &str| {
            let found = reply.headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(get("content-type"), Some(expected), "{accept}");
        assert_eq!(
            get("cache-control"),
            Some("private, no-cache, must-revalidate")
        );
        assert_eq!(get("x-ig-decision-id"), Some(crate::fixture::DECISION_ID));
    }
}
