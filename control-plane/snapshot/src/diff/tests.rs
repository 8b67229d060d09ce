use std::collections::BTreeMap;

use ig_contract::snapshot::{
    DocumentSource, Head, Identity, Limits, Modes, OperationKind, SnapshotSource, Tenant,
};

use super::*;

fn operation(name: &str, cost: u32) -> Operation {
    Operation {
        name: name.into(),
        kind: OperationKind::Query,
        actions: Vec::new(),
        step_up: false,
        cross_tenant: false,
        cost,
        sizes: Vec::new(),
        terms: Vec::new(),
        variables: Vec::new(),
        facts: Vec::new(),
        resources: Vec::new(),
        clients: Vec::new(),
    }
}

fn snapshot(region: &str, program: &[u8], texts: &[(&str, &str, u32)]) -> Snapshot {
    let documents = texts.iter().map(|(text, name, cost)| {
        let document = DocumentSource {
            text: (*text).into(),
            embed: true,
            operations: vec![operation(name, *cost)],
        };
        (TextHash::of(text.as_bytes()), document)
    });
    let tenant = Tenant {
        region: Some(region.into()),
        ..Tenant::default()
    };
    let source = SnapshotSource {
        head: Head {
            graph: "g".into(),
            schema_tag: "t".into(),
            policy_revision: "1".into(),
            endpoint: "/graphql".into(),
            limits: Limits::default(),
            identity: Identity::default(),
            modes: Modes::default(),
            tenants: BTreeMap::from([("alpha".into(), tenant)]),
            texts: None,
            directory: None,
            step_up: None,
            rate_limit: None,
            residency: None,
            subscriptions: None,
        },
        program: program.to_vec(),
        documents: documents.collect(),
        aliases: BTreeMap::new(),
    };
    Snapshot::decode(source.encode().unwrap()).unwrap()
}

#[test]
fn everything_that_changed() {
    let before = snapshot(
        "eu",
        b"p",
        &[
            ("same", "Same", 1),
            ("cost", "Cost", 1),
            ("old text", "Text", 1),
            ("gone", "Gone", 1),
        ],
    );
    let after = snapshot(
        "us",
        b"q",
        &[
            ("same", "Same", 1),
            ("cost", "Cost", 2),
            ("new text", "Text", 1),
            ("new", "New", 1),
        ],
    );
    let diff = diff(&before, &after);
    assert!(diff.policy_changed);
    let change = |path: &str, before: Value, after: Value| Change {
        path: path.into(),
        before: Some(before),
        after: Some(after),
    };
    assert_eq!(
        diff.head,
        [change("tenants.alpha.region", "eu".into(), "us".into())]
    );
    let names = |ids: &[OperationId]| ids.iter().map(|id| id.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&diff.added), names(&diff.removed)),
        (vec!["New".into()], vec!["Gone".into()])
    );
    let hash = |text: &str| Value::from(TextHash::of(text.as_bytes()).to_string());
    let changed: Vec<_> = diff
        .changed
        .iter()
        .map(|one| (one.operation.name.as_str(), one.changes.as_slice()))
        .collect();
    assert_eq!(
        changed,
        [
            ("Cost", &[change("cost", 1.into(), 2.into())][..]),
            (
                "Text",
                &[change("text", hash("old text"), hash("new text"))][..]
            ),
        ]
    );
}

#[test]
fn nothing_changed() {
    let one = || snapshot("eu", b"p", &[("same", "Same", 1)]);
    assert!(diff(&one(), &one()).is_empty());
}
