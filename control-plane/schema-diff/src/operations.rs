//! What a change of the schema does to the operations of a catalogue.

use std::collections::{BTreeSet, HashMap};

use apollo_compiler::ast::OperationType;
use ig_contract::TextHash;
use ig_contract::snapshot::{Action, Operation, OperationKind};
use ig_schema::catalogue::{Catalogue, Entry};
use ig_schema::{Limits, Reason, Schema, Usage, Usages, compile};
use serde::Serialize;

use crate::authz::{Effect, are_no_more_purposes, says_as_much};
use crate::change::{Change, ChangeKind, Level};

/// How an operation is affected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// It is not valid any more: the guard will not let it through.
    Invalid,
    /// The guard has another record of it: what it needs, shows or costs.
    Record,
}

/// An operation as reports name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct OperationName {
    /// SHA-256 of its document.
    pub sha256: TextHash,
    /// Its name; those of all operations of the document, with commas.
    pub name: String,
    /// Clients that may use it; none means every client.
    pub clients: Vec<String>,
}

/// A document that is affected.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AffectedOperation {
    /// Which.
    #[serde(flatten)]
    pub operation: OperationName,
    /// How.
    pub impact: Impact,
    /// Why it is not valid. Positions are in its text, or in the file that it
    /// is from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Members of its record that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<&'static str>,
    /// What the difference does to authorisation.
    pub authz: Effect,
    /// Changes that it comes from, by their number in the report, from 0.
    pub changes: Vec<usize>,
}

/// A document that is valid on neither schema.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct InvalidOperation {
    /// Which.
    #[serde(flatten)]
    pub operation: OperationName,
    /// Why it is not valid on the new one. Positions are in its text, or in the
    /// file that it is from.
    pub reasons: Vec<Reason>,
}

/// What becomes of a catalogue.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Impacts {
    /// Documents that were looked at.
    pub(crate) operations: usize,
    /// What is affected, in the order of the catalogue.
    pub(crate) affected: Vec<AffectedOperation>,
    /// What is valid and compiled as before, and uses something that changed:
    /// by the number of the change.
    pub(crate) exposed: HashMap<usize, Vec<OperationName>>,
    /// What was not valid before either.
    pub(crate) invalid_before: Vec<InvalidOperation>,
}

/// Looks at every document of a catalogue. `progress` hears how many of how
/// many are done.
pub(crate) fn judge(
    old: &Schema,
    new: &Schema,
    catalogue: &Catalogue,
    changes: &[Change],
    progress: &mut dyn FnMut(usize, usize),
) -> Impacts {
    let causes = Causes::new(changes);
    let judge = Judge {
        schemas: (old, new),
        usages: (Usages::new(old), Usages::new(new)),
        causes,
    };
    let mut impacts = Impacts {
        operations: catalogue.entries.len(),
        ..Impacts::default()
    };
    for (number, entry) in catalogue.entries.iter().enumerate() {
        judge.entry(entry, &mut impacts);
        progress(number + 1, catalogue.entries.len());
    }
    impacts
}

struct Judge<'a> {
    schemas: (&'a Schema, &'a Schema),
    usages: (Usages<'a>, Usages<'a>),
    causes: Causes<'a>,
}

impl Judge<'_> {
    fn entry(&self, entry: &Entry, impacts: &mut Impacts) {
        let limits = Limits::DOCUMENT;
        let before = compile(self.schemas.0, &entry.text, limits);
        let after = compile(self.schemas.1, &entry.text, limits);
        let (before, after) = match (before, after) {
            (Ok(before), after) => (before, after),
            // What becomes valid affects nobody.
            (Err(_), Ok(_)) => return,
            (Err(_), Err(invalid)) => {
                let mut reasons = invalid.into_reasons();
                entry.locate(&mut reasons);
                impacts.invalid_before.push(InvalidOperation {
                    operation: named(entry, &[]),
                    reasons,
                });
                return;
            }
        };
        let operation = named(entry, &before);
        // It was compiled, so it can be read.
        let mut usage = self.usages.0.of(&entry.text, limits).unwrap_or_default();
        let (impact, reasons, members, authz) = match after {
            Err(invalid) => {
                let mut reasons = invalid.into_reasons();
                entry.locate(&mut reasons);
                (Impact::Invalid, reasons, Vec::new(), Effect::Neutral)
            }
            Ok(after) if before == after => {
                for change in self.causes.of(&usage, |change| {
                    change.criticality.level != Level::NonBreaking
                }) {
                    let exposed = impacts.exposed.entry(change).or_default();
                    exposed.push(operation.clone());
                }
                return;
            }
            Ok(after) => {
                let is = self.usages.1.of(&entry.text, limits).unwrap_or_default();
                usage.related.extend(is.related);
                usage.related.extend(is.named);
                let members = members(&before, &after);
                let defaults = self.defaults(&usage);
                let effect = effect(&before, &after, &defaults);
                (Impact::Record, Vec::new(), members, effect)
            }
        };
        let changes = match impact {
            Impact::Invalid => self.causes.of_invalid(&usage),
            Impact::Record => self
                .causes
                .of(&usage, |change| !change.kind.is_for_people()),
        };
        impacts.affected.push(AffectedOperation {
            operation,
            impact,
            reasons,
            members,
            authz,
            changes,
        });
    }
}

impl Judge<'_> {
    /// Actions that root fields which are used have where the schema says nothing.
    fn defaults(&self, usage: &Usage) -> BTreeSet<String> {
        let old = self.schemas.0.definitions();
        let kinds = [
            (OperationKind::Query, OperationType::Query),
            (OperationKind::Mutation, OperationType::Mutation),
            (OperationKind::Subscription, OperationType::Subscription),
        ];
        let mut defaults = BTreeSet::new();
        for (kind, root) in kinds {
            let Some(root) = old.root_operation(root) else {
                continue;
            };
            let fields = usage.named.iter().filter_map(|place| {
                let (ty, field) = place.split_once('.')?;
                (ty == root.as_str()).then_some(field)
            });
            defaults.extend(fields.map(|field| format!("{}:{field}", kind.as_str())));
        }
        defaults
    }
}

fn named(entry: &Entry, operations: &[Operation]) -> OperationName {
    let names: Vec<_> = operations.iter().map(|it| it.name.as_str()).collect();
    let claimed = entry.claims.iter().find_map(|claim| claim.name.clone());
    OperationName {
        sha256: TextHash::of(entry.text.as_bytes()),
        name: match names.is_empty() {
            true => claimed.unwrap_or_default(),
            false => names.join(", "),
        },
        clients: entry.clients.clone(),
    }
}

/// Changes by the places that they are at.
struct Causes<'a> {
    changes: &'a [Change],
    by_place: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Causes<'a> {
    fn new(changes: &'a [Change]) -> Self {
        let mut by_place: HashMap<_, Vec<_>> = HashMap::new();
        for (number, change) in changes.iter().enumerate() {
            by_place.entry(place(change)).or_default().push(number);
        }
        Self { changes, by_place }
    }

    /// Changes at what is used, ascending.
    fn of(&self, usage: &Usage, wanted: impl Fn(&Change) -> bool) -> Vec<usize> {
        let places = usage.named.iter().chain(&usage.related);
        self.at(places.chain(&usage.inputs), usage, wanted)
    }

    /// Changes that may make a document invalid: all that break at or near what
    /// it uses, or else whatever is near. One that is excepted must not hide
    /// another, so nearer ones do not displace the others.
    fn of_invalid(&self, usage: &Usage) -> Vec<usize> {
        let is_breaking = |change: &Change| change.criticality.level == Level::Breaking;
        let found = self.of(usage, is_breaking);
        match found.is_empty() {
            true => self.of(usage, |change| !change.kind.is_for_people()),
            false => found,
        }
    }

    fn at<'p>(
        &self,
        places: impl IntoIterator<Item = &'p String>,
        usage: &Usage,
        wanted: impl Fn(&Change) -> bool,
    ) -> Vec<usize> {
        let mut found = BTreeSet::new();
        // Changes of root types are at no place.
        for place in places.into_iter().map(String::as_str).chain([""]) {
            let numbers = self.by_place.get(place).into_iter().flatten();
            found.extend(numbers.copied().filter(|number| {
                let change = self.changes.get(*number);
                change.is_some_and(|change| wanted(change) && concerns(change, usage))
            }));
        }
        found.into_iter().collect()
    }
}

/// The place that somebody must use for a change to concern them.
fn place(change: &Change) -> &str {
    let place = change.place();
    match change.kind.is_addition() && !place.starts_with('@') {
        true => place.rsplit_once('.').map_or(place, |(above, _)| above),
        false => place,
    }
}

/// Whether a change at a place that is used concerns the document.
fn concerns(change: &Change, usage: &Usage) -> bool {
    let other = match change.kind {
        ChangeKind::UnionMemberRemoved => "removedUnionMemberTypeName",
        ChangeKind::ObjectTypeInterfaceRemoved => "removedInterfaceName",
        _ => return true,
    };
    let other = change.meta.get(other).and_then(|name| name.as_str());
    other.is_some_and(|name| usage.named.contains(name) || usage.related.contains(name))
}

/// Members of records that differ, by their names in JSON.
fn members(before: &[Operation], after: &[Operation]) -> Vec<&'static str> {
    let mut members = BTreeSet::new();
    for (was, is) in before.iter().zip(after) {
        for (differs, name) in [
            (was.actions != is.actions, "actions"),
            (was.step_up != is.step_up, "stepUp"),
            (was.cross_tenant != is.cross_tenant, "crossTenant"),
            (was.cost != is.cost, "cost"),
            (was.sizes != is.sizes, "sizes"),
            (was.terms != is.terms, "terms"),
            (was.facts != is.facts, "facts"),
            (was.resources != is.resources, "resources"),
        ] {
            if differs {
                members.insert(name);
            }
        }
    }
    members.into_iter().collect()
}

/// What another record does to authorisation.
fn effect(before: &[Operation], after: &[Operation], defaults: &BTreeSet<String>) -> Effect {
    let keeps = |left: &[Operation], right: &[Operation]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(was, is)| is_as_strict(was, is, defaults))
    };
    match (keeps(before, after), keeps(after, before)) {
        (true, true) => Effect::Neutral,
        (true, false) => Effect::Strengthened,
        (false, _) => Effect::Weakened,
    }
}

fn is_as_strict(was: &Operation, is: &Operation, defaults: &BTreeSet<String>) -> bool {
    let asks = |action: &Action| {
        let mut all = is.actions.iter();
        all.any(|other| {
            other.name == action.name && are_no_more_purposes(&action.purposes, &other.purposes)
        })
    };
    let mut resources = was.resources.iter();
    was.actions
        .iter()
        .all(|action| is_default(action, defaults) || asks(action))
        && (is.step_up || !was.step_up)
        && (is.cross_tenant || !was.cross_tenant)
        && resources.all(|was| is.resources.iter().any(|is| says_as_much(was, is)))
        && was.facts.iter().all(|fact| is.facts.contains(fact))
}

/// Whether an action is what a root field has where the schema says nothing:
/// any other asks for more.
fn is_default(action: &Action, defaults: &BTreeSet<String>) -> bool {
    action.purposes.is_empty() && defaults.contains(&action.name)
}
