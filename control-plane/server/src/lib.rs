//! The control plane: schemas, catalogue, policies and tenants in, guard
//! snapshots out over ECDS.
//!
//! One folder a capability, each with its routes and its SQL. `serve` needs a
//! valid [`Config`] and ends when the shutdown future does.

mod alerts;
mod api;
mod app;
mod audit;
mod auth;
mod break_glass;
mod catalogue;
mod config;
mod console;
mod cost;
mod decisions;
mod directory;
mod error;
mod exports;
mod extract;
mod graphs;
mod ledger;
mod linger;
mod metrics;
mod page;
mod policies;
mod proxies;
mod rate_limit;
mod schemas;
mod scim;
mod server;
mod snapshots;
mod step_up;
mod store;
mod telemetry;
mod tenants;
mod tls;
mod webauthn;
mod xds;

pub use alerts::{IssuesConfig, TrackerKind};
pub use api::document;
pub use auth::OidcConfig;
pub use config::{Config, DatabaseUrl, Decisions, InvalidConfig, Overrides, TlsFiles};
pub use cost::CostConfig;
pub use exports::{CannotSign, ExportsConfig, KeyPassword};
pub use ledger::{
    CannotCheck, Checked, LedgerConfig, LedgerKeys, LoggedKeys, Tampered, WitnessConfig,
    WitnessUrl, check as check_ledger,
};
pub use rate_limit::{RateLimitConfig, RedisUrl};
pub use server::{CannotServe, Server};
pub use telemetry::{CannotExport, InvalidHeaders, Protocol, Telemetry, TelemetryConfig};
