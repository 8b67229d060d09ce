//! What is limited: of each graph's last publication, decoded once.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::google::protobuf::{Any, BytesValue};
use ig_contract::Mode;
use ig_contract::snapshot::{Head, InvalidSnapshot, OperationClass, Rate, Snapshot};
use prost::Message as _;

use crate::snapshots::Publication;
use crate::xds;

/// Limits of a graph.
#[derive(Clone, Default)]
pub(super) struct Limits {
    revision: String,
    /// Rates by class.
    classes: BTreeMap<OperationClass, Vec<Rate>>,
    tenants: BTreeMap<String, Tenant>,
}

/// A tenant of a graph.
#[derive(Clone, Copy)]
pub(super) struct Tenant {
    /// Its share of the rates.
    pub(super) percent: u32,
    /// In `shadow` its buckets are emptied, and nobody is refused.
    pub(super) mode: Mode,
}

impl Limits {
    /// What limits a tenant in a class, if anything does.
    pub(super) fn of(&self, tenant: &str, class: &str) -> Option<Limit<'_>> {
        let tenant = self.tenants.get(tenant)?;
        let mut classes = self.classes.iter();
        let (class, rates) = classes.find(|(one, _)| one.as_str() == class)?;
        Some(Limit {
            tenant: *tenant,
            class: *class,
            rates,
        })
    }
}

/// What limits a tenant in a class.
pub(super) struct Limit<'a> {
    pub(super) tenant: Tenant,
    pub(super) class: OperationClass,
    pub(super) rates: &'a [Rate],
}

impl From<&Head> for Limits {
    fn from(head: &Head) -> Self {
        let classes = head.rate_limit.iter().flat_map(|limits| &limits.classes);
        let classes = classes.filter(|(_, limits)| !limits.fleet.is_empty());
        let tenants = head.tenants.iter().map(|(name, tenant)| {
            let limited = Tenant {
                percent: tenant.rate_percent.unwrap_or(100),
                mode: tenant.modes.unwrap_or(head.modes).rate_limit,
            };
            (name.clone(), limited)
        });
        Self {
            revision: String::new(),
            classes: classes
                .map(|(class, limits)| (*class, limits.fleet.clone()))
                .collect(),
            tenants: tenants.collect(),
        }
    }
}

/// Why the limits of a publication are not known.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("it is no filter of ours")]
    Resource(#[from] prost::DecodeError),
    #[error(transparent)]
    Snapshot(#[from] InvalidSnapshot),
}

fn read(resource: &Any) -> Result<Limits, Unreadable> {
    let extension = TypedExtensionConfig::decode(resource.value.as_slice())?;
    let filter = Wasm::decode(packed(&extension.typed_config))?;
    let plugin = filter.config.unwrap_or_default();
    let snapshot = BytesValue::decode(packed(&plugin.configuration))?.value;
    Ok(Snapshot::decode(snapshot)?.head().into())
}

fn packed(any: &Option<Any>) -> &[u8] {
    any.as_ref().map_or(&[], |any| any.value.as_slice())
}

type ByName = BTreeMap<String, Arc<Limits>>;

/// Limits by the name that proxies ask with: that of the graph's resource.
#[derive(Default)]
pub(super) struct Graphs(RwLock<Arc<ByName>>);

impl Graphs {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Limits>> {
        self.current().get(name).cloned()
    }

    fn current(&self) -> Arc<ByName> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes the limits of what is published. Where they cannot be read, those
    /// of before hold on.
    pub(super) fn learn(&self, published: &BTreeMap<String, Publication>) {
        let known = self.current();
        let mut next = ByName::new();
        for (name, publication) in published {
            let before = known.get(name);
            let limits =
                match before {
                    Some(same) if same.revision == publication.revision => same.clone(),
                    _ => {
                        let read = read(&publication.resource).unwrap_or_else(|error| {
                        let graph = xds::graph(name);
                        tracing::error!(%error, graph, "limits of the fleet are those of before");
                        before.map(|before| before.as_ref().clone()).unwrap_or_default()
                    });
                        let revision = publication.revision.clone();
                        Arc::new(Limits { revision, ..read })
                    }
                };
            next.insert(name.clone(), limits);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
