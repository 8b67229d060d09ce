//! Any bytes as a bundle of entries: what is read is written alike.
#![no_main]

use ig_ledger::layout::{entries, push_entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entries) = entries(bytes) {
        let mut again = Vec::new();
        for entry in entries {
            push_entry(&mut again, entry).expect("it was read");
        }
        assert_eq!(again, bytes);
    }
});
