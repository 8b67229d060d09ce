//! What every request and stream shares.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::alerts::IssuesConfig;
use crate::auth::{Failures, Logins, Oidc};
use crate::break_glass;
use crate::cost::{CostConfig, Meter};
use crate::decisions::Queue;
use crate::directory::Directory;
use crate::exports::Exports;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::proxies::Proxies;
use crate::rate_limit::Fleet;
use crate::scim::Turns;
use crate::snapshots::Publications;
use crate::store::{Secret, Store};
use crate::webauthn::Verifier;

/// Shared state; a clone is a handle.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    /// What proxies are to run, by graph.
    pub(crate) published: Arc<Publications>,
    pub(crate) proxies: Arc<Proxies>,
    /// Limits that all proxies share.
    pub(crate) fleet: Arc<Fleet>,
    /// Whether the server is about to end: streams have no end of their own.
    pub(crate) closing: Arc<watch::Sender<bool>>,
    /// Issuer whose tokens are taken beside our own.
    pub(crate) oidc: Option<Arc<Oidc>>,
    /// Calls without a valid token.
    pub(crate) failures: Arc<Failures>,
    /// Issuers of tenants, whose tokens are those of users.
    pub(crate) logins: Arc<Logins>,
    pub(crate) metrics: Arc<Metrics>,
    /// What requests cost: counts on their way to the database.
    pub(crate) cost: Arc<Meter>,
    /// What is kept and taken of costs.
    pub(crate) cost_config: Arc<CostConfig>,
    /// Where decisions of proxies go.
    pub(crate) decisions: Arc<Queue>,
    /// Changes of users and groups.
    pub(crate) directory: Arc<Directory>,
    /// Searches of users and groups at once.
    pub(crate) searches: Arc<Turns>,
    /// What has to be known to have happened.
    pub(crate) ledger: Arc<Ledger>,
    /// What cursors are sealed with.
    pub(crate) secret: Arc<Secret>,
    /// What one-time passwords are kept with.
    pub(crate) break_glass: Arc<break_glass::Keys>,
    /// Verifies what authenticators answer.
    pub(crate) webauthn: Arc<Verifier>,
    /// Where the console's pages are: scheme, host and port of each.
    pub(crate) origins: Arc<[String]>,
    /// What the console seals logins with that were begun.
    pub(crate) login_secret: Arc<Secret>,
    /// Signed exports.
    pub(crate) exports: Arc<Exports>,
    /// Where issues are opened for alerts, if anywhere.
    pub(crate) issues: Option<Arc<IssuesConfig>>,
    /// That there is something new of alerts.
    pub(crate) alerts_told: Arc<Notify>,
    /// `iss` of step-up tokens.
    pub(crate) issuer: Arc<str>,
    /// How clients reach the API, if that is not as they say in `Host`.
    pub(crate) public_url: Option<Arc<str>>,
    /// Whether callers of the API may say which trace a request is part of.
    pub(crate) follows_callers: bool,
    /// Whether the API's listener is TLS.
    pub(crate) is_https: bool,
}

/// A name in a path: of a graph, tag or tenant.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with('.')
}
