//! What proxies are to run: the last publication of each graph, as the
//! database has it. Streams watch it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::store::Store;

/// The publication of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// Revision of the snapshot.
    pub(crate) revision: String,
    /// The snapshot.
    pub(crate) bytes: Arc<Vec<u8>>,
}

type ByGraph = Arc<BTreeMap<String, Publication>>;

/// The publications of all graphs.
pub(crate) struct Published {
    sender: watch::Sender<ByGraph>,
}

impl Published {
    pub(crate) fn new() -> Self {
        Self {
            sender: watch::Sender::new(ByGraph::default()),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ByGraph> {
        self.sender.subscribe()
    }

    /// Reads what is published. A replica sees what another one published by
    /// doing this again and again.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), sqlx::Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT p.graph, p.revision FROM publications p JOIN \
             (SELECT graph, MAX(number) AS number FROM publications GROUP BY graph) l \
             ON l.number = p.number",
        )
        .fetch_all(store.read())
        .await?;
        let known = self.sender.borrow().clone();
        let mut next = BTreeMap::new();
        let mut changed = rows.len() != known.len();
        for (graph, revision) in rows {
            let publication = match known.get(&graph) {
                Some(known) if known.revision == revision => known.clone(),
                _ => {
                    changed = true;
                    let bytes: Vec<u8> =
                        sqlx::query_scalar("SELECT bytes FROM snapshots WHERE revision = $1")
                            .bind(revision.as_str())
                            .fetch_one(store.read())
                            .await?;
                    Publication {
                        revision,
                        bytes: Arc::new(bytes),
                    }
                }
            };
            next.insert(graph, publication);
        }
        if changed {
            // Two that read at the same time may write in the other order; the
            // next read puts it right.
            self.sender.send_replace(Arc::new(next));
        }
        Ok(())
    }
}
