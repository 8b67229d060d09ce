//! Who asks: believed only as far as the host verified it.

use ig_contract::headers;
use ig_guard::VerifiedToken;

use crate::fixture::{ALPHA, BOTH, BRAVO, KIOSK, ME, Sent, by_id, guard, header, payload};

#[test]
fn a_payload_is_believed_if_the_host_says_so() {
    let token = |issuer: &str, subject: &str| {
        Some(VerifiedToken {
            issuer: issuer.into(),
            subject: subject.into(),
        })
    };
    let table = [
        (token("https://issuer.test", "a@alpha.io"), 200),
        (token("https://issuer.test", "b@bravo.io"), 401),
        (token("https://other.test", "a@alpha.io"), 401),
        (token("", ""), 401),
        (None, 401),
    ];
    for (verified, status) in table {
        let guard = guard(BOTH, |_| ());
        let mut sent = Sent::post(by_id(ME, ""));
        sent.verified.clone_from(&verified);
        assert_eq!(sent.verdict(&guard).0, status, "{verified:?}");
    }
}

#[test]
fn claims_make_an_actor_or_a_deny() {
    let long = format!(
        r#"{{"sub":"a","iss":"https://issuer.test","x":"{}"}}"#,
        "y".repeat(9_000)
    );
    let table = [
        (ALPHA, 200, ""),
        (
            r#"{"iss":"https://issuer.test","sub":"a"}"#,
            403,
            "tenant-claim",
        ),
        (
            r#"{"iss":"https://issuer.test","sub":"a","tenant":"zulu"}"#,
            403,
            "tenant-unknown",
        ),
        (
            r#"{"iss":"https://issuer.test","sub":"a","tenant":["alpha"]}"#,
            403,
            "tenant-claim",
        ),
        (
            r#"{"iss":"https://issuer.test","sub":"a b","tenant":"alpha"}"#,
            403,
            "subject-characters",
        ),
        (
            r#"{"iss":"https://issuer.test","sub":"a","tenant":"alpha"}"#,
            403,
            "purpose-not-granted",
        ),
        (r#"{"sub":"a","tenant":"alpha"}"#, 401, "token"),
        (r#"["sub"]"#, 401, "token"),
        ("{", 401, "token"),
        ("", 401, "token"),
        (long.as_str(), 403, "tenant-claim"),
    ];
    let guard = guard(BOTH, |_| ());
    // Twice: what is remembered is what was decided.
    for _ in 0..2 {
        for (claims, status, rule) in table {
            let got = Sent::post(by_id(ME, "")).of(claims).verdict(&guard);
            assert_eq!(got, (status, rule.to_owned()), "{claims}");
        }
    }
}

#[test]
fn a_payload_that_is_no_base64url_is_no_identity() {
    let guard = guard(BOTH, |_| ());
    let good = payload(ALPHA);
    let spoilt: [(Vec<u8>, &str); 5] = [
        ([&good[..], b"*"].concat(), "token"),
        ([b" ", &good[..]].concat(), "token"),
        (good[1..].to_vec(), "token"),
        (good.iter().rev().copied().collect(), "token"),
        // Not what `jwt_authn` writes, so somebody else did.
        (b"\xff".to_vec(), "payload-not-forwarded"),
    ];
    for (value, rule) in spoilt {
        let sent = Sent::post(by_id(ME, "")).set("x-ig-jwt-payload", &value);
        assert_eq!(sent.verdict(&guard), (401, rule.into()), "{value:?}");
    }
}

/// The host's word is asked for once per payload, and one actor's cached
/// identity is never another's.
#[test]
fn identities_are_remembered_apart() {
    let guard = guard(BOTH, |_| ());
    for _ in 0..3 {
        for (claims, actor) in [(ALPHA, "a@alpha.io"), (BRAVO, "b@bravo.io")] {
            let forward = Sent::post(by_id(ME, "")).of(claims).forwarded(&guard);
            assert_eq!(header(&forward, headers::ACTOR), Some(actor));
        }
    }
    let mut known = Sent::post(by_id(ME, ""));
    known.verified = None;
    assert_eq!(known.verdict(&guard).0, 200, "remembered");
}

/// More callers than are remembered: everyone is still who they are.
#[test]
fn a_crowd_is_forgotten_and_known_again() {
    let guard = guard(BOTH, |_| ());
    for number in 0..2_500 {
        let claims = ALPHA.replace("a@alpha.io", &format!("user-{number}"));
        let forward = Sent::post(by_id(ME, "")).of(&claims).forwarded(&guard);
        let expected = format!("user-{number}");
        assert_eq!(header(&forward, headers::ACTOR), Some(expected.as_str()));
    }
}

#[test]
fn an_operation_of_another_client_is_as_unknown_as_any() {
    let guard = guard(BOTH, |_| ());
    let of = |client: &str| ALPHA.replace("{", &format!(r#"{{"azp":"{client}","#));
    let kiosk = Sent::post(by_id(KIOSK, "")).of(&of("kiosk"));
    assert_eq!(kiosk.verdict(&guard).0, 200);
    let other = Sent::post(by_id(KIOSK, ""))
        .of(&of("portal"))
        .denied(&guard);
    let unknown = Sent::post(by_id("query Nowhere { me }", "")).denied(&guard);
    assert_eq!(other.body, unknown.body);
    assert_eq!(other.status, unknown.status);
}
