//! Whatever is changed in a log is found, where it is.

use ig_ledger::fsck::Fault;
use ig_ledger::layout::Resource;
use ig_ledger::storage::Memory;
use ig_ledger::verify::{Hash, TreeHead};
use ig_ledger::{FileError, fsck};

use crate::support::{leaves, log, mth, policy};

fn check(storage: &Memory, remembered: &[TreeHead]) -> Result<(), Fault> {
    fsck(storage, &policy(), remembered, |_, _| {}).map(|_| ())
}

fn file_of(fault: &Fault) -> Option<Resource> {
    match fault {
        Fault::Hash { file, .. }
        | Fault::File(FileError::Missing(file) | FileError::Malformed(file)) => Some(*file),
        _ => None,
    }
}

#[test]
fn good_logs_are_good() {
    for size in [0, 1, 255, 256, 257, 512, 600, 65_536, 66_000] {
        let storage = log(size).into_storage();
        let mut indexes = 0;
        let report = fsck(&storage, &policy(), &[], |index, _| {
            assert_eq!(index, indexes);
            indexes += 1;
        })
        .unwrap();
        assert_eq!(
            (report.verified.checkpoint.head.size, indexes),
            (size, size)
        );
    }
}

#[test]
fn every_file_that_changes_is_found() {
    // Files of earlier sizes are no part of the log.
    let good = log(66_000).into_storage();
    let mut paths: Vec<Resource> = good.clone().files().keys().copied().collect();
    paths.retain(|path| *path != Resource::Checkpoint);
    let current = |path: &Resource| {
        let text = path.to_string();
        !text.contains(".p/")
            || ["0/257.p/208", "1/001.p/1", "2/000.p/1", "entries/257.p/208"]
                .iter()
                .any(|end| text.ends_with(end))
    };
    paths.retain(current);
    assert_eq!(paths.len(), 257 + 1 + 257 + 1 + 1 + 1 + 1);
    let some = paths.iter().filter(|path| {
        let text = path.to_string();
        !text.starts_with("tile/entries/1") && !text.starts_with("tile/0/1")
    });
    for path in some.step_by(7).chain(paths.iter().rev().take(3)) {
        let mut cut = good.clone();
        cut.files().get_mut(path).unwrap().pop();
        assert_eq!(
            file_of(&check(&cut, &[]).unwrap_err()),
            Some(*path),
            "{path}"
        );
        let mut missing = good.clone();
        missing.files().remove(path);
        assert_eq!(
            file_of(&check(&missing, &[]).unwrap_err()),
            Some(*path),
            "{path}"
        );
        let mut flipped = good.clone();
        *flipped.files().get_mut(path).unwrap().last_mut().unwrap() ^= 1;
        let fault = check(&flipped, &[]).unwrap_err();
        let Fault::Hash { file, position, .. } = fault else {
            panic!("{path}: {fault}");
        };
        let (expected, span) = match *path {
            Resource::Entries(span) => (Resource::Tile { level: 0, span }, span),
            Resource::Tile { span, .. } => (*path, span),
            Resource::Checkpoint => continue,
        };
        assert_eq!(
            (file, position),
            (expected, usize::from(span.width()) - 1),
            "{path}"
        );
    }
}

#[test]
fn a_tree_that_was_made_to_fit_is_not_the_signed_one() {
    let mut storage = log(2).into_storage();
    let bundle: Resource = "tile/entries/000.p/2".parse().unwrap();
    let tile: Resource = "tile/0/000.p/2".parse().unwrap();
    *storage
        .files()
        .get_mut(&bundle)
        .unwrap()
        .last_mut()
        .unwrap() ^= 1;
    let entries = storage.files()[&bundle].clone();
    let entries = ig_ledger::layout::entries(&entries).unwrap();
    let hashes = entries
        .iter()
        .flat_map(|entry| *Hash::leaf(entry).as_bytes());
    storage.files().insert(tile, hashes.collect());
    assert!(matches!(check(&storage, &[]), Err(Fault::Root { .. })));
}

#[test]
fn remembered_checkpoints_hold() {
    let storage = log(700).into_storage();
    let head = |size: u64| TreeHead {
        size,
        root: mth(&leaves(size)),
    };
    check(
        &storage,
        &[head(0), head(1), head(300), head(256), head(700)],
    )
    .unwrap();
    let other = TreeHead {
        size: 300,
        root: head(299).root,
    };
    let fork = check(&storage, &[head(1), other]);
    assert!(matches!(fork, Err(Fault::Fork { size: 300, .. })));
    let behind = check(&storage, &[head(701)]);
    assert!(matches!(
        behind,
        Err(Fault::Behind {
            remembered: 701,
            size: 700
        })
    ));
    let mut unsigned = storage;
    unsigned
        .files()
        .get_mut(&Resource::Checkpoint)
        .unwrap()
        .pop();
    assert!(matches!(check(&unsigned, &[]), Err(Fault::Checkpoint(_))));
}
