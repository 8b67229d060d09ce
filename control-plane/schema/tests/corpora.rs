//! Real schemas and catalogues: see `tests/corpora.rs`.

#![allow(clippy::unwrap_used, clippy::panic)] // all of it is tests

use std::path::Path;

use ig_contract::snapshot::OperationKind;
use ig_schema::catalogue::{Catalogue, Format, Import, import};
use ig_schema::{Limits, Schema};

#[path = "../../../tests/corpora.rs"]
mod folder;

use folder::corpora;

fn schema(path: &Path) -> Schema {
    let sdl = std::fs::read_to_string(path).unwrap();
    Schema::parse(&sdl, Limits::SCHEMA).unwrap_or_else(|invalid| panic!("{path:?}: {invalid}"))
}

fn catalogue(path: &Path) -> Catalogue {
    let text = std::fs::read_to_string(path).unwrap();
    Catalogue::parse(&text, None, Limits::CATALOGUE).unwrap()
}

fn imported(schema: &Schema, catalogue: Catalogue) -> Import {
    let total = catalogue.entries.len();
    let mut heard = 0;
    let import = import(schema, catalogue, Limits::DOCUMENT, &mut |done, of| {
        heard += 1;
        assert_eq!((done, of), (heard, total));
    });
    assert_eq!(heard, total);
    assert!(
        import
            .rejected
            .iter()
            .all(|reject| !reject.reasons.is_empty())
    );
    import
}

#[test]
fn linear_records() {
    let Some(folder) = corpora("linear_records") else {
        return;
    };
    let schema = schema(&folder.join("linear/2026-07-22.schema.graphql"));
    let catalogue = catalogue(&folder.join("linear/2026-07-22.operations.graphql"));
    let import = imported(&schema, catalogue);
    assert_eq!((import.accepted.len(), import.rejected.len()), (663, 0));
    let of_kind = |kind| {
        let documents = import.accepted.iter();
        documents
            .filter(|document| document.operations[0].kind == kind)
            .count()
    };
    assert_eq!(of_kind(OperationKind::Query), 340);
    assert_eq!(of_kind(OperationKind::Mutation), 323);
    for document in &import.accepted {
        assert_eq!(document.operations.len(), 1);
        let operation = &document.operations[0];
        assert!(!operation.actions.is_empty(), "{}", operation.name);
        assert!(operation.cost > 0, "{}", operation.name);
    }
}

#[test]
fn linear_versions() {
    let Some(folder) = corpora("linear_versions") else {
        return;
    };
    let linear = |name: &str| folder.join("linear").join(name);
    let old_on_new = imported(
        &schema(&linear("2026-07-22.schema.graphql")),
        catalogue(&linear("2026-06-10.operations.graphql")),
    );
    assert_eq!(
        (old_on_new.accepted.len(), old_on_new.rejected.len()),
        (650, 0)
    );
    let new_on_old = imported(
        &schema(&linear("2026-06-10.schema.graphql")),
        catalogue(&linear("2026-07-22.operations.graphql")),
    );
    assert_eq!(
        (new_on_old.accepted.len(), new_on_old.rejected.len()),
        (603, 60)
    );
    for reject in &new_on_old.rejected {
        assert!(reject.name.is_some());
        assert!(
            reject
                .reasons
                .iter()
                .all(|reason| reason.position.is_some())
        );
    }
}

#[test]
fn artsy_map() {
    let Some(folder) = corpora("artsy_map") else {
        return;
    };
    let path = folder.join("artsy/2020-08-08.queryMap.json");
    assert_eq!(
        Format::sniff(&std::fs::read_to_string(&path).unwrap()),
        Format::IdMap
    );
    let schema = schema(&folder.join("artsy/2020-08-08.schema.graphql"));
    let import = imported(&schema, catalogue(&path));
    // Some texts have two ids.
    let accepted = import
        .accepted
        .iter()
        .map(|document| document.aliases.len());
    let rejected = import.rejected.iter().map(|reject| reject.ids.len());
    assert_eq!(
        (accepted.sum::<usize>(), rejected.sum::<usize>()),
        (1036, 948)
    );
    assert_eq!((import.accepted.len(), import.rejected.len()), (1032, 948));
}

#[test]
fn github_schemas_parse() {
    let Some(folder) = corpora("github_schemas_parse") else {
        return;
    };
    let mut schemas = 0;
    for entry in std::fs::read_dir(folder.join("github")).unwrap() {
        schema(&entry.unwrap().path());
        schemas += 1;
    }
    assert_eq!(schemas, 16);
}
