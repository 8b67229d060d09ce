//! Everything again: each entry is hashed, each tile and the checkpoint compared
//! with what comes of that.

use crate::files::{FileError, Stored};
use crate::layout::{LEVELS, Resource, Span, WIDTH, row};
use crate::storage::Files;
use crate::tree::Edge;
use crate::verify::{Hash, Policy, TreeHead, Verified, VerifyError};

/// The first thing that is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The checkpoint is not signed as the policy asks.
    #[error(transparent)]
    Checkpoint(#[from] VerifyError),
    /// A file is missing, or not what it has to be.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tile has another hash than the entries give.
    #[error("`{file}`: hash {position} is {stored}, and the entries give {computed}")]
    Hash {
        /// The tile.
        file: Resource,
        /// Which of its hashes, from 0. At level 0 that is the entry of the
        /// bundle with the same number.
        position: usize,
        /// What the tile has.
        stored: Hash,
        /// What the entries give.
        computed: Hash,
    },
    /// The checkpoint has another root than the entries give.
    #[error("the checkpoint's root is {signed}, and the entries give {computed}")]
    Root {
        /// What the checkpoint has.
        signed: Hash,
        /// What the entries give.
        computed: Hash,
    },
    /// The log has fewer entries than a remembered checkpoint.
    #[error("a checkpoint of {remembered} entries is remembered, and the log has {size}")]
    Behind {
        /// Entries that the log had.
        remembered: u64,
        /// Entries that it has.
        size: u64,
    },
    /// The log is not the one of a remembered checkpoint.
    #[error(
        "a checkpoint of {size} entries with the root {remembered} is remembered, and the entries give {computed}"
    )]
    Fork {
        /// Entries of the remembered checkpoint.
        size: u64,
        /// Its root.
        remembered: Hash,
        /// What the entries give.
        computed: Hash,
    },
}

/// What was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The log's checkpoint, and who cosigned it.
    pub verified: Verified,
    /// Bytes of all entries.
    pub entry_bytes: u64,
}

/// Checks a whole log, and that it has grown from each tree of `remembered`.
/// `seen` gets each entry with its index. Its bundle is that of the tiles then;
/// whether the tiles are those of the checkpoint is known in the end.
///
/// Needs memory for one bundle and one tile of each level, whatever the log's
/// size.
///
/// # Errors
/// [`Fault`]: the first difference.
pub fn fsck(
    files: &impl Files,
    policy: &Policy,
    remembered: &[TreeHead],
    mut seen: impl FnMut(u64, &[u8]),
) -> Result<Report, Fault> {
    let file = Resource::Checkpoint;
    let verified = policy.checkpoint(&Stored::load(files, file)?.bytes())?;
    let signed = verified.checkpoint.head;
    let mut remembered = remembered.to_vec();
    remembered.sort_unstable_by_key(|head| head.size);
    let mut remembered = remembered.into_iter().peekable();
    let mut remember = |edge: &Edge| {
        while let Some(head) = remembered.next_if(|head| head.size <= edge.size()) {
            let computed = edge.head().root;
            if head.root != computed {
                return Err(Fault::Fork {
                    size: head.size,
                    remembered: head.root,
                    computed,
                });
            }
        }
        Ok(())
    };
    let mut edge = Edge::default();
    let mut entry_bytes = 0;
    remember(&edge)?;
    let mut full = Vec::new();
    let bundles = (0..).map_while(|index| Span::within(index, signed.size));
    for span in bundles {
        let first = edge.size();
        let stored = Stored::load(files, Resource::Entries(span))?;
        let entries = stored.entries()?;
        let mut fork = Ok(());
        for entry in &entries {
            edge.push(Hash::leaf(entry), &mut |file, hashes| {
                full.push((file, hashes))
            });
            fork = fork.and_then(|()| remember(&edge));
        }
        for (file, hashes) in full.drain(..) {
            compare(files, file, &hashes)?;
        }
        if edge.size() == signed.size {
            for (file, hashes) in edge.partial() {
                compare(files, file, hashes)?;
            }
        }
        // A tile says more precisely where entries have changed.
        fork?;
        for (index, entry) in (first..).zip(entries) {
            entry_bytes += entry.len() as u64;
            seen(index, entry);
        }
    }
    let computed = edge.head();
    if computed != signed {
        return Err(Fault::Root {
            signed: signed.root,
            computed: computed.root,
        });
    }
    if let Some(head) = remembered.next() {
        return Err(Fault::Behind {
            remembered: head.size,
            size: signed.size,
        });
    }
    Ok(Report {
        verified,
        entry_bytes,
    })
}

/// The files that [`fsck`] reads of a log of a size, in its order and after the
/// checkpoint: what is fetched ahead is fetched once.
pub fn files(size: u64) -> impl Iterator<Item = Resource> {
    let bundles = (0..).map_while(move |index| Span::within(index, size));
    bundles.flat_map(move |span| {
        let full = (0..LEVELS).map_while(move |level| {
            // A tile of a level is filled by the last of 256 below it.
            let below = WIDTH_BITS * u32::from(level);
            let next = span.index() + 1;
            let is_filled = span.is_full() && next.trailing_zeros() >= below;
            let span = Span::full((next >> below).saturating_sub(1));
            is_filled.then_some(Resource::Tile { level, span })
        });
        let is_last = Span::within(span.index() + 1, size).is_none();
        let partial = (0..LEVELS).filter_map(move |level| {
            let count = row(level, size);
            let span = Span::within(count / u64::from(WIDTH), count)?;
            is_last.then_some(Resource::Tile { level, span })
        });
        std::iter::once(Resource::Entries(span))
            .chain(full)
            .chain(partial)
    })
}

/// The base-two logarithm of [`WIDTH`].
const WIDTH_BITS: u32 = WIDTH.trailing_zeros();

fn compare(files: &impl Files, file: Resource, computed: &[Hash]) -> Result<(), Fault> {
    let stored = Stored::load(files, file)?.hashes()?;
    let pairs = stored.into_iter().zip(computed).enumerate();
    for (position, (stored, computed)) in pairs {
        if stored != *computed {
            return Err(Fault::Hash {
                file,
                position,
                stored,
                computed: *computed,
            });
        }
    }
    Ok(())
}
