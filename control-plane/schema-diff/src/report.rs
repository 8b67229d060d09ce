//! Everything that is known of a change of the schema.

use std::collections::HashMap;

use apollo_compiler::Node;
use apollo_compiler::ast::Directive;
use apollo_compiler::schema::ExtendedType;
use ig_schema::catalogue::Catalogue;
use ig_schema::{Date, Schema};
use serde::Serialize;

use crate::authz::{self, AuthzChange, AuthzDiff, Effect, Rename};
use crate::change::{Change, ChangeKind, Level, Side};
use crate::gate::{Facts, Failure, Policy, Verdict};
use crate::operations::{
    self, AffectedOperation, Impact, Impacts, InvalidOperation, OperationName,
};
use crate::place::{Place, SchemaSide};

/// Version of the report's form.
pub const REPORT_VERSION: u32 = 1;

/// A change, and what comes of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedChange {
    /// The change, as graphql-inspector has it.
    #[serde(flatten)]
    pub change: Change,
    /// What it does to authorisation.
    pub authz: Effect,
    /// Operations that it makes invalid, or whose record it changes.
    pub affected_operations: Vec<ImpactOn>,
    /// Operations that stay as they are, and use what changed: requests may
    /// fail where their variables have what is not taken any more, and answers
    /// may have what is new.
    pub exposed_operations: Vec<OperationName>,
    /// Where it stands: in the new schema, or in the old one what was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
}

/// How an operation is affected, and which.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ImpactOn {
    /// Which.
    #[serde(flatten)]
    pub operation: OperationName,
    /// How.
    pub impact: Impact,
}

/// How many of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Changes.
    pub changes: usize,
    /// Changes that break.
    pub breaking: usize,
    /// Changes that may.
    pub dangerous: usize,
    /// Changes that do not.
    pub non_breaking: usize,
    /// Places where callers need less.
    pub weakened: usize,
    /// Places where callers need more.
    pub strengthened: usize,
    /// Documents of the catalogue.
    pub operations: usize,
    /// Documents that become invalid.
    pub invalid_operations: usize,
    /// Documents whose record differs.
    pub changed_operations: usize,
    /// Documents that were not valid before either.
    pub invalid_before: usize,
}

/// Whether a check of a pull request succeeds, as graphql-inspector's action
/// has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// It does.
    Success,
    /// It does not.
    Failure,
}

/// Everything that is known of a change of the schema.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// Whether the changes may be made.
    pub conclusion: Conclusion,
    /// How many of what.
    pub summary: Summary,
    /// What changed.
    pub changes: Vec<JudgedChange>,
    /// What changes for callers.
    pub authz: Vec<AuthzChange>,
    /// What looks to have another name.
    pub renames: Vec<Rename>,
    /// Documents of the catalogue that are affected.
    pub operations: Vec<AffectedOperation>,
    /// Documents that were not valid before either: nothing is known of them.
    pub invalid_before: Vec<InvalidOperation>,
    /// Why it may, or may not.
    pub verdict: Verdict,
}

impl Report {
    /// Where what fails stands: the change that it comes from, or the place
    /// where callers need less.
    pub fn place_of(&self, failure: &Failure) -> Option<Place> {
        let change = failure.change.and_then(|number| self.changes.get(number));
        let authz = failure.authz.and_then(|number| self.authz.get(number));
        change
            .and_then(|change| change.location)
            .or(authz.and_then(|change| change.location))
    }
}

/// Compares two schemas, says what that does to a catalogue, and decides.
/// `progress` hears how many documents of how many are done.
pub fn report(
    old: &Schema,
    new: &Schema,
    catalogue: &Catalogue,
    policy: &Policy,
    progress: &mut dyn FnMut(usize, usize),
) -> Report {
    let changes = crate::diff(old, new);
    let authz = authz::diff(old, new);
    let impacts = operations::judge(old, new, catalogue, &changes, progress);
    let verdict = policy.judge(&Facts {
        changes: &changes,
        authz: &authz.changes,
        operations: &impacts.affected,
        invalid_before: impacts.invalid_before.len(),
        announced: &|change| announced(old, change),
    });
    let summary = summary(&changes, &authz, &impacts);
    Report {
        version: REPORT_VERSION,
        conclusion: match verdict.passed {
            true => Conclusion::Success,
            false => Conclusion::Failure,
        },
        summary,
        changes: judged(changes, &authz, &impacts, (old, new)),
        authz: authz.changes,
        renames: authz.renames,
        operations: impacts.affected,
        invalid_before: impacts.invalid_before,
        verdict,
    }
}

fn summary(changes: &[Change], authz: &AuthzDiff, impacts: &Impacts) -> Summary {
    let of_level = |level| {
        let levels = changes.iter().map(|change| change.criticality.level);
        levels.filter(|other| *other == level).count()
    };
    let of_effect = |effect| {
        let effects = authz.changes.iter().map(|change| change.effect);
        effects.filter(|other| *other == effect).count()
    };
    let of_impact = |impact| {
        let all = impacts.affected.iter().map(|operation| operation.impact);
        all.filter(|other| *other == impact).count()
    };
    Summary {
        changes: changes.len(),
        breaking: of_level(Level::Breaking),
        dangerous: of_level(Level::Dangerous),
        non_breaking: of_level(Level::NonBreaking),
        weakened: of_effect(Effect::Weakened),
        strengthened: of_effect(Effect::Strengthened),
        operations: impacts.operations,
        invalid_operations: of_impact(Impact::Invalid),
        changed_operations: of_impact(Impact::Record),
        invalid_before: impacts.invalid_before.len(),
    }
}

fn judged(
    changes: Vec<Change>,
    authz: &AuthzDiff,
    impacts: &Impacts,
    schemas: (&Schema, &Schema),
) -> Vec<JudgedChange> {
    let mut affected: HashMap<usize, Vec<ImpactOn>> = HashMap::new();
    for operation in &impacts.affected {
        for change in &operation.changes {
            let affected = affected.entry(*change).or_default();
            affected.push(ImpactOn {
                operation: operation.operation.clone(),
                impact: operation.impact,
            });
        }
    }
    // By field, and by the type that has it.
    let mut at: HashMap<&str, Effect> = HashMap::new();
    for change in &authz.changes {
        if change.seen != authz::Seen::Directive {
            let ty = change.path.split('.').next().unwrap_or_default();
            for place in [ty, change.path.as_str()] {
                let effect = at.entry(place).or_default();
                *effect = change.effect.max(*effect);
            }
        }
    }
    let numbered = changes.into_iter().enumerate();
    numbered
        .map(|(number, change)| {
            let location = change.at.and_then(|(side, span)| match side {
                Side::Old => Place::new(SchemaSide::Old, schemas.0, span),
                Side::New => Place::new(SchemaSide::New, schemas.1, span),
            });
            JudgedChange {
                authz: effect(&change, authz, &at),
                affected_operations: affected.remove(&number).unwrap_or_default(),
                exposed_operations: impacts.exposed.get(&number).cloned().unwrap_or_default(),
                location,
                change,
            }
        })
        .collect()
}

/// What one change does to authorisation.
fn effect(change: &Change, authz: &AuthzDiff, at: &HashMap<&str, Effect>) -> Effect {
    if let Some(directive) = change.used_directive() {
        let usages = authz.usages.get(change.place());
        let effect = usages.and_then(|usages| usages.get(directive));
        return effect.copied().unwrap_or_default();
    }
    if change.kind.is_for_people() {
        return Effect::Neutral;
    }
    // What changes an argument may change what applies to its field.
    let place = change.place();
    let field = place
        .rsplit_once('.')
        .filter(|(field, _)| field.contains('.'));
    let places = std::iter::once(place).chain(field.map(|(field, _)| field));
    let effects = places.filter_map(|place| at.get(place).copied());
    effects.max().unwrap_or_default()
}

/// The day until which what a change removes was deprecated.
fn announced(old: &Schema, change: &Change) -> Option<Date> {
    let definitions = old.definitions();
    let (ty, name) = change.path.as_deref()?.split_once('.')?;
    let directives: &[Node<Directive>] = match (change.kind, definitions.types.get(ty)?) {
        (ChangeKind::FieldArgumentRemoved, _) => {
            let (field, argument) = name.split_once('.')?;
            let field = definitions.type_field(ty, field).ok()?;
            let directives = &field.argument_by_name(argument)?.directives;
            return day(directives);
        }
        (ChangeKind::FieldRemoved, ExtendedType::Object(ty)) => &ty.fields.get(name)?.directives,
        (ChangeKind::FieldRemoved, ExtendedType::Interface(ty)) => &ty.fields.get(name)?.directives,
        (ChangeKind::InputFieldRemoved, ExtendedType::InputObject(ty)) => {
            &ty.fields.get(name)?.directives
        }
        (ChangeKind::EnumValueRemoved, ExtendedType::Enum(ty)) => &ty.values.get(name)?.directives,
        _ => return None,
    };
    day(directives)
}

fn day(directives: &[Node<Directive>]) -> Option<Date> {
    Date::find(crate::deprecation::reason_of(directives)?)
}
