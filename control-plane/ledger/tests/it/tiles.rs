//! Paths of stored tiles, and the order in which files are read.

use std::cell::RefCell;

use ig_ledger::layout::Resource;
use ig_ledger::storage::{Files, Memory};
use ig_ledger::verify::{Hash, merkle};
use ig_ledger::{Error, FileError, Tiles, fsck};

use crate::support::{leaves, log, mth, path, policy, proof};

/// Writes down what is read.
struct Recorded(Memory, RefCell<Vec<Resource>>);

impl Files for Recorded {
    fn read(&self, resource: Resource) -> std::io::Result<Option<Vec<u8>>> {
        self.1.borrow_mut().push(resource);
        self.0.read(resource)
    }
}

#[test]
fn what_fsck_reads_is_known_before() {
    let sizes = (0..4).chain([255, 256, 257, 511, 512, 513, 600, 65_279, 65_280]);
    let sizes = sizes.chain([65_535, 65_536, 65_537, 65_792, 66_000, 131_072, 131_328]);
    for size in sizes {
        let files = Recorded(log(size).into_storage(), RefCell::default());
        fsck(&files, &policy(), &[], |_, _| {}).unwrap();
        let expected = [Resource::Checkpoint].into_iter().chain(fsck::files(size));
        assert_eq!(files.1.take(), expected.collect::<Vec<_>>(), "{size}");
    }
    // Of a size that somebody made up there are many, and they come one by one.
    assert_eq!(fsck::files(u64::MAX).take(1000).count(), 1000);
}

/// As RFC 6962 says, recursively over all leaves; a store that has grown since
/// says the same.
#[test]
fn paths_of_tiles_are_those_of_the_tree() {
    let storage = log(700).into_storage();
    let all = leaves(700);
    let tiles = Tiles::new(&storage, 700);
    for size in [1, 2, 255, 256, 257, 300, 699, 700] {
        let leaves = all.get(..size).unwrap();
        let head = tiles.head(size as u64).unwrap();
        assert_eq!(head.root, mth(leaves), "{size}");
        for index in [0, size / 2, size - 1] {
            let found = tiles.inclusion(index as u64, size as u64).unwrap();
            assert_eq!(found, path(index, leaves), "{index} of {size}");
            let leaf = leaves.get(index).unwrap();
            merkle::inclusion(*leaf, index as u64, &head, &found).unwrap();
        }
        for earlier in [0, 1, size / 2, size] {
            let found = tiles.consistency(earlier as u64, size as u64).unwrap();
            assert_eq!(found, proof(earlier, leaves), "{earlier} of {size}");
        }
    }
}

#[test]
fn tiles_that_are_not_there_are_no_path() {
    let mut storage = log(700).into_storage();
    let beyond = |result| matches!(result, Err(Error::OutOfRange));
    let tiles = Tiles::new(&storage, 700);
    assert!(beyond(tiles.consistency(1, 701)));
    assert!(beyond(tiles.consistency(2, 1)));
    assert!(beyond(tiles.inclusion(700, 700)));
    let file: Resource = "tile/0/001".parse().unwrap();
    storage
        .files()
        .insert(file, Hash::EMPTY.as_bytes()[..31].to_vec());
    let malformed = Tiles::new(&storage, 700).consistency(300, 700);
    assert!(matches!(
        malformed,
        Err(Error::File(FileError::Malformed(_)))
    ));
    storage.files().remove(&file);
    let missing = Tiles::new(&storage, 700).consistency(300, 700);
    assert!(matches!(missing, Err(Error::File(FileError::Missing(_)))));
}
