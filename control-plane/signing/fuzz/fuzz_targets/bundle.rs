//! Any bytes as a bundle: refused, or one that is read back as it was, and whose
//! signature nobody made.
#![no_main]

use std::sync::LazyLock;

use ig_signing::{Bundle, PrivateKey, Sha256};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().expect("random bytes"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::parse(bytes) else {
        return;
    };
    assert_eq!(Bundle::parse(&bundle.to_bytes()).as_ref(), Ok(&bundle));
    let key = KEY.public();
    assert!(bundle.verify(key, &Sha256::of(bytes)).is_err());
    assert!(bundle.verify_statement(key).is_err());
    assert!(!bundle.log_body(key).is_empty());
});
