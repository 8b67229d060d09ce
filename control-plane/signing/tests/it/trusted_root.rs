//! Trusted roots.

use ig_signing::TrustedRoot;
use ig_signing::trusted_root::{Error, MAX_BYTES, MAX_LOGS, TrustedLog};
use serde_json::{Value, json};

use crate::{key, rows, with};

fn log(id: &[u8]) -> TrustedLog {
    TrustedLog {
        base_url: "https://ledger.example:8443/log".into(),
        key: Some(key().public().clone()),
        log_id: id.to_vec(),
        valid_for: (Some("2026-01-01T00:00:00Z".into()), None),
    }
}

#[test]
fn what_is_written_is_read() {
    let root = TrustedRoot::new(vec![log(b"1"), log(b"2")]).unwrap();
    assert_eq!(TrustedRoot::parse(&root.to_bytes()).as_ref(), Ok(&root));
    assert_eq!(root.log(b"2"), root.logs().get(1));
    assert_eq!(root.log(b"3"), None);
    assert_eq!(root.logs()[0].origin(), "ledger.example");
    let none = TrustedRoot::new(Vec::new()).unwrap();
    assert_eq!(TrustedRoot::parse(&none.to_bytes()), Ok(none));
}

/// Those of Sigstore have authorities, other types of keys, and other members.
#[test]
fn roots_of_others_are_read() {
    let bytes = TrustedRoot::new(vec![log(b"1")]).unwrap().to_bytes();
    let later = "application/vnd.dev.sigstore.trustedroot.v0.2+json";
    let bytes = with(&bytes, "/mediaType", later.into());
    let bytes = with(
        &bytes,
        "/certificateAuthorities",
        json!([{"uri": "https://a"}]),
    );
    let bytes = with(&bytes, "/tlogs/0/checkpointKeyId", json!({"keyId": "AA=="}));
    let bytes = with(&bytes, "/tlogs/0/operator", "sigstore.dev".into());
    let known = TrustedRoot::parse(&bytes).unwrap();
    assert_eq!(known.logs(), [log(b"1")]);
    let bytes = with(
        &bytes,
        "/tlogs/0/publicKey/keyDetails",
        "PKIX_ED25519".into(),
    );
    let unknown = TrustedRoot::parse(&bytes).unwrap();
    assert_eq!(unknown.logs()[0].key, None);
}

#[test]
fn what_is_no_trusted_root_says_where() {
    let good = TrustedRoot::new(vec![log(b"1")]).unwrap().to_bytes();
    for (at, value, error) in rows(include_str!("../cases/trusted_root.json")) {
        let found = TrustedRoot::parse(&with(&good, &at, value)).unwrap_err();
        assert_eq!(found.to_string(), error, "{at}");
    }
    let twice = TrustedRoot::new(vec![log(b"1"), log(b"1")]);
    assert_eq!(twice, Err(Error::Twice(1)));
    let many = (0..=MAX_LOGS).map(|id| log(&id.to_be_bytes()));
    assert_eq!(
        TrustedRoot::new(many.collect()),
        Err(Error::Logs(MAX_LOGS + 1))
    );
    let long = vec![b' '; MAX_BYTES + 1];
    assert!(
        TrustedRoot::parse(&long)
            .unwrap_err()
            .to_string()
            .starts_with("longer than")
    );
    let nothing: Value = json!({});
    assert!(TrustedRoot::parse(nothing.to_string().as_bytes()).is_err());
}
