//! What is there once a scenario is over: what the control plane, its ledger and the
//! gateways' logs say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use ig_e2e::{Connection, LoadRequest};
use serde_json::Value;

use crate::check::{Ending, Unlogged, read_access_log};
use crate::history::{Event, What, sha256};
use crate::workload::Controls;
use crate::world::{GRAPH_OF_PUSHES, TENANT_OF_EXPORTS, World, tenant_name, until};

/// What was there before.
pub(crate) struct Before {
    /// Entries of the ledger.
    entries: u64,
    /// Milliseconds since the epoch.
    at: u64,
}

impl Before {
    /// Now.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub(crate) async fn of(world: &World) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Self {
            entries: ledger_size(replica(world)?).await?,
            at: u64::try_from(now.as_millis())?,
        })
    }
}

fn replica(world: &World) -> Result<SocketAddr> {
    Ok(world.replicas.first().context("no replica")?.http)
}

/// Looks at what is there now.
///
/// # Errors
/// If nobody says it.
pub(crate) async fn ending(
    world: &World,
    controls: &Controls,
    before: &Before,
    events: &[Event],
    unlogged: Vec<Unlogged>,
) -> Result<Ending> {
    // First, so that what it publishes is among the publications.
    let behind = behind(world, controls).await?;
    let mut ending = Ending {
        behind,
        publications: publications(controls).await?,
        unlogged,
        catalogue: catalogue()?,
        exports: exports(controls, before).await?,
        operations: operations(controls).await?,
        entries: entries(world, before, events).await?,
        began: before.at,
        ..Ending::default()
    };
    for event in events {
        let Event::Change(change) = event else {
            continue;
        };
        if change.what != What::User {
            continue;
        }
        let (tenant, name) = change.key.split_once('/').context("a user's key")?;
        let count = controls.count(tenant.parse()?, name).await?;
        ending.users.insert(change.key.clone(), count);
    }
    for gateway in &world.gateways {
        gateway.flush().await?;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for gateway in &world.gateways {
        ending.decisions.push(read_access_log(&gateway.access_log)?);
    }
    ending.ledger = fsck(world)?;
    Ok(ending)
}

/// How long a gateway that nothing disturbs may take for what is published.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Publishes once more; gateways that do not come to it.
async fn behind(world: &World, controls: &Controls) -> Result<Vec<String>> {
    let revision = until("a publication", CATCH_UP, async || {
        if !controls.vary(0, world.history.now()).await {
            return None;
        }
        let path = "/snapshots/demo".to_owned();
        let (status, said) = controls.call(0, "POST", path, String::new()).await;
        let revision = said["revision"].as_str().map(ToOwned::to_owned);
        revision.filter(|_| status == 200)
    })
    .await?;
    let started = Instant::now();
    loop {
        let nodes = world.gateways.iter().map(|gateway| gateway.node.clone());
        let mut behind: BTreeSet<String> = nodes.collect();
        for replica in 0..world.replicas.len() {
            for (node, accepted) in controls.accepted(replica).await {
                if accepted == revision {
                    behind.remove(&node);
                }
            }
        }
        if behind.is_empty() || started.elapsed() > CATCH_UP {
            return Ok(behind.into_iter().collect());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often each asset was exported since, by its id.
async fn exports(controls: &Controls, before: &Before) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    let mut cursor = String::new();
    let tenant = tenant_name(TENANT_OF_EXPORTS);
    loop {
        let said = get(
            controls,
            format!("/exports?tenant={tenant}&limit=100{cursor}"),
        )
        .await?;
        let mut is_older = false;
        for one in said["items"].as_array().into_iter().flatten() {
            let at = one["createdAt"].as_u64().context("an export's time")?;
            if at < before.at {
                is_older = true;
                continue;
            }
            let id = one["exportId"].as_str().context("an export's id")?;
            let manifest = get(controls, format!("/exports/{id}/manifest")).await?;
            let asset = manifest["items"][0]["id"].as_str();
            let asset = asset.context("an export's asset")?.to_owned();
            *counts.entry(asset).or_default() += 1;
        }
        match said["next"].as_str() {
            // The newest come first.
            Some(next) if !is_older => cursor = format!("&cursor={next}"),
            _ => return Ok(counts),
        }
    }
}

/// How many documents of the catalogue that is pushed to have each id.
async fn operations(controls: &Controls) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/catalogue/{GRAPH_OF_PUSHES}?limit=1000{cursor}");
        let said = get(controls, path).await?;
        for document in said["items"].as_array().into_iter().flatten() {
            let ids = document["ids"].as_array().context("a document's ids")?;
            for id in ids.iter().filter_map(Value::as_str) {
                *counts.entry(id.to_owned()).or_default() += 1;
            }
        }
        match said["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(counts),
        }
    }
}

async fn get(controls: &Controls, path: String) -> Result<Value> {
    until(&path, Duration::from_secs(30), async || {
        let (status, said) = controls.call(0, "GET", path.clone(), String::new()).await;
        (status == 200).then_some(said)
    })
    .await
}

/// How long the ledger may take for what is queued.
const QUEUE: Duration = Duration::from_secs(20);

/// How often each entry is in the ledger, of those that came since: by SHA-256. What was
/// acknowledged is waited for.
async fn entries(
    world: &World,
    before: &Before,
    events: &[Event],
) -> Result<HashMap<String, usize>> {
    let changes = events.iter().filter_map(|event| match event {
        Event::Change(change) if change.acknowledged.is_some() => change.entry.as_ref(),
        _ => None,
    });
    let wanted: Vec<_> = changes.collect();
    let at = replica(world)?;
    let started = Instant::now();
    loop {
        let mut found = HashMap::new();
        let size = ledger_size(at).await?;
        for bundle in before.entries / BUNDLE..size.div_ceil(BUNDLE) {
            let width = BUNDLE.min(size - bundle * BUNDLE);
            for entry in bundle_of(at, bundle, width).await? {
                *found.entry(sha256(entry)).or_default() += 1;
            }
        }
        let is_all = wanted.iter().all(|one| found.contains_key(*one));
        if is_all || started.elapsed() > QUEUE {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Entries of a bundle (C2SP tlog-tiles).
const BUNDLE: u64 = 256;

async fn ledger_size(at: SocketAddr) -> Result<u64> {
    let note = fetch(at, "/ledger/checkpoint").await?;
    let note = std::str::from_utf8(&note)?;
    let size = note.lines().nth(1).context("a checkpoint's second line")?;
    Ok(size.parse()?)
}

async fn bundle_of(at: SocketAddr, number: u64, width: u64) -> Result<Vec<Bytes>> {
    let part = match width {
        BUNDLE => String::new(),
        width => format!(".p/{width}"),
    };
    let name = match number / 1000 {
        0 => format!("{number:03}"),
        thousands => format!("x{thousands:03}/{:03}", number % 1000),
    };
    let mut bytes = fetch(at, &format!("/ledger/tile/entries/{name}{part}")).await?;
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        ensure!(bytes.len() >= 2, "an entry without its length");
        let length = bytes
            .split_to(2)
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        ensure!(bytes.len() >= length, "an entry is cut off");
        entries.push(bytes.split_to(length));
    }
    Ok(entries)
}

async fn fetch(at: SocketAddr, path: &str) -> Result<Bytes> {
    until(path, Duration::from_secs(30), async || {
        let mut request = LoadRequest::new(Full::new(Bytes::new()));
        *request.uri_mut() = path.parse().ok()?;
        let host = http::HeaderValue::from_str(&at.to_string()).ok()?;
        request.headers_mut().insert("host", host);
        let (head, body) = Connection::new(at).send(request).await.ok()?;
        (head.status == 200).then_some(body)
    })
    .await
}

async fn publications(controls: &Controls) -> Result<HashMap<String, u64>> {
    let mut numbers = HashMap::new();
    let mut cursor = String::new();
    loop {
        let said = get(controls, format!("/snapshots/demo?limit=1000{cursor}")).await?;
        for one in said["items"].as_array().into_iter().flatten() {
            let revision = one["revision"]
                .as_str()
                .context("a publication's revision")?;
            let number = one["number"].as_u64().context("a publication's number")?;
            numbers.insert(revision.to_owned(), number);
        }
        match said["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(numbers),
        }
    }
}

fn catalogue() -> Result<BTreeSet<String>> {
    let manifest = ig_e2e::workspace().join("persisted-queries/manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    let operations = manifest["operations"].as_array().context("operations")?;
    let texts = operations.iter().filter_map(|one| one["body"].as_str());
    Ok(texts.map(sha256).collect())
}

/// What the control plane's own check says of the whole ledger, if it is not right.
fn fsck(world: &World) -> Result<Option<String>> {
    let with = &world.direct;
    let ran = Command::new(&with.program)
        .args(["--database", &with.database, "--module"])
        .arg(&with.module)
        .args(["ledger", "fsck"])
        .env("IG_LOG", "error")
        .output()?;
    if ran.status.success() {
        return Ok(None);
    }
    match ran.status.code() {
        Some(_) => Ok(Some(String::from_utf8_lossy(&ran.stderr).trim().to_owned())),
        None => bail!("the ledger's check was killed"),
    }
}
