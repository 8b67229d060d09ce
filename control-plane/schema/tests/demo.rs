//! The catalogue of the demo compiles on its schema.

use std::path::Path;

use ig_schema::catalogue::{Catalogue, Format, import};
use ig_schema::{Limits, Schema};

#[test]
fn every_operation_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../persisted-queries");
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let schema =
        Schema::parse(&read("schema.graphql"), Limits::SCHEMA).unwrap_or_else(|e| panic!("{e}"));
    let text = read("manifest.json");
    let catalogue =
        Catalogue::parse(&text, Some(Format::ApolloManifest), Limits::CATALOGUE).unwrap();
    let import = import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| {});
    assert_eq!(import.rejected, []);
    for document in &import.accepted {
        assert_eq!(document.operations.len(), 1, "{}", document.text);
    }
    let operations = import
        .accepted
        .iter()
        .flat_map(|document| &document.operations);
    let actions: Vec<_> = operations
        .flat_map(|operation| &operation.actions)
        .map(|action| action.name.as_str())
        .collect();
    for action in [
        "query:case",
        "mutation:createAsset",
        "export:assets",
        "crossTenant:search",
    ] {
        assert!(actions.contains(&action), "{action}");
    }
}
