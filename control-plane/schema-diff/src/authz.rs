//! Whether callers need less than before.
//!
//! Looked at in three ways, since each sees what the others do not:
//!
//! | | sees |
//! |---|---|
//! | places | each use of `@authz`, `@resource` and `@fact`, also one that says what another place says too |
//! | fields | what applies to a field in all: its type may be another one, an interface gone, a default of `@authz` changed |
//! | names | what came back under another name, in another type or shape, with less (`renames`) |
//!
//! The records of operations are a fourth (`operations`). What is not known
//! to be stricter counts as weaker.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::ExtendedType;
use ig_contract::snapshot::Resource;
use ig_schema::{Authz, Protection, Schema};
use serde::Serialize;

use crate::place::{self, Place, SchemaSide};
use crate::renames;

/// What a change does to authorisation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing.
    #[default]
    Neutral,
    /// Callers need more than before, and nothing less.
    Strengthened,
    /// Callers need something less than before.
    Weakened,
}

/// How a change of authorisation was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// A place says otherwise.
    Directive,
    /// Something else applies to a field, though no place that was there says
    /// otherwise.
    Field,
    /// Something has another name now.
    Renamed,
}

/// A place where callers need less or more.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthzChange {
    /// The place, as `Type.field.argument`.
    pub path: String,
    /// What changes for callers.
    pub effect: Effect,
    /// How it was seen.
    pub seen: Seen,
    /// What it was called before, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What was said.
    pub before: Protection,
    /// What is said.
    pub after: Protection,
    /// What was said and nothing is as strict as now, as in SDL; of what is
    /// weakened never empty.
    pub removed: Vec<String>,
    /// What was not said before, as in SDL: stricter, or in place of what is
    /// removed.
    pub added: Vec<String>,
    /// Where the place is, in the new schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
}

impl AuthzChange {
    /// What became of what, for people.
    pub fn words(&self) -> String {
        let list = |items: &[String]| {
            let items: Vec<_> = items.iter().map(|item| format!("`{item}`")).collect();
            items.join(", ")
        };
        let (removed, added) = (list(&self.removed), list(&self.added));
        match (removed.as_str(), added.as_str()) {
            ("", added) => format!("{added} is new"),
            (removed, "") => format!("{removed} is gone"),
            (removed, added) => format!("{removed} became {added}"),
        }
    }
}

/// Something that was removed while its like was added.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Rename {
    /// Path before.
    pub from: String,
    /// Path after.
    pub to: String,
}

/// What changes for callers, place by place.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct AuthzDiff {
    pub(crate) changes: Vec<AuthzChange>,
    pub(crate) renames: Vec<Rename>,
    /// Effect of the uses of one directive at one place, by place and name.
    pub(crate) usages: HashMap<String, HashMap<&'static str, Effect>>,
}

/// Directives that protect.
const DIRECTIVES: [&str; 3] = ["authz", "resource", "fact"];

/// One thing that is asked of callers, or shown to policies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Authz(Authz),
    Resource(Resource),
    Fact(String),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let given = |name: &str, value: &Option<String>| {
            let value = value.as_deref();
            value.map(|value| format!("{name}: {}", text(value)))
        };
        let set = |name: &str, is_set: bool| is_set.then(|| format!("{name}: true"));
        let (name, arguments) = match self {
            Self::Authz(authz) => {
                let purposes: Vec<_> = authz.purposes.iter().map(|it| text(it)).collect();
                let purposes =
                    (!purposes.is_empty()).then(|| format!("purpose: [{}]", purposes.join(", ")));
                let arguments = [
                    purposes,
                    given("action", &authz.action),
                    set("stepUp", authz.step_up),
                    set("crossTenant", authz.cross_tenant),
                ];
                ("authz", arguments)
            }
            Self::Resource(resource) => {
                let arguments = [
                    set("pii", resource.pii),
                    given("retention", &resource.retention),
                    given("licenseClass", &resource.license_class),
                    None,
                ];
                ("resource", arguments)
            }
            Self::Fact(fact) => (
                "fact",
                [Some(format!("name: {}", text(fact))), None, None, None],
            ),
        };
        let arguments: Vec<_> = arguments.into_iter().flatten().collect();
        match arguments.is_empty() {
            true => write!(f, "@{name}"),
            false => write!(f, "@{name}({})", arguments.join(", ")),
        }
    }
}

/// In place of a path, where more is alike than is compared.
const TOO_MANY: &str = "(too many are alike to be compared)";

pub(crate) fn diff(old: &Schema, new: &Schema) -> AuthzDiff {
    let (before, after) = (old.protections(), new.protections());
    let renames = renames::find(old, new);
    let mut diff = AuthzDiff {
        renames: renames.told,
        ..AuthzDiff::default()
    };
    if before.is_empty() && after.is_empty() {
        return diff;
    }
    let mut lost: BTreeMap<Item, BTreeSet<String>> = BTreeMap::new();
    let places: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let none = Protection::default();
    for place in places {
        // What is gone needs no protection, and what is new had none.
        if !old.has_place(place) || !new.has_place(place) {
            continue;
        }
        let was = before.get(place).unwrap_or(&none);
        let is = after.get(place).unwrap_or(&none);
        for item in items_lost(was, is) {
            lost.entry(item).or_default().insert(place.clone());
        }
        let of = |directive| compare(&only(was, directive), &only(is, directive));
        let usages = DIRECTIVES.map(|directive| (directive, of(directive)));
        diff.usages.insert(place.clone(), usages.into());
        diff.push(place.clone(), Seen::Directive, None, was, is);
    }
    fields(old, new, &lost, &mut diff);
    renamed(old, new, (&before, &after), renames.swapped, &mut diff);
    if !renames.is_complete {
        // Nothing is known to be as strict as what was.
        let first = before
            .iter()
            .find(|(_, protection)| !protection.authz.is_empty());
        if let Some((place, was)) = first {
            let is = Protection::default();
            diff.push(
                TOO_MANY.to_owned(),
                Seen::Renamed,
                Some(place.clone()),
                was,
                &is,
            );
        }
    }
    for change in &mut diff.changes {
        let span = place::find(new, &change.path);
        change.location = span.and_then(|span| Place::new(SchemaSide::New, new, span));
    }
    diff
}

/// What has another name and asks for less.
fn renamed(
    old: &Schema,
    new: &Schema,
    (before, after): (&BTreeMap<String, Protection>, &BTreeMap<String, Protection>),
    swapped: Vec<Rename>,
    diff: &mut AuthzDiff,
) {
    let mut all: BTreeSet<_> = diff.renames.iter().cloned().collect();
    all.extend(swapped);
    for rename in all {
        let was = protection_of(old, before, &rename.from);
        let is = protection_of(new, after, &rename.to);
        if compare(&was, &is) == Effect::Weakened {
            diff.push(rename.to, Seen::Renamed, Some(rename.from), &was, &is);
        }
    }
}

impl AuthzDiff {
    fn push(
        &mut self,
        path: String,
        seen: Seen,
        was: Option<String>,
        before: &Protection,
        after: &Protection,
    ) {
        let effect = compare(before, after);
        if effect != Effect::Neutral {
            self.changes.push(AuthzChange {
                path,
                effect,
                seen,
                was,
                before: before.clone(),
                after: after.clone(),
                removed: items_lost(before, after)
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                added: items_new(before, after)
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                location: None,
            });
        }
    }
}

/// What changes from one protection to another.
pub(crate) fn compare(before: &Protection, after: &Protection) -> Effect {
    match (
        items_lost(before, after).is_empty(),
        items_lost(after, before).is_empty(),
    ) {
        (true, true) => Effect::Neutral,
        (true, false) => Effect::Strengthened,
        (false, _) => Effect::Weakened,
    }
}

/// What `before` has, and nothing in `after` is as strict as.
fn items_lost(before: &Protection, after: &Protection) -> Vec<Item> {
    let is_lost = |item: &Item| match item {
        Item::Authz(was) => !after.authz.iter().any(|is| is_as_strict(was, is)),
        Item::Resource(was) => !after.resources.iter().any(|is| says_as_much(was, is)),
        Item::Fact(was) => !after.facts.contains(was),
    };
    items(before).filter(is_lost).collect()
}

/// What `after` has, and `before` did not say.
fn items_new(before: &Protection, after: &Protection) -> Vec<Item> {
    let known: BTreeSet<_> = items(before).collect();
    items(after).filter(|item| !known.contains(item)).collect()
}

fn items(all: &Protection) -> impl Iterator<Item = Item> {
    let authz = all.authz.iter().cloned().map(Item::Authz);
    let resources = all.resources.iter().cloned().map(Item::Resource);
    let facts = all.facts.iter().cloned().map(Item::Fact);
    authz.chain(resources).chain(facts)
}

fn is_as_strict(was: &Authz, is: &Authz) -> bool {
    is.action == was.action
        && are_no_more_purposes(&was.purposes, &is.purposes)
        && (is.step_up || !was.step_up)
        && (is.cross_tenant || !was.cross_tenant)
}

/// Whether `is` allows no purpose that `was` does not. No purpose at all
/// means that any is allowed.
pub(crate) fn are_no_more_purposes(was: &[String], is: &[String]) -> bool {
    was.is_empty() || (!is.is_empty() && is.iter().all(|purpose| was.contains(purpose)))
}

/// Whether policies see of `is` what they saw of `was`.
pub(crate) fn says_as_much(was: &Resource, is: &Resource) -> bool {
    let same = |was: &Option<String>, is: &Option<String>| was.is_none() || was == is;
    (is.pii || !was.pii)
        && same(&was.retention, &is.retention)
        && same(&was.license_class, &is.license_class)
}

fn only(all: &Protection, directive: &str) -> Protection {
    let mut one = Protection::default();
    match directive {
        "authz" => one.authz.clone_from(&all.authz),
        "resource" => one.resources.clone_from(&all.resources),
        _ => one.facts.clone_from(&all.facts),
    }
    one
}

/// Fields to which less applies than before, where no place that applies to them says
/// why: what another place lost explains nothing here.
fn fields(
    old: &Schema,
    new: &Schema,
    lost: &BTreeMap<Item, BTreeSet<String>>,
    diff: &mut AuthzDiff,
) {
    for (ty, definition) in &old.definitions().types {
        for field in fields_of(definition) {
            let name = field.name.as_str();
            let was = old.protection_of(ty, name);
            let is = new.protection_of(ty, name);
            let (Some(was), Some(is)) = (was, is) else {
                continue;
            };
            let near = [
                ty.to_string(),
                format!("{ty}.{name}"),
                field.ty.inner_named_type().to_string(),
            ];
            let is_explained = |item: &Item| match (item, lost.get(item)) {
                (_, None) => false,
                // Facts are those of inputs, however deep.
                (Item::Fact(_), Some(_)) => true,
                (_, Some(places)) => near.iter().any(|place| places.contains(place)),
            };
            if !items_lost(&was, &is).iter().all(is_explained) {
                diff.push(format!("{ty}.{name}"), Seen::Field, None, &was, &is);
            }
        }
    }
}

pub(crate) fn fields_of(ty: &ExtendedType) -> impl Iterator<Item = &FieldDefinition> {
    let fields = match ty {
        ExtendedType::Object(ty) => Some(&ty.fields),
        ExtendedType::Interface(ty) => Some(&ty.fields),
        _ => None,
    };
    fields
        .into_iter()
        .flat_map(|fields| fields.values())
        .map(|field| &***field)
}

/// Of a field everything that applies, of another place what stands there.
fn protection_of(schema: &Schema, own: &BTreeMap<String, Protection>, place: &str) -> Protection {
    let of_field = place
        .split_once('.')
        .and_then(|(ty, field)| schema.protection_of(ty, field));
    of_field
        .or_else(|| own.get(place).cloned())
        .unwrap_or_default()
}
