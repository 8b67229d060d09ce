//! What proxies are to run: the last publication of each graph, as the
//! database has it. Streams watch it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use envoy_types::pb::google::protobuf;
use ig_contract::snapshot::{Formats, version_of};
use ig_contract::{Snapshot, TextHash};
use tokio::sync::watch;

use super::shared_read::SharedRead;
use crate::store::Store;
use crate::xds::{name, resource, snapshot};

/// The publication of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    number: i64,
    /// Revision of the snapshot.
    pub(crate) revision: String,
    /// The resource that makes a proxy enforce it, encoded once for all.
    pub(crate) resource: Arc<protobuf::Any>,
    /// Version of the snapshot's format.
    format: u16,
    /// The same in the format before, once a proxy has asked for that.
    older: Arc<OnceLock<Option<Older>>>,
    module: Arc<PathBuf>,
    /// Identities of the proxies that may have it; none is any.
    pub(crate) proxies: BTreeSet<String>,
}

/// A publication in the format before.
#[derive(Clone, Debug)]
pub(crate) struct Older {
    /// Version of that format.
    pub(crate) format: u16,
    /// Revision of its bytes, which decisions bear.
    pub(crate) revision: String,
    resource: Arc<protobuf::Any>,
}

/// The form of a publication that a proxy can read.
pub(crate) enum Form<'a> {
    /// As it was published.
    Own,
    /// In the format before.
    Older(&'a Older),
    /// There is none.
    Unreadable,
}

impl Publication {
    /// The form for a proxy that reads these formats; one that does not say so
    /// gets what was published.
    pub(crate) fn form(&self, name: &str, formats: Option<Formats>) -> Form<'_> {
        let Some(formats) = formats.filter(|formats| !formats.contains(self.format)) else {
            return Form::Own;
        };
        let older = self.older.get_or_init(|| self.write_older(name)).as_ref();
        match older.filter(|older| formats.contains(older.format)) {
            Some(older) => Form::Older(older),
            None => Form::Unreadable,
        }
    }

    /// The resource that a proxy with these formats is sent.
    pub(crate) fn resource_for(
        &self,
        name: &str,
        formats: Option<Formats>,
    ) -> Option<Arc<protobuf::Any>> {
        match self.form(name, formats) {
            Form::Own => Some(Arc::clone(&self.resource)),
            Form::Older(older) => Some(Arc::clone(&older.resource)),
            Form::Unreadable => None,
        }
    }

    /// Version of the snapshot's format.
    pub(crate) fn format(&self) -> u16 {
        self.format
    }

    /// Parses a snapshot of megabytes, once for each publication, and only while
    /// there are proxies of the release before.
    fn write_older(&self, name: &str) -> Option<Older> {
        let published = Snapshot::decode(snapshot(&self.resource)?).ok()?;
        let format = self.format.checked_sub(1)?;
        let bytes = published.for_formats(Formats::only(format)).ok()??;
        Some(Older {
            format,
            revision: TextHash::of(&bytes).to_string(),
            resource: Arc::new(resource(name, &self.module, &bytes)),
        })
    }

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
    module: Arc<PathBuf>,
    /// One reader at a time: what is read first is sent first.
    reads: SharedRead,
}

impl Publications {
    pub(crate) fn new(module: PathBuf) -> Self {
        Self {
            sender: watch::Sender::new(ByName::default()),
            module: Arc::new(module),
            reads: SharedRead::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ByName> {
        self.sender.subscribe()
    }

    /// Reads what is published. A replica sees what another one published by
    /// doing this again and again.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), sqlx::Error> {
        self.reads.read(self.read(store)).await
    }

    async fn read(&self, store: &Store) -> Result<(), sqlx::Error> {
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
            let known = by_number.get(&number);
            let (resource, format, older) = match known {
                Some(known) => (
                    known.resource.clone(),
                    known.format,
                    Arc::clone(&known.older),
                ),
                None => {
                    let bytes: Vec<u8> =
                        sqlx::query_scalar("SELECT bytes FROM snapshots WHERE revision = $1")
                            .bind(revision.as_str())
                            .fetch_one(store.pool())
                            .await?;
                    let resource = Arc::new(resource(&name, &self.module, &bytes));
                    let format = version_of(&bytes).unwrap_or_default();
                    (resource, format, Arc::default())
                }
            };
            let publication = Publication {
                number,
                revision,
                resource,
                format,
                older,
                module: Arc::clone(&self.module),
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
