//! Pages of a list, as SQL: what is filtered is found once, for the total and
//! for the page; what is only sorted is read from an index, page by page.

use ig_scim::filter::Filter;
use ig_scim::{Error, ResourceType};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow};

use super::answer::Refusal;
use super::cursor::{Direction, Key, Position};
use super::query::Search;
use super::sql::{self, Having, Order, Sql, Type, push_of};

/// What is searched: resources of a type, or all.
pub(super) struct Scope {
    pub(super) kind: ResourceType,
    pub(super) filter: Option<Filter>,
    pub(super) order: Order,
}

/// A list of which a page is wanted.
pub(super) struct Listing<'a> {
    pub(super) tenant: &'a str,
    pub(super) scopes: Vec<Scope>,
    pub(super) search: &'a Search,
    pub(super) position: Option<Position>,
    pub(super) by_trigrams: bool,
}

/// Rows of a page, with what they were sorted by.
pub(super) struct Page {
    pub(super) rows: Vec<(i64, Key)>,
    /// How many there are in all.
    pub(super) total: i64,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
}

type Found = Vec<(i64, Key)>;

/// A row of a page; a total comes with rows, or alone.
type FoundRow<K> = (Option<i64>, Option<K>, i64);

impl Listing<'_> {
    pub(super) async fn page(&self, connection: &mut AnyConnection) -> Result<Page, Refusal> {
        let direction = self.position.as_ref().map(|position| position.direction);
        let is_back = direction == Some(Direction::Previous);
        let is_filtered = self.scopes.iter().any(|scope| scope.filter.is_some());
        let (mut rows, total) = match (is_filtered, self.scopes.as_slice()) {
            (true, _) => self.matched(connection, is_back).await?,
            (false, [scope]) if scope.order.is_nullable() => {
                let total = self.count(connection).await?;
                let rows = self.by_index(connection, scope, is_back).await?;
                (rows, total)
            }
            (false, _) => {
                let total = self.count(connection).await?;
                let mut sql = Sql::default();
                sql.push("SELECT u.number, u.k, CAST(0 AS BIGINT) FROM (");
                self.rows(&mut sql)?;
                sql.push(") u WHERE 1 = 1");
                self.part(&mut sql, is_back);
                (self.fetch(connection, &sql).await?.0, total)
            }
        };
        // One more was asked for, to know whether there are more.
        let count = usize::try_from(self.search.count).unwrap_or(usize::MAX);
        let has_more = rows.len() > count;
        rows.truncate(count);
        if is_back {
            rows.reverse();
        }
        let is_page = count > 0;
        Ok(Page {
            rows,
            total,
            has_next: is_page && (has_more || is_back),
            has_previous: is_page
                && match is_back {
                    true => has_more,
                    false => direction.is_some(),
                },
        })
    }

    /// How many there are, where nothing is filtered.
    async fn count(&self, connection: &mut AnyConnection) -> Result<i64, Refusal> {
        let mut total = 0;
        for scope in &self.scopes {
            let mut sql = Sql::default();
            sql.push("SELECT COALESCE(MAX(count), 0) FROM scim_counts WHERE tenant = ");
            sql.text(self.tenant);
            sql.push(" AND kind = ");
            sql.text(scope.kind.name());
            let (count,): (i64,) = sql.query().fetch_one(&mut *connection).await?;
            total += count;
        }
        Ok(total)
    }

    /// What the filter finds, in one pass: the page and the total.
    async fn matched(
        &self,
        connection: &mut AnyConnection,
        is_back: bool,
    ) -> Result<(Found, i64), Refusal> {
        let mut sql = Sql::default();
        sql.push("WITH matched (number, k) AS MATERIALIZED (");
        self.rows(&mut sql)?;
        // The total is there also where the page is empty.
        sql.push(
            ") SELECT p.number, p.k, t.total FROM (SELECT COUNT(*) AS total FROM matched) t \
             LEFT JOIN (SELECT u.number, u.k FROM matched u WHERE 1 = 1",
        );
        self.part(&mut sql, is_back);
        sql.push(") p ON 1 = 1");
        self.order(&mut sql, "p", is_back);
        self.fetch(connection, &sql).await
    }

    async fn fetch(
        &self,
        connection: &mut AnyConnection,
        sql: &Sql,
    ) -> Result<(Found, i64), Refusal> {
        Ok(match self.key_type() {
            Type::Number => read(connection, sql, Key::Number).await?,
            Type::Text => read(connection, sql, Key::Text).await?,
        })
    }

    /// The type of what is sorted by.
    fn key_type(&self) -> Type {
        let orders = self.scopes.iter().map(|scope| scope.order);
        let mut orders = orders.filter(|order| *order != Order::None);
        orders.next().map_or(Type::Text, Order::kind)
    }

    fn is_nullable(&self) -> bool {
        self.scopes.iter().any(|scope| scope.order.is_nullable())
    }

    /// All rows, and what they are sorted by.
    fn rows(&self, sql: &mut Sql) -> Result<(), Error> {
        for (position, scope) in self.scopes.iter().enumerate() {
            sql.push(if position == 0 { "" } else { " UNION ALL " });
            sql.push("SELECT r.number AS number, ");
            scope.order.push(sql, self.tenant);
            sql.push(" AS k FROM scim_resources r WHERE ");
            push_of(sql, scope.kind, self.tenant);
            if let Some(filter) = &scope.filter {
                sql.push(" AND ");
                sql::filter(sql, scope.kind, self.tenant, filter, self.by_trigrams)?;
            }
        }
        Ok(())
    }

    fn is_descending(&self, is_back: bool) -> bool {
        self.search.is_descending != is_back
    }

    /// The rows `u` that the page has, and one more.
    fn part(&self, sql: &mut Sql, is_back: bool) {
        let is_descending = self.is_descending(is_back);
        if let Some(position) = &self.position {
            match (self.search.sort_by.is_some(), self.is_nullable()) {
                (false, _) => beyond_number(sql, "u.number", position, is_descending),
                (true, false) => beyond_key(sql, ("u.number", "u.k"), position, is_descending),
                (true, true) => beyond(sql, position, is_descending),
            }
        }
        self.order(sql, "u", is_back);
        sql.push(" LIMIT ");
        sql.number(self.limit());
        if self.search.cursor.is_none() {
            sql.push(" OFFSET ");
            sql.number(self.search.start_index - 1);
        }
    }

    /// One more than the page has; nothing, if only the total is wanted.
    fn limit(&self) -> i64 {
        match self.search.count {
            0 => 0,
            count => count + 1,
        }
    }

    fn order(&self, sql: &mut Sql, rows: &str, is_back: bool) {
        let direction = direction(self.is_descending(is_back));
        sql.push(" ORDER BY ");
        if self.search.sort_by.is_some() {
            if self.is_nullable() {
                sql.push(&format!("({rows}.k IS NULL){direction}, "));
            }
            sql.push(&format!("{rows}.k{direction}, "));
        }
        sql.push(&format!("{rows}.number{direction}"));
    }

    /// Rows in an order that some have no place in: first those that an index
    /// has in this order, then those without a value; or the other way round.
    async fn by_index(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        is_back: bool,
    ) -> Result<Found, Refusal> {
        let is_descending = self.is_descending(is_back);
        let mut parts = [Having::Value, Having::None];
        if is_descending {
            parts.reverse();
        }
        let mut position = self.position.as_ref();
        let mut skip = match self.search.cursor {
            None => self.search.start_index - 1,
            Some(_) => 0,
        };
        let mut rows = Vec::new();
        for having in parts {
            let is_there =
                |position: &Position| (position.key == Key::None) == (having == Having::None);
            if position.is_some_and(|position| !is_there(position)) {
                // This part lies before it.
                continue;
            }
            let wanted = self.limit() - i64::try_from(rows.len()).unwrap_or(i64::MAX);
            if wanted <= 0 {
                break;
            }
            let (number, key) = scope.order.columns(having);
            let mut sql = Sql::default();
            sql.push(&format!("SELECT {number}, {key}, CAST(0 AS BIGINT)"));
            scope
                .order
                .push_having(&mut sql, scope.kind, self.tenant, having);
            let direction = direction(is_descending);
            match (position.take(), having) {
                (None, _) => {}
                (Some(at), Having::Value) => {
                    beyond_key(&mut sql, (number, key), at, is_descending);
                }
                (Some(at), Having::None) => beyond_number(&mut sql, number, at, is_descending),
            }
            sql.push(" ORDER BY ");
            if having == Having::Value {
                sql.push(&format!("{key}{direction}, "));
            }
            sql.push(&format!("{number}{direction} LIMIT "));
            sql.number(wanted);
            sql.push(" OFFSET ");
            sql.number(skip);
            let (found, _) = self.fetch(&mut *connection, &sql).await?;
            if found.is_empty() && skip > 0 {
                let mut sql = Sql::default();
                sql.push("SELECT COUNT(*)");
                scope
                    .order
                    .push_having(&mut sql, scope.kind, self.tenant, having);
                let (passed,): (i64,) = sql.query().fetch_one(&mut *connection).await?;
                skip -= passed;
            } else {
                skip = 0;
            }
            rows.extend(found);
        }
        Ok(rows)
    }
}

fn direction(is_descending: bool) -> &'static str {
    if is_descending { " DESC" } else { "" }
}

async fn read<K>(
    connection: &mut AnyConnection,
    sql: &Sql,
    key: impl Fn(K) -> Key,
) -> Result<(Found, i64), sqlx::Error>
where
    FoundRow<K>: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
{
    let rows: Vec<FoundRow<K>> = sql.query().fetch_all(connection).await?;
    let total = rows.first().map_or(0, |(_, _, total)| *total);
    let found = rows
        .into_iter()
        .filter_map(|(number, of, _)| Some((number?, of.map_or(Key::None, &key))))
        .collect();
    Ok((found, total))
}

fn bind(sql: &mut Sql, key: &Key) {
    match key {
        Key::Text(text) => sql.text(text.as_str()),
        Key::Number(number) => sql.number(*number),
        Key::None => sql.push("NULL"),
    }
}

fn than(is_descending: bool) -> &'static str {
    if is_descending { "<" } else { ">" }
}

fn beyond_number(sql: &mut Sql, number: &str, position: &Position, is_descending: bool) {
    sql.push(&format!(" AND {number} {} ", than(is_descending)));
    sql.number(position.number);
}

/// A comparison of rows, which an index has.
fn beyond_key(sql: &mut Sql, columns: (&str, &str), position: &Position, is_descending: bool) {
    let (number, key) = columns;
    sql.push(&format!(" AND ({key}, {number}) {} (", than(is_descending)));
    bind(sql, &position.key);
    sql.push(", ");
    sql.number(position.number);
    sql.push(")");
}

/// What comes after the position, where some have no value: that is more than
/// any.
fn beyond(sql: &mut Sql, position: &Position, is_descending: bool) {
    let than = than(is_descending);
    sql.push(" AND (");
    if position.key == Key::None {
        if is_descending {
            sql.push("u.k IS NOT NULL OR ");
        }
        sql.push("(u.k IS NULL AND ");
    } else {
        if !is_descending {
            sql.push("u.k IS NULL OR ");
        }
        sql.push(&format!("u.k {than} "));
        bind(sql, &position.key);
        sql.push(" OR (u.k = ");
        bind(sql, &position.key);
        sql.push(" AND ");
    }
    sql.push(&format!("u.number {than} "));
    sql.number(position.number);
    sql.push("))");
}
