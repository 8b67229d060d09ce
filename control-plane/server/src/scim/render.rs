//! Resources as clients see them.

use ig_scim::schema::TENANT;
use ig_scim::{Error, ErrorKind, Projection, ResourceType, time};
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::answer::Refusal;
use super::caller::Caller;
use super::members;
use super::rows::Stored;

/// Members of all groups of one answer together: it is made in memory.
const MAX_MEMBERS: usize = 200_000;

fn too_many_members(stored: &[Stored]) -> Error {
    let instead = match stored {
        [one] => format!(
            "ask for the users whose `groups.value` is \"{}\", in pages",
            one.id
        ),
        _ => "ask for fewer groups with `count`".to_owned(),
    };
    let detail = format!(
        "an answer has at most {MAX_MEMBERS} members; leave them out with \
         `excludedAttributes=members`, or {instead}"
    );
    Error::new(ErrorKind::TooMany, detail)
}

/// Where a resource is.
pub(super) fn location(caller: &Caller, stored: &Stored) -> String {
    format!("{}{}/{}", caller.base, stored.kind.endpoint(), stored.id)
}

/// Resources, with what of them was asked for.
pub(super) async fn render(
    connection: &mut AnyConnection,
    caller: &Caller,
    stored: &[Stored],
    projection: &Projection,
) -> Result<Vec<Value>, Refusal> {
    let users: Vec<&str> = stored
        .iter()
        .filter(|one| one.kind == ResourceType::User)
        .map(|one| one.id.as_str())
        .collect();
    let mut groups = match projection.wants(ResourceType::User, "groups") {
        true => members::of_users(connection, caller, &users).await?,
        false => Default::default(),
    };
    let mut rendered = Vec::with_capacity(stored.len());
    let mut left = MAX_MEMBERS;
    for one in stored {
        let list = match one.kind {
            ResourceType::User => groups.remove(&one.id).unwrap_or_default(),
            ResourceType::Group if projection.wants(one.kind, "members") => {
                let members = members::of_group(connection, caller, one, left).await?;
                let members = members.ok_or_else(|| too_many_members(stored))?;
                left = left.saturating_sub(members.len());
                members
            }
            ResourceType::Group => Vec::new(),
        };
        let mut resource = whole(caller, one, list, projection.asks_for(one.kind, &TENANT));
        projection.apply(one.kind, &mut resource);
        rendered.push(Value::Object(resource));
    }
    Ok(rendered)
}

/// All of a resource; `list` is its members or groups.
fn whole(
    caller: &Caller,
    stored: &Stored,
    list: Vec<Value>,
    with_tenant: bool,
) -> Map<String, Value> {
    let of = stored.kind;
    let mut schemas = vec![of.schema().id];
    let extensions = of.extensions().iter().map(|schema| schema.id);
    schemas.extend(extensions.filter(|id| match *id == TENANT.id {
        true => with_tenant,
        false => stored.resource.contains_key(*id),
    }));
    let mut resource = Map::new();
    resource.insert("schemas".into(), json!(schemas));
    resource.insert("id".into(), stored.id.as_str().into());
    resource.extend(stored.resource.clone());
    if !list.is_empty() {
        let name = match of {
            ResourceType::User => "groups",
            ResourceType::Group => "members",
        };
        resource.insert(name.into(), list.into());
    }
    if with_tenant {
        resource.insert(TENANT.id.into(), json!({"id": caller.tenant}));
    }
    let meta = json!({
        "resourceType": of.name(),
        "created": time::format(stored.created_at),
        "lastModified": time::format(stored.changed_at),
        "location": location(caller, stored),
        "version": stored.version_tag(),
    });
    resource.insert("meta".into(), meta);
    resource
}
