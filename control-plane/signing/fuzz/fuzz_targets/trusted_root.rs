//! Any bytes as a trusted root: refused, or one that is read back as it was.
#![no_main]

use ig_signing::TrustedRoot;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(root) = TrustedRoot::parse(bytes) else {
        return;
    };
    for log in root.logs() {
        assert!(!log.origin().is_empty());
        assert_eq!(root.log(&log.log_id), Some(log));
    }
    assert_eq!(TrustedRoot::parse(&root.to_bytes()).as_ref(), Ok(&root));
});
