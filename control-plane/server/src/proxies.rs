//! Which proxy runs what: wanted and accepted revisions of each stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::Json;
use crate::store::now;

/// One resource of one proxy.
#[derive(Clone, Serialize, Debug, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyStatus {
    /// As it names itself.
    pub(crate) node: String,
    /// As its certificate names it, where there is one.
    pub(crate) identity: Option<String>,
    /// Name of the filter: `ig.guard.{graph}`.
    pub(crate) resource: String,
    /// Revision it should run.
    pub(crate) wanted: Option<String>,
    /// Revision it runs.
    pub(crate) accepted: Option<String>,
    /// When it was accepted.
    pub(crate) since: Option<i64>,
    pub(crate) last_refusal: Option<Refusal>,
}

/// Why a proxy refused a revision.
#[derive(Clone, Serialize, Debug, ToSchema)]
pub(crate) struct Refusal {
    revision: String,
    reason: String,
    at: i64,
}

/// The proxy at the other end of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) stream: u64,
    /// As it names itself.
    pub(crate) node: String,
    /// As its certificate names it.
    pub(crate) identity: Option<String>,
}

/// Longest reason kept.
const MAX_REASON_CHARS: usize = 500;

/// The proxies of this replica's streams.
#[derive(Default)]
pub(crate) struct Proxies {
    /// By stream and resource.
    all: Mutex<BTreeMap<(u64, String), ProxyStatus>>,
}

impl Proxies {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(u64, String), ProxyStatus>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, peer: &Peer, resource: &str, change: impl FnOnce(&mut ProxyStatus)) {
        let mut all = self.all();
        let status = all
            .entry((peer.stream, resource.to_owned()))
            .or_insert_with(|| ProxyStatus {
                node: peer.node.clone(),
                identity: peer.identity.clone(),
                resource: resource.to_owned(),
                wanted: None,
                accepted: None,
                since: None,
                last_refusal: None,
            });
        change(status);
    }

    pub(crate) fn wants(&self, peer: &Peer, resource: &str, revision: &str) {
        self.change(peer, resource, |status| {
            status.wanted = Some(revision.to_owned());
        });
    }

    pub(crate) fn accepted(&self, peer: &Peer, resource: &str, revision: &str) {
        self.change(peer, resource, |status| {
            status.accepted = Some(revision.to_owned());
            status.since = Some(now());
        });
    }

    pub(crate) fn refused(&self, peer: &Peer, resource: &str, revision: &str, why: &str) {
        self.change(peer, resource, |status| {
            status.last_refusal = Some(Refusal {
                revision: revision.to_owned(),
                reason: why.chars().take(MAX_REASON_CHARS).collect(),
                at: now(),
            });
        });
    }

    /// A stream has ended.
    pub(crate) fn gone(&self, stream: u64) {
        self.all().retain(|(other, _), _| *other != stream);
    }
}

/// List this replica's proxies: which revision each should run, and runs.
#[utoipa::path(get, path = "/proxies", tag = "proxies", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<ProxyStatus>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ProxyStatus>>, ApiError> {
    by.require(Role::Viewer)?;
    Ok(Json(app.proxies.all().values().cloned().collect()))
}
