//! Delta ECDS: guard snapshots to proxies.

mod delta;
mod resource;
mod service;

pub(crate) use service::Ecds;
