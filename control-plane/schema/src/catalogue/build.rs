//! Entries by text and by id.

use std::collections::{BTreeSet, HashMap};

use ig_contract::{DocumentId, TextHash};

use super::{Catalogue, Claim, Entry, Origin, Reject};
use crate::Reason;

/// One entry of a file.
pub(super) struct Item {
    pub(super) id: Option<String>,
    pub(super) text: String,
    /// The one client it is for.
    pub(super) client: Option<String>,
    pub(super) claim: Claim,
    pub(super) origin: Option<Origin>,
}

#[derive(Default)]
pub(super) struct Builder {
    catalogue: Catalogue,
    by_text: HashMap<TextHash, usize>,
    /// Texts that claim an id.
    by_id: HashMap<String, BTreeSet<TextHash>>,
    /// Entries that some item gives to every client.
    for_all: BTreeSet<usize>,
}

impl Builder {
    pub(super) fn reject(&mut self, id: Option<String>, name: Option<String>, reason: Reason) {
        self.catalogue.rejected.push(Reject {
            ids: id.into_iter().collect(),
            name,
            reasons: vec![reason],
        });
    }

    pub(super) fn add(&mut self, item: Item) {
        let hash = TextHash::of(item.text.as_bytes());
        if let Some(reason) = item.id.as_deref().and_then(|id| refuse(id, hash)) {
            return self.reject(item.id, item.claim.name, reason);
        }
        if item.client.as_deref() == Some("") {
            let reason = Reason::new("`clientName` is empty");
            return self.reject(item.id, item.claim.name, reason);
        }
        let entries = &mut self.catalogue.entries;
        let number = *self.by_text.entry(hash).or_insert(entries.len());
        if number == entries.len() {
            entries.push(Entry {
                ids: Vec::new(),
                text: item.text,
                clients: Vec::new(),
                claims: Vec::new(),
                origin: item.origin,
            });
        }
        let Some(entry) = entries.get_mut(number) else {
            return;
        };
        let mut repeated = item.id.is_some();
        if let Some(id) = &item.id {
            self.by_id.entry(id.clone()).or_default().insert(hash);
            repeated &= !push(&mut entry.ids, id.clone());
        }
        match item.client {
            Some(client) => repeated &= !push(&mut entry.clients, client),
            None => repeated &= !self.for_all.insert(number),
        }
        push(&mut entry.claims, item.claim);
        if repeated {
            push(&mut self.catalogue.duplicates, item.id.unwrap_or_default());
        }
    }

    pub(super) fn finish(mut self) -> Catalogue {
        for number in self.for_all {
            if let Some(entry) = self.catalogue.entries.get_mut(number) {
                entry.clients.clear();
            }
        }
        let by_id = self.by_id;
        let conflicts = |entry: &Entry| -> Vec<Reason> {
            let texts = |id| by_id.get(id).map_or(0, BTreeSet::len);
            let conflicting = entry.ids.iter().filter(|id| texts(*id) > 1);
            conflicting
                .map(|id| {
                    let texts = texts(id);
                    Reason::new(format!(
                        "conflict: the id `{id}` has {texts} different texts"
                    ))
                })
                .collect()
        };
        let mut kept = Vec::new();
        for entry in self.catalogue.entries {
            let reasons = conflicts(&entry);
            if reasons.is_empty() {
                kept.push(entry);
                continue;
            }
            self.catalogue.rejected.push(Reject {
                name: entry.claims.into_iter().find_map(|claim| claim.name),
                ids: entry.ids,
                reasons,
            });
        }
        self.catalogue.entries = kept;
        self.catalogue
    }
}

/// Adds `item` unless it is there.
fn push<T: PartialEq>(items: &mut Vec<T>, item: T) -> bool {
    let new = !items.contains(&item);
    if new {
        items.push(item);
    }
    new
}

/// Why `id` cannot name the text of `hash`.
fn refuse(id: &str, hash: TextHash) -> Option<Reason> {
    // What looks like a SHA-256 is one, in any case: a client would take it
    // for the hash of the text.
    let digits = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match DocumentId::parse(id) {
        Err(invalid) => Some(Reason::new(format!("the id is not valid: {invalid}"))),
        Ok(DocumentId::Sha256(claimed)) if claimed != hash => Some(Reason::new(format!(
            "the id is a SHA-256, but not that of the text, which is {hash}"
        ))),
        Ok(DocumentId::Alias(_)) if digits => Some(Reason::new(
            "the id has 64 hex digits, but not in lower case",
        )),
        Ok(_) => None,
    }
}
