//! Alerts as issues: Alertmanager tells of its groups, and each has one issue of a
//! tracker, which is opened, changed, closed and opened again as the group goes
//! (`docs/alerts.md`).
//!
//! - [`webhook`] takes what Alertmanager says and stores what the issue is to be: a
//!   state, not an event, so that a message sent twice changes nothing.
//! - [`late`] says which messages were overtaken.
//! - [`text`] makes the issue's text. Labels and annotations are strangers' words.
//! - [`worker`] makes the tracker have it: one replica at a time for each group, again
//!   and again until it is so. [`rows`] is what both have in the database.
//! - [`tracker`] speaks to GitHub, Gitea and Forgejo.

mod config;
mod late;
mod metrics;
mod rows;
mod text;
mod tracker;
pub(crate) mod webhook;
mod worker;

pub use config::{IssuesConfig, TrackerKind};
pub(crate) use metrics::AlertMetrics;
#[cfg(test)]
pub(crate) use metrics::Outcome;
pub(crate) use rows::{count_waiting, prune};
pub(crate) use worker::run;
