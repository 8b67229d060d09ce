//! Which proxy runs what: wanted and accepted revisions of each stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::now;

/// One resource of one proxy.
#[derive(Clone, Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) node: String,
    pub(crate) resource: String,
    pub(crate) wanted: Option<String>,
    pub(crate) accepted: Option<String>,
    /// When it was accepted.
    pub(crate) since: Option<i64>,
    pub(crate) last_refusal: Option<Refusal>,
}

/// Why a proxy refused a revision.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Refusal {
    revision: String,
    reason: String,
    at: i64,
}

/// Longest reason kept.
const MAX_REASON_CHARS: usize = 500;

/// The proxies of this replica's streams.
#[derive(Default)]
pub(crate) struct Proxies {
    /// By stream and resource.
    all: Mutex<BTreeMap<(u64, String), Status>>,
}

impl Proxies {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(u64, String), Status>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, stream: u64, node: &str, resource: &str, change: impl FnOnce(&mut Status)) {
        let mut all = self.all();
        let status = all
            .entry((stream, resource.to_owned()))
            .or_insert_with(|| Status {
                node: node.to_owned(),
                resource: resource.to_owned(),
                wanted: None,
                accepted: None,
                since: None,
                last_refusal: None,
            });
        change(status);
    }

    pub(crate) fn wants(&self, stream: u64, node: &str, resource: &str, revision: &str) {
        self.change(stream, node, resource, |status| {
            status.wanted = Some(revision.to_owned());
        });
    }

    pub(crate) fn accepted(&self, stream: u64, node: &str, resource: &str, revision: &str) {
        self.change(stream, node, resource, |status| {
            status.accepted = Some(revision.to_owned());
            status.since = Some(now());
        });
    }

    pub(crate) fn refused(&self, stream: u64, node: &str, name: &str, revision: &str, why: &str) {
        self.change(stream, node, name, |status| {
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

/// `GET /proxies`
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<Status>>, ApiError> {
    by.require(Role::Viewer)?;
    Ok(Json(app.proxies.all().values().cloned().collect()))
}
