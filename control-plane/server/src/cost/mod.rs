//! What requests cost. Gateways' access logs are counted by the hour, services report
//! what was used, owners say what is paid for it; the rest is arithmetic (`ig-cost`).
//!
//! A span is never a quantity: spans are a sample. They say how much more work one
//! kind of request is than another.

mod bills;
mod budgets;
mod config;
mod meter;
mod metrics;
mod month;
mod otlp;
mod prices;
mod report;
mod rows;
mod served;
mod turns;
mod usage;

use axum::extract::DefaultBodyLimit;
use sqlx::{Any, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use config::CostConfig;
pub(crate) use meter::{Meter, prune, run};
pub(crate) use metrics::{CostMetrics, run as watch};
pub(crate) use otlp::Spans;
pub(crate) use served::{Gateway, Served};

use crate::app::App;
use crate::store::now;

/// Largest body of a request: spans, or a thousand rows of usage.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Every route.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(prices::put, prices::list))
        .routes(routes!(usage::report))
        .routes(routes!(bills::list))
        .routes(routes!(bills::put))
        .routes(routes!(budgets::list))
        .routes(routes!(budgets::put, budgets::delete))
        .routes(routes!(report::get))
        .routes(routes!(report::focus))
        .routes(routes!(otlp::traces))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Keeps what a tenant cost under a name that no tenant can have: the bill is still
/// the bill, and a later tenant of the same name is another.
pub(crate) async fn forget(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
) -> Result<(), sqlx::Error> {
    let was = format!("{tenant}@{}", now());
    for table in ["cost_counts", "cost_weights"] {
        let sql = format!("UPDATE {table} SET tenant = $1 WHERE tenant = $2");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(was.as_str())
            .bind(tenant)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
