//! GraphQL source as a catalogue.
//!
//! Each operation becomes a document: the operation's definition, then those
//! of the fragments it needs, however indirectly, by ascending name, without
//! what GraphQL ignores (see [`super::strip`]). So a text depends on neither
//! the order of files and definitions, nor formatting, comments or line ends,
//! nor a printer's version, all of which would change its hash; and upstreams
//! are not sent comments.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use apollo_compiler::ast::{Definition, Selection};
use apollo_compiler::parser::SourceSpan;
use ig_contract::snapshot::OperationKind;

use super::build::{Builder, Item};
use super::origin::{Origin, Part};
use super::strip::Stripped;
use super::{Catalogue, Claim, InvalidCatalogue};
use crate::document::kind;
use crate::reason::Locator;
use crate::{Limits, Position, Reason};

/// A file of GraphQL source.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name, for reports.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A definition: its text, where that is from, and the fragments it spreads.
struct Slice {
    part: Arc<Part>,
    spreads: BTreeSet<String>,
}

struct Operation {
    name: Option<String>,
    kind: OperationKind,
    slice: Slice,
}

#[derive(Default)]
struct Definitions {
    operations: Vec<Operation>,
    /// Definitions by name: more than one, where files disagree.
    fragments: BTreeMap<String, Vec<Slice>>,
}

pub(super) fn parse(text: &str, limits: Limits) -> Result<Catalogue, InvalidCatalogue> {
    let mut definitions = Definitions::default();
    definitions
        .add(text, None, limits)
        .map_err(|reasons| InvalidCatalogue::Syntax { reasons })?;
    Ok(definitions.assemble(Builder::default(), limits))
}

pub(super) fn parse_all(sources: &[Source<'_>], limits: Limits) -> Catalogue {
    let mut builder = Builder::default();
    let mut definitions = Definitions::default();
    for source in sources {
        let added = definitions.add(source.text, Some(source.name.into()), limits);
        for mut reason in added.err().unwrap_or_default() {
            reason.file = Some(source.name.to_owned());
            builder.reject(None, None, reason);
        }
    }
    definitions.assemble(builder, limits)
}

/// Fragments that no operation of the sources needs: what they select is never
/// asked for. Sources that do not parse have none.
pub fn unused_fragments(sources: &[Source<'_>], limits: Limits) -> Vec<Reason> {
    let mut definitions = Definitions::default();
    for source in sources {
        // What is wrong with it is said when it is compiled.
        drop(definitions.add(source.text, Some(source.name.into()), limits));
    }
    definitions.unused()
}

impl Definitions {
    fn unused(&self) -> Vec<Reason> {
        let operations = self.operations.iter();
        let mut work: Vec<&String> = operations.flat_map(|it| &it.slice.spreads).collect();
        let mut needed = BTreeSet::new();
        while let Some(name) = work.pop() {
            if needed.insert(name) {
                let slices = self.fragments.get(name).into_iter().flatten();
                work.extend(slices.flat_map(|slice| &slice.spreads));
            }
        }
        let unused = self.fragments.iter();
        unused
            .filter(|(name, _)| !needed.contains(name))
            .flat_map(|(name, slices)| {
                slices.iter().map(move |slice| Reason {
                    file: slice.part.file.as_deref().map(str::to_owned),
                    position: slice.part.stripped.position(0),
                    ..Reason::new(format!(
                        "no operation needs the fragment `{name}`: remove it"
                    ))
                })
            })
            .collect()
    }

    /// Adds the definitions of a file: all of them, or none and why.
    fn add(
        &mut self,
        text: &str,
        file: Option<Arc<str>>,
        limits: Limits,
    ) -> Result<(), Vec<Reason>> {
        if text.len() > limits.bytes {
            let (bytes, limit) = (text.len(), limits.bytes);
            let error = InvalidCatalogue::TooLarge { bytes, limit };
            return Err(vec![Reason::new(error)]);
        }
        let document = limits
            .parser()
            .parse_ast(text, "documents.graphql")
            .map_err(|invalid| Reason::list(&invalid.errors))?;
        let mut locator = Locator::new(&document.sources);
        let mut reasons = Vec::new();
        for definition in &document.definitions {
            if !definition.is_executable_definition() {
                let message = "type definitions are not part of a catalogue: is this a schema?";
                reasons.push(locator.reason(message, definition.location()));
            }
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let mut file = File {
            text,
            name: file,
            locator: Locator::new(&document.sources),
        };
        for definition in &document.definitions {
            self.define(definition, &mut file);
        }
        Ok(())
    }

    fn define(&mut self, definition: &Definition, file: &mut File<'_>) {
        match definition {
            Definition::OperationDefinition(operation) => self.operations.push(Operation {
                name: operation.name.as_ref().map(ToString::to_string),
                kind: kind(operation.operation_type),
                slice: file.slice(operation.location(), &operation.selection_set),
            }),
            Definition::FragmentDefinition(fragment) => {
                let slice = file.slice(fragment.location(), &fragment.selection_set);
                let known = self.fragments.entry(fragment.name.to_string()).or_default();
                if !known.iter().any(|known| known.text() == slice.text()) {
                    known.push(slice);
                }
            }
            _ => {}
        }
    }

    fn assemble(&self, mut builder: Builder, limits: Limits) -> Catalogue {
        let mut left = limits.bytes;
        let repeated = self.repeated();
        for operation in &self.operations {
            let claim = Claim {
                name: operation.name.clone(),
                kind: Some(operation.kind),
            };
            let text = match &operation.name {
                Some(name) if repeated.contains(name.as_str()) => {
                    Err(format!("conflict: there are several operations `{name}`"))
                }
                _ => self.text(operation, left),
            };
            match text {
                Ok((text, origin)) => {
                    left = left.saturating_sub(text.len());
                    builder.add(Item {
                        id: None,
                        text,
                        client: None,
                        claim,
                        origin: Some(origin),
                    });
                }
                Err(message) => builder.reject(None, claim.name, Reason::new(message)),
            }
        }
        builder.finish()
    }

    /// Names of operations that differ.
    fn repeated(&self) -> BTreeSet<&str> {
        let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
        let mut repeated = BTreeSet::new();
        for operation in &self.operations {
            let Some(name) = operation.name.as_deref() else {
                continue;
            };
            let text = operation.slice.text();
            if *texts.entry(name).or_insert(text) != text {
                repeated.insert(name);
            }
        }
        repeated
    }

    /// The document of an operation, of at most `limit` bytes. A fragment that
    /// is missing is left out: validation says it better.
    fn text(&self, operation: &Operation, limit: usize) -> Result<(String, Origin), String> {
        let mut needed: BTreeMap<&str, &Slice> = BTreeMap::new();
        let mut work: Vec<_> = operation.slice.spreads.iter().collect();
        while let Some(name) = work.pop() {
            match self.fragments.get(name).map(Vec::as_slice) {
                Some([slice]) => {
                    if needed.insert(name, slice).is_none() {
                        work.extend(&slice.spreads);
                    }
                }
                Some([_, _, ..]) => {
                    return Err(format!("conflict: there are several fragments `{name}`"));
                }
                Some([]) | None => {}
            }
        }
        let slices = || std::iter::once(&operation.slice).chain(needed.values().copied());
        let length = slices().map(|slice| slice.text().len()).sum();
        if length > limit {
            return Err("the catalogue's documents are larger than its limit".to_owned());
        }
        let mut text = String::with_capacity(length);
        let mut origin = Origin::default();
        // A definition ends with a brace, so nothing need stand behind it.
        for slice in slices() {
            origin.push(text.len(), Arc::clone(&slice.part));
            text.push_str(slice.text());
        }
        Ok((text, origin))
    }
}

/// A file while its definitions are taken out.
struct File<'a> {
    text: &'a str,
    name: Option<Arc<str>>,
    locator: Locator<'a>,
}

impl File<'_> {
    fn slice(&mut self, span: Option<SourceSpan>, selections: &[Selection]) -> Slice {
        let range = span.map(|span| span.offset()..span.end_offset());
        let source = range.and_then(|range| self.text.get(range));
        let start = span.and_then(|span| self.locator.position(span));
        let start = start.unwrap_or(Position::START);
        let mut spreads = BTreeSet::new();
        // Nesting is bounded by the parser.
        collect_spreads(selections, &mut spreads);
        Slice {
            part: Arc::new(Part {
                file: self.name.clone(),
                stripped: Stripped::new(source.unwrap_or_default(), start),
            }),
            spreads,
        }
    }
}

impl Slice {
    fn text(&self) -> &str {
        &self.part.stripped.text
    }
}

fn collect_spreads(selections: &[Selection], spreads: &mut BTreeSet<String>) {
    for selection in selections {
        match selection {
            Selection::Field(field) => collect_spreads(&field.selection_set, spreads),
            Selection::InlineFragment(inline) => collect_spreads(&inline.selection_set, spreads),
            Selection::FragmentSpread(spread) => {
                spreads.insert(spread.fragment_name.to_string());
            }
        }
    }
}
