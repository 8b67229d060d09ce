//! Delta ECDS: guard snapshots to proxies.

mod delta;
mod resource;
mod service;

pub(crate) use resource::{graph, name, resource, snapshot};
pub(crate) use service::Ecds;
