//! Apollo manifests, version 1.

use std::path::Path;

use anyhow::Result;
use ig_contract::snapshot::OperationKind;
use ig_schema::catalogue::CompiledDocument;
use serde::Serialize;

use super::read::{Imported, report_rejects};
use crate::output::{self, count};
use crate::{Outcome, files};

#[derive(Serialize)]
struct Manifest {
    format: &'static str,
    version: u32,
    operations: Vec<Entry>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    body: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
}

/// Writes what is accepted, and reports the rest.
pub(super) fn write(imported: Vec<Imported>, path: &Path) -> Result<Outcome> {
    let rejects = report_rejects(&imported);
    let mut operations: Vec<Entry> = imported
        .into_iter()
        .flat_map(|one| one.import.accepted)
        .flat_map(entries)
        .collect();
    operations.sort_by(|left, right| (&left.name, left).cmp(&(&right.name, right)));
    operations.dedup();
    let many = operations.len();
    let manifest = Manifest {
        format: "apollo-persisted-query-manifest",
        version: 1,
        operations,
    };
    files::write(
        path,
        (serde_json::to_string_pretty(&manifest)? + "\n").as_bytes(),
    )?;
    if path != "-" {
        output::line(format!("{}: {}", path.display(), count(many, "operation")))?;
    }
    Ok(Outcome::clean_if(rejects == 0))
}

/// One entry for each id and client. The first operation of a document with
/// several gives name and type, which is all that the format has room for.
fn entries(document: CompiledDocument) -> Vec<Entry> {
    let CompiledDocument {
        hash,
        text,
        aliases,
        operations,
    } = document;
    let first = operations.first();
    let name = first
        .map(|operation| operation.name.clone())
        .unwrap_or_default();
    let kind = first
        .map_or(OperationKind::Query, |operation| operation.kind)
        .as_str();
    let mut clients: Vec<Option<String>> = first
        .into_iter()
        .flat_map(|operation| operation.clients.iter().cloned().map(Some))
        .collect();
    if clients.is_empty() {
        clients.push(None);
    }
    let ids = match aliases.is_empty() {
        true => vec![hash.to_string()],
        false => aliases,
    };
    let entry = |id: &String, client_name: &Option<String>| Entry {
        id: id.clone(),
        body: text.clone(),
        name: name.clone(),
        kind,
        client_name: client_name.clone(),
    };
    ids.iter()
        .flat_map(|id| clients.iter().map(move |client| entry(id, client)))
        .collect()
}
