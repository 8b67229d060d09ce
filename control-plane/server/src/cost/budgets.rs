//! What a graph, tenant or route may cost in a month, and what it has.

use axum::extract::State;
use axum::http::StatusCode;
use ig_cost::{Amount, MAX_NAME_CHARS, Scope, Sums};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::month;
use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};

/// Most budgets: each is a time series.
const MAX_BUDGETS: i64 = 100;

/// For how long a budget is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BudgetPeriod {
    /// A month of the calendar, in UTC.
    Month,
}

/// What something may cost: all requests that are of the graph, tenant and route
/// which are given; without any, everything, the remainder included.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Budget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    graph: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    period: BudgetPeriod,
    /// In the currency of the prices: a decimal number above zero, as text.
    #[schema(value_type = String)]
    pub(super) amount: Amount,
}

impl Budget {
    fn scope(&self) -> Scope {
        Scope {
            graph: self.graph.clone(),
            tenant: self.tenant.clone(),
            route: self.route.clone(),
        }
    }

    fn check(&self) -> Result<(), ApiError> {
        let mut problems = Vec::new();
        for (what, name) in [
            ("graph", &self.graph),
            ("tenant", &self.tenant),
            ("route", &self.route),
        ] {
            let is_fine = |name: &String| {
                (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.contains('\0')
            };
            if !name.as_ref().is_none_or(is_fine) {
                problems.push(format!(
                    "{what}: a name of up to {MAX_NAME_CHARS} characters"
                ));
            }
        }
        if self.amount <= Amount::ZERO {
            problems.push("amount: above zero".to_owned());
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ApiError::Invalid(problems)),
        }
    }
}

/// A budget and what it has been used for in this month.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BudgetState {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) budget: Budget,
    #[schema(value_type = String)]
    pub(super) spent: Amount,
    /// What was spent, as a part of the amount.
    pub(super) used_ratio: f64,
}

#[derive(FromRow)]
struct Row {
    name: String,
    budget: String,
}

/// All budgets, by their names.
async fn all(app: &App) -> Result<Vec<(String, Budget)>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as("SELECT name, budget FROM cost_budgets ORDER BY name")
        .fetch_all(app.store.pool())
        .await?;
    let read = |row: Row| match serde_json::from_str(&row.budget) {
        Ok(budget) => Ok((row.name, budget)),
        Err(_) => Err(ApiError::Conflict(format!(
            "the budget {} is not readable",
            row.name
        ))),
    };
    rows.into_iter().map(read).collect()
}

/// Budgets and what this month has used of each, and all of the month.
pub(super) async fn used(app: &App) -> Result<(Vec<BudgetState>, Sums), ApiError> {
    let budgets = all(app).await?;
    let scopes = budgets.iter().map(|(_, budget)| budget.scope()).collect();
    let sums = month::this_month(&app.store, &app.cost.days, scopes).await?;
    let states = budgets.into_iter().zip(sums.spent());
    let states = states.map(|((name, budget), spent)| BudgetState {
        name,
        used_ratio: ratio(*spent, budget.amount),
        budget,
        spent: *spent,
    });
    Ok((states.collect(), sums))
}

/// What was spent, as a part of the amount.
pub(super) fn ratio(spent: Amount, amount: Amount) -> f64 {
    match amount > Amount::ZERO {
        true => spent.to_f64() / amount.to_f64(),
        false => 0.0,
    }
}

/// Put a budget.
#[utoipa::path(put, path = "/cost/budgets/{name}", tag = "cost",
    security(("bearer" = ["owner"])), params(("name" = String, Path)), request_body = Budget,
    responses((status = 204), (status = 409, body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
    Json(budget): Json<Budget>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    if !is_name(&name) {
        return Err(ApiError::invalid(
            "the name of a budget: 1 to 64 letters, digits, `.`, `_` and `-`",
        ));
    }
    budget.check()?;
    let after = serde_json::to_string(&budget).map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "cost-budgets").await?;
    let before: Option<String> =
        sqlx::query_scalar("SELECT budget FROM cost_budgets WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM cost_budgets")
        .fetch_one(&mut *transaction)
        .await?;
    if before.is_none() && count >= MAX_BUDGETS {
        return Err(ApiError::Conflict(format!(
            "there are {MAX_BUDGETS} budgets already; delete one first"
        )));
    }
    sqlx::query(
        "INSERT INTO cost_budgets (name, budget) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET budget = excluded.budget",
    )
    .bind(name.as_str())
    .bind(after.as_str())
    .execute(&mut *transaction)
    .await?;
    let change = Change {
        action: "cost.budget.put",
        target: &name,
        before: before.as_deref(),
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    app.cost.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a budget.
#[utoipa::path(delete, path = "/cost/budgets/{name}", tag = "cost",
    security(("bearer" = ["owner"])), params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn delete(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let mut transaction = app.store.begin().await?;
    let before: Option<String> =
        sqlx::query_scalar("DELETE FROM cost_budgets WHERE name = $1 RETURNING budget")
            .bind(name.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    let before = before.ok_or_else(|| ApiError::NotFound(format!("the budget {name}")))?;
    let change = Change {
        action: "cost.budget.delete",
        target: &name,
        before: Some(&before),
        after: None,
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    app.cost.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// List budgets, and what this month has used of them.
#[utoipa::path(get, path = "/cost/budgets", tag = "cost", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<BudgetState>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<BudgetState>>, ApiError> {
    by.require(Role::Viewer)?;
    let _turn = app.cost.reports.take(None).await?;
    Ok(Json(used(&app).await?.0))
}
