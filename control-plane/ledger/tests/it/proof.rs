//! Proofs in one file.

use ig_ledger::verify::{MAX_EXTRA_BYTES, Proof, ProofFormatError, VerifyError};
use proptest::prelude::*;

use crate::support::{entry, log, policy, witness, witnessed};

/// Of entry 4 of 7, cosigned.
fn cosigned() -> Proof {
    let mut log = log(7);
    let verified = policy().checkpoint(log.checkpoint().as_bytes()).unwrap();
    let seen = ig_ledger::verify::TreeHead::EMPTY;
    let line = witness().cosign(&seen, &[], &verified.checkpoint, 1_800_000_000);
    log.cosign(&witnessed(), &line.unwrap()).unwrap();
    log.prove(4).unwrap()
}

#[test]
fn a_proof_proves_one_entry() {
    let proof = cosigned();
    let read = Proof::parse(proof.to_string().as_bytes()).unwrap();
    assert_eq!(read, proof);
    let verified = read.verify(&witnessed(), &entry(4)).unwrap();
    assert_eq!(verified.cosigned[0].seconds, 1_800_000_000);
    assert!(matches!(
        read.verify(&witnessed(), &entry(5)),
        Err(VerifyError::Proof(_))
    ));
}

#[test]
fn extra_data_are_carried_and_bounded() {
    let mut proof = cosigned();
    proof.extra = Some(b"whatever".to_vec());
    assert_eq!(
        Proof::parse(proof.to_string().as_bytes()),
        Ok(proof.clone())
    );
    proof.extra = Some(vec![0; MAX_EXTRA_BYTES + 1]);
    let long = Proof::parse(proof.to_string().as_bytes());
    assert_eq!(long, Err(ProofFormatError::TooLong));
}

/// Every bit of the file: the header, the index, the path, the checkpoint, each
/// signature, and the witness's time.
#[test]
fn every_changed_bit_is_refused() {
    let file = cosigned().to_string().into_bytes();
    let policy = witnessed();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let verified = Proof::parse(&changed).is_ok_and(|proof| {
            let verified = proof.verify(&policy, &entry(4));
            verified.is_ok()
        });
        assert!(!verified, "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn proofs_have_one_form() {
    let good = cosigned().to_string();
    for (from, to, why) in [
        ("v1\n", "v2\n", ProofFormatError::Header),
        ("v1\n", "v1\nextra \n", ProofFormatError::Extra),
        ("v1\n", "v1\nextra AB==\n", ProofFormatError::Extra),
        (
            "v1\n",
            "v1\nextra AA==\nextra AA==\n",
            ProofFormatError::Index,
        ),
        ("index 4", "index 04", ProofFormatError::Index),
        ("index 4", "index +4", ProofFormatError::Index),
        ("index 4\n", "index 4\nAAAA\n", ProofFormatError::Path),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_eq!(Proof::parse(wrong.as_bytes()), Err(why), "{to}");
    }
    let hash = format!("{}\n", cosigned().path[0]);
    let long = good.replacen("index 4\n", &format!("index 4\n{}", hash.repeat(70)), 1);
    assert_eq!(
        Proof::parse(long.as_bytes()),
        Err(ProofFormatError::TooLong)
    );
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        bytes: Vec<u8>, at: prop::sample::Index, length in 0..20_usize, with in "[ \nA=0-9—+]{0,8}",
    ) {
        let good = cosigned().to_string().into_bytes();
        let start = at.index(good.len());
        let end = (start + length).min(good.len());
        let mut spliced = good;
        spliced.splice(start..end, with.into_bytes());
        for bytes in [bytes, spliced] {
            if let Ok(proof) = Proof::parse(&bytes) {
                let again = proof.to_string();
                prop_assert_eq!(again.as_bytes(), bytes);
            }
        }
    }
}
