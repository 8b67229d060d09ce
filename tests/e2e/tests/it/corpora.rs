//! Real operations: see `tests/corpora.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::StreamExt as _;
use ig_contract::TextHash;
use ig_contract::snapshot::{DocumentSource, OperationKind};
use ig_e2e::{Fixture, demo};
use ig_schema::catalogue::{Catalogue, Source, import};
use ig_schema::{Limits, Schema};
use serde_json::{Value, json};

use crate::folder::corpora;
use crate::gateway::{ALLOWED, Gateway, denied};
use crate::skip;

/// The folder of one of them.
fn linear(test: &str) -> Option<PathBuf> {
    corpora(test).map(|folder| folder.join("linear"))
}

fn documents(folder: &std::path::Path, embed: bool) -> BTreeMap<String, DocumentSource> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let schema = Schema::parse(&read("2026-07-22.schema.graphql"), Limits::SCHEMA).unwrap();
    let text = read("2026-07-22.operations.graphql");
    let source = Source {
        name: "operations.graphql",
        text: &text,
    };
    let catalogue = Catalogue::from_sources(&[source], Limits::CATALOGUE);
    let imported = import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| ());
    assert_eq!(imported.rejected.len(), 0);
    let documents = imported.accepted.into_iter();
    documents
        .map(|document| (document.hash.to_string(), document.into_source(embed)))
        .collect()
}

async fn check(mut fixture: Fixture, documents: BTreeMap<String, DocumentSource>) {
    let kinds = |kind| {
        documents
            .values()
            .flat_map(|document| &document.operations)
            .filter(|one| one.kind == kind)
            .count()
    };
    assert_eq!(
        (kinds(OperationKind::Query), kinds(OperationKind::Mutation)),
        (340, 323)
    );
    for (hash, document) in &documents {
        if !document.embed {
            fixture
                .recorder
                .serve_text(hash.clone(), document.text.clone());
        }
        fixture.add_document(hash, document.clone());
    }
    let gateway = Gateway::start(fixture, |_| ()).await;
    let gateway = &gateway;
    let by_id = documents.keys().map(|hash| async move {
        let outcome = gateway.send_id(hash).await;
        assert_eq!(outcome.verdict(), ALLOWED, "{hash}");
        let [seen] = outcome.seen.as_slice() else {
            panic!("{hash}: {}", outcome.seen.len())
        };
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["operationName", "query", "variables"]);
        let query = body["query"].as_str().unwrap();
        assert_eq!(TextHash::of(query.as_bytes()).to_string(), *hash);
    });
    let sent = futures_util::stream::iter(by_id)
        .buffer_unordered(16)
        .count()
        .await;
    assert_eq!(sent, 663);
    let before = gateway.fixture.recorder.total();
    let by_text = documents.values().map(|document| async move {
        let body = json!({"query": document.text}).to_string();
        let outcome = gateway.send(gateway.request(&body)).await;
        assert_eq!(
            outcome.verdict(),
            denied(400, "PERSISTED_QUERY_ID_REQUIRED")
        );
    });
    let refused = futures_util::stream::iter(by_text)
        .buffer_unordered(16)
        .count()
        .await;
    assert_eq!((refused, gateway.fixture.recorder.total()), (663, before));
    println!("Linear: {sent} by id reached the upstream, {refused} as text did not");
}

#[tokio::test(flavor = "multi_thread")]
async fn linear_by_id_and_not_as_text() {
    let Some(folder) = linear("linear_by_id_and_not_as_text").filter(|_| skip::ready()) else {
        return;
    };
    check(demo().await.unwrap(), documents(&folder, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linear_with_texts_in_a_store_and_room_for_few() {
    let Some(folder) =
        linear("linear_with_texts_in_a_store_and_room_for_few").filter(|_| skip::ready())
    else {
        return;
    };
    let mut fixture = demo().await.unwrap();
    if let Some(store) = &mut fixture.head.texts {
        store.cache_bytes = 64 * 1024;
    }
    check(fixture, documents(&folder, false)).await;
}
