use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn operation(name: &str) -> Operation {
    Operation {
        name: name.into(),
        kind: OperationKind::Mutation,
        actions: vec![Action {
            name: "mutation:createAsset".into(),
            purposes: vec!["investigation".into()],
        }],
        step_up: false,
        cross_tenant: false,
        cost: 7,
        sizes: vec![super::ListSize {
            at_least: 1,
            asked: vec![super::AskedSize {
                variables: vec![("n".into(), Some(2))],
                assumed: 10,
            }],
        }],
        terms: vec![super::CostTerm {
            weight: 3_500,
            sizes: vec![0],
        }],
        variables: vec!["input".into()],
        facts: vec![
            Fact {
                name: "retention".into(),
                source: FactSource::Variable(VariablePath {
                    variable: "input".into(),
                    default: None,
                    steps: vec![
                        PathStep::Each,
                        PathStep::Field {
                            name: "retention".into(),
                            default: Some("\"short-30d\"".into()),
                        },
                    ],
                }),
            },
            Fact {
                name: "pii".into(),
                source: FactSource::Literal("true".into()),
            },
        ],
        resources: vec![Resource {
            pii: true,
            retention: None,
            license_class: Some("cc-by".into()),
        }],
        clients: vec![],
    }
}

fn head() -> Head {
    Head {
        graph: "demo".into(),
        schema_tag: "v1".into(),
        policy_revision: "p1".into(),
        endpoint: "/graphql".into(),
        limits: Limits::default(),
        identity: Identity::default(),
        modes: Modes::default(),
        tenants: BTreeMap::from([(
            "alpha".into(),
            Tenant {
                region: Some("eu-west-1".into()),
                purposes: ["investigation".to_owned()].into(),
                ..Tenant::default()
            },
        )]),
        texts: Some(TextStore {
            cluster: "texts".into(),
            authority: "texts.internal".into(),
            path_prefix: "/texts/".into(),
            timeout_ms: 500,
            cache_bytes: 1 << 20,
        }),
        directory: None,
        step_up: None,
        rate_limit: None,
        residency: None,
        subscriptions: None,
    }
}

fn source() -> SnapshotSource {
    let documents = [
        (
            "mutation A($input: [I]) { createAsset(input: $input) { id } }",
            true,
            vec!["A"],
        ),
        ("query A { a } query B { b }", true, vec!["A", "B"]),
        ("{ remote }", false, vec![""]),
    ];
    let documents: BTreeMap<_, _> = documents
        .into_iter()
        .map(|(text, embed, names)| {
            let operations = names.into_iter().map(operation).collect();
            let document = DocumentSource {
                text: text.into(),
                embed,
                operations,
            };
            (TextHash::of(text.as_bytes()), document)
        })
        .collect();
    let aliases = BTreeMap::from([
        (
            "9a0364b9e99bb480dd25e1f0284c8555".into(),
            TextHash::of(b"{ remote }"),
        ),
        ("x-dangling".into(), TextHash::of(b"nothing")),
    ]);
    SnapshotSource {
        head: head(),
        program: vec![1, 2, 3],
        documents,
        aliases,
    }
}

fn id(id: &str) -> DocumentId {
    DocumentId::parse(id).unwrap()
}

#[test]
fn round_trip() {
    let source = source();
    let snapshot = Snapshot::decode(source.encode().unwrap()).unwrap();
    assert_eq!(snapshot.head(), &source.head);
    assert_eq!(snapshot.program(), source.program);
    assert_eq!(
        (snapshot.document_count(), snapshot.operation_count()),
        (3, 4)
    );
    for (hash, document) in &source.documents {
        let found = snapshot.find(&DocumentId::Sha256(*hash)).unwrap();
        assert_eq!(found.hash, *hash);
        let operations: Vec<_> = found
            .operations()
            .map(|index| snapshot.operation(index).unwrap())
            .collect();
        assert_eq!(operations, document.operations);
        let expected = match document.embed {
            true => Text::Embedded(&document.text),
            false => Text::Remote {
                bytes: document.text.len() as u32,
            },
        };
        assert_eq!(snapshot.text(&found), Some(expected));
    }
    let alias = snapshot
        .find(&id("9a0364b9e99bb480dd25e1f0284c8555"))
        .unwrap();
    assert_eq!(alias.hash, TextHash::of(b"{ remote }"));
    assert_eq!(snapshot.find(&id("x-dangling")), None);
    assert_eq!(
        snapshot.find(&DocumentId::Sha256(TextHash::of(b"unknown"))),
        None
    );
}

fn keys(names: &[&str]) -> Vec<VerificationKey> {
    let key = |name: &&str| VerificationKey {
        kid: (*name).into(),
        x: format!("{name}-point"),
    };
    names.iter().map(key).collect()
}

/// Other keys are another head, and nothing else.
#[test]
fn keys_change_the_head_only() {
    let mut source = source();
    let without = Snapshot::decode(source.encode().unwrap()).unwrap();
    assert_eq!(without.with_keys(&keys(&["a"])), Ok(None));
    source.head.step_up = Some(StepUp {
        issuer: "https://ig.example".into(),
        keys: keys(&["a"]),
        single_use: ["case:*".to_owned()].into(),
        max_age_seconds: 60,
        acr: crate::step_up::Acr::Hardware,
    });
    let before = source.encode().unwrap();
    let snapshot = Snapshot::decode(before.clone()).unwrap();
    assert_eq!(snapshot.with_keys(&keys(&["a"])), Ok(None));
    for next in [&["a", "b"][..], &["b"], &[]] {
        let bytes = snapshot.with_keys(&keys(next)).unwrap().unwrap();
        let rekeyed = Snapshot::decode(bytes.clone()).unwrap();
        assert_ne!(rekeyed.revision(), snapshot.revision());
        // As if it had been compiled with them.
        source.head.step_up.as_mut().unwrap().keys = keys(next);
        assert_eq!(rekeyed.head(), &source.head);
        assert_eq!(bytes, source.encode().unwrap());
        let behind = |snapshot: &Snapshot, bytes: &[u8]| {
            let head = snapshot.sections.head.of(&snapshot.bytes).len();
            (bytes[12..36].to_vec(), bytes[36 + head..].to_vec())
        };
        assert_eq!(behind(&rekeyed, &bytes), behind(&snapshot, &before));
        // And back.
        let back = rekeyed.with_keys(&keys(&["a"])).unwrap();
        assert_eq!(back.as_ref(), Some(&before));
    }
}

/// The bytes of version 2. If this fails, the
/// format changed: raise `FORMAT_VERSION` and add a golden file beside it.
#[test]
fn golden_bytes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/snapshot-v2.igsnap");
    let bytes = source().encode().unwrap();
    if std::env::var_os("IG_BLESS").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    assert_eq!(bytes, std::fs::read(path).unwrap());
}

#[test]
fn the_version_before_is_read_and_written() {
    let recorded = include_bytes!("../../testdata/snapshot-v1.igsnap");
    let first = Snapshot::decode(recorded.to_vec()).unwrap();
    assert_eq!((first.version(), version_of(recorded)), (1, Some(1)));
    assert!(first.operation_count() > 0);
    for document in first.iter() {
        for index in document.operations() {
            let operation = first.operation(index).unwrap();
            assert!(operation.sizes.is_empty() && operation.terms.is_empty());
        }
    }
    // Another head leaves it what it is.
    let again = first.with_head(first.head()).unwrap();
    assert_eq!(again, recorded);

    // What version 2 has more is left out where nobody asks for it.
    let mut source = source();
    let formats = |text: &str| text.parse::<Formats>().unwrap();
    let second = Snapshot::decode(source.encode().unwrap()).unwrap();
    let older = second.for_formats(formats("1-1")).unwrap().unwrap();
    assert_eq!(version_of(&older), Some(1));
    let older = Snapshot::decode(older).unwrap();
    assert_eq!(older.head(), second.head());
    assert_eq!(older.program(), second.program());
    for (one, other) in older.iter().zip(second.iter()) {
        assert_eq!(
            (one.hash, older.text(&one)),
            (other.hash, second.text(&other))
        );
        for (one, other) in one.operations().zip(other.operations()) {
            let mut expected = second.operation(other).unwrap();
            expected.sizes.clear();
            expected.terms.clear();
            assert_eq!(older.operation(one).unwrap(), expected);
        }
    }
    // Who reads it has it as it is; who reads neither has nothing.
    let own = second.for_formats(formats("1-2")).unwrap();
    assert_eq!(own.unwrap(), source.encode().unwrap());
    assert_eq!(second.for_formats(formats("3-4")).unwrap(), None);
    assert_eq!(first.for_formats(formats("2-2")).unwrap(), None);

    // Where something is limited, costs count.
    source.head.rate_limit = Some(RateLimit {
        classes: BTreeMap::new(),
        clients: BTreeMap::new(),
        slots: RateLimit::default_slots(),
    });
    let limited = Snapshot::decode(source.encode().unwrap()).unwrap();
    let grows = |index| !limited.operation(index).unwrap().terms.is_empty();
    assert!(limited.iter().any(|one| one.operations().any(grows)));
    assert_eq!(limited.for_formats(formats("1-1")).unwrap(), None);
}

#[test]
fn other_versions_say_what_to_do() {
    for (version, expected) in [(0, "compile the snapshot again"), (3, "upgrade the module")] {
        let mut bytes = source().encode().unwrap();
        bytes[6] = version;
        let error = Snapshot::decode(bytes).err().unwrap().to_string();
        let named = format!("format version {version}, but this build reads 1-2");
        assert!(
            error.contains(&named) && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = source().encode().unwrap();
    for length in 0..bytes.len() {
        assert!(
            Snapshot::decode(bytes[..length].to_vec()).is_err(),
            "{length} bytes"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(
        Snapshot::decode(longer),
        Err(InvalidSnapshot::Length)
    ));
}

#[test]
fn what_the_tables_promise_is_checked() {
    let mut wrong_text = source();
    let document = wrong_text
        .documents
        .values_mut()
        .find(|document| document.embed)
        .unwrap();
    document.text.push(' ');
    let mut no_store = source();
    no_store.head.texts = None;
    let mut twice = source();
    for document in twice.documents.values_mut() {
        document.operations.push(operation("B"));
        document.operations.push(operation("B"));
    }
    let mut none = source();
    none.documents
        .values_mut()
        .for_each(|document| document.operations.clear());
    let cases: [(SnapshotSource, &str); 4] = [
        (wrong_text, "does not have its hash"),
        (no_store, "names no text store"),
        (twice, "two operations of one name"),
        (none, "points outside"),
    ];
    for (source, expected) in cases {
        let error = Snapshot::decode(source.encode().unwrap())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut version = source().encode().unwrap();
    version[6] = 3;
    assert!(matches!(
        Snapshot::decode(version),
        Err(InvalidSnapshot::Version { found: 3 })
    ));
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(position: prop::sample::Index, value: u8, second: prop::sample::Index) {
        let mut bytes = source().encode().unwrap();
        let at = position.index(bytes.len());
        bytes[at] = value;
        let at = second.index(bytes.len());
        bytes[at] ^= 0x80;
        if let Ok(snapshot) = Snapshot::decode(bytes) {
            for document in snapshot.iter() {
                prop_assert!(snapshot.text(&document).is_some());
                prop_assert!(document.operations().all(|index| snapshot.operation(index).is_some()));
            }
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Snapshot::decode(bytes.clone());
        let mut headed = source().encode().unwrap()[..36].to_vec();
        headed.extend(bytes);
        let _ = Snapshot::decode(headed);
    }
}
