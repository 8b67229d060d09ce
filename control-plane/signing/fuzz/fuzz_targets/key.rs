//! Any bytes as a key or a `.sig`: refused, or one with one text.
#![no_main]

use ig_signing::{PrivateKey, PublicKey, Sha256, Signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::from_pem(bytes) {
        assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()), Ok(key));
    }
    // Without a password: with one, scrypt would be all that is tested.
    if let Ok(key) = PrivateKey::from_pem(bytes, None) {
        let digest = Sha256::of(bytes);
        let signature = key.sign(&digest).expect("a signature");
        assert_eq!(key.public().verify(&digest, &signature), Ok(()));
    }
    if let Ok(signature) = Signature::from_detached(bytes) {
        let text = signature.to_detached();
        assert_eq!(Signature::from_detached(text.as_bytes()), Ok(signature));
    }
});
