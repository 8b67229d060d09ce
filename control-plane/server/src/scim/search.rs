//! Lists: filtered, sorted, in pages (RFC 7644 §3.4.2, RFC 9865).

use ig_scim::filter::Filter;
use ig_scim::{Error, ErrorKind, ResourceType};
use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::cursor::{Direction, Key, Position};
use super::page::{Listing, Scope};
use super::query::Search;
use super::render::render;
use super::rows;
use super::sql::Order;
use crate::app::App;

/// Longest that a search may take on PostgreSQL.
const LONGEST: &str = "SET LOCAL statement_timeout = '20s'";

/// Searches resources of a type, or, without one, of all.
pub(super) async fn search(
    app: App,
    caller: Caller,
    of: Option<ResourceType>,
    search: Search,
) -> Result<Answer, Refusal> {
    let turn = app.searches.take(&caller.tenant).await?;
    // On its own, so that its turn ends when the database has ended: not when
    // the client leaves.
    let task = tokio::spawn(async move {
        let _turn = turn;
        answer(&app, &caller, of, &search).await
    });
    let ended = |_| Error::new(ErrorKind::Unavailable, "the search ended").into();
    task.await.map_err(ended).flatten()
}

async fn answer(
    app: &App,
    caller: &Caller,
    of: Option<ResourceType>,
    search: &Search,
) -> Result<Answer, Refusal> {
    let scopes = scopes(of, search)?;
    let query = format!("{} {of:?} {}", caller.tenant, search.identity());
    let position = match search.cursor.as_deref() {
        None | Some("") => None,
        Some(cursor) => Some(Position::open(&app.secret, &query, cursor)?),
    };
    let mut view = app.store.view().await?;
    if app.store.is_shared() {
        sqlx::query(LONGEST).execute(&mut *view).await?;
    }
    let listing = Listing {
        tenant: &caller.tenant,
        scopes,
        search,
        position,
        by_trigrams: !app.store.is_shared() && count(&mut view, &caller.tenant).await? > MANY,
    };
    let page = listing.page(&mut view).await?;
    let numbers: Vec<i64> = page.rows.iter().map(|(number, _)| *number).collect();
    let stored = rows::by_numbers(&mut view, &caller.tenant, &numbers).await?;
    let resources = render(&mut view, caller, &stored, &search.projection).await?;
    view.commit().await?;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": page.total,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    let mut set = |name: &str, value: Value| body[name] = value;
    match search.cursor {
        None => set("startIndex", search.start_index.into()),
        Some(_) => {
            let seal = |direction, at: Option<&(i64, Key)>| -> Result<Option<String>, Error> {
                let Some((number, key)) = at else {
                    return Ok(None);
                };
                let position = Position::new(direction, key.clone(), *number);
                position.seal(&app.secret, &query).map(Some)
            };
            if page.has_next
                && let Some(cursor) = seal(Direction::Next, page.rows.last())?
            {
                set("nextCursor", cursor.into());
            }
            if page.has_previous
                && let Some(cursor) = seal(Direction::Previous, page.rows.first())?
            {
                set("previousCursor", cursor.into());
            }
        }
    }
    Ok(Answer::ok(body))
}

fn scopes(of: Option<ResourceType>, search: &Search) -> Result<Vec<Scope>, Error> {
    let filters: Vec<(ResourceType, Option<Filter>)> = match (of, &search.filter) {
        (Some(of), None) => vec![(of, None)],
        (Some(of), Some(text)) => vec![(of, Some(Filter::parse(of, text)?))],
        (None, None) => ResourceType::ALL.map(|of| (of, None)).into(),
        (None, Some(text)) => {
            let filters = Filter::parse_for_all(text)?.into_iter();
            filters.map(|(of, filter)| (of, Some(filter))).collect()
        }
    };
    let orders = filters.iter().map(|(of, _)| match &search.sort_by {
        None => Ok(Order::Made),
        Some(path) => Order::of(*of, path),
    });
    let mut orders: Vec<Result<Order, Error>> = orders.collect();
    if orders.iter().any(Result::is_ok) {
        // Another type has it.
        for order in &mut orders {
            if order.is_err() {
                *order = Ok(Order::None);
            }
        }
    }
    let scopes = filters.into_iter().zip(orders);
    scopes
        .map(|((kind, filter), order)| {
            Ok(Scope {
                kind,
                filter,
                order: order?,
            })
        })
        .collect()
}

/// Resources of a tenant.
async fn count(connection: &mut AnyConnection, tenant: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM scim_counts WHERE tenant = $1",
    )
    .bind(tenant)
    .fetch_one(connection)
    .await
}

/// Resources of a tenant from which on SQLite is faster by its trigrams of all
/// tenants than by looking at the tenant's own values.
const MANY: i64 = 20_000;

/// Refuses a filter where there are none (RFC 7644 §4).
pub(super) fn refuse_filter(parameters: &[(String, String)]) -> Result<(), Error> {
    match parameters.iter().any(|(name, _)| name == "filter") {
        false => Ok(()),
        true => Err(Error::new(
            ErrorKind::Forbidden,
            "discovery cannot be filtered",
        )),
    }
}
