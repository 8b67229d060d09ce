//! What a large catalogue costs: load time and memory per worker.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use ig_contract::snapshot::{
    Action, DocumentSource, Operation, OperationKind, SnapshotSource, TextStore,
};
use ig_contract::{Snapshot, TextHash};

use super::fleet::Fleet;
use super::usage;

/// Length of a text, as the average of Linear's operations.
const TEXT_BYTES: usize = 961;

/// What was measured.
#[derive(serde::Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct LargeCatalogue {
    pub(super) operations: usize,
    pub(super) snapshot_bytes: usize,
    /// Longest time that one VM took to take the snapshot over.
    pub(super) load_millis: f64,
    /// Resident memory over the demo's snapshot, one worker.
    pub(super) one_worker_bytes: i64,
    /// What the second worker adds to that.
    pub(super) second_worker_bytes: i64,
}

/// Grows the demo's snapshot to `operations`; texts stay in a store.
fn grow(demo: Vec<u8>, operations: usize) -> Result<Vec<u8>> {
    let demo = Snapshot::decode(demo).context("the demo's snapshot does not decode")?;
    let mut head = demo.head().clone();
    head.texts = Some(TextStore {
        cluster: "texts".into(),
        authority: "texts".into(),
        path_prefix: "/".into(),
        timeout_ms: 2_000,
        cache_bytes: 4 * 1024 * 1024,
    });
    let documents: BTreeMap<_, _> = (0..operations)
        .map(|number| {
            let mut text = format!("query Operation{number} {{ case(id: \"{number}\") {{ ");
            while text.len() < TEXT_BYTES - 4 {
                text.push_str("id title ");
            }
            text.push_str("} }");
            let document = DocumentSource {
                operations: vec![operation(number)],
                embed: false,
                text,
            };
            (TextHash::of(document.text.as_bytes()), document)
        })
        .collect();
    let source = SnapshotSource {
        head,
        program: demo.program().to_vec(),
        documents,
        aliases: BTreeMap::new(),
    };
    Ok(source.encode()?)
}

fn operation(number: usize) -> Operation {
    Operation {
        name: format!("Operation{number}"),
        kind: OperationKind::Query,
        actions: vec![Action {
            name: "query:case".into(),
            purposes: vec!["investigation".into()],
        }],
        step_up: false,
        cross_tenant: false,
        cost: 12,
        sizes: Vec::new(),
        terms: Vec::new(),
        variables: vec!["id".into(), "first".into()],
        facts: vec![],
        resources: vec![],
        clients: vec![],
    }
}

/// Loads a catalogue of this size into Envoys with one and two workers.
pub(super) fn measure(fleet: &Fleet, folder: &Path, operations: usize) -> Result<LargeCatalogue> {
    let large = folder.join("large.igsnap");
    let bytes = grow(std::fs::read(fleet.materials.snapshot())?, operations)?;
    let snapshot_bytes = bytes.len();
    std::fs::write(&large, bytes).context("cannot write the large snapshot")?;
    let mut load_millis = 0.0_f64;
    let mut resident = [[0_i64; 2]; 2];
    for (row, snapshot) in [None, Some(large.as_path())].into_iter().enumerate() {
        for workers in [1, 2] {
            let (process, millis) = fleet.load(snapshot, workers)?;
            load_millis = load_millis.max(millis);
            let id = process.id().context("Envoy ended")?;
            resident[row][workers as usize - 1] = i64::try_from(usage::resident_bytes(id)?)?;
            process.stop(super::GRACE);
        }
    }
    let over = |workers: usize| resident[1][workers] - resident[0][workers];
    Ok(LargeCatalogue {
        operations,
        snapshot_bytes,
        load_millis,
        one_worker_bytes: over(0),
        second_worker_bytes: over(1) - over(0),
    })
}
