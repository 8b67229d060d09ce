//! Manifests, version 0.2: what an export has, for whom, and what for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Sha256;
use crate::json::{self, Node, shown};

/// The most bytes of a manifest.
pub const MAX_BYTES: usize = 32 << 20;
/// The most items of a manifest.
pub const MAX_ITEMS: usize = 100_000;
/// The version that is written, and the only one that is read.
pub const VERSION: &str = "0.2";

/// An asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// What it is called, once in a manifest: 1 to 1024 bytes without control
    /// characters.
    pub id: String,
    /// Of its bytes.
    pub sha256: Sha256,
}

/// A manifest, as it may be written and read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    items: Vec<Item>,
    created_by: String,
    tenant: String,
    purpose: String,
}

/// Why something is no manifest.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON of one.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// Another version.
    #[error("version is not {VERSION:?}, the only one that is known")]
    Version,
    /// Too many items.
    #[error("{0} items, more than {MAX_ITEMS}")]
    TooManyItems(usize),
    /// An id that is none.
    #[error("items[{index}].id is not a string of 1 to 1024 bytes without control characters")]
    Id {
        /// Of the item, from 0.
        index: usize,
    },
    /// An id twice.
    #[error("items[{index}] has the id \"{}\" of items[{first}]", shown(id))]
    DuplicateId {
        /// Of the second, from 0.
        index: usize,
        /// Of the first, from 0.
        first: usize,
        /// The id.
        id: String,
    },
    /// A hash that is none.
    #[error(
        "items[{index}] ({}): sha256 is not 64 lower-case hexadecimal digits",
        shown(id)
    )]
    Hash {
        /// Of the item, from 0.
        index: usize,
        /// Of the item.
        id: String,
    },
}

impl Manifest {
    /// A manifest of these.
    ///
    /// # Errors
    /// For what [`Manifest::parse`] would refuse.
    pub fn new(
        items: Vec<Item>,
        created_by: impl Into<String>,
        tenant: impl Into<String>,
        purpose: impl Into<String>,
    ) -> Result<Self, Error> {
        let manifest = Self {
            items,
            created_by: created_by.into(),
            tenant: tenant.into(),
            purpose: purpose.into(),
        };
        // One set of rules: what is written is what can be read.
        Self::parse(&manifest.to_bytes())
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// For anything that is not exactly one, with where it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut object = json::read(bytes, MAX_BYTES)?.object()?;
        // First of all: another version may have other members.
        if object.required("version")?.string()? != VERSION {
            return Err(Error::Version);
        }
        let nodes = object.required("items")?.array()?;
        let created_by = object.required("createdBy")?.name()?;
        let tenant = object.required("tenant")?.name()?;
        let purpose = object.required("purpose")?.name()?;
        object.end()?;
        Ok(Self {
            items: items(nodes)?,
            created_by,
            tenant,
            purpose,
        })
    }

    /// As canonical JSON (RFC 8785): what is to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let item = |item: &Item| json!({"id": item.id, "sha256": item.sha256.to_string()});
        json::canonical(&json!({
            "version": VERSION,
            "items": self.items.iter().map(item).collect::<Vec<Value>>(),
            "createdBy": self.created_by,
            "tenant": self.tenant,
            "purpose": self.purpose,
        }))
    }

    /// The assets, in the order of the manifest.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Who made the export: `user:`, tenant, `:`, user.
    #[must_use]
    pub fn created_by(&self) -> &str {
        &self.created_by
    }

    /// Whose data it is.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What it was made for.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }
}

fn items(nodes: Vec<Node>) -> Result<Vec<Item>, Error> {
    if nodes.len() > MAX_ITEMS {
        return Err(Error::TooManyItems(nodes.len()));
    }
    let mut seen = BTreeMap::new();
    let mut items = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let mut object = node.object()?;
        let id = object.required("id")?.string()?;
        if !json::is_name(&id) {
            return Err(Error::Id { index });
        }
        let sha256 = object.required("sha256")?.string()?;
        object.end()?;
        let Some(sha256) = Sha256::from_hex(&sha256) else {
            return Err(Error::Hash { index, id });
        };
        if let Some(first) = seen.insert(id.clone(), index) {
            return Err(Error::DuplicateId { index, first, id });
        }
        items.push(Item { id, sha256 });
    }
    Ok(items)
}
