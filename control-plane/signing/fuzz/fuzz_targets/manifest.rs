//! Any bytes as a manifest: refused, or one that is read back as it was.
#![no_main]

use std::collections::BTreeSet;

use ig_signing::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else {
        return;
    };
    let ids: BTreeSet<_> = manifest.items().iter().map(|item| &item.id).collect();
    assert_eq!(ids.len(), manifest.items().len());
    let canonical = manifest.to_bytes();
    assert!(canonical.len() <= bytes.len(), "canonical is shortest");
    assert_eq!(Manifest::parse(&canonical).as_ref(), Ok(&manifest));
});
