//! What proxies decided: from access logs, kept for a while, and asked for.

mod als;
mod writer;

use axum::extract::State;
use ig_contract::decision::Outcome;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::{IntoParams, ToSchema};

pub(crate) use als::AccessLog;
pub(crate) use writer::{Entry, Queue, Writer};

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::{Json, Query};
use crate::page::{Page, PageQuery};

/// Which decisions to list. All that is given has to hold.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter {
    /// The value of `x-ig-decision-id`.
    pub(crate) decision_id: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) graph: Option<String>,
    pub(crate) rule: Option<String>,
    /// Name of the operation.
    pub(crate) operation: Option<String>,
    #[param(inline)]
    pub(crate) outcome: Option<Outcome>,
}

/// A decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decision {
    pub(crate) number: i64,
    /// When it arrived, in milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) graph: String,
    /// The proxy, as it names itself.
    pub(crate) node: String,
    /// As in the access log.
    #[schema(value_type = Object)]
    pub(crate) record: Box<serde_json::value::RawValue>,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    at: i64,
    graph: String,
    node: String,
    record: String,
}

/// List decisions, the last first. A tenant's admin sees the tenant's.
#[utoipa::path(get, path = "/decisions", tag = "decisions",
    security(("bearer" = ["viewer", "tenant-admin"])), params(Filter, PageQuery),
    responses((status = 200, body = Page<Decision>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Decision>>, ApiError> {
    let tenant = match by.only_tenant() {
        // Another tenant has none, as far as this caller can tell.
        Some(own) if filter.tenant.as_deref().is_some_and(|asked| asked != own) => {
            return Err(ApiError::NotFound("the tenant".into()));
        }
        Some(own) => Some(own.to_owned()),
        None => {
            by.require(Role::Viewer)?;
            filter.tenant
        }
    };
    let limit = page.limit()?;
    let outcome = filter
        .outcome
        .and_then(|outcome| serde_json::to_value(outcome).ok());
    let conditions = [
        ("decision_id", filter.decision_id),
        ("tenant", tenant),
        ("graph", filter.graph),
        ("rule", filter.rule),
        ("operation", filter.operation),
        (
            "outcome",
            outcome.and_then(|one| one.as_str().map(Into::into)),
        ),
    ];
    let mut sql =
        String::from("SELECT number, at, graph, node, record FROM decisions WHERE number < $1");
    let mut values = Vec::new();
    for (column, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {column} = ${}", values.len() + 2));
        }
    }
    sql.push_str(" ORDER BY number DESC LIMIT $2");
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(page.before()?)
        .bind(limit);
    for value in values {
        query = query.bind(value);
    }
    let rows: Vec<Row> = query.fetch_all(app.store.pool()).await?;
    let decisions = rows.into_iter().map(shown);
    let decisions: Vec<_> = decisions.collect::<Result<_, ApiError>>()?;
    let number = |one: &Decision| one.number.to_string();
    Ok(Json(Page::new(decisions, limit, number)))
}

/// The last decisions of one subject of a tenant, since the tenant has the issuers
/// that it has.
pub(crate) async fn of_actor(
    app: &App,
    tenant: &str,
    actor: &str,
    limit: i64,
) -> Result<Vec<Decision>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, at, graph, node, record FROM decisions \
         WHERE tenant = $1 AND actor = $2 \
         AND at >= (SELECT issuers_at FROM tenants WHERE id = $1) \
         ORDER BY number DESC LIMIT $3",
    )
    .bind(tenant)
    .bind(actor)
    .bind(limit)
    .fetch_all(app.store.pool())
    .await?;
    rows.into_iter().map(shown).collect()
}

fn shown(row: Row) -> Result<Decision, ApiError> {
    let record = serde_json::value::RawValue::from_string(row.record)
        .map_err(|_| ApiError::Conflict(format!("decision {} is not readable", row.number)))?;
    Ok(Decision {
        number: row.number,
        at: row.at,
        graph: row.graph,
        node: row.node,
        record,
    })
}
