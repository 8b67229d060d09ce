//! What was used, as those say who know it: totals of an hour.

use axum::extract::State;
use axum::http::StatusCode;
use ig_cost::{HOUR_MILLIS, MAX_QUANTITY, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::Json;
use crate::store::now;

/// Most rows of one report.
const MAX_ROWS: usize = 1000;
/// How far ahead of us a reporter's clock may be.
const AHEAD_MILLIS: i64 = HOUR_MILLIS;

/// What was used of something in an hour.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Used {
    /// When the hour began, in milliseconds since the epoch.
    hour: i64,
    region: String,
    resource: Resource,
    /// Seconds, requests, gigabytes or hours: a decimal number, as text.
    quantity: String,
    /// The part of it that no request caused, such as time of idle processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overhead: Option<String>,
}

/// What was used, as one source says: a gateway, an upstream, a meter.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UsageReport {
    /// Who measured it. Sources add up.
    source: String,
    usage: Vec<Used>,
}

struct Row {
    quantity: i64,
    overhead: i64,
}

impl Used {
    fn read(&self, place: usize, latest: i64) -> Result<Row, String> {
        let named = |what: &str| format!("usage.{place}.{what}");
        if self.hour < 0 || self.hour % HOUR_MILLIS != 0 || self.hour > latest {
            return Err(named(
                "hour: the start of an hour that has begun, in milliseconds since the epoch",
            ));
        }
        if !is_name(&self.region) {
            return Err(named("region: 1 to 64 letters, digits, `.`, `_` and `-`"));
        }
        let read = |what: &str, text: &str| {
            let quantity = self.resource.read(text);
            quantity
                .and_then(|quantity| i64::try_from(quantity).ok())
                .ok_or_else(|| {
                    format!(
                        "{}: a decimal number as text, from 0 to {}, no finer than {}",
                        named(what),
                        self.resource.show(MAX_QUANTITY),
                        self.resource.show(1)
                    )
                })
        };
        let quantity = read("quantity", &self.quantity)?;
        let overhead = self.overhead.as_deref();
        let overhead = overhead.map_or(Ok(0), |text| read("overhead", text))?;
        if overhead > quantity {
            return Err(named(
                "overhead: is a part of the quantity, so no more than it",
            ));
        }
        Ok(Row { quantity, overhead })
    }
}

/// Report what was used.
///
/// A row replaces what its source said before of the same hour, region and resource,
/// so a report may be sent again. CPU and replicas are shared among the requests of
/// the hour; of requests and gigabytes, what is reported beyond what access logs told
/// is shown as uncounted.
#[utoipa::path(post, path = "/cost/usage", tag = "cost", security(("bearer" = ["publisher"])),
    request_body = UsageReport, responses((status = 204)))]
pub(crate) async fn report(
    State(app): State<App>,
    by: Principal,
    Json(report): Json<UsageReport>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    let mut problems = Vec::new();
    if !is_name(&report.source) {
        problems.push("source: 1 to 64 letters, digits, `.`, `_` and `-`".to_owned());
    }
    if !(1..=MAX_ROWS).contains(&report.usage.len()) {
        return Err(ApiError::invalid(format!("usage: 1 to {MAX_ROWS} rows")));
    }
    let latest = now() + AHEAD_MILLIS;
    let mut rows = Vec::with_capacity(report.usage.len());
    for (place, used) in report.usage.iter().enumerate() {
        match used.read(place, latest) {
            Ok(row) => rows.push((used, row)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    // In one order, so that two reports do not wait for each other.
    rows.sort_by(|(a, _), (b, _)| {
        (a.hour, &a.region, a.resource).cmp(&(b.hour, &b.region, b.resource))
    });
    let after = serde_json::to_string(&report.usage).map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    for (used, row) in rows {
        sqlx::query(
            "INSERT INTO cost_usage (hour, region, resource, source, quantity, overhead, \
             reported_at, reported_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (hour, region, resource, source) DO UPDATE SET \
             quantity = excluded.quantity, overhead = excluded.overhead, \
             reported_at = excluded.reported_at, reported_by = excluded.reported_by",
        )
        .bind(used.hour)
        .bind(used.region.as_str())
        .bind(used.resource.as_str())
        .bind(report.source.as_str())
        .bind(row.quantity)
        .bind(row.overhead)
        .bind(now())
        .bind(by.name.as_str())
        .execute(&mut *transaction)
        .await?;
    }
    let change = Change {
        action: "cost.usage",
        target: &report.source,
        before: None,
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    app.cost.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
