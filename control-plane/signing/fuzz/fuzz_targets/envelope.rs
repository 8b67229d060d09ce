//! Any bytes as a DSSE envelope: refused, or one that is read back as it was, and
//! whose signature nobody made.
#![no_main]

use std::sync::LazyLock;

use ig_signing::{Envelope, PrivateKey};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().expect("random bytes"));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(Envelope::parse(&envelope.to_bytes()).as_ref(), Ok(&envelope));
        assert!(envelope.verify(KEY.public()).is_err());
    }
});
