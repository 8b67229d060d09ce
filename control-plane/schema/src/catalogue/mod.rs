//! Catalogues: the files in which clients publish their documents.
//!
//! | format | shape | whose |
//! |---|---|---|
//! | [`Format::ApolloManifest`] | `{format, version: 1, operations: [{id, body, name, type, clientName?}]}` | Apollo |
//! | [`Format::IdMap`] | `{id: text}` or `[[id, text]]` | Relay, GraphQL Code Generator |
//! | [`Format::Documents`] | GraphQL source, many operations and shared fragments | everyone |
//!
//! One bad entry never costs the others: it is a [`Reject`] with its reasons.
//! No conflict is settled by order: if an id has two texts, both are rejected.

mod apollo;
mod build;
mod documents;
mod id_map;
mod import;
mod origin;
mod strip;

use ig_contract::snapshot::OperationKind;
use serde::Serialize;

pub use documents::{Source, unused_fragments};
pub use import::{CompiledDocument, Import, import};
pub use origin::Origin;

use crate::Limits;
use crate::reason::{self, Reason};

/// Format of a catalogue file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Apollo's persisted query manifest, version 1.
    ApolloManifest,
    /// A map from id to text, or an array of such pairs.
    IdMap,
    /// GraphQL source.
    Documents,
}

/// A catalogue, read but not compiled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    /// Its documents, with distinct texts, in the order of the file.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub rejected: Vec<Reject>,
    /// Ids that the file has more than once, always for one text.
    pub duplicates: Vec<String>,
}

/// A document of a catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What the catalogue calls it, distinct; none for GraphQL source.
    pub ids: Vec<String>,
    /// Its exact text.
    pub text: String,
    /// Clients that may use it; none means every client.
    pub clients: Vec<String>,
    /// Operations that the catalogue says the text has.
    pub claims: Vec<Claim>,
    /// Where the text is from, if it was put together.
    pub origin: Option<Origin>,
}

/// What a catalogue says of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Name of the operation.
    pub name: Option<String>,
    /// Kind of the operation.
    pub kind: Option<OperationKind>,
}

/// An entry that is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reject {
    /// What the catalogue calls it.
    pub ids: Vec<String>,
    /// Name of its operation, where known.
    pub name: Option<String>,
    /// Why, never empty. Positions are in the text of the document, or in the
    /// files that it was put together from.
    pub reasons: Vec<Reason>,
}

/// Why a file is not a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalogue {
    /// Too long to be read.
    #[error("the catalogue has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON of the expected shape.
    #[error("the catalogue is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A manifest of another kind or version.
    #[error(
        "the manifest has format `{format}`, version {version}; \
         this build reads `apollo-persisted-query-manifest`, version 1"
    )]
    Manifest {
        /// Its `format`.
        format: String,
        /// Its `version`, as JSON.
        version: String,
    },
    /// Not GraphQL source.
    #[error("{}", reason::lines(.reasons))]
    Syntax {
        /// Everything that is wrong.
        reasons: Vec<Reason>,
    },
}

impl Format {
    /// Tells the format by the first bytes, and a manifest by its members.
    pub fn sniff(text: &str) -> Self {
        let text = without_bom(text).trim_start();
        let inside = text.strip_prefix('{').map(str::trim_start);
        // `{ field }` is GraphQL: names have no quotes there.
        match inside {
            Some(inside) if inside.starts_with(['"', '}']) => match apollo::is_manifest(text) {
                true => Self::ApolloManifest,
                false => Self::IdMap,
            },
            _ if text.starts_with('[') => Self::IdMap,
            _ => Self::Documents,
        }
    }
}

impl Catalogue {
    /// Reads one file, of `format` or what it looks like.
    ///
    /// # Errors
    /// See [`InvalidCatalogue`].
    pub fn parse(
        text: &str,
        format: Option<Format>,
        limits: Limits,
    ) -> Result<Self, InvalidCatalogue> {
        if text.len() > limits.bytes {
            return Err(InvalidCatalogue::TooLarge {
                bytes: text.len(),
                limit: limits.bytes,
            });
        }
        let json = without_bom(text);
        match format.unwrap_or_else(|| Format::sniff(text)) {
            Format::ApolloManifest => apollo::parse(json),
            Format::IdMap => id_map::parse(json),
            Format::Documents => documents::parse(text, limits),
        }
    }

    /// Reads GraphQL sources whose operations share fragments across files. A
    /// file that does not parse is rejected, under its name.
    pub fn from_sources(sources: &[Source<'_>], limits: Limits) -> Self {
        documents::parse_all(sources, limits)
    }
}

fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests;
