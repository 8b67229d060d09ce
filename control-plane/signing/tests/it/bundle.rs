use ig_signing::bundle::{self, Bundle, Failure, InclusionProof, LogEntry};
use ig_signing::key::SignatureError;
use ig_signing::statement::{self, Statement, Subject};
use ig_signing::{Envelope, PrivateKey, PublicKey, Sha256, dsse, rekord};
use serde_json::{Map, Value, json};

use crate::{data, key, rows, with};

const TYPE: &str = "https://example.com/export/v1";

fn signed() -> Vec<u8> {
    Bundle::sign(&key(), Sha256::of(b"abc")).unwrap().to_bytes()
}

fn statement() -> Statement {
    let predicate = Map::from_iter([("rows".to_owned(), json!(3))]);
    Statement::new(vec![Subject::of("a", b"abc")], TYPE, predicate).unwrap()
}

fn entry() -> LogEntry {
    LogEntry {
        log_index: 0,
        log_id: vec![1; 32],
        kind: rekord::KIND.into(),
        version: rekord::VERSION.into(),
        integrated_time: Some(1),
        inclusion_promise: Some(vec![2]),
        inclusion_proof: InclusionProof {
            log_index: 0,
            root_hash: [3; 32],
            tree_size: 2,
            hashes: vec![[4; 32]],
            checkpoint: "log.example\n2\nAw==\n\n— log.example AQ==\n".into(),
        },
        canonicalized_body: vec![5],
    }
}

#[test]
fn a_bundle_is_what_it_was() {
    let bundle = Bundle::parse(&signed()).unwrap();
    assert_eq!(bundle.to_bytes(), signed());
    let key = key();
    assert_eq!(bundle.verify(key.public(), &Sha256::of(b"abc")), Ok(()));
    let none = bundle.verify_statement(key.public());
    assert_eq!(none, Err(Failure::NotAttestation));

    let mut logged = bundle;
    logged.log_entries = vec![entry()];
    assert_eq!(Bundle::parse(&logged.to_bytes()), Ok(logged.clone()));
    // Protocol buffers leave out what is 0 or empty.
    let bytes = String::from_utf8(logged.to_bytes()).unwrap();
    let short = bytes.replace("\"logIndex\":\"0\",", "");
    assert_ne!(bytes, short);
    assert_eq!(Bundle::parse(short.as_bytes()), Ok(logged));
}

#[test]
fn a_bundle_of_other_bytes_or_keys_does_not_verify() {
    let key = key();
    let bundle = Bundle::parse(&signed()).unwrap();
    let (signed, found) = (Sha256::of(b"abc"), Sha256::of(b"abd"));
    let other = bundle.verify(key.public(), &found);
    assert_eq!(other, Err(Failure::OtherBytes { signed, found }));

    let stranger = PrivateKey::generate().unwrap();
    let failure = bundle.verify(stranger.public(), &signed).unwrap_err();
    assert!(matches!(failure, Failure::OtherKey { .. }), "{failure}");

    // Somebody else's signature under our hint.
    let theirs = Bundle::sign(&stranger, signed).unwrap();
    let hint = json!(key.public().key_id());
    let forged = with(
        &theirs.to_bytes(),
        "/verificationMaterial/publicKey/hint",
        hint,
    );
    let failure = Bundle::parse(&forged)
        .unwrap()
        .verify(key.public(), &signed);
    assert_eq!(failure, Err(SignatureError::Mismatch.into()));
}

#[test]
fn what_is_no_bundle_says_where() {
    for (at, value, expected) in rows(include_str!("../cases/bundle.json")) {
        let error = Bundle::parse(&with(&signed(), &at, value)).expect_err(&expected);
        assert_eq!(error.to_string(), expected, "{at}");
    }
    let neither = String::from_utf8(signed()).unwrap();
    let neither = neither.replace("messageSignature", "x");
    assert!(Bundle::parse(neither.as_bytes()).is_err());
}

#[test]
fn what_is_no_entry_of_a_log_says_where() {
    let mut bundle = Bundle::parse(&signed()).unwrap();
    bundle.log_entries = vec![entry()];
    let bytes = bundle.to_bytes();
    let hashes: Vec<_> = (0..65).map(|_| json!("")).collect();
    for (name, value, expected) in [
        (
            "logIndex",
            json!("-1"),
            "logIndex is not a number from 0 to 2^63-1",
        ),
        (
            "logIndex",
            json!("+1"),
            "logIndex is not a number from 0 to 2^63-1",
        ),
        (
            "logIndex",
            json!("9223372036854775808"),
            "logIndex is not a number from 0 to 2^63-1",
        ),
        (
            "logIndex",
            json!(1.5),
            "logIndex is not a number from 0 to 2^63-1",
        ),
        ("more", json!(1), "more is unknown"),
        ("logId/more", json!(1), "logId.more is unknown"),
        (
            "inclusionProof",
            json!({}),
            "inclusionProof.checkpoint is missing",
        ),
        (
            "inclusionProof/rootHash",
            json!("AA=="),
            "inclusionProof.rootHash is not base64 of 32 bytes",
        ),
        (
            "inclusionProof/hashes",
            json!(["AA=="]),
            "inclusionProof.hashes[0] is not base64 of 32 bytes",
        ),
        (
            "inclusionProof/hashes",
            json!(hashes),
            "inclusionProof.hashes is not at most 64 hashes",
        ),
        (
            "inclusionPromise",
            json!({}),
            "inclusionPromise.signedEntryTimestamp is missing",
        ),
    ] {
        let at = format!("/verificationMaterial/tlogEntries/0/{name}");
        let error = Bundle::parse(&with(&bytes, &at, value)).expect_err(expected);
        let expected = format!("verificationMaterial.tlogEntries[0].{expected}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn an_attestation_is_what_it_was() {
    let key = key();
    let bundle = Bundle::attest(&key, &statement()).unwrap();
    let read = Bundle::parse(&bundle.to_bytes()).unwrap();
    assert_eq!(read, bundle);
    assert_eq!(read.verify_statement(key.public()), Ok(statement()));
    let none = read.verify(key.public(), &Sha256::of(b"abc"));
    assert_eq!(none, Err(Failure::NotMessage));

    // keyid is of the same key, or not there, as we write it.
    assert!(
        !String::from_utf8(bundle.to_bytes())
            .unwrap()
            .contains("keyid")
    );
    let at = "/dsseEnvelope/signatures/0/keyid";
    let other = Bundle::parse(&with(&bundle.to_bytes(), at, json!("x")));
    assert_eq!(other, Err(bundle::Error::KeyId));
    let same = json!(key.public().key_id());
    let same = Bundle::parse(&with(&bundle.to_bytes(), at, same)).unwrap();
    assert_eq!(same.verify_statement(key.public()), Ok(statement()));
    let none = Bundle::parse(&with(&bundle.to_bytes(), at, json!("")));
    assert_eq!(
        none.unwrap().verify_statement(key.public()),
        Ok(statement())
    );

    // Signed, and no statement.
    let envelope = Envelope::sign(&key, "text/plain", b"{}".to_vec()).unwrap();
    let envelope: Value = serde_json::from_slice(&envelope.to_bytes()).unwrap();
    let other = with(&bundle.to_bytes(), "/dsseEnvelope", envelope);
    let failure = Bundle::parse(&other)
        .unwrap()
        .verify_statement(key.public());
    assert_eq!(failure, Err(Failure::PayloadType));
}

#[test]
fn what_is_no_envelope_says_where() {
    let envelope = Envelope::sign(&key(), "t", b"{}".to_vec()).unwrap();
    assert_eq!(Envelope::parse(&envelope.to_bytes()), Ok(envelope.clone()));
    for (at, value, expected) in rows(include_str!("../cases/envelope.json")) {
        let error = Envelope::parse(&with(&envelope.to_bytes(), &at, value));
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_bytes_that_are_signed_say_their_lengths() {
    // The example of DSSE's specification.
    let pae = dsse::pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(
        pae,
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(dsse::pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
    assert_ne!(dsse::pae("a 1", b"b"), dsse::pae("a", b"1 b"));
}

#[test]
fn what_is_no_statement_says_where() {
    for (at, value, expected) in rows(include_str!("../cases/statement.json")) {
        let bytes = with(&statement().to_bytes(), &at, value);
        let error = Statement::parse(&bytes).expect_err(&expected);
        assert_eq!(error.to_string(), expected);
    }
    let text = String::from_utf8(statement().to_bytes()).unwrap();
    let twice = text.replace("\"rows\":3", "\"rows\":3,\"rows\":4");
    let error = Statement::parse(twice.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "predicate.rows is there twice");
    // The specification: what is not known is ignored.
    let more = with(text.as_bytes(), "/more", json!(1));
    assert_eq!(Statement::parse(&more), Ok(statement()));
}

#[test]
fn no_number_is_signed_that_readers_round() {
    let of = |number: Value| {
        let predicate = Map::from_iter([("a".to_owned(), json!([{"b": number}]))]);
        Statement::new(vec![Subject::of("", b"")], TYPE, predicate)
    };
    for exact in [
        json!(0),
        json!(1.5),
        json!(1_u64 << 53),
        json!(-(1_i64 << 53)),
    ] {
        assert!(of(exact).is_ok());
    }
    for rounded in [json!((1_u64 << 53) + 1), json!(u64::MAX), json!(i64::MIN)] {
        assert_eq!(of(rounded), Err(statement::Error::Number));
    }
}

#[test]
fn cosigns_bundles_verify() {
    let key = PublicKey::from_pem(&data("cosign/cosign.pub")).unwrap();
    let digest = Sha256::of(&data("cosign/manifest.json"));
    let bundle = Bundle::parse(&data("cosign/manifest.sigstore.json")).unwrap();
    assert_eq!(bundle.verify(&key, &digest), Ok(()));
    let bundle = Bundle::parse(&data("cosign/attestation.sigstore.json")).unwrap();
    let statement = bundle.verify_statement(&key).unwrap();
    assert_eq!(statement.subjects()[0].sha256, digest);
    assert_eq!(statement.predicate_type(), TYPE);
    assert_eq!(statement.predicate()["rows"], 3);
}

/// Verifiers of logs build these bytes anew: order, names and base64 count.
#[test]
fn the_leaf_is_rekors_canonical_body() {
    let key = key();
    let bundle = Bundle::parse(&signed()).unwrap();
    let base64 = |at: &str| -> String {
        let all: Value = serde_json::from_slice(&signed()).unwrap();
        all.pointer(at).unwrap().as_str().unwrap().to_owned()
    };
    let pem = key.public().to_pem();
    let spki: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let expected = format!(
        concat!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"#,
            r#""data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"#,
            r#""signature":{{"content":"{signature}","verifier":{{"#,
            r#""keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{{"rawBytes":"{spki}"}}}}}}}}}}}}"#
        ),
        digest = base64("/messageSignature/messageDigest/digest"),
        signature = base64("/messageSignature/signature"),
        spki = spki,
    );
    let body = String::from_utf8(bundle.log_body(key.public())).unwrap();
    assert_eq!(body, expected);

    // Of an attestation: what DSSE signs.
    let bundle = Bundle::attest(&key, &statement()).unwrap();
    let pae = dsse::pae(statement::PAYLOAD_TYPE, &statement().to_bytes());
    let expected = rekord::body(&Sha256::of(&pae), bundle.signature(), key.public());
    assert_eq!(bundle.log_body(key.public()), expected);
}
