//! A log that ends with its process.

use std::collections::BTreeMap;
use std::io;

use super::{Commit, Files, Storage, StorageError};
use crate::layout::Resource;

/// Keeps files in memory.
#[derive(Clone, Default, Debug)]
pub struct Memory(BTreeMap<Resource, Vec<u8>>);

impl Memory {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All files, to copy a log or to tamper with it in a test.
    pub fn files(&mut self) -> &mut BTreeMap<Resource, Vec<u8>> {
        &mut self.0
    }
}

impl Files for Memory {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(&resource).cloned())
    }
}

impl Storage for Memory {
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError> {
        let stored = self.0.get(&Resource::Checkpoint).map(Vec::as_slice);
        if stored != commit.previous.map(str::as_bytes) {
            return Err(StorageError::Conflict);
        }
        self.0.extend(commit.files.iter().cloned());
        let checkpoint = commit.checkpoint.as_bytes().to_vec();
        self.0.insert(Resource::Checkpoint, checkpoint);
        for (full, _) in &commit.files {
            if let Some(range) = full.partials() {
                let partials: Vec<_> = self.0.range(range).map(|(file, _)| *file).collect();
                for file in partials {
                    self.0.remove(&file);
                }
            }
        }
        Ok(())
    }
}
