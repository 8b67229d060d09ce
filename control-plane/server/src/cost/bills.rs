//! What was billed for a month, so that reports can be held against it.

use axum::extract::State;
use axum::http::StatusCode;
use ig_cost::{Amount, Month};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::store::now;

/// What was billed.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewBill {
    /// In the currency of the prices: a decimal number, as text.
    #[schema(value_type = String)]
    amount: Amount,
}

/// A bill.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bill {
    /// As `2026-11`.
    #[schema(value_type = String)]
    pub(super) month: Month,
    #[schema(value_type = String)]
    pub(super) amount: Amount,
    /// Milliseconds since the epoch.
    put_at: i64,
    put_by: String,
}

#[derive(FromRow)]
struct Row {
    month: String,
    amount: String,
    put_at: i64,
    put_by: String,
}

/// Every bill, the last first.
pub(super) async fn all(app: &App) -> Result<Vec<Bill>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT month, amount, put_at, put_by FROM cost_bills ORDER BY month DESC LIMIT 1000",
    )
    .fetch_all(app.store.pool())
    .await?;
    let read = |row: Row| match (row.month.parse(), row.amount.parse()) {
        (Ok(month), Ok(amount)) => Ok(Bill {
            month,
            amount,
            put_at: row.put_at,
            put_by: row.put_by,
        }),
        _ => Err(ApiError::Conflict(format!(
            "the bill of {} is not readable",
            row.month
        ))),
    };
    rows.into_iter().map(read).collect()
}

/// Put what was billed for a month, in place of what was put before.
#[utoipa::path(put, path = "/cost/bills/{month}", tag = "cost", security(("bearer" = ["owner"])),
    params(("month" = String, Path, description = "As `2026-11`", pattern = r"^\d{4}-\d{2}$")),
    request_body = NewBill, responses((status = 204)))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(month): Path<String>,
    Json(bill): Json<NewBill>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let month: Month = month.parse().map_err(ApiError::invalid)?;
    let (month, amount) = (month.to_string(), bill.amount.to_string());
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "cost-bills").await?;
    let before: Option<String> =
        sqlx::query_scalar("SELECT amount FROM cost_bills WHERE month = $1")
            .bind(month.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    sqlx::query(
        "INSERT INTO cost_bills (month, amount, put_at, put_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (month) DO UPDATE SET amount = excluded.amount, put_at = excluded.put_at, \
         put_by = excluded.put_by",
    )
    .bind(month.as_str())
    .bind(amount.as_str())
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut *transaction)
    .await?;
    let change = Change {
        action: "cost.bill",
        target: &month,
        before: before.as_deref(),
        after: Some(&amount),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List bills, the last month first.
#[utoipa::path(get, path = "/cost/bills", tag = "cost", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<Bill>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<Bill>>, ApiError> {
    by.require(Role::Viewer)?;
    all(&app).await.map(Json)
}
