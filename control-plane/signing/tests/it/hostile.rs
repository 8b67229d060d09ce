//! Any bytes, and every flipped bit.

use ig_signing::statement::Subject;
use ig_signing::trusted_root::TrustedLog;
use ig_signing::{
    Bundle, Envelope, Manifest, Password, PrivateKey, PublicKey, Sha256, Signature, Statement,
    TrustedRoot,
};
use proptest::prelude::*;
use serde_json::Map;

use crate::{data, key};

/// Every way to read bytes. What is read has one text.
fn read_all(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle));
    }
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(Envelope::parse(&envelope.to_bytes()), Ok(envelope));
    }
    if let Ok(signature) = Signature::from_detached(bytes) {
        let again = Signature::from_detached(signature.to_detached().as_bytes());
        assert_eq!(again, Ok(signature));
    }
    if let Ok(key) = PublicKey::from_pem(bytes) {
        assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()), Ok(key));
    }
    if let Ok(root) = TrustedRoot::parse(bytes) {
        assert_eq!(TrustedRoot::parse(&root.to_bytes()), Ok(root));
    }
    drop(Statement::parse(bytes));
    drop(PrivateKey::from_pem(bytes, None));
}

fn seeds() -> Vec<Vec<u8>> {
    let key = key();
    let manifest = data("cosign/manifest.json");
    let subjects = vec![Subject::of("a", b"")];
    let statement = Statement::new(subjects, "t", Map::new()).unwrap();
    let attestation = Bundle::attest(&key, &statement).unwrap();
    vec![
        Bundle::sign(&key, Sha256::of(&manifest))
            .unwrap()
            .to_bytes(),
        manifest,
        attestation.to_bytes(),
        Envelope::sign(&key, "t", vec![0]).unwrap().to_bytes(),
        statement.to_bytes(),
        data("cosign/manifest.sig"),
        data("openssl/p256.pub.pem"),
        data("openssl/p256.pkcs8.pem"),
        data("openssl/p256.sec1.pem"),
        TrustedRoot::new(vec![TrustedLog {
            base_url: "https://a".into(),
            key: Some(key.public().clone()),
            log_id: vec![1],
            valid_for: (None, None),
        }])
        .unwrap()
        .to_bytes(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn changed_files_never_panic(
        seed in 0..10_usize,
        cut in any::<prop::sample::Index>(),
        length in 0..20_usize,
        new in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'{'), Just(b'0')], 0..20),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        let from = cut.index(bytes.len());
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, new);
        read_all(&bytes);
    }
}

/// Scrypt costs a tenth of a second, so these are few.
#[test]
fn a_changed_encrypted_key_is_none() {
    let file = data("cosign/cosign.key");
    let password = Password::new(b"correct horse".to_vec());
    let public = PublicKey::from_pem(&data("cosign/cosign.pub")).unwrap();
    for at in (0..file.len()).step_by(41) {
        let mut bytes = file.clone();
        bytes[at] ^= 1;
        // A line's end more or less is no change.
        if let Ok(key) = PrivateKey::from_pem(&bytes, Some(&password)) {
            assert_eq!(*key.public(), public);
        }
    }
}

/// The bytes, each with one other bit.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

#[test]
fn one_bit_of_a_manifest_is_another_manifest() {
    let manifest = data("cosign/manifest.json");
    let key = key();
    let bundle = Bundle::sign(&key, Sha256::of(&manifest)).unwrap();
    for changed in flips(&manifest) {
        assert!(bundle.verify(key.public(), &Sha256::of(&changed)).is_err());
    }
}

#[test]
fn one_bit_of_a_bundle_is_no_bundle_of_it() {
    let key = key();
    let digest = Sha256::of(b"abc");
    let bytes = Bundle::sign(&key, digest).unwrap().to_bytes();
    for changed in flips(&bytes) {
        let verdict = Bundle::parse(&changed).map(|bundle| bundle.verify(key.public(), &digest));
        assert!(
            !matches!(verdict, Ok(Ok(()))),
            "{}",
            String::from_utf8_lossy(&changed)
        );
    }
}

#[test]
fn one_bit_of_an_attestation_is_no_attestation() {
    let key = key();
    let statement = Statement::new(vec![Subject::of("a", b"abc")], "t", Map::new()).unwrap();
    let bytes = Bundle::attest(&key, &statement).unwrap().to_bytes();
    for changed in flips(&bytes) {
        let verdict = Bundle::parse(&changed).map(|bundle| bundle.verify_statement(key.public()));
        assert!(
            !matches!(verdict, Ok(Ok(_))),
            "{}",
            String::from_utf8_lossy(&changed)
        );
    }
}

#[test]
fn one_bit_of_a_signature_or_key_is_another() {
    let key = key();
    let digest = Sha256::of(b"abc");
    let signature = key.sign(&digest).unwrap();
    for changed in flips(signature.as_der()) {
        let verdict = Signature::from_der(changed).and_then(|s| key.public().verify(&digest, &s));
        assert!(verdict.is_err());
    }
    let pem = key.public().to_pem();
    let bundle = Bundle::sign(&key, digest).unwrap();
    for changed in flips(pem.as_bytes()) {
        if let Ok(other) = PublicKey::from_pem(&changed)
            && other != *key.public()
        {
            assert!(bundle.verify(&other, &digest).is_err());
            assert!(other.verify(&digest, &signature).is_err());
        }
    }
}
