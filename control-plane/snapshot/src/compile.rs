//! The parts, put together.

use std::collections::BTreeMap;

use ig_contract::snapshot::{DocumentSource, Operation, SnapshotSource, TooLarge};
use ig_contract::{InvalidSnapshot, Snapshot, TextHash};
use ig_schema::catalogue::Import;

use crate::config::{Config, Texts};
use crate::policy::{InvalidPolicy, compile_policy};
use crate::{Bundle, Problems};

/// What a snapshot is compiled from.
pub struct Input<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Documents, compiled against one schema. What they reject is left out.
    pub imports: Vec<Import>,
    /// The policies.
    pub bundle: &'a Bundle,
}

/// A compiled snapshot.
pub struct Compiled {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The same, decoded.
    pub snapshot: Snapshot,
    /// Texts for the store, ascending by hash; none where they are embedded.
    pub remote_texts: Vec<RemoteText>,
}

/// A text for the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteText {
    /// Its hash, which is its name in the store.
    pub hash: TextHash,
    /// The text.
    pub text: String,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum NotCompiled {
    /// The policies are not valid.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// Catalogues contradict each other.
    #[error(transparent)]
    Catalogues(#[from] Problems),
    /// Too much for a snapshot.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The guard would refuse it.
    #[error("the guard does not accept the snapshot")]
    Decode(#[from] InvalidSnapshot),
}

/// Compiles a snapshot, and decodes it as the guard does.
///
/// # Errors
/// See [`NotCompiled`].
pub fn compile(input: Input<'_>) -> Result<Compiled, NotCompiled> {
    let program = compile_policy(input.bundle)?;
    let embed = input.config.texts == Texts::Embedded;
    let (documents, aliases) = merge(input.imports, embed)?;
    let remote_texts = match embed {
        true => Vec::new(),
        false => documents
            .iter()
            .map(|(hash, document)| RemoteText {
                hash: *hash,
                text: document.text.clone(),
            })
            .collect(),
    };
    let head = input.config.head(&input.bundle.manifest.revision);
    let bytes = SnapshotSource {
        head,
        program,
        documents,
        aliases,
    }
    .encode()?;
    let snapshot = Snapshot::decode(bytes.clone())?;
    Ok(Compiled {
        bytes,
        snapshot,
        remote_texts,
    })
}

type Documents = BTreeMap<TextHash, DocumentSource>;
type Aliases = BTreeMap<String, TextHash>;

/// One catalogue of several. Their order does not matter.
fn merge(imports: Vec<Import>, embed: bool) -> Result<(Documents, Aliases), Problems> {
    let mut problems = Problems::none();
    let (mut documents, mut aliases) = (Documents::new(), Aliases::new());
    for import in imports {
        let (more, names) = import.into_snapshot(embed);
        for (hash, document) in more {
            match documents.get_mut(&hash) {
                Some(known) => join_clients(&mut known.operations, &document.operations),
                None => {
                    documents.insert(hash, document);
                }
            }
        }
        for (alias, hash) in names {
            let known = *aliases.entry(alias.clone()).or_insert(hash);
            let message = format!("two catalogues have this id, for texts {known} and {hash}");
            problems.check(known == hash, alias, message);
        }
    }
    problems.or((documents, aliases))
}

/// A text in two catalogues is for the clients of both; without a list, for
/// every client.
fn join_clients(known: &mut [Operation], more: &[Operation]) {
    for (known, more) in known.iter_mut().zip(more) {
        if known.clients.is_empty() || more.clients.is_empty() {
            known.clients.clear();
            continue;
        }
        known.clients.extend_from_slice(&more.clients);
        known.clients.sort_unstable();
        known.clients.dedup();
    }
}

#[cfg(test)]
mod tests;
