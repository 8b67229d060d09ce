//! New keys of step-up tokens in what is published. What admins have stored and
//! not published stays unpublished: only the keys change.

use std::collections::BTreeSet;

use ig_contract::Snapshot;
use ig_contract::snapshot::VerificationKey;
use sqlx::{Any, Transaction};

use super::publish::{self, One};
use crate::app::App;
use crate::audit;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::step_up;

/// Who publishes, as publications and the audit trail have it.
const BY: &str = "system:step-up-keys";

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

/// Gives what is published the keys of now, where it has others. Replicas may do
/// this at the same time: who comes second finds nothing to do.
pub(crate) async fn rekey(app: &App) -> Result<(), ApiError> {
    let graphs: Vec<String> = sqlx::query_scalar("SELECT DISTINCT graph FROM publications")
        .fetch_all(app.store.pool())
        .await?;
    // One that cannot be read keeps no other graph waiting.
    let mut outcome = Ok(());
    for graph in graphs {
        outcome = outcome.and(rekey_one(app, &graph).await);
    }
    outcome
}

async fn rekey_one(app: &App, graph: &str) -> Result<(), ApiError> {
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, graph).await?;
    let Some(last) = publish::last(&mut transaction, graph).await? else {
        return Ok(());
    };
    let bytes = stored(&mut transaction, graph, &last.revision).await?;
    let bytes = bytes.ok_or_else(|| ApiError::NotFound(format!("the snapshot of {graph}")))?;
    let keys = step_up::keys::public(&mut transaction).await?;
    let keyed = keyed(bytes, keys).await?;
    if !keyed.is_rekeyed {
        return Ok(());
    }
    let revision = keyed.snapshot.revision().to_string();
    publish::store(&mut transaction, graph, &revision, keyed.bytes).await?;
    let one = One {
        graph,
        revision: &revision,
        before: Some(&last.revision),
        // What was compiled before this may have the keys of before.
        state: audit::last(&mut transaction).await?,
    };
    let by = Principal::of_system(BY);
    publish::insert(app, transaction, &by, "snapshot.rekey", one).await
}

/// The bytes of a graph's snapshot.
pub(super) async fn stored(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    revision: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT bytes FROM snapshots WHERE graph = $1 AND revision = $2")
        .bind(graph)
        .bind(revision)
        .fetch_optional(&mut **transaction)
        .await
}

/// What was looked at last: keys come and go by the clock, and another replica
/// may publish what it compiled before they did.
#[derive(Default)]
pub(crate) struct Rekeying {
    looked_at: Option<(Vec<VerificationKey>, BTreeSet<String>)>,
}

impl Rekeying {
    /// Gives what is published the keys of now, if either is not what it was.
    pub(crate) async fn look(&mut self, app: &App) -> Result<(), ApiError> {
        let keys = step_up::keys::public(&mut *app.store.pool().acquire().await?).await?;
        let published = app.published.watch().borrow().clone();
        let revisions = published.values().map(|one| one.revision.clone()).collect();
        let now = Some((keys, revisions));
        if self.looked_at == now {
            return Ok(());
        }
        rekey(app).await?;
        // What this published is looked at once more, and found to be right.
        self.looked_at = now;
        Ok(())
    }
}
