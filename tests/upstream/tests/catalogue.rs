//! The catalogue beside the schema it was written for: hashes, texts,
//! validity, and that the SDL and the executable schema are the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

use std::{collections::BTreeMap, fs, path::PathBuf};

use async_graphql::Positioned;
use async_graphql::parser::{
    parse_query, parse_schema,
    types::{
        DocumentOperations, FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition,
    },
};
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use ig_demo_upstream::Options;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u32,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    id: String,
    body: String,
    name: String,
    r#type: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../persisted-queries")
}

fn manifest() -> Manifest {
    serde_json::from_str(&fs::read_to_string(root().join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn the_manifest_is_apollos_format() {
    let manifest = manifest();
    assert_eq!(manifest.format, "apollo-persisted-query-manifest");
    assert_eq!(manifest.version, 1);
}

#[test]
fn ids_are_the_hashes_of_the_bodies() {
    for operation in manifest().operations {
        assert_eq!(
            operation.id,
            hex::encode(Sha256::digest(&operation.body)),
            "{}",
            operation.name
        );
    }
}

#[test]
fn bodies_are_the_files() {
    let mut files: BTreeMap<String, String> = fs::read_dir(root().join("operations"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(path.extension().unwrap(), "graphql");
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap().trim().to_owned())
        })
        .collect();
    for operation in manifest().operations {
        let file = files.remove(&operation.name);
        assert_eq!(
            file.as_deref(),
            Some(&*operation.body),
            "{}",
            operation.name
        );
    }
    assert!(files.is_empty(), "not in the manifest: {:?}", files.keys());
}

#[test]
fn names_and_types_are_those_of_the_documents() {
    for operation in manifest().operations {
        let document = parse_query(&operation.body).unwrap();
        let DocumentOperations::Multiple(operations) = document.operations else {
            panic!("{} has no name", operation.name);
        };
        assert_eq!(operations.len(), 1, "{}", operation.name);
        let definition = &operations[operation.name.as_str()];
        assert_eq!(
            definition.node.ty.to_string(),
            operation.r#type,
            "{}",
            operation.name
        );
    }
}

/// Variables under which an operation of the catalogue gives data to alpha.
fn variables(operation: &str) -> Value {
    match operation {
        "CaseById" => json!({"id": "case-1"}),
        "AssetById" => json!({"id": "asset-1"}),
        "AssetsByCase" => json!({"caseId": "case-1", "first": 1}),
        "CreateAsset" => {
            json!({"input": {"caseId": "case-1", "label": "x", "retention": "short-30d"}})
        }
        "CreateAssets" => json!({"inputs": [
            {"caseId": "case-1", "label": "x", "kind": "image", "retention": "short-30d", "pii": true},
            {"caseId": "case-2", "label": "y", "retention": null},
        ]}),
        "ExportAssets" => json!({"ids": ["asset-1", "asset-3"]}),
        "CrossTenantSearch" => json!({"term": "harbour"}),
        "CaseEvents" => json!({"caseId": "case-1", "count": 2}),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_operation_executes() {
    for operation in manifest().operations {
        let accept = match operation.r#type.as_str() {
            "subscription" => "text/event-stream",
            _ => "application/graphql-response+json",
        };
        let body = json!({"query": operation.body, "variables": variables(&operation.name)});
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("x-ig-tenant", "alpha")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = ig_demo_upstream::router(Options::default())
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", operation.name);
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!text.contains("\"errors\""), "{}: {text}", operation.name);
        assert!(text.contains("\"data\""), "{}: {text}", operation.name);
    }
}

/// Every type with its fields, their arguments, types and default values.
fn shape(sdl: &str) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::new();
    for definition in parse_schema(sdl).unwrap().definitions {
        // Directive definitions are the guard's, the schema block says what names say.
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let mut members = match definition.node.kind {
            TypeKind::Object(object) => object.fields.iter().map(field).collect::<Vec<_>>(),
            TypeKind::InputObject(object) => object.fields.iter().map(input).collect(),
            TypeKind::Scalar => vec!["scalar".to_owned()],
            _ => panic!(
                "a kind of type this test does not know: {}",
                definition.node.name
            ),
        };
        members.sort();
        types.insert(definition.node.name.to_string(), members);
    }
    types
}

fn field(field: &Positioned<FieldDefinition>) -> String {
    let field = &field.node;
    let arguments: Vec<_> = field.arguments.iter().map(input).collect();
    format!("{}({}): {}", field.name, arguments.join(", "), field.ty)
}

fn input(value: &Positioned<InputValueDefinition>) -> String {
    let value = &value.node;
    let default = value
        .default_value
        .as_ref()
        .map(|default| format!(" = {default}"));
    format!(
        "{}: {}{}",
        value.name,
        value.ty,
        default.unwrap_or_default()
    )
}

#[test]
fn the_sdl_is_the_executable_schema() {
    let sdl = fs::read_to_string(root().join("schema.graphql")).unwrap();
    assert_eq!(shape(&sdl), shape(&ig_demo_upstream::sdl()));
}
