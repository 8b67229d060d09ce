//! The machine stops after each write, and comes back.

use std::io;

use ig_ledger::layout::Resource;
use ig_ledger::storage::{Commit, Files, Memory, Storage, StorageError};
use ig_ledger::verify::TreeHead;
use ig_ledger::{Log, fsck};

use crate::support::{entry, policy, signer};

/// Fails once, after so many writes.
struct Stopping {
    files: Memory,
    writes: Option<usize>,
}

impl Stopping {
    fn write(&mut self, file: Resource, bytes: &[u8]) -> io::Result<()> {
        match &mut self.writes {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        self.files.files().insert(file, bytes.to_vec());
        Ok(())
    }
}

impl Files for Stopping {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        self.files.read(resource)
    }
}

impl Storage for Stopping {
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError> {
        for (file, bytes) in &commit.files {
            self.write(*file, bytes)?;
        }
        self.write(Resource::Checkpoint, commit.checkpoint.as_bytes())?;
        // Where power fails now, the state is there, and nobody was told.
        if self.writes == Some(0) {
            return Err(io::Error::other("no power").into());
        }
        Ok(())
    }
}

#[test]
fn nothing_acknowledged_is_lost_wherever_it_stops() {
    let batches = [1_u64, 2, 250, 3, 1, 300, 4, 600];
    for stop in 0.. {
        let files = Log::create(Memory::new(), signer()).unwrap().into_storage();
        let mut storage = Stopping {
            files,
            writes: Some(stop),
        };
        let mut has_stopped = false;
        let mut heads: Vec<TreeHead> = Vec::new();
        let mut next = 0;
        let mut log = Log::open(storage, signer(), None).unwrap();
        for batch in batches {
            let entries: Vec<_> = (next..next + batch).map(entry).collect();
            next += batch;
            if log.append(&entries).is_ok() {
                heads.push(log.head());
                continue;
            }
            has_stopped = true;
            assert!(
                log.append(&entries).is_err(),
                "nothing is known until it is looked up"
            );
            storage = log.into_storage();
            storage.writes = None;
            let remembered = heads.last().map(|head| ig_ledger::verify::Checkpoint {
                origin: signer().origin().clone(),
                head: *head,
            });
            log = Log::open(storage, signer(), remembered.as_ref()).unwrap();
            let before = next - batch;
            assert!(
                [before, next].contains(&log.head().size),
                "all of a batch or nothing"
            );
            if log.head().size == before {
                log.append(&entries).unwrap();
            }
            heads.push(log.head());
        }
        assert_eq!(log.head().size, next);
        for index in [0, 1, 2, 3, 252, 255, 256, 556, 557, next - 1] {
            log.prove(index)
                .unwrap()
                .verify(&policy(), &entry(index))
                .unwrap();
        }
        let mut seen = 0;
        fsck(log.storage(), &policy(), &heads, |index, bytes| {
            assert_eq!((index, bytes), (seen, entry(seen).as_slice()));
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, next);
        if !has_stopped {
            return;
        }
    }
}
