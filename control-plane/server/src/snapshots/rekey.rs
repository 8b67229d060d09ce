//! New keys of step-up tokens in what is published. What admins have stored and
//! not published stays unpublished: only the keys change.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ig_contract::Snapshot;
use ig_contract::snapshot::VerificationKey;
use sqlx::AnyConnection;

use super::publish::{self, ATTEMPTS, One};
use crate::app::App;
use crate::audit;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::step_up;

/// Who publishes, as publications and the audit trail have it.
pub(super) const BY: &str = "system:step-up-keys";

/// A snapshot's bytes, and what they are.
pub(super) struct Keyed {
    pub(super) bytes: Vec<u8>,
    pub(super) snapshot: Snapshot,
    /// Whether the keys were others.
    pub(super) is_rekeyed: bool,
}

/// A snapshot that was published before, with the keys of now.
pub(super) async fn keyed(bytes: Vec<u8>, keys: Vec<VerificationKey>) -> Result<Keyed, ApiError> {
    let decode =
        |bytes: &Vec<u8>| Snapshot::decode(bytes.clone()).map_err(|error| ApiError::chain(&error));
    let work = move || {
        let snapshot = decode(&bytes)?;
        match snapshot.with_keys(&keys).map_err(ApiError::invalid)? {
            None => Ok(Keyed {
                bytes,
                snapshot,
                is_rekeyed: false,
            }),
            Some(bytes) => Ok(Keyed {
                snapshot: decode(&bytes)?,
                bytes,
                is_rekeyed: true,
            }),
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ApiError::Task)?
}

/// Graphs that something is published of.
pub(crate) async fn graphs(connection: &mut AnyConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT graph FROM publications ORDER BY graph")
        .fetch_all(connection)
        .await
}

/// Gives what is published of some graphs the keys of now, where it has others,
/// and returns those where that failed: one keeps no other waiting. Replicas may
/// do this at the same time: who comes second finds nothing to do.
pub(crate) async fn rekey(app: &App, graphs: Vec<String>) -> Vec<String> {
    let mut failed = Vec::new();
    for graph in graphs {
        if let Err(error) = rekey_one(app, &graph).await {
            error.log();
            tracing::error!(%error, graph, "proxies may have keys of before; it is tried again");
            app.metrics.rekey_failures.inc();
            failed.push(graph);
        }
    }
    failed
}

async fn rekey_one(app: &App, graph: &str) -> Result<(), ApiError> {
    for _ in 0..ATTEMPTS {
        let mut view = app.store.view().await?;
        let Some(read) = publish::last(&mut view, graph).await? else {
            return Ok(());
        };
        let bytes = stored(&mut view, graph, &read.revision).await?;
        let keys = step_up::keys::public(&mut view).await?;
        view.commit().await?;
        let bytes = bytes.ok_or_else(|| ApiError::NotFound(format!("the snapshot of {graph}")))?;
        let keyed = keyed(bytes, keys.clone()).await?;
        if !keyed.is_rekeyed {
            return Ok(());
        }
        let mut transaction = app.store.begin().await?;
        app.store.lock(&mut transaction, graph).await?;
        // Others may have published meanwhile, or changed the key.
        let last = publish::last(&mut transaction, graph).await?;
        let is_same = last.is_some_and(|last| last.number == read.number);
        if !is_same || step_up::keys::public(&mut transaction).await? != keys {
            continue;
        }
        let revision = keyed.snapshot.revision().to_string();
        publish::store(&mut transaction, graph, &revision, keyed.bytes).await?;
        let one = One {
            graph,
            revision: &revision,
            before: Some(&read.revision),
            // What was compiled before this may have the keys of before.
            state: audit::last(&mut transaction).await?,
        };
        let by = Principal::of_system(BY);
        return publish::insert(app, transaction, &by, "snapshot.rekey", one).await;
    }
    Err(ApiError::Conflict(format!(
        "others publish {graph} at the same time"
    )))
}

/// The bytes of a graph's snapshot.
pub(super) async fn stored(
    connection: &mut AnyConnection,
    graph: &str,
    revision: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT bytes FROM snapshots WHERE graph = $1 AND revision = $2")
        .bind(graph)
        .bind(revision)
        .fetch_optional(connection)
        .await
}

/// Waits between attempts: this, and twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What was looked at last: keys come and go, and another replica may publish
/// what it compiled before they did.
#[derive(Default)]
pub(crate) struct Rekeying {
    looked_at: Option<(Vec<VerificationKey>, BTreeSet<String>)>,
    /// Graphs that have keys of before, and since when, for how long, they wait.
    pending: Vec<String>,
    failed_at: Option<Instant>,
    wait: Duration,
}

impl Rekeying {
    /// Gives what is published the keys of now, if either is not what it was, or
    /// the last attempt failed a while ago.
    pub(crate) async fn look(&mut self, app: &App) -> Result<(), ApiError> {
        step_up::keys::settle(&app.store).await?;
        let mut connection = app.store.pool().acquire().await?;
        let keys = step_up::keys::public(&mut connection).await?;
        let published = app.published.watch().borrow().clone();
        let revisions = published.values().map(|one| one.revision.clone()).collect();
        let now = Some((keys, revisions));
        let graphs = if self.looked_at != now {
            self.wait = Duration::ZERO;
            graphs(&mut connection).await?
        } else if self.failed_at.is_some_and(|at| at.elapsed() >= self.wait) {
            self.pending.clone()
        } else {
            return Ok(());
        };
        drop(connection);
        self.pending = rekey(app, graphs).await;
        // What this published is looked at once more, and found to be right.
        self.looked_at = now;
        self.failed_at = (!self.pending.is_empty()).then(Instant::now);
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        Ok(())
    }
}
