//! The control plane: schemas, catalogue, policies and tenants in, guard
//! snapshots out over ECDS.
//!
//! One folder a capability, each with its routes and its SQL. `run` needs a
//! valid [`Config`] and ends when the shutdown future does.

mod app;
mod audit;
mod auth;
mod catalogue;
mod config;
mod error;
mod graphs;
mod policies;
mod proxies;
mod schemas;
mod server;
mod snapshots;
mod store;
mod tenants;
mod xds;

pub use config::{Config, InvalidConfig, Overrides};
pub use server::{CannotServe, Server};
