//! What requests cost: reports, and rows for other tools.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use ig_cost::{
    Amount, Group, HOUR_MILLIS, Invoice, Month, Reason, Resource, Scope, Seen, Statement, csv,
    hour_of,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{bills, rows};
use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Query};
use crate::store::now;

/// Longest time that one report is about.
const MAX_HOURS: i64 = 400 * 24;
/// `ProviderName` of rows.
const PROVIDER: &str = "IntelGraph Guard";

/// What a report is about. Times are widened to whole hours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Of this graph only.
    graph: Option<String>,
    /// Of this tenant only.
    tenant: Option<String>,
    /// From when on, in milliseconds since the epoch; without it, this month.
    from: Option<i64>,
    /// Until when, in milliseconds since the epoch; without it, until now.
    to: Option<i64>,
}

/// By what a report adds up.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AskedGroup {
    /// What a line is: a route, if it is not given.
    #[serde(default)]
    #[param(inline)]
    by: Group,
}

/// What one route, operation or tenant cost. Amounts and quantities are decimal
/// numbers as text, so that no reader rounds them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostLine {
    /// Of routes and operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<String>,
    name: String,
    requests: u64,
    /// Seconds, gigabytes, hours, requests; by resource.
    #[schema(value_type = BTreeMap<String, String>)]
    quantities: BTreeMap<Resource, String>,
    /// By resource.
    #[schema(value_type = BTreeMap<String, String>)]
    costs: BTreeMap<Resource, Amount>,
    #[schema(value_type = String)]
    cost: Amount,
    /// What a request costs on average, rounded to the nearest billionth; none without
    /// requests.
    #[schema(value_type = Option<String>)]
    unit_cost: Option<Amount>,
}

/// Prices that were used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsedPrices {
    version: String,
    hash: String,
    effective_from: i64,
}

/// What a price is missing for: it is in no amount here, but will be in a bill.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WithoutPrice {
    region: String,
    resource: Resource,
    quantity: String,
}

/// A bill beside what this report has for its month.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reconciled {
    #[schema(value_type = String)]
    month: Month,
    #[schema(value_type = String)]
    billed: Amount,
    #[schema(value_type = String)]
    total: Amount,
    /// What is billed beyond the total.
    #[schema(value_type = String)]
    difference: Amount,
}

/// What requests cost: `attributed` and `unattributed` are the `total`, and lines are
/// what is attributed, to the billionth.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostReport {
    /// Milliseconds since the epoch.
    from: i64,
    to: i64,
    by: Group,
    /// None where there is no price.
    currency: Option<String>,
    prices: Vec<UsedPrices>,
    lines: Vec<CostLine>,
    #[schema(value_type = String)]
    attributed: Amount,
    #[schema(value_type = String)]
    unattributed: Amount,
    /// What is nobody's, by reason.
    #[schema(value_type = BTreeMap<String, String>)]
    remainder: BTreeMap<Reason, Amount>,
    #[schema(value_type = String)]
    total: Amount,
    unpriced: Vec<WithoutPrice>,
    /// Of months that are wholly in a report about everything.
    bills: Vec<Reconciled>,
}

impl Asked {
    /// From when to when, and whose: of a tenant's admin, the tenant's.
    fn read(self, by: &Principal) -> Result<(i64, i64, Scope), ApiError> {
        let tenant = match by.only_tenant() {
            // Another tenant has none, as far as this caller can tell.
            Some(own) if self.tenant.as_deref().is_some_and(|asked| asked != own) => {
                return Err(ApiError::NotFound("the tenant".into()));
            }
            Some(own) => Some(own.to_owned()),
            None => {
                by.require(Role::Viewer)?;
                self.tenant
            }
        };
        let now = now();
        let hour_after = |at: i64| hour_of(at.saturating_add(HOUR_MILLIS - 1));
        let from = hour_of(self.from.unwrap_or_else(|| Month::of(now).start()).max(0));
        let to = hour_after(self.to.unwrap_or(now + 1).min(i64::MAX / 2));
        if to <= from || to - from > MAX_HOURS * HOUR_MILLIS {
            return Err(ApiError::invalid(
                "from, to: an hour to 400 days, in milliseconds since the epoch",
            ));
        }
        let scope = Scope {
            graph: self.graph,
            tenant,
            route: None,
        };
        Ok((from, to, scope))
    }
}

impl CostLine {
    fn new((graph, name): (Option<String>, String), seen: Seen) -> Self {
        let shown = |(resource, quantity): (&Resource, &u64)| (*resource, resource.show(*quantity));
        Self {
            graph,
            name,
            requests: seen.quantity(Resource::Request),
            quantities: seen.quantities.iter().map(shown).collect(),
            cost: seen.cost(),
            unit_cost: seen.per_request(),
            costs: seen.costs,
        }
    }
}

fn reconciled(
    statement: &Statement,
    bills: Vec<bills::Bill>,
    from: i64,
    to: i64,
) -> Vec<Reconciled> {
    let is_in = |month: Month| from <= month.start() && month.end() <= to;
    let bills = bills.into_iter().filter(|bill| is_in(bill.month));
    let reconciled = bills.map(|bill| {
        let total = statement.of_month(bill.month);
        Reconciled {
            month: bill.month,
            billed: bill.amount,
            total,
            difference: bill.amount - total,
        }
    });
    reconciled.collect()
}

/// A statement, once it is the caller's turn, and the currency of prices.
async fn made(
    app: &App,
    by: &Principal,
    scope: Scope,
    from: i64,
    to: i64,
) -> Result<(Statement, Option<String>), ApiError> {
    let _turn = app.cost.reports.take(by.only_tenant()).await?;
    rows::statement(&app.store, scope, from, to).await
}

/// What requests cost, from counts of all of them. A tenant's admin sees what the
/// tenant cost.
#[utoipa::path(get, path = "/cost/report", tag = "cost",
    security(("bearer" = ["viewer", "tenant-admin"])), params(Asked, AskedGroup),
    responses((status = 200, body = CostReport), (status = 404, body = Problem),
        (status = 429, description = "The tenant has a report made already", body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Query(asked): Query<Asked>,
    Query(AskedGroup { by: group }): Query<AskedGroup>,
) -> Result<Json<CostReport>, ApiError> {
    let (from, to, scope) = asked.read(&by)?;
    let bills = match scope.is_all() {
        true => bills::all(&app).await?,
        false => Vec::new(),
    };
    let (statement, currency) = made(&app, &by, scope, from, to).await?;
    let groups = statement.by(group).into_iter();
    let lines: Vec<CostLine> = groups
        .map(|(name, seen)| CostLine::new(name, seen))
        .collect();
    let maps = statement.prices().values();
    let remainder = statement.rest();
    let report = CostReport {
        from,
        to,
        by: group,
        currency,
        prices: maps
            .map(|map| UsedPrices {
                version: map.version.clone(),
                hash: map.hash(),
                effective_from: map.effective_from,
            })
            .collect(),
        attributed: lines.iter().map(|line| line.cost).sum(),
        lines,
        unattributed: remainder.values().copied().sum(),
        remainder,
        total: statement.total(),
        unpriced: statement
            .unpriced()
            .into_iter()
            .map(|one| WithoutPrice {
                region: one.region,
                resource: one.resource,
                quantity: one.resource.show(one.quantity),
            })
            .collect(),
        bills: reconciled(&statement, bills, from, to),
    };
    Ok(Json(report))
}

/// The same as rows of FOCUS 1.2, by graph, tenant, route, operation, region and
/// resource. What is nobody's has no `SubAccountId`.
#[utoipa::path(get, path = "/cost/focus", tag = "cost",
    security(("bearer" = ["viewer", "tenant-admin"])), params(Asked),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem),
        (status = 429, description = "The tenant has a report made already", body = Problem)))]
pub(crate) async fn focus(
    State(app): State<App>,
    by: Principal,
    Query(asked): Query<Asked>,
) -> Result<Response, ApiError> {
    let (from, to, scope) = asked.read(&by)?;
    let (statement, currency) = made(&app, &by, scope, from, to).await?;
    let invoice = Invoice {
        account: &app.cost_config.account,
        provider: PROVIDER,
        currency: currency.as_deref(),
        from,
        to,
    };
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"focus.csv\""),
    ];
    Ok((headers, csv(&statement, &invoice)).into_response())
}
