//! Any bytes as a policy: refused, or one that believes nobody but its keys.
#![no_main]

use ig_ledger::verify::Policy;
use libfuzzer_sys::fuzz_target;

/// Signed by keys that are in no seed.
const NOTE: &[u8] = include_bytes!("../seeds/note/cosigned");

fuzz_target!(|bytes: &[u8]| {
    if let Ok(policy) = Policy::from_file(bytes) {
        assert!(!policy.origin().as_str().is_empty());
        if let Ok(verified) = policy.checkpoint(NOTE) {
            // Only where a seed's keys were kept as they were.
            assert_eq!(verified.checkpoint.origin, *policy.origin());
        }
    }
});
