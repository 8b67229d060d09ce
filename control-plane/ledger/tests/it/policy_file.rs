//! Policies in files.

use ig_ledger::verify::{KeyError, Policy, PolicyError, PolicyFileError, VerifyError};
use proptest::prelude::*;

use crate::support::{log, signer, witness};

/// With the log's keys for `$LOG`, and keys of witnesses for `$W1` and `$W2`.
fn read(text: &str) -> Result<Policy, PolicyFileError> {
    let [one, two] = signer().keys().clone();
    let other = ig_ledger::sign::WitnessKey::from_bytes("witness.example/w2", &[4; 32]).unwrap();
    let text = text
        .replace(
            "$LOG",
            &format!("log {one}\nlog {two} https://ledger.example"),
        )
        .replace("$ONE", &one.to_string())
        .replace("$W1", &witness().key().to_string())
        .replace("$W2", &other.key().to_string());
    Policy::from_file(text.as_bytes())
}

#[test]
fn the_quorum_is_what_the_file_says() {
    let mut log = log(7);
    let unsigned = log.checkpoint().to_owned();
    let all = read("$LOG\nwitness a $W1\nquorum none").unwrap();
    let checkpoint = all.checkpoint(unsigned.as_bytes()).unwrap().checkpoint;
    let seen = ig_ledger::verify::TreeHead::EMPTY;
    let line = witness().cosign(&seen, &[], &checkpoint, 1).unwrap();
    log.cosign(&all, &line).unwrap();
    let cosigned = log.checkpoint().as_bytes();
    for (text, needed) in [
        ("$LOG\nquorum none", 0),
        ("$LOG\nwitness a $W1\nwitness b $W2\nquorum none", 0),
        ("$LOG\nwitness a $W1\nquorum a", 1),
        (
            "  # A remark.\n\n$LOG\nwitness a $W1 https://w1\n\twitness  b $W2\ngroup g any a b\nquorum g\n",
            1,
        ),
        (
            "$LOG\nwitness a $W1\nwitness b $W2\ngroup g 1 a b\nquorum g",
            1,
        ),
        (
            "$LOG\nwitness a $W1\nwitness b $W2\ngroup g all a b\nquorum g",
            2,
        ),
        (
            "$LOG\nwitness a $W1\nwitness b $W2\ngroup g 2 b a\nquorum g",
            2,
        ),
        // Nobody in the quorum has cosigned.
        ("$LOG\nwitness a $W1\nwitness b $W2\nquorum b", 2),
    ] {
        let policy = read(text).unwrap();
        let unsigned = policy.checkpoint(unsigned.as_bytes());
        assert_eq!(unsigned.is_ok(), needed == 0, "{text}");
        let cosigned = policy.checkpoint(cosigned);
        assert_eq!(cosigned.is_ok(), needed < 2, "{text}");
        let kept = policy.without_witnesses();
        assert_eq!(kept.origin(), policy.origin());
        kept.checkpoint(log.checkpoint().as_bytes()).unwrap();
    }
}

#[test]
fn what_is_no_policy_says_where() {
    use PolicyFileError as E;
    let error = |line, error| E::Key { line, error };
    for (text, expected) in [
        ("", E::NoQuorum),
        ("$LOG", E::NoQuorum),
        ("quorum none", E::Logs),
        ("$LOG\nquorum", E::Line(3)),
        ("$LOG\nquorum none more", E::Line(3)),
        ("$LOG\nlog", E::Line(3)),
        ("logs $ONE", E::Line(1)),
        ("$LOG\nwitness a", E::Line(3)),
        ("log $ONE url more", E::Line(1)),
        ("log x", error(1, KeyError::Format)),
        ("$LOG\nwitness a x+00000000+AQ==", error(3, KeyError::Key)),
        ("$LOG\nquorum none\nquorum none", E::Quorum(4)),
        ("$LOG\nquorum a\nwitness a $W1", E::Quorum(3)),
        ("$LOG\nwitness none $W1", E::Taken(3)),
        ("$LOG\nwitness a $W1\nwitness a $W2", E::Taken(4)),
        ("$LOG\nwitness a $W1\ngroup a 1 a", E::Taken(4)),
        ("$LOG\nwitness a $W1\ngroup g 1 b", E::Member(4)),
        ("$LOG\nwitness a $W1\ngroup g 1 a a", E::Member(4)),
        (
            "$LOG\nwitness a $W1\ngroup g 1 a\ngroup h 1 g",
            E::Member(5),
        ),
        ("$LOG\nwitness a $W1\ngroup g 0 a", E::Threshold(4)),
        ("$LOG\nwitness a $W1\ngroup g 2 a", E::Threshold(4)),
        ("$LOG\nwitness a $W1\ngroup g some a", E::Threshold(4)),
        ("$LOG\ngroup g all", E::Threshold(3)),
    ] {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
    assert_eq!(Policy::from_file(b"\xff").unwrap_err(), E::Characters);
    let long = vec![b'\n'; ig_ledger::verify::MAX_POLICY_BYTES + 1];
    assert_eq!(Policy::from_file(&long).unwrap_err(), E::TooLong);
}

#[test]
fn keys_are_used_for_what_they_are() {
    for (text, expected) in [
        ("log $W1\nquorum none", "is not a key for this"),
        ("$LOG\nwitness a $ONE\nquorum a", "is not a key for this"),
        ("$LOG\nlog $ONE\nquorum none", "is there twice"),
        (
            "$LOG\nwitness a $W1\nwitness b $W1\ngroup g all a b\nquorum g",
            "is there twice",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(
            matches!(error, PolicyFileError::Policy(_)),
            "{text}: {error}"
        );
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    let many = (0..33).map(|at| {
        let key = ig_ledger::sign::WitnessKey::from_bytes("w", &[at; 32]).unwrap();
        format!("witness w{at} {}\n", key.key())
    });
    let many = read(&format!("$LOG\n{}quorum none", many.collect::<String>()));
    assert_eq!(
        many.unwrap_err(),
        PolicyFileError::Policy(PolicyError::Count)
    );
    let other = ig_ledger::sign::LogSigner::from_bytes("b".parse().unwrap(), &[1; 32], &[2; 32]);
    let [other, _] = other.unwrap().keys().clone();
    let two = read(&format!("$LOG\nlog {other}\nquorum none"));
    assert_eq!(two.unwrap_err(), PolicyFileError::Logs);
    let unsigned = read("$LOG\nwitness a $W1\nquorum a").unwrap();
    let verdict = unsigned.checkpoint(log(3).checkpoint().as_bytes());
    assert!(matches!(
        verdict,
        Err(VerifyError::Quorum {
            found: 0,
            needed: 1
        })
    ));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        lines in prop::collection::vec("(log|witness|group|quorum|#)?( (a|b|g|any|all|none|1|[$]ONE|[$]W1|[$]W2)){0,5}", 0..9),
        bytes: Vec<u8>,
    ) {
        let _ = read(&lines.join("\n"));
        let _ = Policy::from_file(&bytes);
    }
}
