use std::collections::BTreeMap;

use apollo_compiler::ast::Definition;
use ig_contract::snapshot::{DocumentSource, Operation};
use ig_contract::{DocumentId, TextHash};

use super::{Catalogue, Claim, Entry, Reject};
use crate::{InvalidDocument, Limits, Reason, Schema, compile};

/// A document of the catalogue, compiled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompiledDocument {
    /// SHA-256 of its text.
    pub hash: TextHash,
    /// Its exact text.
    pub text: String,
    /// Ids beside the hash.
    pub aliases: Vec<String>,
    /// Its operations, at least one.
    pub operations: Vec<Operation>,
}

/// A catalogue compiled on a schema.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Import {
    /// Documents to enforce, in the order of the catalogue.
    pub accepted: Vec<CompiledDocument>,
    /// Entries that are not accepted.
    pub rejected: Vec<Reject>,
    /// Ids that the file has more than once, always for one text.
    pub duplicates: Vec<String>,
}

impl CompiledDocument {
    /// The document as a snapshot has it.
    pub fn into_source(self, embed: bool) -> DocumentSource {
        DocumentSource {
            text: self.text,
            embed,
            operations: self.operations,
        }
    }
}

impl Import {
    /// The accepted documents and their aliases, as a snapshot has them.
    pub fn into_snapshot(
        self,
        embed: bool,
    ) -> (
        BTreeMap<TextHash, DocumentSource>,
        BTreeMap<String, TextHash>,
    ) {
        let mut documents = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for mut document in self.accepted {
            let hash = document.hash;
            aliases.extend(document.aliases.drain(..).map(|alias| (alias, hash)));
            documents.insert(hash, document.into_source(embed));
        }
        (documents, aliases)
    }
}

/// Compiles every entry of a catalogue, each by itself. `limits` are those of
/// one document. `progress` hears how many entries of how many are done.
pub fn import(
    schema: &Schema,
    catalogue: Catalogue,
    limits: Limits,
    progress: &mut dyn FnMut(usize, usize),
) -> Import {
    let mut result = Import {
        accepted: Vec::new(),
        rejected: catalogue.rejected,
        duplicates: catalogue.duplicates,
    };
    let total = catalogue.entries.len();
    for (number, entry) in catalogue.entries.into_iter().enumerate() {
        match compile_entry(schema, &entry, limits) {
            Ok(operations) => result.accepted.push(accept(entry, operations)),
            Err(error) => {
                let claimed = entry.claims.iter().find_map(|claim| claim.name.clone());
                let name = claimed.or_else(|| first_name(&entry.text, limits));
                let mut reasons = error.into_reasons();
                entry.locate(&mut reasons);
                result.rejected.push(Reject {
                    ids: entry.ids,
                    name,
                    reasons,
                });
            }
        }
        progress(number + 1, total);
    }
    result
}

fn compile_entry(
    schema: &Schema,
    entry: &Entry,
    limits: Limits,
) -> Result<Vec<Operation>, InvalidDocument> {
    let operations = compile(schema, &entry.text, limits)?;
    let false_claims: Vec<_> = entry
        .claims
        .iter()
        .filter(|claim| {
            !operations
                .iter()
                .any(|operation| claim.holds_for(operation))
        })
        .map(|claim| Reason::new(claim.denial()))
        .collect();
    match false_claims.is_empty() {
        true => Ok(operations),
        false => Err(InvalidDocument::Invalid {
            reasons: false_claims,
        }),
    }
}

impl Entry {
    /// Makes reasons found in its text point at the file that it is from, if
    /// it was put together.
    pub fn locate(&self, reasons: &mut [Reason]) {
        if let Some(origin) = &self.origin {
            for reason in reasons {
                origin.resolve(&self.text, reason);
            }
        }
    }
}

impl Claim {
    /// Who reviews a manifest reads its names and types, so they must hold.
    fn holds_for(&self, operation: &Operation) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name| *name == operation.name)
            && self.kind.is_none_or(|kind| kind == operation.kind)
    }

    fn denial(&self) -> String {
        let kind = self.kind.map_or("operation", |kind| kind.as_str());
        let name = self.name.as_deref().unwrap_or_default();
        format!("the catalogue says `{kind} {name}`, but the text has no such operation")
    }
}

fn accept(entry: Entry, mut operations: Vec<Operation>) -> CompiledDocument {
    let mut clients = entry.clients;
    clients.sort_unstable();
    for operation in &mut operations {
        operation.clients.clone_from(&clients);
    }
    let mut aliases = entry.ids;
    aliases.retain(|id| matches!(DocumentId::parse(id), Ok(DocumentId::Alias(_))));
    CompiledDocument {
        hash: TextHash::of(entry.text.as_bytes()),
        text: entry.text,
        aliases,
        operations,
    }
}

/// Name of the first operation of a text that is not accepted.
fn first_name(text: &str, limits: Limits) -> Option<String> {
    if text.len() > limits.bytes {
        return None;
    }
    let document = limits.parser().parse_ast(text, "document.graphql");
    let document = document.unwrap_or_else(|invalid| invalid.partial);
    let mut operations = document
        .definitions
        .iter()
        .filter_map(Definition::as_operation_definition);
    operations.find_map(|operation| operation.name.as_ref().map(ToString::to_string))
}
