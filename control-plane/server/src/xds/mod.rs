//! Delta ECDS: guard snapshots to proxies.

mod delta;
mod resource;
mod service;

pub(crate) use resource::{graph, name, resource};
pub(crate) use service::Ecds;
