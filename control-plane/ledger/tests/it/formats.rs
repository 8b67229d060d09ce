//! Paths and bundles.

use ig_ledger::layout::{BundleError, MAX_ENTRY_BYTES, Resource, Span, entries, push_entry};
use proptest::prelude::*;

use crate::support::log;

#[test]
fn paths_are_those_of_the_specification() {
    let tile = |level, span| Resource::Tile { level, span };
    let index = 1_234_067;
    let partial = Span::within(index, index * 256 + 8).unwrap();
    for (resource, path) in [
        (Resource::Checkpoint, "checkpoint"),
        (tile(0, Span::full(0)), "tile/0/000"),
        (tile(0, Span::full(index)), "tile/0/x001/x234/067"),
        (tile(3, partial), "tile/3/x001/x234/067.p/8"),
        (Resource::Entries(Span::full(999)), "tile/entries/999"),
        (Resource::Entries(Span::full(1000)), "tile/entries/x001/000"),
        (Resource::Entries(partial), "tile/entries/x001/x234/067.p/8"),
    ] {
        assert_eq!(resource.to_string(), path);
        assert_eq!(path.parse(), Ok(resource));
    }
    for path in [
        "",
        "/checkpoint",
        "checkpoint/",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/001/000",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/08",
        "tile/0/000.p/",
        "tile/0/../000",
        "tile/entries/000/",
        "tile/entries/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(path.parse::<Resource>().is_err(), "{path}");
    }
}

/// The example of the specification.
#[test]
fn a_tree_of_70000_has_these_tiles() {
    let mut storage = log(70_000).into_storage();
    let all: Vec<String> = storage.files().keys().map(ToString::to_string).collect();
    // Partial ones of the batches before the last are gone where they were filled.
    let full = |prefix: &str| {
        let of = |file: &&String| file.starts_with(prefix) && !file.contains(".p/");
        all.iter().filter(of).count()
    };
    assert_eq!(full("tile/0/"), 273);
    assert_eq!(full("tile/entries/"), 273);
    assert!(all.contains(&"tile/0/273.p/112".into()));
    assert!(all.contains(&"tile/entries/273.p/112".into()));
    assert_eq!(full("tile/1/"), 1);
    assert!(all.contains(&"tile/1/001.p/17".into()));
    assert!(all.contains(&"tile/2/000.p/1".into()));
}

#[test]
fn what_no_checkpoint_covers_is_not_shown() {
    let log = log(300);
    let read = |path: &str| log.read(path.parse().unwrap()).unwrap();
    assert!(read("checkpoint").is_some());
    assert!(read("tile/0/000").is_some());
    assert!(read("tile/0/001.p/44").is_some());
    assert!(read("tile/1/000.p/1").is_some());
    for path in [
        "tile/0/001.p/45",
        "tile/0/001",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/entries/002",
    ] {
        assert_eq!(read(path), None);
    }
}

#[test]
fn entries_are_bounded() {
    let mut bundle = Vec::new();
    push_entry(&mut bundle, &vec![7; MAX_ENTRY_BYTES]).unwrap();
    assert!(push_entry(&mut bundle, &vec![7; MAX_ENTRY_BYTES + 1]).is_err());
    push_entry(&mut bundle, b"").unwrap();
    assert_eq!(entries(&bundle).unwrap()[1], b"");
    assert_eq!(entries(&[0]), Err(BundleError::Truncated));
    assert_eq!(entries(&[0, 2, 1]), Err(BundleError::Truncated));
    assert_eq!(entries(&[0; 512]).unwrap().len(), 256);
    assert_eq!(entries(&[0; 514]), Err(BundleError::TooMany));
}

proptest! {
    #[test]
    fn any_bytes_are_a_bundle_or_refused(bytes: Vec<u8>) {
        if let Ok(parsed) = entries(&bytes) {
            let mut again = Vec::new();
            for entry in parsed {
                push_entry(&mut again, entry).unwrap();
            }
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_text_is_a_path_or_refused(text in "(tile/)?(entries/|[0-9]/)?[x0-9/.p]{0,30}", any: String) {
        for text in [text, any] {
            if let Ok(resource) = text.parse::<Resource>() {
                prop_assert_eq!(resource.to_string(), text);
            }
        }
    }

    #[test]
    fn paths_are_read_as_they_are_written(index in 0..u64::MAX / 256, width in 1..=256_u64, level in 0..8_u8) {
        let span = Span::within(index, index * 256 + width).unwrap();
        for resource in [Resource::Entries(span), Resource::Tile { level, span }] {
            prop_assert_eq!(resource.to_string().parse(), Ok(resource));
        }
    }
}
