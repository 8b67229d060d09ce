//! Exports, one after the other, each with a proof of presence of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::Shared;
use super::changes::{ATTEMPTS, Controls, PAUSE};
use crate::history::{Change, Event, What, sha256};
use crate::world::{ACTION, Exporter};

/// From one to the next.
const GAP: Duration = Duration::from_millis(250);

/// Exports until the workload is over.
pub(super) async fn run(controls: Controls, shared: Arc<Shared>, exporter: Arc<Mutex<Exporter>>) {
    let mut exporter = exporter.lock().await;
    while !shared.is_over() {
        let at = shared.history.now();
        let asset = format!("asset-{at}");
        let entry = export(&controls, &shared, &mut exporter, &asset).await;
        shared.history.push(Event::Change(Change {
            what: What::Export,
            key: asset,
            at,
            acknowledged: entry.is_some().then(|| shared.history.now()),
            entry,
        }));
        tokio::time::sleep(GAP).await;
    }
}

/// Asks until it is made; the ledger's entry that the answer has.
async fn export(
    controls: &Controls,
    shared: &Shared,
    exporter: &mut Exporter,
    asset: &str,
) -> Option<String> {
    let body = json!({
        "action": ACTION, "items": [{"id": asset, "sha256": sha256(asset)}],
        "facts": {"licenseClass": ["cc-by"], "destination.tos": ["internal"]},
    });
    let mut replica = 0;
    let mut proof = None;
    for _ in 0..ATTEMPTS {
        if shared.is_over() {
            return None;
        }
        if proof.is_none() {
            proof = prove(controls, replica, exporter).await;
        }
        if let Some(token) = &proof {
            let headers = vec![
                ("authorization", exporter.bearer.clone()),
                ("x-ig-step-up", token.clone()),
                ("x-ig-purpose", "export".to_owned()),
                ("idempotency-key", asset.to_owned()),
            ];
            let path = "/exports".to_owned();
            let (status, said) = controls
                .call_with(replica, headers, "POST", path, body.to_string())
                .await;
            match status {
                // One without its entry is acknowledged all the same: no ledger has it.
                201 => return Some(entry(&said).unwrap_or_default()),
                // The proof has ended, or was used by an attempt that is lost.
                401 => proof = None,
                _ => {}
            }
        }
        replica = controls.other(replica);
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// SHA-256 of the entry that an answer's bundle has.
fn entry(made: &Value) -> Option<String> {
    use base64::Engine as _;
    let entries = &made["bundle"]["verificationMaterial"]["tlogEntries"];
    let body = entries[0]["canonicalizedBody"].as_str()?;
    let body = base64::engine::general_purpose::STANDARD.decode(body);
    Some(sha256(body.ok()?))
}

/// A step-up token for exports, if nobody is away.
async fn prove(controls: &Controls, replica: usize, exporter: &mut Exporter) -> Option<String> {
    let ask = async |path: &str, body: Value| {
        let headers = vec![("authorization", exporter.bearer.clone())];
        let path = format!("/webauthn/authentication/{path}");
        let (status, said) = controls
            .call_with(replica, headers, "POST", path, body.to_string())
            .await;
        (200..300).contains(&status).then_some(said)
    };
    let begun = ask("options", json!({"graph": "demo", "actions": [ACTION]})).await?;
    let credential = exporter.key.get(&begun["publicKey"]);
    let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
    let granted = ask("verify", answer).await?;
    granted["token"].as_str().map(ToOwned::to_owned)
}
