//! Any text as a path: what is read is written alike.
#![no_main]

use ig_ledger::layout::Resource;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(resource) = text.parse::<Resource>() {
        assert_eq!(resource.to_string(), text);
        assert!(!text.contains(".."));
    }
});
