//! Signed notes, keys and checkpoints.

use ig_ledger::verify::note::{MAX_SIGNATURES, Note, NoteError};
use ig_ledger::verify::{
    Checkpoint, CheckpointError, KeyError, KeyType, Policy, PolicyError, VerifierKey, VerifyError,
};
use proptest::prelude::*;

use crate::support::{ORIGIN, log, policy, signer, witness};

/// The example of the Go implementation's documentation.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn the_go_implementations_example_is_read() {
    let key: VerifierKey = GO_KEY.parse().unwrap();
    assert_eq!(key.key_type(), KeyType::Ed25519);
    assert_eq!(key.to_string(), GO_KEY);
    let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.signatures[0].id, key.id());
    // Its signature is right, so that what is wrong is what was signed.
    let policy = Policy::new("PeterNeumann".parse().unwrap(), vec![key], vec![], 0).unwrap();
    let lines = CheckpointError::Lines;
    assert_eq!(policy.checkpoint(GO_NOTE.as_bytes()), Err(lines.into()));
}

/// The ID of the key of Sigstore's first public log, which its entries bear.
#[test]
fn the_id_of_a_p256_key_is_sigstores() {
    use base64::Engine as _;
    let der = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0\
               zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==";
    let der = base64::engine::general_purpose::STANDARD
        .decode(der)
        .unwrap();
    let key = VerifierKey::new("rekor.sigstore.dev", KeyType::EcdsaP256, &der).unwrap();
    assert_eq!(key.id().to_string(), "c0d23d6a");
}

#[test]
fn keys_are_read_as_they_are_written() {
    let of_witness = witness().key().clone();
    for key in signer().keys().iter().chain([&of_witness]) {
        let vkey = key.to_string();
        assert_eq!(vkey.parse::<VerifierKey>().unwrap(), *key);
        let id = key.id().to_string();
        let other = vkey.replacen(&id, "00000000", 1);
        assert_eq!(other.parse::<VerifierKey>(), Err(KeyError::Id));
        let upper = vkey.replacen(&id, &id.to_uppercase(), 1);
        assert_eq!(upper.parse::<VerifierKey>().is_ok(), upper == vkey);
    }
    let key = |key: &str| key.parse::<VerifierKey>().unwrap_err();
    assert_eq!(key(""), KeyError::Format);
    assert_eq!(key("a+00000000"), KeyError::Format);
    assert_eq!(key("a+00000000+A"), KeyError::Format);
    assert_eq!(key("a+00000000+Aw=="), KeyError::Type);
    assert_eq!(key("a+00000000+AQ=="), KeyError::Key);
    assert_eq!(
        key("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
        KeyError::Name
    );
    // A point of small order.
    let weak = VerifierKey::new("a", KeyType::Ed25519, &[0; 32]);
    assert_eq!(weak, Err(KeyError::Key));
}

#[test]
fn secrets_do_not_show() {
    let shown = format!("{:?} {:?}", signer(), witness());
    assert!(shown.contains("+") && !shown.contains("1, 1") && !shown.contains("0101"));
}

#[test]
fn a_log_signs_with_both_keys() {
    let log = log(3);
    let verified = policy().checkpoint(log.checkpoint().as_bytes()).unwrap();
    assert_eq!(verified.checkpoint.head, log.head());
    assert_eq!(verified.checkpoint.origin.as_str(), ORIGIN);
    // Each alone is enough for who knows only one, as other clients do.
    for key in signer().keys() {
        let one = Policy::new(ORIGIN.parse().unwrap(), vec![key.clone()], vec![], 0).unwrap();
        assert_eq!(
            one.checkpoint(log.checkpoint().as_bytes()),
            Ok(verified.clone())
        );
    }
    let (text, lines) = log.checkpoint().split_once("\n\n").unwrap();
    let lines: Vec<_> = lines.lines().collect();
    for line in &lines {
        let note = format!("{text}\n\n{line}\n");
        let error = policy().checkpoint(note.as_bytes()).unwrap_err();
        assert!(matches!(error, VerifyError::Unsigned(_)), "{error}");
    }
    let twice = format!("{}{}\n", log.checkpoint(), lines[0]);
    let error = policy().checkpoint(twice.as_bytes()).unwrap_err();
    assert!(matches!(error, VerifyError::Signature(_)), "{error}");
    let unknown = log.checkpoint().to_owned() + "— nobody.example AAAAAAA=\n";
    assert_eq!(policy().checkpoint(unknown.as_bytes()), Ok(verified));
}

#[test]
fn notes_have_one_form() {
    let note = |note: &str| Note::parse(note.as_bytes()).map(|_| ());
    let line = "— a AAAAAAA=\n";
    assert_eq!(note(&format!("text\n\n{line}")), Ok(()));
    assert_eq!(note(&format!("a\n\nb\n\n{line}")), Ok(()));
    for (wrong, why) in [
        (String::new(), NoteError::Shape),
        ("text\n".into(), NoteError::Shape),
        (format!("\n\n{line}"), NoteError::Shape),
        (format!("text\n{line}"), NoteError::Shape),
        (format!("text\r\n\r\n{line}"), NoteError::Characters),
        (format!("te\0xt\n\n{line}"), NoteError::Characters),
        ("text\n\n".into(), NoteError::Signature),
        ("text\n\n— a AAAAAAA=".into(), NoteError::Signature),
        ("text\n\n- a AAAAAAA=\n".into(), NoteError::Signature),
        ("text\n\n—  AAAAAAA=\n".into(), NoteError::Signature),
        ("text\n\n— a+b AAAAAAA=\n".into(), NoteError::Signature),
        ("text\n\n— a\u{a0}b AAAAAAA=\n".into(), NoteError::Signature),
        ("text\n\n— a AAAAAA==\n".into(), NoteError::Signature),
        ("text\n\n— a AAAAAAA\n".into(), NoteError::Signature),
        ("text\n\n— a AAAAAAB=\n".into(), NoteError::Signature),
        ("text\n\n— a AAAAAAA= \n".into(), NoteError::Signature),
        (
            format!("text\n\n{}", line.repeat(MAX_SIGNATURES + 1)),
            NoteError::TooMany,
        ),
        ("x".repeat(300_000), NoteError::TooLong),
    ] {
        assert_eq!(note(&wrong), Err(why), "{wrong:?}");
    }
    assert_eq!(note(&format!("text\n\n{}", line.repeat(16))), Ok(()));
    assert_eq!(Note::parse(b"\xff\n\n").unwrap_err(), NoteError::Characters);
}

#[test]
fn checkpoints_have_one_form() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let good = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().to_string(), good);
    for (wrong, why) in [
        (String::new(), CheckpointError::Lines),
        ("a\n1\n".into(), CheckpointError::Lines),
        (format!("a\n1\n{root}"), CheckpointError::Lines),
        (format!("a\n1\n{root}\nextension\n"), CheckpointError::Lines),
        (format!("\n1\n{root}\n"), CheckpointError::Origin),
        (format!("a b\n1\n{root}\n"), CheckpointError::Origin),
        (
            format!("{}\n1\n{root}\n", "a".repeat(256)),
            CheckpointError::Origin,
        ),
        (format!("a\n01\n{root}\n"), CheckpointError::Size),
        (format!("a\n+1\n{root}\n"), CheckpointError::Size),
        (format!("a\n-1\n{root}\n"), CheckpointError::Size),
        (format!("a\n\n{root}\n"), CheckpointError::Size),
        (
            format!("a\n18446744073709551616\n{root}\n"),
            CheckpointError::Size,
        ),
        ("a\n1\nAAAA\n".into(), CheckpointError::Root),
        (
            format!("a\n1\n{}\n", root.trim_end_matches('=')),
            CheckpointError::Root,
        ),
        (
            format!("a\n1\n{}\n", root.replace("2I=", "2J=")),
            CheckpointError::Root,
        ),
    ] {
        assert_eq!(Checkpoint::parse(&wrong), Err(why), "{wrong:?}");
    }
}

#[test]
fn no_key_counts_twice_or_for_something_else() {
    let origin = || ORIGIN.parse().unwrap();
    let keys = || signer().keys().to_vec();
    let w = || witness().key().clone();
    let renamed = VerifierKey::new("w2.example", KeyType::Cosignature, &w().bytes()).unwrap();
    let own = VerifierKey::new("w2.example", KeyType::Cosignature, &keys()[0].bytes()).unwrap();
    let new = |log, witnesses, quorum| Policy::new(origin(), log, witnesses, quorum).unwrap_err();
    assert_eq!(new(vec![], vec![], 0), PolicyError::Count);
    assert_eq!(new(keys(), vec![w(); 33], 0), PolicyError::Count);
    assert_eq!(new(keys(), vec![w()], 2), PolicyError::Quorum(2));
    assert_eq!(
        new(keys(), vec![w(), renamed.clone()], 1),
        PolicyError::Twice(renamed.into())
    );
    assert_eq!(
        new(keys(), vec![own.clone()], 1),
        PolicyError::Twice(own.into())
    );
    assert_eq!(new(vec![w()], vec![], 0), PolicyError::Use(w().into()));
    let one = keys()[0].clone();
    assert_eq!(
        new(keys(), vec![one.clone()], 1),
        PolicyError::Use(one.into())
    );
    let named: VerifierKey = GO_KEY.parse().unwrap();
    assert_eq!(
        new(vec![named.clone()], vec![], 0),
        PolicyError::Use(named.into())
    );
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>, text in "[—ab+ \n=0-9]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(policy().checkpoint(bytes).is_err());
            let text = String::from_utf8_lossy(bytes);
            let _ = text.parse::<VerifierKey>();
            let _ = Checkpoint::parse(&text);
            if let Ok(note) = Note::parse(bytes) {
                let lines = note.signatures.iter().map(|line| line.line());
                let again = format!("{}\n{}", note.text, lines.collect::<String>());
                prop_assert_eq!(again.as_bytes(), bytes);
            }
        }
    }
}
