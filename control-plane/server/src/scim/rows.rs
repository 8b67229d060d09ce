//! Resources as rows.

use ig_scim::filter::fold;
use ig_scim::resource::Resource;
use ig_scim::{Error, ErrorKind, ResourceType, index};
use serde_json::Value;
use sqlx::{AnyConnection, FromRow};
use uuid::Uuid;

use super::answer::Refusal;
use super::sql::Sql;
use crate::store::now;

/// A resource that is there.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) number: i64,
    pub(super) kind: ResourceType,
    pub(super) id: String,
    pub(super) is_active: bool,
    /// Without members and groups.
    pub(super) resource: Resource,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) changed_at: i64,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    kind: String,
    id: String,
    active: i64,
    document: String,
    version: i64,
    created_at: i64,
    changed_at: i64,
}

const COLUMNS: &str = "number, kind, id, active, document, version, created_at, changed_at";

impl TryFrom<Row> for Stored {
    type Error = Refusal;

    fn try_from(row: Row) -> Result<Self, Refusal> {
        let unreadable = || Error::new(ErrorKind::Unavailable, "a stored resource is unreadable");
        let resource = serde_json::from_str(&row.document).map_err(|_| unreadable())?;
        Ok(Self {
            number: row.number,
            kind: kind(&row.kind).ok_or_else(unreadable)?,
            id: row.id,
            is_active: row.active != 0,
            resource,
            version: row.version,
            created_at: row.created_at,
            changed_at: row.changed_at,
        })
    }
}

fn kind(name: &str) -> Option<ResourceType> {
    let mut all = ResourceType::ALL.into_iter();
    all.find(|of| of.name() == name)
}

impl Stored {
    pub(super) fn version_tag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// The name that no other of the tenant has, as it was written.
    pub(super) fn name(&self) -> &str {
        name(self.kind, &self.resource)
    }
}

/// A user without `active` is suspended: what is not said is not allowed.
fn is_active(of: ResourceType, resource: &Resource) -> bool {
    of == ResourceType::Group || resource.get("active") == Some(&Value::Bool(true))
}

fn name(of: ResourceType, resource: &Resource) -> &str {
    let name = resource.get(of.name_attribute()).and_then(Value::as_str);
    name.unwrap_or_default()
}

/// As filters compare it.
pub(crate) fn name_as_compared(of: ResourceType, name: &str) -> String {
    match of.attribute(of.name_attribute()) {
        Some(attribute) => fold(attribute, name),
        None => name.to_lowercase(),
    }
}

pub(super) fn not_found(id: &str) -> Refusal {
    Error::new(ErrorKind::NotFound, format!("no resource {id}")).into()
}

/// A resource of the tenant; what is another's is not there.
pub(super) async fn find(
    connection: &mut AnyConnection,
    tenant: &str,
    of: ResourceType,
    id: &str,
) -> Result<Stored, Refusal> {
    let mut sql = Sql::default();
    sql.push(&format!("SELECT {COLUMNS} FROM scim_resources WHERE id = "));
    sql.text(id);
    sql.push(" AND tenant = ");
    sql.text(tenant);
    sql.push(" AND kind = ");
    sql.text(of.name());
    sql.push(" AND deleted_at IS NULL");
    let row: Option<Row> = sql.query().fetch_optional(connection).await?;
    row.ok_or_else(|| not_found(id))?.try_into()
}

/// Resources by their numbers, in this order.
pub(super) async fn by_numbers(
    connection: &mut AnyConnection,
    tenant: &str,
    numbers: &[i64],
) -> Result<Vec<Stored>, Refusal> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::default();
    sql.push(&format!(
        "SELECT {COLUMNS} FROM scim_resources WHERE tenant = "
    ));
    sql.text(tenant);
    sql.push(" AND number IN (");
    for (position, number) in numbers.iter().enumerate() {
        if position > 0 {
            sql.push(", ");
        }
        sql.number(*number);
    }
    sql.push(")");
    let rows: Vec<Row> = sql.query().fetch_all(connection).await?;
    let mut stored = rows
        .into_iter()
        .map(Stored::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    stored.sort_by_key(|one| numbers.iter().position(|number| *number == one.number));
    Ok(stored)
}

/// Inserts a resource, and what it is found by.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    tenant: &str,
    of: ResourceType,
    resource: Resource,
) -> Result<Stored, Refusal> {
    let id = Uuid::now_v7().to_string();
    let at = now();
    let is_active = is_active(of, &resource);
    let mut sql = Sql::default();
    sql.push(
        "INSERT INTO scim_resources (tenant, kind, id, name, external_id, active, document, \
         version, created_at, changed_at) VALUES (",
    );
    sql.text(tenant);
    sql.push(", ");
    sql.text(of.name());
    sql.push(", ");
    sql.text(id.as_str());
    sql.push(", ");
    columns(&mut sql, of, &resource, is_active, ", ", false);
    sql.push(", 1, ");
    sql.number(at);
    sql.push(", ");
    sql.number(at);
    sql.push(") RETURNING number");
    let (number,): (i64,) = sql.query().fetch_one(&mut *connection).await?;
    insert_values(connection, tenant, of, number, &resource).await?;
    sqlx::query(
        "INSERT INTO scim_counts (tenant, kind, count) VALUES ($1, $2, 1) \
         ON CONFLICT (tenant, kind) DO UPDATE SET count = scim_counts.count + 1",
    )
    .bind(tenant)
    .bind(of.name())
    .execute(connection)
    .await?;
    Ok(Stored {
        number,
        kind: of,
        id,
        is_active,
        resource,
        version: 1,
        created_at: at,
        changed_at: at,
    })
}

/// The columns that come from the resource itself.
fn columns(
    sql: &mut Sql,
    of: ResourceType,
    resource: &Resource,
    is_active: bool,
    between: &str,
    named: bool,
) {
    let column = |first: bool, column: &str, sql: &mut Sql| {
        if !first {
            sql.push(between);
        }
        if named {
            sql.push(&format!("{column} = "));
        }
    };
    column(true, "name", sql);
    sql.text(name_as_compared(of, name(of, resource)));
    column(false, "external_id", sql);
    match resource.get("externalId").and_then(Value::as_str) {
        Some(id) => sql.text(id),
        None => sql.push("NULL"),
    }
    column(false, "active", sql);
    sql.number(is_active.into());
    column(false, "document", sql);
    sql.text(serde_json::to_string(resource).unwrap_or_default());
}

/// Stores a resource anew.
pub(super) async fn update(
    connection: &mut AnyConnection,
    tenant: &str,
    before: &Stored,
    resource: Resource,
) -> Result<Stored, Refusal> {
    let of = before.kind;
    let at = now().max(before.changed_at);
    let is_active = is_active(of, &resource);
    let mut sql = Sql::default();
    sql.push("UPDATE scim_resources SET ");
    columns(&mut sql, of, &resource, is_active, ", ", true);
    sql.push(", version = version + 1, changed_at = ");
    sql.number(at);
    sql.push(" WHERE number = ");
    sql.number(before.number);
    sql.push(" RETURNING version");
    let (version,): (i64,) = sql.query().fetch_one(&mut *connection).await?;
    if index::entries(of, &before.resource) != index::entries(of, &resource) {
        delete_values(connection, tenant, before.number).await?;
        insert_values(connection, tenant, of, before.number, &resource).await?;
    }
    Ok(Stored {
        is_active,
        resource,
        version,
        changed_at: at,
        ..before.clone()
    })
}

/// Takes a resource away; its name is free again.
pub(super) async fn delete(
    connection: &mut AnyConnection,
    tenant: &str,
    stored: &Stored,
) -> Result<(), Refusal> {
    // What is personal goes, the fact that it was there stays.
    sqlx::query(
        "UPDATE scim_resources SET deleted_at = $1, active = 0, document = '{}', name = id, \
         external_id = NULL, version = version + 1 WHERE number = $2",
    )
    .bind(now())
    .bind(stored.number)
    .execute(&mut *connection)
    .await?;
    delete_values(connection, tenant, stored.number).await?;
    sqlx::query("DELETE FROM scim_members WHERE tenant = $1 AND (in_group = $2 OR member = $3)")
        .bind(tenant)
        .bind(stored.number)
        .bind(stored.id.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM subject_links WHERE tenant = $1 AND user_id = $2")
        .bind(tenant)
        .bind(stored.id.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE scim_counts SET count = count - 1 WHERE tenant = $1 AND kind = $2")
        .bind(tenant)
        .bind(stored.kind.name())
        .execute(connection)
        .await?;
    Ok(())
}

async fn delete_values(
    connection: &mut AnyConnection,
    tenant: &str,
    number: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM scim_values WHERE tenant = $1 AND resource = $2")
        .bind(tenant)
        .bind(number)
        .execute(connection)
        .await?;
    Ok(())
}

/// Rows of one statement: PostgreSQL takes 65,535 arguments, SQLite 32,766.
const ROWS: usize = 1000;

async fn insert_values(
    connection: &mut AnyConnection,
    tenant: &str,
    of: ResourceType,
    number: i64,
    resource: &Resource,
) -> Result<(), sqlx::Error> {
    let entries = index::entries(of, resource);
    for rows in entries.chunks(ROWS) {
        let mut sql = Sql::default();
        sql.push("INSERT INTO scim_values (tenant, resource, key, element, value) VALUES ");
        for (position, entry) in rows.iter().enumerate() {
            sql.push(if position == 0 { "(" } else { ", (" });
            sql.text(tenant);
            sql.push(", ");
            sql.number(number);
            sql.push(", ");
            sql.text(entry.key.as_str());
            sql.push(", ");
            sql.number(entry.element);
            sql.push(", ");
            sql.text(entry.value.as_str());
            sql.push(")");
        }
        sql.execute(&mut *connection).await?;
    }
    Ok(())
}
