//! What is paid for what. Maps are put and never changed, so that what a report says
//! of them can be looked up for as long as there is a database.

use axum::extract::State;
use axum::http::StatusCode;
use ig_cost::{InvalidPrices, PriceMap};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::store::now;

/// Most maps.
const MAX_MAPS: i64 = 10_000;

/// A price map.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Priced {
    /// SHA-256 of the map as canonical JSON (RFC 8785).
    hash: String,
    map: PriceMap,
    /// Milliseconds since the epoch.
    created_at: i64,
    created_by: String,
}

#[derive(FromRow)]
struct Row {
    hash: String,
    map: String,
    created_at: i64,
    created_by: String,
}

impl TryFrom<Row> for Priced {
    type Error = ApiError;

    fn try_from(row: Row) -> Result<Self, ApiError> {
        let map = serde_json::from_str(&row.map)
            .map_err(|_| ApiError::Conflict("a price map is not readable".into()))?;
        Ok(Self {
            hash: row.hash,
            map,
            created_at: row.created_at,
            created_by: row.created_by,
        })
    }
}

const COLUMNS: &str = "SELECT hash, map, created_at, created_by FROM cost_prices";

/// Put a price map.
///
/// It holds from its hour on until the next map does; of two that hold from the same
/// hour on, the one that was put last. A version is one map for ever, and all maps are
/// in one currency.
#[utoipa::path(put, path = "/cost/prices", tag = "cost", security(("bearer" = ["owner"])),
    request_body = PriceMap,
    responses((status = 201, body = Priced), (status = 200, description = "It was there", body = Priced),
        (status = 409, body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Json(map): Json<PriceMap>,
) -> Result<(StatusCode, Json<Priced>), ApiError> {
    by.require(Role::Owner)?;
    map.check()
        .map_err(|InvalidPrices(problems)| ApiError::Invalid(problems))?;
    let (text, hash) = (map.canonical(), map.hash());
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "cost-prices").await?;
    let before: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE version = $1")))
            .bind(map.version.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    match before {
        Some(row) if row.hash == hash => return Ok((StatusCode::OK, Json(row.try_into()?))),
        Some(_) => {
            let problem = format!(
                "version {} has other prices; give a new version",
                map.version
            );
            return Err(ApiError::Conflict(problem));
        }
        None => {}
    }
    let (count, other): (i64, Option<String>) = sqlx::query_as(
        "SELECT COUNT(*), MAX(CASE WHEN currency <> $1 THEN currency END) FROM cost_prices",
    )
    .bind(map.currency.as_str())
    .fetch_one(&mut *transaction)
    .await?;
    if let Some(currency) = other {
        let problem = format!("prices are in {currency}; amounts of two currencies add up to none");
        return Err(ApiError::Conflict(problem));
    }
    if count >= MAX_MAPS {
        return Err(ApiError::Conflict(format!(
            "there are {MAX_MAPS} price maps already"
        )));
    }
    let created_at = now();
    sqlx::query(
        "INSERT INTO cost_prices (version, hash, currency, effective_from, map, created_at, \
         created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(map.version.as_str())
    .bind(hash.as_str())
    .bind(map.currency.as_str())
    .bind(map.effective_from)
    .bind(text.as_str())
    .bind(created_at)
    .bind(by.name.as_str())
    .execute(&mut *transaction)
    .await?;
    let change = Change {
        action: "cost.prices",
        target: &map.version,
        before: None,
        after: Some(&text),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    app.cost.changed.notify_one();
    let made = Priced {
        hash,
        map,
        created_at,
        created_by: by.name,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// List price maps, the last first.
#[utoipa::path(get, path = "/cost/prices", tag = "cost", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<Priced>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<Priced>>, ApiError> {
    by.require(Role::Viewer)?;
    let sql = format!("{COLUMNS} ORDER BY number DESC LIMIT 1000");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_all(app.store.pool())
        .await?;
    let all: Result<Vec<Priced>, ApiError> = rows.into_iter().map(Priced::try_from).collect();
    all.map(Json)
}
