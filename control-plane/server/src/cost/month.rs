//! What this month has cost until now, for budgets and gauges.
//!
//! A month may have millions of counts. They are read an hour at a time, and what a day
//! came to is kept until something of it changes, so that neither memory nor time grows
//! with the month.

use std::collections::BTreeMap;

use ig_cost::{HOUR_MILLIS, Month, Prices, Scope, Sums, hour_of};
use sqlx::{AnyConnection, FromRow};
use tokio::sync::Mutex;

use super::rows;
use crate::error::ApiError;
use crate::store::{Store, now};

const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// What days came to.
#[derive(Default)]
pub(super) struct Days {
    scopes: Vec<Scope>,
    prices: Prices,
    /// By the start of the day.
    known: BTreeMap<i64, (DayMarks, Sums)>,
}

/// What changes when anything does that an hour is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Marks {
    counts: Mark,
    weights: Mark,
    usage: Mark,
}

type Mark = (i64, i64, i64);
/// By hour.
type DayMarks = BTreeMap<i64, Marks>;

#[derive(FromRow)]
struct MarkRow {
    hour: i64,
    all: i64,
    sum: i64,
    other: i64,
}

/// Keeps sums small enough for the databases' signed numbers.
const MODULUS: i64 = 1_000_000_007;

/// What this month has cost, and each of these parts of it.
pub(super) async fn this_month(
    store: &Store,
    days: &Mutex<Days>,
    scopes: Vec<Scope>,
) -> Result<Sums, ApiError> {
    // Whoever comes meanwhile finds it done.
    let mut days = days.lock().await;
    let now = now();
    let from = Month::of(now).start();
    // The hour that a clock ahead of ours may be in.
    let to = hour_of(now) + 2 * HOUR_MILLIS;
    let mut view = store.view().await?;
    let prices = rows::prices(&mut view).await?;
    if days.scopes != scopes || days.prices != prices {
        *days = Days {
            scopes,
            prices: prices.clone(),
            known: BTreeMap::new(),
        };
    }
    let marks = marks(&mut view, from, to).await?;
    days.known.retain(|day, _| marks.contains_key(day));
    for (day, marks) in &marks {
        let is_known = days.known.get(day).is_some_and(|(known, _)| known == marks);
        if !is_known {
            let sums = Sums::new(days.scopes.clone());
            let sums = of_hours(&mut view, marks.keys(), sums, &prices).await?;
            days.known.insert(*day, (marks.clone(), sums));
        }
    }
    let mut sums = Sums::new(days.scopes.clone());
    for (_, of_day) in days.known.values() {
        sums.join(of_day);
    }
    Ok(sums)
}

async fn of_hours(
    view: &mut AnyConnection,
    hours: impl Iterator<Item = &i64>,
    mut sums: Sums,
    prices: &Prices,
) -> Result<Sums, ApiError> {
    for hour in hours {
        let (hours, _) = rows::hours(view, *hour, hour + HOUR_MILLIS).await?;
        let prices = prices.clone();
        let adding = tokio::task::spawn_blocking(move || {
            for hour in hours.values() {
                sums.add(hour, &prices);
            }
            sums
        });
        sums = adding.await.map_err(ApiError::Task)?;
    }
    Ok(sums)
}

/// A table with hours, what of a row may grow, what else of it may change, and whose mark
/// that is.
type Table = (
    &'static str,
    &'static str,
    &'static str,
    fn(&mut Marks) -> &mut Mark,
);

/// Hours that have anything, by day. Counts only grow, a name changes its length where a
/// tenant is deleted, and usage that is reported again has another time or quantity.
async fn marks(
    view: &mut AnyConnection,
    from: i64,
    to: i64,
) -> Result<BTreeMap<i64, DayMarks>, ApiError> {
    let mut days: BTreeMap<i64, DayMarks> = BTreeMap::new();
    let tables: [Table; 3] = [
        ("cost_counts", "requests", "LENGTH(tenant)", |marks| {
            &mut marks.counts
        }),
        ("cost_weights", "spans", "LENGTH(tenant)", |marks| {
            &mut marks.weights
        }),
        (
            "cost_usage",
            "reported_at",
            "quantity % 1000003 + overhead % 999983",
            |marks| &mut marks.usage,
        ),
    ];
    for (table, sum, other, mark) in tables {
        let sql = format!(
            "SELECT hour, COUNT(*) AS \"all\", CAST(SUM({sum} % {MODULUS}) AS BIGINT) AS \"sum\", \
             CAST(SUM({other}) AS BIGINT) AS other FROM {table} \
             WHERE hour >= $1 AND hour < $2 GROUP BY hour"
        );
        let rows: Vec<MarkRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(from)
            .bind(to)
            .fetch_all(&mut *view)
            .await?;
        for row in rows {
            let day = row.hour - row.hour.rem_euclid(DAY_MILLIS);
            let marks = days.entry(day).or_default().entry(row.hour).or_default();
            *mark(marks) = (row.all, row.sum, row.other);
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The oracle: everything read and added up anew.
    async fn anew(store: &Store, scopes: &[Scope]) -> Sums {
        let nothing = Mutex::default();
        let known = this_month(store, &nothing, scopes.to_vec()).await.unwrap();
        let from = Month::of(now()).start();
        let to = hour_of(now()) + 2 * HOUR_MILLIS;
        let all = rows::statement(store, Scope::default(), from, to).await;
        let all = all.unwrap().0;
        assert_eq!(known.total(), all.total());
        let spent: Vec<_> = scopes.iter().map(|scope| all.spent(scope)).collect();
        assert_eq!(known.spent(), spent);
        known
    }

    fn count(hour: i64, tenant: &str, requests: u32) -> String {
        format!(
            "INSERT INTO cost_counts (hour, graph, region, tenant, route, operation, requests, \
             request_bytes, egress_bytes, busy_micros) \
             VALUES ({hour}, 'g', 'eu', '{tenant}', 'r', 'o', {requests}, 0, 70000000, 9) \
             ON CONFLICT (hour, graph, region, tenant, route, operation) \
             DO UPDATE SET requests = cost_counts.requests + excluded.requests"
        )
    }

    fn usage(hour: i64, quantity: u32, at: u32) -> String {
        format!(
            "INSERT INTO cost_usage (hour, region, resource, source, quantity, overhead, \
             reported_at, reported_by) VALUES ({hour}, 'eu', 'cpuSecond', 's', {quantity}, 0, {at}, 'x') \
             ON CONFLICT (hour, region, resource, source) DO UPDATE SET \
             quantity = excluded.quantity, reported_at = excluded.reported_at"
        )
    }

    fn prices(version: &str, request: &str) -> String {
        let map = format!(
            r#"{{"version": "{version}", "currency": "EUR", "effectiveFrom": 0, "regions": {{"*": {{"cpuSecond": "0.01", "request": "{request}", "gbEgress": "0.09", "replicaHour": "0.04"}}}}}}"#
        );
        format!(
            "INSERT INTO cost_prices (version, hash, currency, effective_from, map, created_at, \
             created_by) VALUES ('{version}', 'h', 'EUR', 0, '{map}', 0, 'x')"
        )
    }

    /// Days are kept, and nothing that changes one of them goes unseen.
    #[tokio::test]
    async fn what_is_kept_is_what_would_be_computed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Duration::ZERO).await.unwrap();
        let scopes: Vec<Scope> = [Some("alpha"), Some("bravo"), None]
            .map(|tenant| Scope {
                tenant: tenant.map(Into::into),
                ..Scope::default()
            })
            .into();
        // The month may have begun this hour; then all is in one day.
        let hour = hour_of(now());
        let first = Month::of(now()).start();
        let weights = format!(
            "INSERT INTO cost_weights (hour, graph, tenant, route, operation, spans, nanos) \
             VALUES ({first}, 'g', 'alpha', 'r', 'o', 1, 100000), \
             ({first}, 'g', 'bravo', 'r', 'o', 1, 100000)"
        );
        let steps = [
            prices("v1", "0.001"),
            count(first, "alpha", 10),
            count(first, "bravo", 30),
            count(hour, "alpha", 7),
            count(hour, "alpha", 1),
            usage(first, 5_000_000, 1),
            usage(first, 5_000_000, 1),
            usage(first, 9_000_000, 2),
            usage(first, 9_000_001, 2),
            weights,
            "UPDATE cost_weights SET spans = 2, nanos = nanos * 4 WHERE tenant = 'alpha'"
                .to_owned(),
            "UPDATE cost_counts SET tenant = 'alpha@1' WHERE tenant = 'alpha'".to_owned(),
            prices("v2", "0.002"),
            count(first, "alpha", 5),
            format!("DELETE FROM cost_counts WHERE hour = {first}"),
        ];
        let days = Mutex::default();
        let mut changes = 0;
        let mut before = Sums::new(scopes.clone());
        for step in steps {
            sqlx::query(sqlx::AssertSqlSafe(step.clone()))
                .execute(store.pool())
                .await
                .unwrap();
            let known = this_month(&store, &days, scopes.clone()).await.unwrap();
            assert_eq!(known, anew(&store, &scopes).await, "{step}");
            changes += usize::from(known != before);
            before = known;
        }
        assert!(changes >= 12, "{changes}");
        // Other budgets are other parts.
        let one = scopes.get(1..2).unwrap_or_default().to_vec();
        let known = this_month(&store, &days, one.clone()).await.unwrap();
        assert_eq!(known, anew(&store, &one).await);
    }
}
