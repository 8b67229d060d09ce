//! `POST /alerts/webhook`: what Alertmanager says of a group, as it is now.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::late::Instance;
use super::rows::{self, Group, Wanted};
use super::text;
use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::Json;

/// Largest message.
pub(crate) const MAX_BODY_BYTES: usize = 4 << 20;
/// The version of the format that is read.
const VERSION: &str = "4";
/// The most alerts of a message.
const MAX_ALERTS: usize = 1000;
/// The longest key of a group, in bytes.
const MAX_KEY_BYTES: usize = 16 << 10;

/// Whether an alert, or anything of a group, goes on.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    #[default]
    Firing,
    Resolved,
}

/// A message of Alertmanager's webhook, version 4. What else it says is ignored.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// `4`.
    pub(super) version: String,
    /// Which group it is; the same as long as Alertmanager's routes are.
    pub(super) group_key: String,
    pub(super) status: Status,
    /// Alerts of the group that were left out.
    #[serde(default)]
    pub(super) truncated_alerts: u64,
    #[serde(default)]
    pub(super) group_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) common_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) common_annotations: BTreeMap<String, String>,
    #[schema(max_items = 1000)]
    pub(super) alerts: Vec<Alert>,
}

/// One alert of a group.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    pub(super) status: Status,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    /// RFC 3339.
    #[serde(default)]
    pub(super) starts_at: String,
    /// RFC 3339; of one that goes on it means nothing.
    #[serde(default)]
    pub(super) ends_at: String,
    #[serde(default)]
    pub(super) fingerprint: String,
}

impl Message {
    /// The name of what fires.
    pub(super) fn name(&self) -> &str {
        let of = |labels: &'_ BTreeMap<String, String>| labels.contains_key("alertname");
        let labels = match of(&self.group_labels) {
            true => &self.group_labels,
            false => &self.common_labels,
        };
        labels.get("alertname").map_or("Alerts", |name| name)
    }

    fn check(&self) -> Result<(), ApiError> {
        let mut problems = Vec::new();
        if self.version != VERSION {
            problems.push(format!("version: {VERSION} is read, and no other"));
        }
        if !(1..=MAX_KEY_BYTES).contains(&self.group_key.len()) {
            problems.push(format!("groupKey: 1 to {MAX_KEY_BYTES} bytes"));
        }
        if !(1..=MAX_ALERTS).contains(&self.alerts.len()) {
            problems.push(format!(
                "alerts: 1 to {MAX_ALERTS}; set `max_alerts` of Alertmanager's webhook"
            ));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ApiError::Invalid(problems)),
        }
    }

    /// The alerts that the message is about: those that fire or, where it is over, all.
    /// Those that do not say when they began are told apart from nothing.
    fn instances(&self) -> Vec<Instance> {
        let is_about = |alert: &&Alert| alert.status == self.status;
        let alerts = self.alerts.iter().filter(is_about);
        alerts
            .filter_map(|alert| Instance::new(&alert.fingerprint, &alert.starts_at))
            .collect()
    }

    fn wanted(&self) -> Wanted {
        let id = hex::encode(Sha256::digest(self.group_key.as_bytes()));
        let is_critical = |alert: &Alert| {
            alert
                .labels
                .get("severity")
                .is_some_and(|severity| severity == "critical")
        };
        Wanted {
            title: text::title(self),
            body: text::body(self),
            is_firing: self.status == Status::Firing,
            alerts: self.instances(),
            is_critical: self.alerts.iter().any(is_critical),
            id,
        }
    }
}

/// Take what Alertmanager says of a group. Its issue is opened, changed or closed
/// soon after; a message that says nothing new changes nothing, nor does one that was
/// overtaken.
#[utoipa::path(post, path = "/alerts/webhook", tag = "alerts",
    security(("bearer" = ["notifier"])), request_body = Message,
    responses(
        (status = 202, description = "It is stored"),
        (status = 404, description = "No tracker is configured", body = Problem),
    ))]
pub(crate) async fn receive(
    State(app): State<App>,
    by: Principal,
    // Who may not is told so, whatever was sent.
    message: Result<Json<Message>, ApiError>,
) -> Result<StatusCode, ApiError> {
    by.require_notifier()?;
    let Json(message) = message?;
    if app.issues.is_none() {
        return Err(ApiError::NotFound(
            "a tracker for issues (`[issues]` of the configuration)".into(),
        ));
    }
    message.check()?;
    rows::put(&app.store, &message.wanted()).await?;
    app.metrics.alerts.webhooks.inc();
    app.alerts_told.notify_one();
    Ok(StatusCode::ACCEPTED)
}

/// A group of alerts, and its issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedGroup {
    /// SHA-256 of the group's key: the issue has it in its marker.
    id: String,
    title: String,
    is_firing: bool,
    /// The issue's number, once there is one.
    issue: Option<i64>,
    /// Whether the issue is as it is to be.
    is_done: bool,
    /// Why not, where a call failed.
    error: Option<String>,
    changed_at: i64,
}

/// List groups of alerts, the last changed first.
#[utoipa::path(get, path = "/alerts", tag = "alerts", security(("bearer" = ["viewer"])),
    responses((status = 200, description = "200 at most", body = Vec<ListedGroup>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ListedGroup>>, ApiError> {
    by.require(Role::Viewer)?;
    let listed = |group: Group| ListedGroup {
        is_firing: group.firing != 0,
        is_done: group.wanted == group.done,
        id: group.id,
        title: group.title,
        issue: group.issue,
        error: group.error,
        changed_at: group.changed_at,
    };
    let groups = rows::list(&app.store).await?;
    Ok(Json(groups.into_iter().map(listed).collect()))
}
