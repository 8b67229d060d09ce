//! Which proxy runs what: wanted and accepted revisions of each stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use ig_contract::snapshot::Formats;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::Json;
use crate::store::{Store, now};

/// One resource of one proxy.
#[derive(Clone, Serialize, Deserialize, Debug, ToSchema)]
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
    /// Formats of snapshots that its module reads, as OLDEST-NEWEST; a
    /// configuration of an earlier release does not say so.
    #[serde(default)]
    pub(crate) formats: Option<String>,
    /// What it is sent in place of the wanted revision, where its module reads an
    /// older format only.
    #[serde(default)]
    pub(crate) older: Option<OlderForm>,
    /// Whether it is not sent what it should run, because its module cannot read
    /// it. It goes on with what it has.
    #[serde(default)]
    pub(crate) held: bool,
    /// Whether the graph is for this proxy. One that is not named runs nothing of it.
    #[serde(default = "is_named")]
    pub(crate) named: bool,
    /// Since when it has not run what it should, or has run nothing.
    #[serde(default)]
    pub(crate) behind_since: Option<i64>,
    pub(crate) last_refusal: Option<Refusal>,
}

/// What replicas of earlier releases tell of is named.
const fn is_named() -> bool {
    true
}

impl ProxyStatus {
    fn is_behind(&self) -> bool {
        !self.named || self.accepted.is_none() || self.accepted != self.wanted
    }

    /// It has nothing, and should have nothing.
    fn clear(&mut self) {
        self.wanted = None;
        self.accepted = None;
        self.since = None;
        self.older = None;
        self.held = false;
        self.named = true;
    }

    /// Whether what it should run now is what it has refused. What is held was never
    /// sent, so nobody has refused it.
    fn is_refused(&self) -> bool {
        let refusal = self.last_refusal.as_ref();
        let of_wanted = refusal.is_some_and(|one| Some(&one.revision) == self.wanted.as_ref());
        of_wanted && !self.held && self.is_behind()
    }
}

/// The same snapshot in an older format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, ToSchema)]
pub(crate) struct OlderForm {
    /// Version of the format.
    pub(crate) format: u16,
    /// Its revision, which the proxy's decisions bear.
    pub(crate) revision: String,
}

/// Why a proxy refused a revision.
#[derive(Clone, Serialize, Deserialize, Debug, ToSchema)]
pub(crate) struct Refusal {
    pub(crate) revision: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
}

impl Refusal {
    fn new(revision: &str, why: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            reason: why.chars().take(MAX_REASON_CHARS).collect(),
            at: now(),
        }
    }
}

/// The proxy at the other end of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) stream: u64,
    /// As it names itself.
    pub(crate) node: String,
    /// As its certificate names it.
    pub(crate) identity: Option<String>,
    /// Formats that its module reads, where it says so.
    pub(crate) formats: Option<Formats>,
}

/// How long a proxy may take for a new revision before it counts as behind.
const PATIENCE_MILLIS: i64 = 60_000;
/// Longest reason kept.
const MAX_REASON_CHARS: usize = 500;

/// The proxies of this replica's streams.
pub(crate) struct Proxies {
    /// Name of this replica, for as long as it runs.
    replica: String,
    /// By stream and resource.
    all: Mutex<BTreeMap<(u64, String), ProxyStatus>>,
}

/// How often a replica tells the others of its proxies.
pub(crate) const TELL: Duration = Duration::from_secs(1);
/// Silence after which a replica, and with it its streams, is gone.
const GONE_MILLIS: i64 = 10_000;

impl Proxies {
    pub(crate) fn new() -> Self {
        Self {
            replica: Uuid::now_v7().to_string(),
            all: Mutex::default(),
        }
    }

    fn own(&self) -> Vec<ProxyStatus> {
        self.all().values().cloned().collect()
    }

    /// Tells other replicas what this one knows, and forgets those that are
    /// gone. One row a replica, whatever the number of proxies.
    pub(crate) async fn tell(&self, store: &Store) -> Result<(), sqlx::Error> {
        let own = serde_json::to_string(&self.own()).unwrap_or_default();
        sqlx::query(
            "INSERT INTO replicas (id, seen_at, proxies) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, proxies = excluded.proxies",
        )
        .bind(self.replica.as_str())
        .bind(now())
        .bind(own)
        .execute(store.pool())
        .await?;
        sqlx::query("DELETE FROM replicas WHERE seen_at < $1")
            .bind(now() - GONE_MILLIS)
            .execute(store.pool())
            .await?;
        Ok(())
    }

    /// What other replicas told.
    async fn others(&self, store: &Store) -> Result<Vec<ProxyStatus>, sqlx::Error> {
        let told: Vec<String> =
            sqlx::query_scalar("SELECT proxies FROM replicas WHERE id <> $1 AND seen_at > $2")
                .bind(self.replica.as_str())
                .bind(now() - GONE_MILLIS)
                .fetch_all(store.pool())
                .await?;
        let told = told
            .iter()
            .map(|told| serde_json::from_str(told).unwrap_or_default());
        Ok(told.flat_map(|all: Vec<ProxyStatus>| all).collect())
    }

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
                formats: peer.formats.map(|formats| formats.to_string()),
                older: None,
                held: false,
                named: true,
                behind_since: None,
                last_refusal: None,
            });
        change(status);
        status.behind_since = match status.is_behind() {
            true => status.behind_since.or_else(|| Some(now())),
            false => None,
        };
    }

    /// It should run the revision, and is sent it, as it is or in an older form.
    pub(crate) fn wants(
        &self,
        peer: &Peer,
        resource: &str,
        revision: &str,
        older: Option<OlderForm>,
    ) {
        self.change(peer, resource, |status| {
            status.wanted = Some(revision.to_owned());
            status.older = older;
            // What it was not sent it has not refused.
            if status.held || !status.named {
                status.last_refusal = None;
            }
            status.held = false;
            status.named = true;
        });
    }

    /// Nothing is published that it could run.
    pub(crate) fn nothing(&self, peer: &Peer, resource: &str) {
        self.change(peer, resource, ProxyStatus::clear);
    }

    /// The graph is not for it: what it had of it is taken away.
    pub(crate) fn unnamed(&self, peer: &Peer, resource: &str, revision: &str, why: &str) {
        self.change(peer, resource, |status| {
            status.clear();
            status.named = false;
            status.last_refusal = Some(Refusal::new(revision, why));
        });
    }

    /// It should run the revision, and cannot.
    pub(crate) fn held(&self, peer: &Peer, resource: &str, revision: &str, why: &str) {
        self.change(peer, resource, |status| {
            status.wanted = Some(revision.to_owned());
            status.older = None;
            status.held = true;
            status.named = true;
        });
        self.refused(peer, resource, revision, why);
    }

    /// How many resources of this replica's proxies are held.
    pub(crate) fn held_count(&self) -> usize {
        self.all().values().filter(|status| status.held).count()
    }

    /// How many resources of this replica's proxies are not run as they should be, and
    /// have not been for a minute at this time.
    pub(crate) fn behind_count(&self, at: i64) -> usize {
        let is_late = |status: &&ProxyStatus| {
            let since = status.behind_since;
            since.is_some_and(|since| at - since > PATIENCE_MILLIS)
        };
        self.all().values().filter(is_late).count()
    }

    /// How many resources of this replica's proxies are refused as they should be now.
    pub(crate) fn refused_count(&self) -> usize {
        self.all().values().filter(|one| one.is_refused()).count()
    }

    pub(crate) fn accepted(&self, peer: &Peer, resource: &str, revision: &str) {
        self.change(peer, resource, |status| {
            status.accepted = Some(revision.to_owned());
            status.since = Some(now());
        });
    }

    pub(crate) fn refused(&self, peer: &Peer, resource: &str, revision: &str, why: &str) {
        self.change(peer, resource, |status| {
            status.last_refusal = Some(Refusal::new(revision, why));
        });
    }

    /// What a stream asks for: it runs nothing else any more.
    pub(crate) fn keep(&self, stream: u64, resources: &[String]) {
        let is_kept = |(of, name): &(u64, String)| *of != stream || resources.contains(name);
        self.all().retain(|place, _| is_kept(place));
    }

    /// A stream has ended.
    pub(crate) fn gone(&self, stream: u64) {
        self.all().retain(|(other, _), _| *other != stream);
    }
}

/// List proxies, of all replicas: which revision each should run, and runs.
#[utoipa::path(get, path = "/proxies", tag = "proxies", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<ProxyStatus>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ProxyStatus>>, ApiError> {
    by.require(Role::Viewer)?;
    let mut all = app.proxies.own();
    all.extend(app.proxies.others(&app.store).await?);
    all.sort_by(|one, other| (&one.resource, &one.node).cmp(&(&other.resource, &other.node)));
    Ok(Json(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = "ig.guard.demo";

    /// Events of one proxy; whether it is behind a minute later, and whether it refuses
    /// what it should run.
    #[test]
    fn who_does_not_run_what_it_should_is_counted_until_it_does() {
        let wants = |revision: &'static str| {
            move |all: &Proxies, peer: &Peer| all.wants(peer, GRAPH, revision, None)
        };
        let accepts = |revision: &'static str| {
            move |all: &Proxies, peer: &Peer| all.accepted(peer, GRAPH, revision)
        };
        let refuses = |revision: &'static str| {
            move |all: &Proxies, peer: &Peer| all.refused(peer, GRAPH, revision, "no")
        };
        let held = |all: &Proxies, peer: &Peer| all.held(peer, GRAPH, "b", "format");
        let unnamed = |all: &Proxies, peer: &Peer| all.unnamed(peer, GRAPH, "a", "not named");
        let nothing = |all: &Proxies, peer: &Peer| all.nothing(peer, GRAPH);
        type Event<'a> = (&'a dyn Fn(&Proxies, &Peer), usize, usize);
        let stories: [&[Event<'_>]; 5] = [
            &[
                (&wants("a"), 1, 0),
                (&accepts("a"), 0, 0),
                (&wants("b"), 1, 0),
                (&refuses("b"), 1, 1),
                // Another, which it has refused nothing of.
                (&wants("c"), 1, 0),
                (&accepts("c"), 0, 0),
            ],
            // Back to what it runs.
            &[
                (&wants("a"), 1, 0),
                (&accepts("a"), 0, 0),
                (&wants("b"), 1, 0),
                (&refuses("b"), 1, 1),
                (&wants("a"), 0, 0),
            ],
            &[
                (&wants("a"), 1, 0),
                (&accepts("a"), 0, 0),
                (&held, 1, 0),
                (&wants("c"), 1, 0),
                (&accepts("c"), 0, 0),
            ],
            &[
                (&unnamed, 1, 0),
                // It was never sent it before.
                (&wants("a"), 1, 0),
                (&accepts("a"), 0, 0),
                (&unnamed, 1, 0),
            ],
            &[
                (&nothing, 1, 0),
                (&wants("a"), 1, 0),
                (&accepts("a"), 0, 0),
                (&nothing, 1, 0),
            ],
        ];
        for (number, story) in stories.iter().enumerate() {
            let all = Proxies::new();
            let peer = Peer::default();
            for (place, (event, behind, refused)) in story.iter().enumerate() {
                event(&all, &peer);
                let counted = |at| (all.behind_count(at), all.refused_count());
                let later = now() + PATIENCE_MILLIS + 1;
                assert_eq!(counted(later), (*behind, *refused), "{number}.{place}");
                // Not yet.
                assert_eq!(counted(now()), (0, *refused), "{number}.{place}");
            }
            all.keep(peer.stream, &[]);
            assert!(all.own().is_empty());
        }
    }

    /// The time goes on while what is wanted changes.
    #[test]
    fn who_is_always_behind_is_behind() {
        let all = Proxies::new();
        let peer = Peer::default();
        all.wants(&peer, GRAPH, "a", None);
        let since = all.own().pop().unwrap().behind_since;
        assert!(since.is_some());
        all.wants(&peer, GRAPH, "b", None);
        all.refused(&peer, GRAPH, "b", "no");
        assert_eq!(all.own().pop().unwrap().behind_since, since);
    }
}
