use ig_contract::snapshot::OperationKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::build::{Builder, Item};
use super::id_map::Pairs;
use super::{Catalogue, Claim, InvalidCatalogue};
use crate::Reason;

const FORMAT: &str = "apollo-persisted-query-manifest";

#[derive(Deserialize)]
#[serde(expecting = "a manifest")]
struct Manifest<'a> {
    format: String,
    #[serde(borrow)]
    version: &'a RawValue,
    #[serde(borrow)]
    operations: Vec<&'a RawValue>,
}

/// An entry. Repeated members are an error, other members are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an operation")]
struct Entry {
    id: String,
    body: String,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<OperationKind>,
    client_name: Option<String>,
}

/// Whether a JSON object is meant to be a manifest, of whatever version.
pub(super) fn is_manifest(json: &str) -> bool {
    let members: Result<Pairs<'_>, _> = serde_json::from_str(json);
    let is_known = |name: &str| matches!(name, "format" | "version" | "operations");
    members.is_ok_and(|members| members.0.iter().any(|(name, _)| is_known(name)))
}

pub(super) fn parse(json: &str) -> Result<Catalogue, InvalidCatalogue> {
    let manifest: Manifest<'_> = serde_json::from_str(json)?;
    if manifest.format != FORMAT || manifest.version.get() != "1" {
        return Err(InvalidCatalogue::Manifest {
            format: manifest.format,
            version: manifest.version.get().to_owned(),
        });
    }
    let mut builder = Builder::default();
    for (number, entry) in manifest.operations.iter().enumerate() {
        match serde_json::from_str::<Entry>(entry.get()) {
            Ok(entry) => builder.add(Item {
                id: Some(entry.id),
                text: entry.body,
                client: entry.client_name,
                claim: Claim {
                    name: entry.name,
                    kind: entry.kind,
                },
                origin: None,
            }),
            Err(error) => {
                let reason = Reason::new(format!("operation {number} of the manifest: {error}"));
                builder.reject(None, None, reason);
            }
        }
    }
    Ok(builder.finish())
}
