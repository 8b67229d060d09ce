//! Enforce and shadow, per guard and tenant; instances with one guard.

use ig_contract::snapshot::Modes;
use ig_contract::{Mode, headers};
use ig_guard::{Forward, Guards, Step};

use crate::fixture::{ALPHA, BOTH, BRAVO, CREATE, ME, Sent, by_id, guard, header};

const fn modes(persisted_query: Mode, policy: Mode) -> Modes {
    Modes {
        persisted_query,
        policy,
        step_up: Mode::Enforce,
        rate_limit: Mode::Enforce,
        residency: Mode::Enforce,
    }
}

use Mode::{Enforce, Shadow};

/// Requests that one of the guards denies, and one that both allow.
fn requests() -> [(&'static str, Sent); 5] {
    let forever = by_id(CREATE, r#","variables":{"retention":"forever"}"#);
    [
        ("allowed", Sent::post(by_id(ME, ""))),
        ("text", Sent::post(r#"{"query":"{ secret }"}"#)),
        ("no json", Sent::post("no json")),
        ("policy", Sent::post(forever)),
        (
            "no purpose",
            Sent::post(by_id(ME, "")).without("x-ig-purpose"),
        ),
    ]
}

#[test]
fn each_guard_denies_only_where_it_enforces() {
    let table = [
        (modes(Enforce, Enforce), [200, 400, 400, 403, 403]),
        (modes(Enforce, Shadow), [200, 400, 400, 200, 200]),
        // There is nothing that policy could decide on but the catalogue.
        (modes(Shadow, Enforce), [200, 403, 403, 403, 403]),
        (modes(Shadow, Shadow), [200, 200, 200, 200, 200]),
    ];
    for (modes, expected) in table {
        let guard = guard(BOTH, |head| head.modes = modes);
        for ((name, sent), status) in requests().into_iter().zip(expected) {
            assert_eq!(sent.verdict(&guard).0, status, "{modes:?}: {name}");
        }
    }
}

#[test]
fn in_shadow_only_headers_of_ours_change() {
    let guard = guard(BOTH, |head| head.modes = modes(Shadow, Shadow));
    for (name, sent) in requests() {
        let Forward {
            set, body, remove, ..
        } = sent.with("x-ig-tenant", "spoofed").forwarded(&guard);
        assert_eq!(body, None, "{name}");
        assert!(
            set.iter().all(|(name, _)| name.starts_with("x-ig-")),
            "{set:?}"
        );
        assert!(remove.contains(&"x-ig-tenant".to_owned()), "{name}");
        assert!(
            remove.iter().all(|name| name.starts_with("x-ig-")),
            "{remove:?}"
        );
    }
}

/// Shadow is no way around identity's own headers: a caller nobody knows has
/// none.
#[test]
fn in_shadow_strangers_pass_as_nobody() {
    let guard = guard(BOTH, |head| head.modes = modes(Shadow, Shadow));
    let stranger = Sent::post(by_id(ME, "")).of_nobody();
    let forward = stranger.with("x-ig-actor", "root").forwarded(&guard);
    assert_eq!(header(&forward, headers::ACTOR), None);
    assert!(forward.remove.contains(&"x-ig-actor".to_owned()));
}

#[test]
fn a_tenant_may_have_modes_of_its_own() {
    let guard = guard(BOTH, |head| {
        let alpha = head.tenants.get_mut("alpha").unwrap();
        alpha.modes = Some(modes(Shadow, Shadow));
    });
    let text = r#"{"query":"{ secret }"}"#;
    assert_eq!(Sent::post(text).of(ALPHA).verdict(&guard).0, 200);
    assert_eq!(Sent::post(text).of(BRAVO).verdict(&guard).0, 400);
    // Whose tenant is not known is in the general mode.
    let stranger = Sent::post(text).of_nobody();
    assert_eq!(stranger.verdict(&guard).0, 401);
}

#[test]
fn an_instance_runs_its_guards_and_no_other() {
    let allow_list = guard(
        Guards {
            persisted_query: true,
            policy: false,
        },
        |_| (),
    );
    let policy = guard(
        Guards {
            persisted_query: false,
            policy: true,
        },
        |_| (),
    );
    let anonymous = Sent::post(by_id(ME, "")).without("x-ig-purpose");
    let anonymous = anonymous.with(headers::STEP_UP, "token");
    let forward = anonymous.forwarded(&allow_list);
    // The one behind needs both.
    for name in [headers::JWT_PAYLOAD, headers::STEP_UP] {
        assert!(!forward.remove.contains(&name.to_owned()), "{name}");
    }
    let body = forward.body.unwrap();
    // What the first made is what the second takes.
    let second = Sent::post(body.clone()).with(headers::STEP_UP, "token");
    let forward = second.forwarded(&policy);
    assert_eq!(forward.body, None, "policy changes no body");
    for name in [headers::JWT_PAYLOAD, headers::STEP_UP] {
        assert!(forward.remove.contains(&name.to_owned()), "{name}");
    }
    let spoilt = String::from_utf8(body).unwrap().replace("me", "secret");
    assert_eq!(Sent::post(spoilt).verdict(&policy).0, 404);
}

#[test]
fn without_a_snapshot_every_request_is_undecided() {
    for (name, sent) in requests() {
        let (_, step) = sent.begin(None);
        let Step::Reply(reply) = step else {
            panic!("{name}: {step:?}");
        };
        assert_eq!(reply.status, 503, "{name}");
        assert_eq!(crate::fixture::rule(&reply), "no-snapshot");
        assert!(reply.records.contains("\"revision\":null"));
    }
}
