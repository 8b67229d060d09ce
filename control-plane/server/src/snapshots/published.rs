//! What proxies are to run: the last publication of each graph, as the
//! database has it. Streams watch it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use envoy_types::pb::google::protobuf;
use tokio::sync::watch;

use crate::store::Store;
use crate::xds::{name, resource};

/// The publication of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    number: i64,
    /// Revision of the snapshot.
    pub(crate) revision: String,
    /// The resource that makes a proxy enforce it, encoded once for all.
    pub(crate) resource: Arc<protobuf::Any>,
    /// Identities of the proxies that may have it; none is any.
    pub(crate) proxies: BTreeSet<String>,
}

impl Publication {
    /// Whether a proxy may have it.
    pub(crate) fn is_for(&self, identity: Option<&str>) -> bool {
        let matches = |pattern: &String| {
            identity.is_some_and(|identity| match pattern.strip_suffix('*') {
                Some(prefix) => identity.starts_with(prefix),
                None => identity == pattern,
            })
        };
        self.proxies.is_empty() || self.proxies.iter().any(matches)
    }
}

/// Publications by the name of their resource.
pub(crate) type ByName = Arc<BTreeMap<String, Publication>>;

/// The publications of all graphs.
pub(crate) struct Publications {
    sender: watch::Sender<ByName>,
    /// The guard's module, as proxies find it.
    module: PathBuf,
    /// One reader at a time: what is read first is sent first.
    reading: tokio::sync::Mutex<()>,
}

impl Publications {
    pub(crate) fn new(module: PathBuf) -> Self {
        Self {
            sender: watch::Sender::new(ByName::default()),
            module,
            reading: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ByName> {
        self.sender.subscribe()
    }

    /// Reads what is published. A replica sees what another one published by
    /// doing this again and again.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), sqlx::Error> {
        let _reading = self.reading.lock().await;
        let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
            "SELECT p.graph, p.revision, p.number, g.proxies FROM publications p JOIN \
             (SELECT graph, MAX(number) AS number FROM publications GROUP BY graph) l \
             ON l.number = p.number JOIN graphs g ON g.name = p.graph",
        )
        .fetch_all(store.pool())
        .await?;
        let known = self.sender.borrow().clone();
        let by_number: BTreeMap<_, _> = known.values().map(|one| (one.number, one)).collect();
        let mut next = BTreeMap::new();
        let mut changed = rows.len() != known.len();
        for (graph, revision, number, proxies) in rows {
            let name = name(&graph);
            // Unreadable is for nobody: no identity is an empty string.
            let proxies =
                serde_json::from_str(&proxies).unwrap_or_else(|_| BTreeSet::from([String::new()]));
            let known = by_number
                .get(&number)
                .filter(|known| known.proxies == proxies);
            changed |= known.is_none();
            let encoded = match by_number.get(&number) {
                Some(known) => known.resource.clone(),
                None => {
                    let bytes: Vec<u8> =
                        sqlx::query_scalar("SELECT bytes FROM snapshots WHERE revision = $1")
                            .bind(revision.as_str())
                            .fetch_one(store.pool())
                            .await?;
                    Arc::new(resource(&name, &self.module, &bytes))
                }
            };
            let publication = Publication {
                number,
                revision,
                resource: encoded,
                proxies,
            };
            next.insert(name, publication);
        }
        if changed {
            self.sender.send_replace(Arc::new(next));
        }
        Ok(())
    }
}
