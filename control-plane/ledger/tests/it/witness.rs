//! Witnesses: they sign what has grown from what they saw.

use ig_ledger::Error;
use ig_ledger::sign::WitnessKey;
use ig_ledger::verify::{Policy, RequestError, TreeHead, VerifyError, WitnessRequest};
use proptest::prelude::*;

use crate::support::{ORIGIN, entry, log, policy, signer, witness, witnessed};

#[test]
fn a_witness_signs_what_has_grown() {
    let mut log = log(5);
    let checkpoint = |note: &str| policy().checkpoint(note.as_bytes()).unwrap().checkpoint;
    let first = checkpoint(log.checkpoint());
    witness().cosign(&TreeHead::EMPTY, &[], &first, 1).unwrap();
    log.append(&[entry(5)]).unwrap();
    let second = checkpoint(log.checkpoint());
    let path = log.consistency(5, 6).unwrap();
    let line = witness().cosign(&first.head, &path, &second, 2).unwrap();
    assert!(witness().cosign(&first.head, &[], &second, 2).is_err());
    assert!(witness().cosign(&second.head, &path, &first, 2).is_err());
    let mut other = first.head;
    other.root = second.head.root;
    assert!(witness().cosign(&other, &path, &second, 2).is_err());

    let unseen = witnessed().checkpoint(log.checkpoint().as_bytes());
    assert_eq!(
        unseen,
        Err(VerifyError::Quorum {
            found: 0,
            needed: 1
        })
    );
    log.cosign(&witnessed(), &line).unwrap();
    let seen = witnessed().checkpoint(log.checkpoint().as_bytes()).unwrap();
    assert_eq!(seen.cosigned[0].witness, "witness.example/w1");
    // A newer word of the same witness replaces the older one.
    let line = witness().cosign(&second.head, &[], &second, 9).unwrap();
    log.cosign(&witnessed(), &line).unwrap();
    let seen = witnessed().checkpoint(log.checkpoint().as_bytes()).unwrap();
    assert_eq!((seen.cosigned.len(), seen.cosigned[0].seconds), (1, 9));
    // Cosignatures are of a checkpoint, and the log goes on without them.
    log.append(&[entry(6)]).unwrap();
    assert!(matches!(
        log.cosign(&witnessed(), &line),
        Err(Error::Cosignature(_))
    ));
    assert!(log.append(&[entry(7)]).is_ok());
    // Whom the policy does not know is left out.
    let stranger = WitnessKey::from_bytes("stranger.example", &[9; 32]).unwrap();
    let third = checkpoint(log.checkpoint());
    let line = stranger.cosign(&TreeHead::EMPTY, &[], &third, 1).unwrap();
    log.cosign(&witnessed(), &line).unwrap();
    assert!(!log.checkpoint().contains("stranger"));
}

#[test]
fn a_quorum_is_of_different_witnesses() {
    let mut log = log(1);
    let names = ["a.example", "b.example", "c.example"];
    let keys: Vec<_> = (10..)
        .zip(names)
        .map(|(seed, name)| WitnessKey::from_bytes(name, &[seed; 32]).unwrap())
        .collect();
    let all = keys.iter().map(|key| key.key().clone()).collect();
    let log_keys = signer().keys().to_vec();
    let two = Policy::new(ORIGIN.parse().unwrap(), log_keys, all, 2).unwrap();
    let checkpoint = policy()
        .checkpoint(log.checkpoint().as_bytes())
        .unwrap()
        .checkpoint;
    for (found, key) in keys.iter().enumerate() {
        let now = two.checkpoint(log.checkpoint().as_bytes());
        assert_eq!(now.is_ok(), found >= 2);
        let line = key.cosign(&TreeHead::EMPTY, &[], &checkpoint, 7).unwrap();
        log.cosign(&two, &line).unwrap();
    }
    assert_eq!(
        two.checkpoint(log.checkpoint().as_bytes())
            .unwrap()
            .cosigned
            .len(),
        3
    );
}

#[test]
fn a_request_has_all_that_a_witness_needs() {
    let mut log = log(5);
    let seen = log.head();
    log.append(&[entry(5), entry(6)]).unwrap();
    let body = log.ask_witness(seen.size).unwrap().to_string();
    let request = WitnessRequest::parse(body.as_bytes()).unwrap();
    assert_eq!(request.to_string(), body);
    let note = request.checkpoint.as_bytes();
    let checkpoint = policy().checkpoint(note).unwrap().checkpoint;
    let line = witness().cosign(&seen, &request.path, &checkpoint, 1);
    log.cosign(&witnessed(), &line.unwrap()).unwrap();
    assert!(witnessed().checkpoint(log.checkpoint().as_bytes()).is_ok());
    assert!(matches!(log.ask_witness(8), Err(Error::OutOfRange)));
    let hash = format!("{}\n", request.path[0]);
    for (from, to, why) in [
        ("old 5", "old 05", RequestError::Old),
        ("old 5", "new 5", RequestError::Old),
        ("old 5\n", "old 5\nAAAA\n", RequestError::Path),
        (
            "old 5\n",
            &format!("old 5\n{}", hash.repeat(64)),
            RequestError::TooLong,
        ),
    ] {
        let wrong = body.replacen(from, to, 1);
        assert_eq!(WitnessRequest::parse(wrong.as_bytes()), Err(why), "{to}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_refused(bytes: Vec<u8>, text in "old [0-9]{1,3}\n\n?t\n\n— a AAAAAAA=\n") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(request) = WitnessRequest::parse(bytes) {
                let again = request.to_string();
                prop_assert_eq!(again.as_bytes(), bytes);
            }
        }
    }
}
