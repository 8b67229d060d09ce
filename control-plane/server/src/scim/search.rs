//! Lists: filtered, sorted, in pages (RFC 7644 §3.4.2, RFC 9865).

use ig_scim::filter::Filter;
use ig_scim::{Error, ErrorKind, ResourceType};
use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::cursor::{Direction, Key, Position};
use super::query::Search;
use super::render::render;
use super::rows;
use super::sql::{self, Order, Sql, Type};
use crate::app::App;

/// What is searched: resources of a type, or all.
struct Scope {
    kind: ResourceType,
    filter: Option<Filter>,
    order: Order,
}

/// Searches resources of a type, or, without one, of all.
pub(super) async fn search(
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
    let listing = Listing {
        caller,
        scopes,
        search,
        position,
        by_trigrams: !app.store.is_shared() && count(&mut view, &caller.tenant).await? > MANY,
    };
    let total = listing.total(&mut view).await?;
    let page = listing.page(&mut view).await?;
    let numbers: Vec<i64> = page.rows.iter().map(|(number, _)| *number).collect();
    let stored = rows::by_numbers(&mut view, &caller.tenant, &numbers).await?;
    let resources = render(&mut view, caller, &stored, &search.projection).await?;
    view.commit().await?;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
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

struct Listing<'a> {
    caller: &'a Caller,
    scopes: Vec<Scope>,
    search: &'a Search,
    position: Option<Position>,
    by_trigrams: bool,
}

/// Resources of a tenant from which on SQLite is faster by its trigrams of all
/// tenants than by looking at the tenant's own values.
const MANY: i64 = 20_000;

/// Rows of a page, with what they were sorted by.
struct Page {
    rows: Vec<(i64, Key)>,
    has_next: bool,
    has_previous: bool,
}

impl Listing<'_> {
    /// How many there are in all.
    async fn total(&self, connection: &mut AnyConnection) -> Result<i64, Refusal> {
        let mut total = 0;
        for scope in &self.scopes {
            let mut sql = Sql::default();
            match &scope.filter {
                None => {
                    sql.push("SELECT COALESCE(MAX(count), 0) FROM scim_counts WHERE tenant = ");
                    sql.text(self.caller.tenant.as_str());
                    sql.push(" AND kind = ");
                    sql.text(scope.kind.name());
                }
                Some(_) => {
                    sql.push("SELECT COUNT(*) FROM scim_resources r WHERE ");
                    self.condition(&mut sql, scope)?;
                }
            }
            let (count,): (i64,) = sql.query().fetch_one(&mut *connection).await?;
            total += count;
        }
        Ok(total)
    }

    fn condition(&self, sql: &mut Sql, scope: &Scope) -> Result<(), Error> {
        sql.push("r.tenant = ");
        sql.text(self.caller.tenant.as_str());
        sql.push(" AND r.kind = ");
        sql.text(scope.kind.name());
        sql.push(" AND r.deleted_at IS NULL");
        if let Some(filter) = &scope.filter {
            sql.push(" AND ");
            sql::filter(
                sql,
                scope.kind,
                &self.caller.tenant,
                filter,
                self.by_trigrams,
            )?;
        }
        Ok(())
    }

    /// The type of what is sorted by.
    fn key_type(&self) -> Type {
        let orders = self.scopes.iter().map(|scope| scope.order);
        let mut orders = orders.filter(|order| *order != Order::None);
        orders.next().map_or(Type::Text, Order::kind)
    }

    async fn page(&self, connection: &mut AnyConnection) -> Result<Page, Refusal> {
        let count = self.search.count;
        let direction = self.position.as_ref().map(|position| position.direction);
        if count == 0 {
            return Ok(Page {
                rows: Vec::new(),
                has_next: false,
                has_previous: false,
            });
        }
        let is_back = direction == Some(Direction::Previous);
        let sql = self.rows(is_back)?;
        let mut rows: Vec<(i64, Key)> = match self.key_type() {
            Type::Number => {
                let rows: Vec<(i64, Option<i64>)> = sql.query().fetch_all(connection).await?;
                let key = |key: Option<i64>| key.map_or(Key::None, Key::Number);
                rows.into_iter()
                    .map(|(number, of)| (number, key(of)))
                    .collect()
            }
            Type::Text => {
                let rows: Vec<(i64, Option<String>)> = sql.query().fetch_all(connection).await?;
                let key = |key: Option<String>| key.map_or(Key::None, Key::Text);
                rows.into_iter()
                    .map(|(number, of)| (number, key(of)))
                    .collect()
            }
        };
        // One more was asked for, to know whether there are more.
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let has_more = rows.len() > count;
        rows.truncate(count);
        if is_back {
            rows.reverse();
        }
        Ok(Page {
            has_next: has_more || is_back,
            has_previous: match is_back {
                true => has_more,
                false => direction.is_some(),
            },
            rows,
        })
    }

    fn rows(&self, is_back: bool) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let is_descending = self.search.is_descending != is_back;
        let direction = if is_descending { " DESC" } else { "" };
        let is_nullable = self.scopes.iter().any(|scope| scope.order.is_nullable());
        if let [scope] = self.scopes.as_slice() {
            sql.push("SELECT r.number, ");
            scope.order.push(&mut sql, &self.caller.tenant);
            sql.push(" AS k FROM scim_resources r WHERE ");
            self.condition(&mut sql, scope)?;
        } else {
            sql.push("SELECT u.number, u.k FROM (");
            for (position, scope) in self.scopes.iter().enumerate() {
                sql.push(if position == 0 { "" } else { " UNION ALL " });
                sql.push("SELECT r.number, ");
                scope.order.push(&mut sql, &self.caller.tenant);
                sql.push(" AS k FROM scim_resources r WHERE ");
                self.condition(&mut sql, scope)?;
            }
            sql.push(") u WHERE 1 = 1");
        }
        let is_single = self.scopes.len() == 1;
        let expression = |sql: &mut Sql| match self.scopes.as_slice() {
            [scope] => scope.order.push(sql, &self.caller.tenant),
            _ => sql.push("u.k"),
        };
        let number = if is_single { "r.number" } else { "u.number" };
        if let Some(position) = &self.position {
            let than = if is_descending { "<" } else { ">" };
            match (self.search.sort_by.is_some(), &position.key, is_nullable) {
                (false, _, _) => {
                    sql.push(&format!(" AND {number} {than} "));
                    sql.number(position.number);
                }
                (true, key, false) => {
                    // A comparison of rows, which an index has.
                    sql.push(" AND (");
                    expression(&mut sql);
                    sql.push(&format!(", {number}) {than} ("));
                    bind(&mut sql, key);
                    sql.push(", ");
                    sql.number(position.number);
                    sql.push(")");
                }
                (true, _, true) => beyond(&mut sql, position, is_descending, number, expression),
            }
        }
        sql.push(" ORDER BY ");
        if self.search.sort_by.is_some() {
            if is_nullable {
                sql.push("(");
                expression(&mut sql);
                sql.push(&format!(" IS NULL){direction}, "));
            }
            expression(&mut sql);
            sql.push(&format!("{direction}, "));
        }
        sql.push(&format!("{number}{direction} LIMIT "));
        sql.number(self.search.count + 1);
        if self.search.cursor.is_none() {
            sql.push(" OFFSET ");
            sql.number(self.search.start_index - 1);
        }
        Ok(sql)
    }
}

fn bind(sql: &mut Sql, key: &Key) {
    match key {
        Key::Text(text) => sql.text(text.as_str()),
        Key::Number(number) => sql.number(*number),
        Key::None => sql.push("NULL"),
    }
}

/// What comes after the position, where some have no value: that is more than
/// any.
fn beyond(
    sql: &mut Sql,
    position: &Position,
    is_descending: bool,
    number: &str,
    expression: impl Fn(&mut Sql),
) {
    let than = if is_descending { "<" } else { ">" };
    sql.push(" AND (");
    if position.key == Key::None {
        if is_descending {
            expression(sql);
            sql.push(" IS NOT NULL OR ");
        }
        sql.push("(");
        expression(sql);
        sql.push(" IS NULL AND ");
    } else {
        if !is_descending {
            expression(sql);
            sql.push(" IS NULL OR ");
        }
        expression(sql);
        sql.push(&format!(" {than} "));
        bind(sql, &position.key);
        sql.push(" OR (");
        expression(sql);
        sql.push(" = ");
        bind(sql, &position.key);
        sql.push(" AND ");
    }
    sql.push(&format!("{number} {than} "));
    sql.number(position.number);
    sql.push("))");
}

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
