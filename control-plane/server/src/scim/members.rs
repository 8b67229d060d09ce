//! Who is in which group. A group may have very many members: they are rows,
//! and no change reads all of them.

use std::collections::{BTreeMap, BTreeSet};

use ig_scim::filter::{Comparison, Condition, Filter, Literal};
use ig_scim::patch::{Operation, Step, Target};
use ig_scim::{Error, ErrorKind, ResourceType};
use serde_json::{Value, json};
use sqlx::{Any, AnyConnection, Transaction};

use super::answer::Refusal;
use super::caller::Caller;
use super::rows::Stored;
use super::sql::Sql;
use crate::app::App;
use crate::tenants;

/// Rows of one statement.
const ROWS: usize = 500;
/// Users that one change names to proxies; beyond, they forget all of the
/// tenant.
pub(super) const MAX_NAMED: usize = 200;
/// Longest id of a member.
const MAX_ID_BYTES: usize = 255;

/// What a change did to members.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) added: BTreeSet<String>,
    pub(super) removed: BTreeSet<String>,
    /// Too many to name.
    pub(super) everybody: bool,
}

impl Changed {
    pub(super) fn is_any(&self) -> bool {
        self.everybody || !self.added.is_empty() || !self.removed.is_empty()
    }
}

/// Ids of the members that a value lists.
pub(super) fn listed(value: Option<&Value>) -> Result<BTreeSet<String>, Error> {
    let elements = match value {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut ids = BTreeSet::new();
    for element in elements {
        let id = element.as_str().or_else(|| element.get("value")?.as_str());
        match id {
            Some(id) if is_id(id) => {
                ids.insert(id.to_owned());
            }
            _ => {
                let detail = "`members`: each has the id of a user or group as its `value`";
                return Err(Error::new(ErrorKind::InvalidValue, detail));
            }
        }
    }
    Ok(ids)
}

/// Ids are ours, and plain; others may be anything, but no control characters.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// Changes the members of a group.
pub(super) struct Members<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) transaction: &'a mut Transaction<'static, Any>,
    pub(super) group: &'a Stored,
    pub(super) changed: Changed,
}

impl Members<'_> {
    /// Takes one step of a PATCH.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), Refusal> {
        let value = step.value.as_ref();
        match (&step.target, step.operation) {
            (Target::Attribute(_), Operation::Add) => self.add(listed(value)?).await,
            (Target::Attribute(_), Operation::Replace) => self.replace(listed(value)?).await,
            (Target::Attribute(_), Operation::Remove) => match value {
                // Entra ID and JumpCloud name those to remove by value.
                Some(value) if !value.is_null() => self.remove(listed(Some(value))?).await,
                _ => self.replace(BTreeSet::new()).await,
            },
            (Target::Elements(_, filter, None), Operation::Remove) => {
                let ids = self.matching(filter).await?;
                self.remove(ids).await
            }
            _ => {
                let detail = "members are added and removed, not changed";
                Err(Error::new(ErrorKind::Mutability, detail).into())
            }
        }
    }

    /// Ids of the members that a filter means.
    async fn matching(&mut self, filter: &Filter) -> Result<BTreeSet<String>, Refusal> {
        let mut named = BTreeSet::new();
        if ids(filter, &mut named) {
            return Ok(named);
        }
        let mut sql = Sql::default();
        sql.push("SELECT m.member FROM scim_members m WHERE m.tenant = ");
        sql.text(self.caller.tenant.as_str());
        sql.push(" AND m.in_group = ");
        sql.number(self.group.number);
        sql.push(" AND ");
        super::sql::of_member(&mut sql, &self.caller.tenant, filter)?;
        let rows: Vec<(String,)> = sql.query().fetch_all(&mut **self.transaction).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    pub(super) async fn add(&mut self, ids: BTreeSet<String>) -> Result<(), Refusal> {
        let known = self.known(&ids).await?;
        let new: BTreeSet<String> = ids.difference(&known).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        self.check_grant().await?;
        let groups = self.groups_among(&new).await?;
        if !groups.is_empty() {
            self.check_nesting(&groups).await?;
        }
        let new: Vec<&String> = new.iter().collect();
        for ids in new.chunks(ROWS) {
            let mut sql = Sql::default();
            sql.push("INSERT INTO scim_members (tenant, in_group, member, type) VALUES ");
            for (position, id) in ids.iter().enumerate() {
                sql.push(if position == 0 { "(" } else { ", (" });
                sql.text(self.caller.tenant.as_str());
                sql.push(", ");
                sql.number(self.group.number);
                sql.push(", ");
                sql.text(id.as_str());
                let kind = match groups.contains(*id) {
                    true => ResourceType::Group,
                    false => ResourceType::User,
                };
                sql.push(", ");
                sql.text(kind.name());
                sql.push(")");
            }
            sql.push(" ON CONFLICT DO NOTHING");
            sql.execute(self.transaction).await?;
        }
        self.note(new.into_iter().cloned(), groups.is_empty(), true);
        Ok(())
    }

    pub(super) async fn remove(&mut self, ids: BTreeSet<String>) -> Result<(), Refusal> {
        let known = self.known(&ids).await?;
        let groups = self.groups_among(&known).await?;
        let gone: Vec<&String> = known.iter().collect();
        for ids in gone.chunks(ROWS) {
            let mut sql = Sql::default();
            sql.push("DELETE FROM scim_members WHERE tenant = ");
            sql.text(self.caller.tenant.as_str());
            sql.push(" AND in_group = ");
            sql.number(self.group.number);
            sql.push(" AND member IN ");
            list(&mut sql, ids.iter().map(|id| id.as_str()));
            sql.execute(self.transaction).await?;
        }
        self.note(known.iter().cloned(), groups.is_empty(), false);
        Ok(())
    }

    pub(super) async fn replace(&mut self, ids: BTreeSet<String>) -> Result<(), Refusal> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT member FROM scim_members WHERE tenant = $1 AND in_group = $2")
                .bind(self.caller.tenant.as_str())
                .bind(self.group.number)
                .fetch_all(&mut **self.transaction)
                .await?;
        let before: BTreeSet<String> = rows.into_iter().map(|(id,)| id).collect();
        self.remove(before.difference(&ids).cloned().collect())
            .await?;
        self.add(ids.difference(&before).cloned().collect()).await
    }

    fn note(&mut self, ids: impl Iterator<Item = String>, all_users: bool, added: bool) {
        let noted = match added {
            true => &mut self.changed.added,
            false => &mut self.changed.removed,
        };
        noted.extend(ids);
        // Who is in a group by another one is not looked up.
        self.changed.everybody |= !all_users || noted.len() > MAX_NAMED;
    }

    /// Those that are members already.
    async fn known(&mut self, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut known = BTreeSet::new();
        for ids in ids.chunks(ROWS) {
            let mut sql = Sql::default();
            sql.push("SELECT member FROM scim_members WHERE tenant = ");
            sql.text(self.caller.tenant.as_str());
            sql.push(" AND in_group = ");
            sql.number(self.group.number);
            sql.push(" AND member IN ");
            list(&mut sql, ids.iter().map(|id| id.as_str()));
            let rows: Vec<(String,)> = sql.query().fetch_all(&mut **self.transaction).await?;
            known.extend(rows.into_iter().map(|(id,)| id));
        }
        Ok(known)
    }

    async fn groups_among(&mut self, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut groups = BTreeSet::new();
        for ids in ids.chunks(ROWS) {
            let mut sql = Sql::default();
            sql.push("SELECT id FROM scim_resources WHERE tenant = ");
            sql.text(self.caller.tenant.as_str());
            sql.push(" AND kind = 'Group' AND deleted_at IS NULL AND id IN ");
            list(&mut sql, ids.iter().map(|id| id.as_str()));
            let rows: Vec<(String,)> = sql.query().fetch_all(&mut **self.transaction).await?;
            groups.extend(rows.into_iter().map(|(id,)| id));
        }
        Ok(groups)
    }

    /// No group is in itself, by however many others.
    async fn check_nesting(&mut self, groups: &BTreeSet<String>) -> Result<(), Refusal> {
        // Two changes at once could close a circle that neither sees.
        let lock = format!("scim-nesting:{}", self.caller.tenant);
        self.app.store.lock(self.transaction, &lock).await?;
        let above = above(self.transaction, &self.caller.tenant, &self.group.id).await?;
        let is_above = |id: &String| *id == self.group.id || above.contains_key(id);
        match groups.iter().find(|id| is_above(id)) {
            None => Ok(()),
            Some(id) => {
                let detail = format!("the group {id} would be in itself");
                Err(Error::new(ErrorKind::InvalidValue, detail).into())
            }
        }
    }

    /// Who is put into a group is put into all groups above it.
    async fn check_grant(&mut self) -> Result<(), Refusal> {
        if self.caller.may_confer {
            return Ok(());
        }
        let tenant = &self.caller.tenant;
        let privileged = tenants::privileged_groups(self.transaction, tenant).await?;
        let above = above(self.transaction, tenant, &self.group.id).await?;
        let names = above.values().map(String::as_str);
        for name in names.chain([self.group.name()]) {
            refuse_privileged(&privileged, name)?;
        }
        Ok(())
    }
}

/// Refuses to confer a group.
pub(super) fn refuse_privileged(privileged: &BTreeSet<String>, name: &str) -> Result<(), Refusal> {
    let lower = name.to_lowercase();
    match privileged.iter().any(|group| group.to_lowercase() == lower) {
        false => Ok(()),
        true => {
            let detail = format!(
                "the group {name} is privileged in this tenant; it needs a token that may confer it"
            );
            Err(Error::new(ErrorKind::Forbidden, detail).into())
        }
    }
}

/// The ids that a filter lists, if it does nothing else.
fn ids(filter: &Filter, named: &mut BTreeSet<String>) -> bool {
    match filter {
        Filter::Or(parts) => parts.iter().all(|part| ids(part, named)),
        Filter::Test(test) => match &test.condition {
            Condition::Compare(Comparison::Equal, Literal::Text(id))
                if test.path.leaf().name == "value" =>
            {
                named.insert(id.clone());
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn list<'a>(sql: &mut Sql, items: impl Iterator<Item = &'a str>) {
    sql.push("(");
    for (position, item) in items.enumerate() {
        if position > 0 {
            sql.push(", ");
        }
        sql.text(item);
    }
    sql.push(")");
}

/// Groups above a user or group, by their ids: those it is in, those that
/// these are in, and so on.
///
/// `CROSS JOIN` has SQLite, which knows no statistics, keep the order: it would
/// look at every membership of the tenant. PostgreSQL finds its own.
pub(super) async fn above(
    connection: &mut AnyConnection,
    tenant: &str,
    id: &str,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "WITH RECURSIVE above (number, id, document) AS (\
         SELECT g.number, g.id, g.document FROM scim_members m CROSS JOIN scim_resources g \
         WHERE m.tenant = $1 AND m.member = $2 AND g.number = m.in_group \
         UNION SELECT g.number, g.id, g.document FROM above \
         CROSS JOIN scim_members m CROSS JOIN scim_resources g \
         WHERE m.tenant = $1 AND m.member = above.id AND g.number = m.in_group) \
         SELECT id, document FROM above",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, document)| (id, display_name(&document)))
        .collect())
}

fn display_name(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let name = document.get("displayName").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}

/// Members of a group, as the group shows them; `None` for more than `most`.
pub(super) async fn of_group(
    connection: &mut AnyConnection,
    caller: &Caller,
    group: &Stored,
    most: usize,
) -> Result<Option<Vec<Value>>, Refusal> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT member, type FROM scim_members WHERE tenant = $1 AND in_group = $2 \
         ORDER BY member LIMIT $3",
    )
    .bind(caller.tenant.as_str())
    .bind(group.number)
    .bind(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))
    .fetch_all(connection)
    .await?;
    if rows.len() > most {
        return Ok(None);
    }
    let base = &caller.base;
    let member = |(id, kind): (String, String)| {
        let endpoint = match kind.as_str() {
            "Group" => ResourceType::Group.endpoint(),
            _ => ResourceType::User.endpoint(),
        };
        json!({"value": id, "$ref": format!("{base}{endpoint}/{id}"), "type": kind})
    };
    Ok(Some(rows.into_iter().map(member).collect()))
}

/// How many members a group has, up to one more than asked for.
pub(super) async fn has_more_than(
    connection: &mut AnyConnection,
    tenant: &str,
    group: &Stored,
    most: i64,
) -> Result<bool, Refusal> {
    let row: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM scim_members WHERE tenant = $1 AND in_group = $2 LIMIT 1 OFFSET $3",
    )
    .bind(tenant)
    .bind(group.number)
    .bind(most)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Groups of users, as the users show them, by the user.
pub(super) async fn of_users(
    connection: &mut AnyConnection,
    caller: &Caller,
    users: &[&str],
) -> Result<BTreeMap<String, Vec<Value>>, Refusal> {
    if users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut sql = Sql::default();
    sql.push(
        "WITH RECURSIVE above (member, number, id, is_indirect) AS (\
         SELECT m.member, g.number, g.id, 0 FROM scim_members m CROSS JOIN scim_resources g \
         WHERE g.number = m.in_group AND m.tenant = ",
    );
    sql.text(caller.tenant.as_str());
    sql.push(" AND m.member IN ");
    list(&mut sql, users.iter().copied());
    sql.push(
        " UNION SELECT above.member, g.number, g.id, 1 FROM above \
         CROSS JOIN scim_members m CROSS JOIN scim_resources g \
         WHERE m.member = above.id AND g.number = m.in_group AND m.tenant = ",
    );
    sql.text(caller.tenant.as_str());
    sql.push(
        ") SELECT a.member, a.id, g.document, MIN(a.is_indirect) FROM above a \
         JOIN scim_resources g ON g.number = a.number \
         GROUP BY a.member, a.id, g.document ORDER BY a.member, a.id",
    );
    let rows: Vec<(String, String, String, i64)> = sql.query().fetch_all(connection).await?;
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (member, id, document, is_indirect) in rows {
        let group = json!({
            "value": id,
            "$ref": format!("{}/Groups/{id}", caller.base),
            "display": display_name(&document),
            "type": if is_indirect == 0 { "direct" } else { "indirect" },
        });
        groups.entry(member).or_default().push(group);
    }
    Ok(groups)
}
