//! Any bytes as a snapshot: an error, or a snapshot on which no look-up fails.
#![no_main]

use std::collections::BTreeSet;

use ig_contract::snapshot::{DocumentSource, SnapshotSource, Text};
use ig_contract::{DocumentId, Snapshot, TextHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(snapshot) = Snapshot::decode(bytes.to_vec()) else { return };
    assert_eq!(snapshot.byte_count(), bytes.len());
    assert_eq!(snapshot.revision().0, TextHash::of(bytes));
    let documents: Vec<_> = snapshot.iter().collect();
    assert_eq!(documents.len(), snapshot.document_count());
    let mut source = SnapshotSource {
        head: snapshot.head().clone(),
        program: snapshot.program().to_vec(),
        documents: Default::default(),
        aliases: Default::default(),
    };
    let mut operation_count = 0;
    for document in &documents {
        assert_eq!(snapshot.find(&DocumentId::Sha256(document.hash)), Some(*document));
        let operations: Vec<_> = document
            .operations()
            .map(|index| snapshot.operation(index).expect("an operation of a document decodes"))
            .collect();
        let names: BTreeSet<_> = operations.iter().map(|operation| &operation.name).collect();
        assert_eq!(names.len(), operations.len(), "no name twice in a document");
        assert!(!operations.is_empty());
        operation_count += operations.len();
        let (text, embed) = match snapshot.text(document).expect("a document has its text") {
            Text::Embedded(text) => {
                assert_eq!(TextHash::of(text.as_bytes()), document.hash);
                (text.to_owned(), true)
            }
            Text::Remote { .. } => {
                assert!(snapshot.head().texts.is_some());
                (String::new(), false)
            }
        };
        source.documents.insert(document.hash, DocumentSource { text, embed, operations });
    }
    assert_eq!(operation_count, snapshot.operation_count(), "no operation without a document");
    for absent in [&b""[..], bytes] {
        let hash = TextHash::of(absent);
        let found = snapshot.find(&DocumentId::Sha256(hash));
        assert!(found.is_none_or(|document| document.hash == hash));
        let _ = snapshot.find(&DocumentId::Alias(String::from_utf8_lossy(absent).into()));
    }
    // What was read can be written again, and reads as the same.
    let again = Snapshot::decode(source.encode().expect("it fits")).expect("it is valid");
    assert_eq!(again.head(), snapshot.head());
    assert_eq!(again.program(), snapshot.program());
    for (before, after) in documents.iter().zip(again.iter()) {
        assert_eq!(before.hash, after.hash);
        let decode = |of: &Snapshot, index| of.operation(index).expect("it decodes");
        let before = before.operations().map(|index| decode(&snapshot, index));
        let after = after.operations().map(|index| decode(&again, index));
        assert!(before.eq(after));
    }
});
