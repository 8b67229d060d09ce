//! Counts, usage and prices in the database.

use std::collections::BTreeMap;

use ig_cost::{
    Counts, Entry, HOUR_MILLIS, Hour, Key, PriceMap, Prices, Resource, Scope, Statement, Usage,
    Weight,
};
use sqlx::{Any, AnyConnection, FromRow, Transaction};

use crate::error::ApiError;
use crate::store::{Store, now};

/// What is added at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) id: String,
    /// By hour, key and region, so that all replicas lock rows in one order.
    pub(super) counts: BTreeMap<(i64, Key, String), Counts>,
    /// Spans and their nanoseconds.
    pub(super) weights: BTreeMap<(i64, Key), (u64, u64)>,
}

/// Most rows of one statement.
const ROWS: usize = 100;

/// Adds a batch, unless it was added: whether a commit succeeded that was not
/// answered, nobody knows.
pub(super) async fn add(store: &Store, batch: &Batch) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO cost_batches (id, added_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(batch.id.as_str())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(());
    }
    add_counts(&mut transaction, batch).await?;
    add_weights(&mut transaction, batch).await?;
    transaction.commit().await
}

async fn add_counts(
    transaction: &mut Transaction<'static, Any>,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let all: Vec<_> = batch.counts.iter().collect();
    for rows in all.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO cost_counts (hour, graph, region, tenant, route, operation, requests, \
             request_bytes, egress_bytes, busy_micros) VALUES {} \
             ON CONFLICT (hour, graph, region, tenant, route, operation) DO UPDATE SET \
             requests = cost_counts.requests + excluded.requests, \
             request_bytes = cost_counts.request_bytes + excluded.request_bytes, \
             egress_bytes = cost_counts.egress_bytes + excluded.egress_bytes, \
             busy_micros = cost_counts.busy_micros + excluded.busy_micros",
            places(rows.len(), 10)
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for ((hour, key, region), counts) in rows {
            query = query
                .bind(*hour)
                .bind(key.graph.as_str())
                .bind(region.as_str())
                .bind(key.tenant.as_deref().unwrap_or_default())
                .bind(key.route.as_str())
                .bind(key.operation.as_str())
                .bind(signed(counts.requests))
                .bind(signed(counts.request_bytes))
                .bind(signed(counts.egress_bytes))
                .bind(signed(counts.busy_micros));
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn add_weights(
    transaction: &mut Transaction<'static, Any>,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let all: Vec<_> = batch.weights.iter().collect();
    for rows in all.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO cost_weights (hour, graph, tenant, route, operation, spans, nanos) \
             VALUES {} ON CONFLICT (hour, graph, tenant, route, operation) DO UPDATE SET \
             spans = cost_weights.spans + excluded.spans, \
             nanos = cost_weights.nanos + excluded.nanos",
            places(rows.len(), 7)
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for ((hour, key), (spans, nanos)) in rows {
            query = query
                .bind(*hour)
                .bind(key.graph.as_str())
                .bind(key.tenant.as_deref().unwrap_or_default())
                .bind(key.route.as_str())
                .bind(key.operation.as_str())
                .bind(signed(*spans))
                .bind(signed(*nanos));
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

/// `($1,$2),($3,$4)`
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", places.collect::<Vec<_>>().join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

/// Most of anything that one batch adds to a row, so that no sum of an hour is too
/// large for the databases' signed numbers.
const MOST: u64 = 100_000_000_000_000;

fn signed(number: u64) -> i64 {
    i64::try_from(number.min(MOST)).unwrap_or_default()
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[derive(FromRow)]
struct CountRow {
    hour: i64,
    graph: String,
    region: String,
    tenant: String,
    route: String,
    operation: String,
    requests: i64,
    request_bytes: i64,
    egress_bytes: i64,
    busy_micros: i64,
}

#[derive(FromRow)]
struct WeightRow {
    hour: i64,
    graph: String,
    tenant: String,
    route: String,
    operation: String,
    spans: i64,
    nanos: i64,
}

#[derive(FromRow)]
struct UsageRow {
    hour: i64,
    region: String,
    resource: String,
    quantity: i64,
    overhead: i64,
}

fn key(graph: String, tenant: String, route: String, operation: String) -> Key {
    Key {
        graph,
        tenant: Some(tenant).filter(|tenant| !tenant.is_empty()),
        route,
        operation,
    }
}

impl From<CountRow> for Entry {
    fn from(row: CountRow) -> Self {
        Self {
            region: row.region,
            key: key(row.graph, row.tenant, row.route, row.operation),
            counts: Counts {
                requests: unsigned(row.requests),
                request_bytes: unsigned(row.request_bytes),
                egress_bytes: unsigned(row.egress_bytes),
                busy_micros: unsigned(row.busy_micros),
            },
        }
    }
}

/// Most rows of counts that one statement is made of.
const MAX_ROWS: usize = 3_000_000;
/// Hours that are read at once.
const CHUNK: i64 = 24 * HOUR_MILLIS;

/// What happened from one hour to before another one, by the prices of then, and the
/// currency of all prices.
pub(super) async fn statement(
    store: &Store,
    scope: Scope,
    from: i64,
    to: i64,
) -> Result<(Statement, Option<String>), ApiError> {
    let mut view = store.view().await?;
    let prices = prices(&mut view).await?;
    let mut statement = Statement::new(scope);
    let (mut start, mut read) = (from, 0);
    while start < to {
        let end = to.min(start.saturating_add(CHUNK));
        let (hours, rows) = hours(&mut view, start, end).await?;
        read += rows;
        if read > MAX_ROWS {
            return Err(ApiError::invalid(format!(
                "from, to: there are more than {MAX_ROWS} counts between them; ask for less at \
                 a time"
            )));
        }
        let prices = prices.clone();
        let adding = tokio::task::spawn_blocking(move || {
            for hour in hours.values() {
                statement.add(hour, &prices);
            }
            statement
        });
        statement = adding.await.map_err(ApiError::Task)?;
        start = end;
    }
    Ok((statement, prices.currency().map(ToOwned::to_owned)))
}

/// Every price map, in the order in which they were put.
pub(super) async fn prices(connection: &mut AnyConnection) -> Result<Prices, ApiError> {
    let maps: Vec<String> = sqlx::query_scalar("SELECT map FROM cost_prices ORDER BY number")
        .fetch_all(connection)
        .await?;
    let read = |map: &String| -> Result<PriceMap, ApiError> {
        serde_json::from_str(map)
            .map_err(|_| ApiError::Conflict("a price map is not readable".into()))
    };
    let maps: Vec<PriceMap> = maps.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Prices::new(maps))
}

pub(super) async fn hours(
    connection: &mut AnyConnection,
    from: i64,
    to: i64,
) -> Result<(BTreeMap<i64, Hour>, usize), ApiError> {
    let counts: Vec<CountRow> = sqlx::query_as(
        "SELECT hour, graph, region, tenant, route, operation, requests, request_bytes, \
         egress_bytes, busy_micros FROM cost_counts WHERE hour >= $1 AND hour < $2 \
         ORDER BY hour, graph, region, tenant, route, operation",
    )
    .bind(from)
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let usage: Vec<UsageRow> = sqlx::query_as(
        "SELECT hour, region, resource, quantity, overhead FROM cost_usage \
         WHERE hour >= $1 AND hour < $2",
    )
    .bind(from)
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let weights: Vec<WeightRow> = sqlx::query_as(
        "SELECT hour, graph, tenant, route, operation, spans, nanos FROM cost_weights \
         WHERE hour >= $1 AND hour < $2",
    )
    .bind(from)
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let rows = counts.len() + usage.len() + weights.len();
    let mut hours = Hours::default();
    for row in counts {
        hours.at(row.hour).entries.push(row.into());
    }
    for row in usage {
        let usage = Resource::parse(&row.resource).map(|resource| Usage {
            region: row.region,
            resource,
            quantity: unsigned(row.quantity),
            overhead: unsigned(row.overhead),
        });
        hours.at(row.hour).usage.extend(usage);
    }
    for row in weights {
        hours.at(row.hour).weights.push(Weight {
            key: key(row.graph, row.tenant, row.route, row.operation),
            spans: unsigned(row.spans),
            nanos: unsigned(row.nanos),
        });
    }
    Ok((hours.0, rows))
}

/// Hours, each made when it is first asked for.
#[derive(Default)]
struct Hours(BTreeMap<i64, Hour>);

impl Hours {
    fn at(&mut self, start: i64) -> &mut Hour {
        let hour = self.0.entry(start).or_default();
        hour.start = start;
        hour
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ig_cost::Group;

    use super::*;

    /// A commit may succeed whose answer is lost: the batch is tried again.
    #[tokio::test]
    async fn a_batch_that_is_tried_again_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Duration::ZERO).await.unwrap();
        let place = (
            HOUR_MILLIS,
            key("g".into(), "alpha".into(), "r".into(), "Case".into()),
            "eu".to_owned(),
        );
        let counts = Counts {
            requests: 3,
            ..Counts::default()
        };
        let mut batch = Batch {
            id: "first".into(),
            counts: [(place, counts)].into(),
            ..Batch::default()
        };
        let requests = async || {
            let all = statement(&store, Scope::default(), 0, 2 * HOUR_MILLIS);
            let all = all.await.unwrap().0.by(Group::Tenant);
            let requests = all.values().map(|one| one.quantity(Resource::Request));
            requests.sum::<u64>()
        };
        for _ in 0..2 {
            add(&store, &batch).await.unwrap();
            assert_eq!(requests().await, 3);
        }
        batch.id = "second".into();
        add(&store, &batch).await.unwrap();
        assert_eq!(requests().await, 6);
    }
}
