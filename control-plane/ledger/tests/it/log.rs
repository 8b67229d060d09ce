//! Logs that are opened again, by the wrong ones, or on the wrong store.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use ig_ledger::layout::{MAX_ENTRY_BYTES, Resource};
use ig_ledger::sign::LogSigner;
use ig_ledger::storage::{Commit, Disk, Files, Folder, Memory, Storage, StorageError};
use ig_ledger::{Error, FileError, Log, MAX_BATCH_ENTRIES, fsck};

use crate::support::{ORIGIN, entry, log, policy, signer};

fn open(storage: Memory) -> Result<Log<Memory>, Error> {
    Log::open(storage, signer(), None)
}

#[test]
fn a_log_goes_on_where_it_was() {
    for size in [0, 1, 255, 256, 257, 600, 65_536, 65_537] {
        let before = log(size);
        let (head, storage) = (before.head(), before.into_storage());
        let mut log = open(storage).unwrap();
        assert_eq!(log.head(), head);
        log.append(&[entry(size), entry(size + 1)]).unwrap();
        assert_eq!(log.head(), crate::support::log(size + 2).head());
        assert_eq!(log.entry(size + 1).unwrap(), entry(size + 1));
    }
}

#[test]
fn a_log_begins_once_and_is_never_replaced() {
    let storage = log(3).into_storage();
    let begun = Log::create(storage, signer());
    assert!(matches!(begun, Err(Error::Exists)));
    assert!(matches!(open(Memory::new()), Err(Error::Empty)));
}

#[test]
fn a_store_that_is_behind_or_differs_is_not_opened() {
    let checkpoint = |note: &str| policy().checkpoint(note.as_bytes()).unwrap().checkpoint;
    let mut log = log(300);
    let (old, older) = (log.storage().clone(), checkpoint(log.checkpoint()));
    log.append(&[entry(300)]).unwrap();
    let remembered = checkpoint(log.checkpoint());
    let behind = Log::open(old.clone(), signer(), Some(&remembered));
    assert!(matches!(
        behind,
        Err(Error::Behind {
            stored: 300,
            remembered: 301
        })
    ));
    assert!(Log::open(old.clone(), signer(), Some(&older)).is_ok());
    // The old copy went on otherwise.
    let mut second = open(old).unwrap();
    second.append(&[b"other"]).unwrap();
    let fork = Log::open(second.into_storage(), signer(), Some(&remembered));
    assert!(matches!(fork, Err(Error::Fork(301))));
    let mut elsewhere = remembered.clone();
    elsewhere.origin = "other.example".parse().unwrap();
    let other = Log::open(log.into_storage(), signer(), Some(&elsewhere));
    assert!(matches!(other, Err(Error::Origin)));
}

#[test]
fn what_was_changed_at_the_edge_is_not_opened() {
    let change = |path: &str, to: fn(Vec<u8>) -> Option<Vec<u8>>| {
        let mut storage = log(300).into_storage();
        let file: Resource = path.parse().unwrap();
        let bytes = storage.files().remove(&file).unwrap();
        if let Some(bytes) = to(bytes) {
            storage.files().insert(file, bytes);
        }
        open(storage).unwrap_err()
    };
    let flip = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        Some(bytes)
    };
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        Some(bytes)
    };
    for tile in ["tile/0/001.p/44", "tile/1/000.p/1"] {
        assert!(matches!(change(tile, flip), Error::Root { .. }));
        assert!(matches!(
            change(tile, cut),
            Error::File(FileError::Malformed(_))
        ));
        assert!(matches!(
            change(tile, |_| None),
            Error::File(FileError::Missing(_))
        ));
    }
    let bundle = "tile/entries/001.p/44";
    assert!(matches!(change(bundle, flip), Error::Entries(_)));
    assert!(matches!(
        change(bundle, cut),
        Error::File(FileError::Malformed(_))
    ));
    assert!(matches!(change("checkpoint", cut), Error::Checkpoint(_)));
    let other = LogSigner::from_bytes(ORIGIN.parse().unwrap(), &[1; 32], &[9; 32]).unwrap();
    let other = Log::open(log(1).into_storage(), other, None);
    assert!(matches!(other, Err(Error::Checkpoint(_))));
}

/// Two processes on one store, as replicas on one database.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Memory>>);

impl Files for Shared {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        self.0.borrow().read(resource)
    }
}

impl Storage for Shared {
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError> {
        self.0.borrow_mut().commit(commit)
    }
}

#[test]
fn two_writers_make_one_log() {
    let store = Shared::default();
    let mut one = Log::create(store.clone(), signer()).unwrap();
    let mut two = Log::open(store.clone(), signer(), None).unwrap();
    one.append(&[entry(0)]).unwrap();
    let refused = two.append(&[entry(1)]);
    assert!(matches!(
        refused,
        Err(Error::Storage(StorageError::Conflict))
    ));
    assert!(matches!(two.append(&[entry(1)]), Err(Error::Uncertain)));
    assert_eq!(two.recover().unwrap(), one.head());
    two.append(&[entry(1)]).unwrap();
    assert_eq!(two.head(), log(2).head());
}

#[test]
fn batches_are_bounded_and_whole() {
    let mut log = log(1);
    let long = vec![0; MAX_ENTRY_BYTES + 1];
    assert!(matches!(log.append(&[vec![1], long]), Err(Error::Entry(_))));
    assert!(matches!(
        log.append(&[[0_u8; 0]; MAX_BATCH_ENTRIES + 1]),
        Err(Error::TooMany)
    ));
    let nothing = log.append::<Vec<u8>>(&[]).unwrap();
    assert_eq!((nothing.indexes, log.head().size), (1..1, 1));
    log.append(&[vec![0; MAX_ENTRY_BYTES]]).unwrap();
    assert_eq!(log.entry(1).unwrap().len(), MAX_ENTRY_BYTES);
}

#[test]
fn earlier_checkpoints_can_be_proved_in() {
    let mut log = log(300);
    let earlier = log.checkpoint().to_owned();
    log.append(&(300..900).map(entry).collect::<Vec<_>>())
        .unwrap();
    let proof = log.prove_in(299, &earlier).unwrap();
    proof.verify(&policy(), &entry(299)).unwrap();
    assert!(matches!(
        log.prove_in(300, &earlier),
        Err(Error::OutOfRange)
    ));
    assert!(matches!(
        log.prove_in(0, "what?"),
        Err(Error::Checkpoint(_))
    ));
}

#[test]
fn a_folder_has_one_writer_and_any_readers() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/log");
    let mut log = Log::create(Disk::open(&root).unwrap(), signer()).unwrap();
    log.append(&(0..300).map(entry).collect::<Vec<_>>())
        .unwrap();
    assert_eq!(log.head(), crate::support::log(300).head());
    let busy = Disk::open(&root).unwrap_err();
    assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
    let report = fsck(&Folder::new(&root), &policy(), &[], |_, _| {}).unwrap();
    assert_eq!(report.verified.checkpoint.head, log.head());
    for path in [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/entries/001.p/44",
    ] {
        assert!(root.join(path).is_file(), "{path}");
    }
    log.append(&(300..512).map(entry).collect::<Vec<_>>())
        .unwrap();
    assert!(!root.join("tile/0/001.p").exists());
    drop(log);
    assert!(Disk::open(&root).is_ok());
}

#[test]
fn keys_come_from_openssls_files() {
    use ed25519_dalek::pkcs8::EncodePrivateKey as _;
    let ending = p256::pkcs8::LineEnding::LF;
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&[1; 32])
        .to_pkcs8_pem(ending)
        .unwrap();
    let p256 = p256::ecdsa::SigningKey::from_slice(&[2; 32])
        .unwrap()
        .to_pkcs8_pem(ending)
        .unwrap();
    let read = LogSigner::from_pem(ORIGIN.parse().unwrap(), &ed25519, &p256).unwrap();
    assert_eq!(read.keys(), signer().keys());
    assert!(LogSigner::from_pem(ORIGIN.parse().unwrap(), &p256, &ed25519).is_err());
    assert!(LogSigner::from_bytes(ORIGIN.parse().unwrap(), &[1; 32], &[0; 32]).is_err());
}
