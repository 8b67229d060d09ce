//! Making, replacing, patching and deleting resources: each all or nothing,
//! one at a time for a resource, audited, and told to proxies.

use axum::http::StatusCode;
use ig_scim::patch::{self, Step};
use ig_scim::resource::{self, Resource, claimed_tenants};
use ig_scim::{Error, ErrorKind, Projection, ResourceType};
use serde_json::{Value, json};
use sqlx::{Any, Transaction};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::conditions::Conditions;
use super::members::{self, Changed, Members, refuse_privileged};
use super::render::{location, render};
use super::rows::{self, Stored};
use crate::app::App;
use crate::store::Store;
use crate::{audit, auth, break_glass, console, directory, step_up, tenants, webauthn};

/// Members of a group that is still answered with all of them; a larger one is
/// answered 204, as Entra ID asks for.
const MAX_SHOWN: i64 = 200;

/// A change that is being made.
struct Change<'a> {
    app: &'a App,
    caller: &'a Caller,
    transaction: Transaction<'static, Any>,
}

/// Makes a resource.
pub(super) async fn create(
    app: &App,
    caller: &Caller,
    of: ResourceType,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Refusal> {
    check_tenant(caller, claimed_tenants(body))?;
    let mut resource = resource::read(of, body)?;
    if of == ResourceType::User {
        resource.entry("active").or_insert(true.into());
    }
    let members = members::listed(resource.remove("members").as_ref())?;
    let mut change = Change::begin(app, caller).await?;
    change.check_name(of, None, &resource).await?;
    let stored = rows::insert(&mut change.transaction, &caller.tenant, of, resource).await;
    let stored = stored.map_err(|refusal| name_taken(of, refusal))?;
    let mut changed = Changed::default();
    if !members.is_empty() {
        let mut group = change.members(&stored);
        group.add(members).await?;
        changed = group.changed;
    }
    let answer = change.answer(&stored, projection).await?;
    change.end("create", None, Some(&stored), &changed).await?;
    Ok(Answer {
        status: StatusCode::CREATED,
        ..answer
    })
}

/// Replaces a resource. A user's `active` stays as it is where the client does
/// not say: neither is somebody suspended by an omission, nor let in again.
pub(super) async fn replace(
    app: &App,
    caller: &Caller,
    of: ResourceType,
    id: &str,
    body: &Value,
    conditions: &Conditions,
    projection: &Projection,
) -> Result<Answer, Refusal> {
    check_tenant(caller, claimed_tenants(body))?;
    let mut resource = resource::read(of, body)?;
    let members = members::listed(resource.remove("members").as_ref())?;
    let mut change = Change::begin(app, caller).await?;
    let before = change.find(of, id, conditions).await?;
    if let Some(active) = before.resource.get("active") {
        resource.entry("active").or_insert(active.clone());
    }
    let mut after = change.store(&before, resource).await?;
    let mut changed = Changed::default();
    if of == ResourceType::Group {
        let mut group = change.members(&after);
        group.replace(members).await?;
        changed = group.changed;
        after = change.count(&before, after, &changed).await?;
    }
    let answer = change.answer(&after, projection).await?;
    change
        .end("replace", Some(&before), Some(&after), &changed)
        .await?;
    Ok(answer)
}

/// Patches a resource.
pub(super) async fn patch(
    app: &App,
    caller: &Caller,
    of: ResourceType,
    id: &str,
    body: &Value,
    conditions: &Conditions,
    projection: &Projection,
) -> Result<Answer, Refusal> {
    // Others wait from here to the end: what is sent is read before.
    check_tenant(caller, patch::claimed_tenants(body))?;
    let steps = patch::read(of, id, body)?;
    let mut change = Change::begin(app, caller).await?;
    let before = change.find(of, id, conditions).await?;
    let (on_members, steps): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.target.is_members());
    let mut resource = before.resource.clone();
    patch::apply(of, &mut resource, &steps)?;
    let mut after = change.store(&before, resource).await?;
    let mut group = change.members(&after);
    for step in &on_members {
        group.take(step).await?;
    }
    let changed = group.changed;
    after = change.count(&before, after, &changed).await?;
    let is_large = of == ResourceType::Group
        && *projection == Projection::Default
        && members::has_more_than(&mut change.transaction, &caller.tenant, &after, MAX_SHOWN)
            .await?;
    let answer = match is_large {
        true => Answer {
            version: Some(after.version_tag()),
            ..Answer::empty(StatusCode::NO_CONTENT)
        },
        false => change.answer(&after, projection).await?,
    };
    change
        .end("patch", Some(&before), Some(&after), &changed)
        .await?;
    Ok(answer)
}

/// Deletes a resource: it is not there from then on, and its name is free.
pub(super) async fn delete(
    app: &App,
    caller: &Caller,
    of: ResourceType,
    id: &str,
    conditions: &Conditions,
) -> Result<Answer, Refusal> {
    let mut change = Change::begin(app, caller).await?;
    let before = change.find(of, id, conditions).await?;
    rows::delete(&mut change.transaction, &caller.tenant, &before).await?;
    change
        .end("delete", Some(&before), None, &Changed::default())
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// A client that expects another tenant has the wrong token.
fn check_tenant<'a>(
    caller: &Caller,
    mut claimed: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    match claimed.all(|claimed| claimed == caller.tenant) {
        true => Ok(()),
        false => {
            let detail = format!("this token provisions the tenant {}", caller.tenant);
            Err(Error::new(ErrorKind::InvalidValue, detail))
        }
    }
}

fn name_taken(of: ResourceType, refusal: Refusal) -> Refusal {
    match refusal.error.kind {
        ErrorKind::Uniqueness => {
            let detail = format!("the {} is taken", of.name_attribute());
            Error::new(ErrorKind::Uniqueness, detail).into()
        }
        _ => refusal,
    }
}

impl<'a> Change<'a> {
    async fn begin(app: &'a App, caller: &'a Caller) -> Result<Self, Refusal> {
        let mut transaction = app.store.begin().await?;
        tenants::keep(&app.store, &mut transaction, &caller.tenant).await?;
        // A request of many changes may outlive its token, and its tenant.
        auth::check_still(&mut transaction, &caller.by, &caller.tenant).await?;
        Ok(Self {
            app,
            caller,
            transaction,
        })
    }

    /// The resource, which nobody else changes until this is done.
    async fn find(
        &mut self,
        of: ResourceType,
        id: &str,
        conditions: &Conditions,
    ) -> Result<Stored, Refusal> {
        let tenant = &self.caller.tenant;
        let lock = format!("scim:{tenant}:{id}");
        self.app.store.lock(&mut self.transaction, &lock).await?;
        let stored = rows::find(&mut self.transaction, tenant, of, id).await?;
        conditions.check(&stored)?;
        Ok(stored)
    }

    async fn store(&mut self, before: &Stored, resource: Resource) -> Result<Stored, Refusal> {
        if before.resource == resource {
            return Ok(before.clone());
        }
        self.check_name(before.kind, Some(before), &resource)
            .await?;
        rows::update(&mut self.transaction, &self.caller.tenant, before, resource)
            .await
            .map_err(|refusal| name_taken(before.kind, refusal))
    }

    /// Other members are another version of the group.
    async fn count(
        &mut self,
        before: &Stored,
        after: Stored,
        changed: &Changed,
    ) -> Result<Stored, Refusal> {
        if !changed.is_any() || after.version != before.version {
            return Ok(after);
        }
        let resource = after.resource.clone();
        rows::update(&mut self.transaction, &self.caller.tenant, &after, resource).await
    }

    /// Names give rights: that of a group the group's, and that of a user those
    /// of the user, to whom the issuer's subject is linked by it.
    async fn check_name(
        &mut self,
        of: ResourceType,
        before: Option<&Stored>,
        resource: &Resource,
    ) -> Result<(), Refusal> {
        let names: &[&str] = match of {
            ResourceType::User => &["userName", "externalId"],
            ResourceType::Group => &["displayName"],
        };
        let is_same = |name: &&str| {
            before.is_some_and(|before| before.resource.get(*name) == resource.get(*name))
        };
        if self.caller.may_confer || names.iter().all(is_same) {
            return Ok(());
        }
        let tenant = &self.caller.tenant;
        let privileged = tenants::privileged_groups(&mut self.transaction, tenant).await?;
        match (of, before) {
            (ResourceType::Group, _) => {
                let name = resource.get("displayName").and_then(Value::as_str);
                refuse_privileged(&privileged, name.unwrap_or_default())
            }
            (ResourceType::User, None) => Ok(()),
            (ResourceType::User, Some(before)) => {
                let groups = members::above(&mut self.transaction, tenant, &before.id).await?;
                let mut names = groups.values();
                names.try_for_each(|name| refuse_privileged(&privileged, name))
            }
        }
    }

    fn members<'b>(&'b mut self, group: &'b Stored) -> Members<'b> {
        Members {
            app: self.app,
            caller: self.caller,
            transaction: &mut self.transaction,
            group,
            changed: Changed::default(),
        }
    }

    async fn answer(
        &mut self,
        stored: &Stored,
        projection: &Projection,
    ) -> Result<Answer, Refusal> {
        let one = std::slice::from_ref(stored);
        let rendered = render(&mut self.transaction, self.caller, one, projection).await?;
        Ok(Answer {
            body: rendered.into_iter().next(),
            version: Some(stored.version_tag()),
            location: Some(location(self.caller, stored)),
            ..Answer::empty(StatusCode::OK)
        })
    }

    /// Audits, tells, commits.
    async fn end(
        mut self,
        how: &str,
        before: Option<&Stored>,
        after: Option<&Stored>,
        changed: &Changed,
    ) -> Result<(), Refusal> {
        let Some(stored) = after.or(before) else {
            return Ok(());
        };
        let is_same = before.map(|one| one.version) == after.map(|one| one.version);
        if is_same {
            // Nothing was changed.
            return Ok(self.transaction.commit().await?);
        }
        let (kind, tenant) = (stored.kind, &self.caller.tenant);
        let target = format!("{tenant}/{}/{}", kind.name(), stored.id);
        let summary = |one: Option<&Stored>| one.map(|one| summary(one, changed).to_string());
        let (was, is) = (summary(before), summary(after));
        let change = audit::Change {
            action: action(kind, how),
            target: &target,
            before: was.as_deref(),
            after: is.as_deref(),
        };
        if kind == ResourceType::User {
            end_proofs(
                &self.app.store,
                &mut self.transaction,
                tenant,
                before,
                after,
            )
            .await?;
        }
        audit::record(&mut self.transaction, &self.caller.by, change).await?;
        let whose = whose(before, after, changed);
        directory::record(&mut self.transaction, tenant, &whose).await?;
        let is_told = whose != directory::Whose::Nobody;
        if is_told {
            self.app.store.notify(&mut self.transaction).await?;
        }
        self.transaction.commit().await?;
        if is_told {
            directory::tell(self.app).await;
        }
        Ok(())
    }
}

/// Whoever is suspended or deleted has proved nothing from then on, also if the
/// suspension is taken back at once.
async fn end_proofs(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    before: Option<&Stored>,
    after: Option<&Stored>,
) -> Result<(), sqlx::Error> {
    let Some(before) = before else {
        return Ok(());
    };
    if before.is_active && after.is_none_or(|after| !after.is_active) {
        step_up::end(store, transaction, tenant, &before.id).await?;
        console::end_all(transaction, tenant, &before.id).await?;
    }
    if after.is_none() {
        webauthn::forget(transaction, tenant, &before.id).await?;
        break_glass::forget(transaction, tenant, &before.id).await?;
    }
    Ok(())
}

fn action(of: ResourceType, how: &str) -> &'static str {
    match (of, how) {
        (ResourceType::User, "create") => "scim.user.create",
        (ResourceType::User, "replace") => "scim.user.replace",
        (ResourceType::User, "patch") => "scim.user.patch",
        (ResourceType::User, _) => "scim.user.delete",
        (ResourceType::Group, "create") => "scim.group.create",
        (ResourceType::Group, "replace") => "scim.group.replace",
        (ResourceType::Group, "patch") => "scim.group.patch",
        (ResourceType::Group, _) => "scim.group.delete",
    }
}

/// What the audit trail has of a resource: what gives rights, and no more of
/// the person.
fn summary(of: &Stored, changed: &Changed) -> Value {
    match of.kind {
        ResourceType::User => json!({
            "userName": of.name(),
            "externalId": of.resource.get("externalId"),
            "active": of.is_active,
            "version": of.version,
        }),
        ResourceType::Group => {
            let few = |ids: &std::collections::BTreeSet<String>| -> Vec<String> {
                ids.iter().take(members::MAX_NAMED).cloned().collect()
            };
            json!({
                "displayName": of.name(),
                "version": of.version,
                "added": few(&changed.added),
                "addedCount": changed.added.len(),
                "removed": few(&changed.removed),
                "removedCount": changed.removed.len(),
            })
        }
    }
}

/// Whose facts are others now.
fn whose(before: Option<&Stored>, after: Option<&Stored>, changed: &Changed) -> directory::Whose {
    let Some(stored) = after.or(before) else {
        return directory::Whose::Nobody;
    };
    let names = |one: Option<&Stored>| {
        one.map(|one| {
            let external = one.resource.get("externalId").cloned();
            (one.name().to_owned(), external, one.is_active)
        })
    };
    let is_renamed = names(before) != names(after);
    match stored.kind {
        ResourceType::User if is_renamed => directory::Whose::Users(vec![stored.id.clone()]),
        ResourceType::User => directory::Whose::Nobody,
        // A new group without members is nobody's.
        ResourceType::Group if before.is_some() && is_renamed => directory::Whose::Everybody,
        ResourceType::Group if changed.everybody => directory::Whose::Everybody,
        ResourceType::Group => {
            let ids = changed.added.union(&changed.removed).cloned();
            let ids: Vec<String> = ids.collect();
            match ids.is_empty() {
                true => directory::Whose::Nobody,
                false => directory::Whose::Users(ids),
            }
        }
    }
}
