use ig_contract::DocumentId;
use ig_schema::catalogue::{Catalogue, import};
use ig_schema::{Limits, Schema};

use super::*;

const SDL: &str = "type Query { a: Int b: Int }";
const CONFIG: &str = "version = 1\ngraph = \"demo\"\nschema-tag = \"dev\"\nendpoint = \"/graphql\"\n\
    [tenants.alpha]\npurposes = [\"audit\"]\n";
const STORE: &str =
    "[texts.store]\ncluster = \"texts\"\nauthority = \"texts\"\npath-prefix = \"/t/\"\n";

fn bundle() -> Bundle {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        (
            "ig.rego",
            "package ig\ndefault decision := {\"allow\": false, \"rule\": \"default\", \"obligations\": []}\n",
        ),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    Bundle::from_files(files.into()).unwrap()
}

fn read(catalogue: &str) -> Import {
    let schema = Schema::parse(SDL, Limits::SCHEMA).unwrap();
    let catalogue = Catalogue::parse(catalogue, None, Limits::CATALOGUE).unwrap();
    import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| {})
}

fn build(config: &str, catalogues: &[&str]) -> Result<Compiled, NotCompiled> {
    let config = Config::parse(config).unwrap();
    let imports = catalogues.iter().map(|catalogue| read(catalogue)).collect();
    compile(Input {
        config: &config,
        imports,
        bundle: &bundle(),
    })
}

fn manifest(id: &str, body: &str, client: &str) -> String {
    format!(
        r#"{{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
            {{"id": "{id}", "name": "Q", "type": "query", "body": "{body}", "clientName": "{client}"}}]}}"#
    )
}

#[test]
fn a_snapshot_is_compiled() {
    let compiled = build(CONFIG, &[r#"{"one": "query Q { a }"}"#, "query R { b }"]).unwrap();
    let snapshot = &compiled.snapshot;
    assert_eq!(
        (snapshot.document_count(), snapshot.operation_count()),
        (2, 2)
    );
    assert_eq!(snapshot.head().policy_revision, "r1");
    assert!(snapshot.find(&DocumentId::Alias("one".into())).is_some());
    assert!(compiled.remote_texts.is_empty());
}

#[test]
fn the_order_of_catalogues_does_not_matter() {
    let (one, two) = (
        manifest("x", "query Q { a }", "web"),
        manifest("x", "query Q { a }", "ios"),
    );
    let bytes = build(CONFIG, &[&one, &two]).unwrap().bytes;
    let compiled = build(CONFIG, &[&two, &one]).unwrap();
    assert_eq!(compiled.bytes, bytes);
    let document = compiled.snapshot.iter().next().unwrap();
    let operation = compiled
        .snapshot
        .operation(document.operations().next().unwrap())
        .unwrap();
    assert_eq!(operation.clients, ["ios", "web"]);
}

#[test]
fn an_id_with_two_texts_is_refused() {
    let (one, two) = (r#"{"x": "query Q { a }"}"#, r#"{"x": "query Q { b }"}"#);
    let error = build(CONFIG, &[one, two]).err().unwrap().to_string();
    assert!(
        error.starts_with("x: two catalogues have this id"),
        "{error}"
    );
}

#[test]
fn texts_can_go_to_a_store() {
    let compiled = build(&format!("{CONFIG}{STORE}"), &["query Q { a }"]).unwrap();
    let [text] = compiled.remote_texts.as_slice() else {
        panic!()
    };
    assert_eq!(text.hash, TextHash::of(text.text.as_bytes()));
    assert!(compiled.snapshot.head().texts.is_some());
}
