//! Operations are pushed, one after the other, to the catalogue of a graph that no
//! gateway runs: what gateways let through stays what it is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Shared;
use super::changes::{ATTEMPTS, Controls, PAUSE};
use crate::history::{Change, Event, What};
use crate::world::GRAPH_OF_PUSHES;

/// From one to the next.
const GAP: Duration = Duration::from_millis(400);

/// Of one workload: each push reads all that a catalogue has.
const MOST: usize = 100;

/// Pushes until the workload is over, or it was often enough.
pub(super) async fn run(controls: Controls, shared: Arc<Shared>) {
    let mut replica = 0;
    for _ in 0..MOST {
        if shared.is_over() {
            return;
        }
        let at = shared.history.now();
        let id = format!("Pushed_{at}");
        let is_there = push(&controls, &shared, replica, &id).await;
        shared.history.push(Event::Change(Change {
            what: What::Operation,
            key: id,
            at,
            acknowledged: is_there.then(|| shared.history.now()),
            entry: None,
        }));
        replica = controls.other(replica);
        tokio::time::sleep(GAP).await;
    }
}

/// Asks until it is there; the same push again changes nothing.
async fn push(controls: &Controls, shared: &Shared, mut replica: usize, id: &str) -> bool {
    let catalogue = json!({ id: format!("query {id} {{ cases(first: 1) {{ id }} }}") });
    for _ in 0..ATTEMPTS {
        let path = format!("/catalogue/{GRAPH_OF_PUSHES}?tag=dev");
        let (status, said) = controls
            .call(replica, "POST", path, catalogue.to_string())
            .await;
        if status == 200 {
            return said["accepted"] == 1;
        }
        if shared.is_over() {
            return false;
        }
        replica = controls.other(replica);
        tokio::time::sleep(PAUSE).await;
    }
    false
}
