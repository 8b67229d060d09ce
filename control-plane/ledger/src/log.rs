//! The log: what is appended stays.

use std::ops::Range;
use std::sync::Arc;

use crate::cosign::cosign;
use crate::error::Error;
use crate::files::{FileError, Stored, tile};
use crate::layout::{Resource, Span, WIDTH, push_entry};
use crate::sign::LogSigner;
use crate::storage::{Commit, Files, Storage, StorageError};
use crate::tiles::Tiles;
use crate::tree::Edge;
use crate::verify::{Checkpoint, Hash, Policy, Proof, TreeHead, WitnessRequest};

/// The most entries that are appended at once.
pub const MAX_BATCH_ENTRIES: usize = 4096;

/// A log that one process appends to.
///
/// No checkpoint is handed out before it is stored, and none is signed that does
/// not have all entries of the last one that was.
#[derive(Debug)]
pub struct Log<S> {
    storage: S,
    signer: Arc<LogSigner>,
    policy: Policy,
    state: State,
    /// Whether `state` is what is stored.
    is_certain: bool,
}

/// The last state that is known to be stored.
#[derive(Debug)]
struct State {
    edge: Edge,
    /// The last bundle of entries, if it is not full.
    bundle: Vec<u8>,
    checkpoint: String,
}

/// What was appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The entries' indexes, in the order of the batch.
    pub indexes: Range<u64>,
    /// The signed checkpoint that has them.
    pub checkpoint: String,
}

impl<S: Storage> Log<S> {
    /// Begins a log: stores a checkpoint of the tree without leaves.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Storage`].
    pub fn create(mut storage: S, signer: impl Into<Arc<LogSigner>>) -> Result<Self, Error> {
        let signer = signer.into();
        let policy = signer.policy()?;
        let state = State {
            edge: Edge::default(),
            bundle: Vec::new(),
            checkpoint: signer.sign(TreeHead::EMPTY),
        };
        let commit = Commit {
            previous: None,
            files: Vec::new(),
            checkpoint: &state.checkpoint,
        };
        match storage.commit(&commit) {
            Err(StorageError::Conflict) => return Err(Error::Exists),
            done => done?,
        }
        Ok(Self {
            storage,
            signer,
            policy,
            state,
            is_certain: true,
        })
    }

    /// Opens a log, when what is stored is what was signed.
    ///
    /// A store cannot tell that it is an old copy of itself. So give as
    /// `remembered` the last checkpoint that is known elsewhere, of a witness or
    /// of another database.
    ///
    /// # Errors
    /// [`Error`]; then nothing is to be appended, since it would be a second tree.
    pub fn open(
        storage: S,
        signer: impl Into<Arc<LogSigner>>,
        remembered: Option<&Checkpoint>,
    ) -> Result<Self, Error> {
        let signer = signer.into();
        let policy = signer.policy()?;
        if remembered.is_some_and(|checkpoint| checkpoint.origin != *signer.origin()) {
            return Err(Error::Origin);
        }
        let remembered = remembered.map(|checkpoint| checkpoint.head);
        let state = State::load(&storage, &policy, remembered)?;
        Ok(Self {
            storage,
            signer,
            policy,
            state,
            is_certain: true,
        })
    }

    /// Appends entries. When this returns, they are on stable storage, and so is
    /// the checkpoint that has them.
    ///
    /// # Errors
    /// [`Error::TooMany`], [`Error::Entry`]: nothing was appended. Of
    /// [`Error::Storage`], and of all calls after it until [`Log::recover`], it is
    /// not known whether anything was.
    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<Appended, Error> {
        if !self.is_certain {
            return Err(Error::Uncertain);
        }
        if entries.len() > MAX_BATCH_ENTRIES {
            return Err(Error::TooMany);
        }
        let before = self.state.edge.size();
        if !entries.is_empty() {
            self.grow(entries)?;
        }
        Ok(Appended {
            indexes: before..self.state.edge.size(),
            checkpoint: self.state.checkpoint.clone(),
        })
    }

    fn grow<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<(), Error> {
        let before = self.state.edge.size();
        let mut edge = self.state.edge.clone();
        let mut bundle = self.state.bundle.clone();
        let (mut files, mut tiles) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry.as_ref();
            push_entry(&mut bundle, entry)?;
            edge.push(Hash::leaf(entry), &mut |full, hashes| {
                tiles.push((full, tile(&hashes)));
            });
            if edge.size().is_multiple_of(WIDTH.into()) {
                let full = Span::full(edge.size() / u64::from(WIDTH) - 1);
                files.push((Resource::Entries(full), std::mem::take(&mut bundle)));
            }
        }
        if let Some(span) = last_bundle(edge.size()) {
            files.push((Resource::Entries(span), bundle.clone()));
        }
        let changed = edge
            .partial()
            .filter(|(file, _)| !file.is_covered_by(before));
        tiles.extend(changed.map(|(file, hashes)| (file, tile(hashes))));
        files.append(&mut tiles);
        self.store(
            files,
            State {
                checkpoint: self.signer.sign(edge.head()),
                edge,
                bundle,
            },
        )
    }

    fn store(&mut self, files: Vec<(Resource, Vec<u8>)>, state: State) -> Result<(), Error> {
        let commit = Commit {
            previous: Some(&self.state.checkpoint),
            files,
            checkpoint: &state.checkpoint,
        };
        self.is_certain = false;
        self.storage.commit(&commit)?;
        self.state = state;
        self.is_certain = true;
        Ok(())
    }

    /// Looks up what is stored after writing has failed. The tree's size says
    /// whether the last batch was appended: all of it was, or nothing.
    ///
    /// # Errors
    /// [`Error`], as [`Log::open`].
    pub fn recover(&mut self) -> Result<TreeHead, Error> {
        let remembered = Some(self.state.edge.head());
        self.state = State::load(&self.storage, &self.policy, remembered)?;
        self.is_certain = true;
        Ok(self.state.edge.head())
    }

    /// The last tree that was signed.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.state.edge.head()
    }

    /// The last signed checkpoint, with the cosignatures that it has got.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.state.checkpoint
    }

    /// The public half of the keys.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where it is stored.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Gives the storage back.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// A file for whoever asks; `None` for what no checkpoint covers.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn read(&self, file: Resource) -> Result<Option<Vec<u8>>, Error> {
        if file == Resource::Checkpoint {
            // What is stored may not be known to be on stable storage.
            return Ok(Some(self.state.checkpoint.clone().into_bytes()));
        }
        if !file.is_covered_by(self.state.edge.size()) {
            return Ok(None);
        }
        let bytes = self.storage.read(file);
        Ok(bytes.map_err(|error| FileError::Io(file, error))?)
    }

    /// An entry.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        let size = self.state.edge.size();
        let span = Span::within(index / u64::from(WIDTH), size).ok_or(Error::OutOfRange)?;
        let stored = Stored::load(&self.storage, Resource::Entries(span))?;
        let position = (index % u64::from(WIDTH)) as usize;
        let entries = stored.entries()?;
        let entry = entries.get(position).ok_or(Error::OutOfRange)?;
        Ok(entry.to_vec())
    }

    /// Proves that the last checkpoint has an entry.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn prove(&self, index: u64) -> Result<Proof, Error> {
        self.prove_in(index, &self.state.checkpoint)
    }

    /// Proves that an earlier checkpoint of this log has an entry; one, perhaps,
    /// that more witnesses have cosigned.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`]; [`Error::Checkpoint`] for what the
    /// log has not signed.
    pub fn prove_in(&self, index: u64, checkpoint: &str) -> Result<Proof, Error> {
        let verified = self.policy.checkpoint(checkpoint.as_bytes());
        let head = verified.map_err(Error::Checkpoint)?.checkpoint.head;
        Ok(Proof {
            index,
            path: self.inclusion(index, head.size)?,
            extra: None,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// The path that proves that the log's first `size` entries have one at an
    /// index.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        Tiles::new(&self.storage, self.state.edge.size()).inclusion(index, size)
    }

    /// The path that proves that the log's first `later` entries begin with the
    /// first `earlier`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn consistency(&self, earlier: u64, later: u64) -> Result<Vec<Hash>, Error> {
        Tiles::new(&self.storage, self.state.edge.size()).consistency(earlier, later)
    }

    /// What to send to a witness that has seen a tree of `old` entries.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when it has seen more than there are;
    /// [`Error::File`].
    pub fn ask_witness(&self, old: u64) -> Result<WitnessRequest, Error> {
        Ok(WitnessRequest {
            old,
            path: self.consistency(old, self.state.edge.size())?,
            checkpoint: self.state.checkpoint.clone(),
        })
    }

    /// Adds witnesses' lines to the last checkpoint. Lines of whom `witnesses`
    /// does not know are left out; a later line of a witness replaces the one
    /// before.
    ///
    /// # Errors
    /// [`Error::Cosignature`] when a known witness has signed something else;
    /// [`Error::Storage`] as in [`Log::append`].
    pub fn cosign(&mut self, witnesses: &Policy, lines: &str) -> Result<(), Error> {
        if !self.is_certain {
            return Err(Error::Uncertain);
        }
        let checkpoint = cosign(&self.policy, witnesses, &self.state.checkpoint, lines)?;
        let State { edge, bundle, .. } = &self.state;
        self.store(
            Vec::new(),
            State {
                edge: edge.clone(),
                bundle: bundle.clone(),
                checkpoint,
            },
        )
    }
}

impl State {
    fn load(
        storage: &impl Files,
        policy: &Policy,
        remembered: Option<TreeHead>,
    ) -> Result<Self, Error> {
        let file = Resource::Checkpoint;
        let note = storage
            .read(file)
            .map_err(|error| FileError::Io(file, error))?;
        let note = note.ok_or(Error::Empty)?;
        let signed = policy.checkpoint(&note).map_err(Error::Checkpoint)?;
        let signed = signed.checkpoint.head;
        let load = |file| Stored::load(storage, file)?.hashes();
        let edge = Edge::load(signed.size, load)?;
        let stored = edge.head();
        if stored != signed {
            return Err(Error::Root {
                stored: stored.root,
                signed: signed.root,
            });
        }
        let bundle = Self::load_bundle(storage, &edge)?;
        if let Some(remembered) = remembered {
            if remembered.size > signed.size {
                return Err(Error::Behind {
                    stored: signed.size,
                    remembered: remembered.size,
                });
            }
            if Tiles::new(storage, signed.size).head(remembered.size)? != remembered {
                return Err(Error::Fork(remembered.size));
            }
        }
        let malformed = |_| FileError::Malformed(file);
        Ok(Self {
            edge,
            bundle,
            checkpoint: String::from_utf8(note).map_err(malformed)?,
        })
    }

    /// The bundle that goes on, which has to be that of the tree.
    fn load_bundle(storage: &impl Files, edge: &Edge) -> Result<Vec<u8>, Error> {
        let Some(span) = last_bundle(edge.size()) else {
            return Ok(Vec::new());
        };
        let file = Resource::Entries(span);
        let stored = Stored::load(storage, file)?;
        let mut bundle = Vec::new();
        let mut hashes = Vec::new();
        for entry in stored.entries()? {
            hashes.push(Hash::leaf(entry));
            push_entry(&mut bundle, entry)?;
        }
        let mut partial = edge.partial();
        if partial.next().is_some_and(|(_, tile)| tile == hashes) {
            Ok(bundle)
        } else {
            Err(Error::Entries(file))
        }
    }
}

fn last_bundle(size: u64) -> Option<Span> {
    Span::within(size / u64::from(WIDTH), size)
}
