//! Definitions of directives.

use apollo_compiler::Node;
use apollo_compiler::ast::{DirectiveDefinition, DirectiveLocation, InputValueDefinition};
use ig_schema::Schema;
use serde_json::json;

use super::fields::breaking_unless;
use super::inputs::is_safe_for_input;
use super::types::{described, differ};
use super::{Differ, SPECIFIED_DIRECTIVES};
use crate::change::{Change, ChangeKind, Level, Side};
use crate::lists::by_name;
use crate::value::{Coerced, quoted};

/// What is in use somewhere, and cannot be used any more.
const IN_USE: &str = "A directive could be in use of a client application. Removing it could \
                      break the client application.";

/// Definitions that the SDL has itself.
fn stated(schema: &Schema) -> impl Iterator<Item = &Node<DirectiveDefinition>> {
    let all = schema.definitions().directive_definitions.values();
    all.filter(|definition| {
        let name = definition.name.as_str();
        !SPECIFIED_DIRECTIVES.contains(&name) && schema.states_directive(name)
    })
}

impl Differ<'_> {
    pub(super) fn directives(&mut self, old: &Schema, new: &Schema) {
        let directives = by_name(stated(old), stated(new), |definition| &definition.name);
        for definition in directives.removed {
            let name = definition.name.as_str();
            let message = format!("Directive '{name}' was removed");
            let meta = json!({ "removedDirectiveName": name });
            self.push(
                Change::new(ChangeKind::DirectiveRemoved, Level::Breaking, message, meta)
                    .because(IN_USE)
                    .path(format!("@{name}"))
                    .at(Side::Old, definition.location()),
            );
        }
        for definition in directives.added {
            let name = definition.name.as_str();
            let message = format!("Directive '{name}' was added");
            let locations: Vec<_> = definition.locations.iter().map(|it| it.name()).collect();
            let meta = json!({
                "addedDirectiveName": name,
                "addedDirectiveDescription": definition.description.as_deref(),
                "addedDirectiveLocations": locations,
                "addedDirectiveRepeatable": definition.repeatable,
            });
            let kind = ChangeKind::DirectiveAdded;
            self.push(
                Change::new(kind, Level::NonBreaking, message, meta)
                    .path(format!("@{name}"))
                    .at(Side::New, definition.location()),
            );
            self.directive(None, definition);
        }
        for (old, definition) in directives.both {
            self.directive(Some(old), definition);
        }
    }

    fn directive(
        &mut self,
        old: Option<&Node<DirectiveDefinition>>,
        new: &Node<DirectiveDefinition>,
    ) {
        let name = new.name.as_str();
        let path = format!("@{name}");
        let change = |kind, level, message, meta| {
            Change::new(kind, level, message, meta)
                .path(&*path)
                .at(Side::New, new.location())
        };
        let before = old.and_then(|old| old.description.as_deref());
        let after = new.description.as_deref();
        if differ(before, after) {
            let kind = ChangeKind::DirectiveDescriptionChanged;
            let message = directive_described(name, before, after);
            let meta = json!({
                "directiveName": name,
                "oldDirectiveDescription": before,
                "newDirectiveDescription": after,
            });
            self.push(change(kind, Level::NonBreaking, message, meta));
        }
        let was_repeatable = old.is_some_and(|old| old.repeatable);
        let repeatable = match (was_repeatable, new.repeatable) {
            (true, false) => Some((
                ChangeKind::DirectiveRepeatableRemoved,
                Level::Dangerous,
                "removed",
            )),
            (false, true) => Some((
                ChangeKind::DirectiveRepeatableAdded,
                Level::NonBreaking,
                "added",
            )),
            _ => None,
        };
        if let Some((kind, level, verb)) = repeatable {
            let message = format!("Directive '{name}' {verb} repeatable.");
            self.push(change(
                kind,
                level,
                message,
                json!({ "directiveName": name }),
            ));
        }
        let none = Vec::new();
        let before = old.map_or(&none, |old| &old.locations);
        for location in without(&new.locations, before) {
            let message = format!("Location '{location}' was added to directive '{name}'");
            let meta = json!({
                "directiveName": name,
                "addedDirectiveLocation": location.name(),
            });
            let kind = ChangeKind::DirectiveLocationAdded;
            self.push(change(kind, Level::NonBreaking, message, meta));
        }
        for location in without(before, &new.locations) {
            let message = format!("Location '{location}' was removed from directive '{name}'");
            let meta = json!({
                "directiveName": name,
                "removedDirectiveLocation": location.name(),
            });
            let kind = ChangeKind::DirectiveLocationRemoved;
            self.push(change(kind, Level::Breaking, message, meta).because(IN_USE));
        }
        self.arguments_of_directive(old, new);
    }

    fn arguments_of_directive(
        &mut self,
        old: Option<&Node<DirectiveDefinition>>,
        new: &Node<DirectiveDefinition>,
    ) {
        let name = new.name.as_str();
        let before = old.map_or(&[][..], |old| &old.arguments);
        let arguments = by_name(before, &new.arguments, |argument| &argument.name);
        for argument in arguments.removed {
            let removed = argument.name.as_str();
            let message = format!("Argument '{removed}' was removed from directive '{name}'");
            let meta = json!({ "directiveName": name, "removedDirectiveArgumentName": removed });
            let kind = ChangeKind::DirectiveArgumentRemoved;
            self.push(
                Change::new(kind, Level::Breaking, message, meta)
                    .because(
                        "A directive argument could be in use of a client application. Removing \
                         the argument can break client applications.",
                    )
                    .path(format!("@{name}.{removed}"))
                    .at(Side::Old, argument.location()),
            );
        }
        for argument in arguments.added {
            self.argument_added_to_directive(name, argument, old.is_none());
        }
        for (old, argument) in arguments.both {
            self.argument_of_directive(name, old, argument);
        }
    }

    fn argument_added_to_directive(
        &mut self,
        directive: &str,
        argument: &Node<InputValueDefinition>,
        is_new: bool,
    ) {
        let name = argument.name.as_str();
        let is_non_null = argument.ty.is_non_null();
        let (level, reason) = match (is_new, is_non_null) {
            (true, _) => (
                Level::NonBreaking,
                "Refer to the directive usage for the breaking status. If the directive is new \
                 and therefore unused, then adding an argument does not risk breaking clients.",
            ),
            (false, true) => (
                Level::Breaking,
                "A directive could be in use of a client application. Adding a non-nullable \
                 argument will break those clients.",
            ),
            (false, false) => (
                Level::NonBreaking,
                "A directive could be in use of a client application. Adding a nullable argument \
                 will not break those clients.",
            ),
        };
        let mut meta = json!({
            "directiveName": directive,
            "addedDirectiveArgumentName": name,
            "addedDirectiveArgumentType": argument.ty.to_string(),
            "addedDirectiveArgumentTypeIsNonNull": is_non_null,
            "addedToNewDirective": is_new,
        });
        if let Some(default) = Coerced::default_of(self.new, argument) {
            meta["addedDirectiveDefaultValue"] = default.print().into();
        }
        if let Some(description) = argument.description.as_deref() {
            meta["addedDirectiveArgumentDescription"] = description.into();
        }
        let message = format!("Argument '{name}' was added to directive '{directive}'");
        self.push(
            Change::new(ChangeKind::DirectiveArgumentAdded, level, message, meta)
                .because(reason)
                .path(format!("@{directive}"))
                .at(Side::New, argument.location()),
        );
    }

    fn argument_of_directive(
        &mut self,
        directive: &str,
        old: &Node<InputValueDefinition>,
        new: &Node<InputValueDefinition>,
    ) {
        let name = new.name.as_str();
        let place = format!("argument '{name}' on directive '{directive}'");
        let names = json!({ "directiveName": directive, "directiveArgumentName": name });
        let change = |kind, level, message, meta| {
            Change::new(kind, level, message, meta)
                .path(format!("@{directive}.{name}"))
                .at(Side::New, new.location())
        };
        let before = old.description.as_deref();
        let after = new.description.as_deref();
        if differ(before, after) {
            let mut meta = names.clone();
            meta["oldDirectiveArgumentDescription"] = before.into();
            meta["newDirectiveArgumentDescription"] = after.into();
            let kind = ChangeKind::DirectiveArgumentDescriptionChanged;
            let message = described(before, after, &place);
            self.push(change(kind, Level::NonBreaking, message, meta));
        }
        if let Some(default) = self.default_changed(old, new) {
            let mut meta = names.clone();
            let members = [
                "oldDirectiveArgumentDefaultValue",
                "newDirectiveArgumentDefaultValue",
            ];
            default.add_to(&mut meta, members[0], members[1]);
            let kind = ChangeKind::DirectiveArgumentDefaultValueChanged;
            let message = default.message(&place);
            self.push(change(kind, Level::Dangerous, message, meta).because(
                "Changing the default value for an argument may change the runtime behaviour of \
                 a field if it was never provided.",
            ));
        }
        if old.ty != new.ty {
            let is_safe = is_safe_for_input(&old.ty, &new.ty);
            let mut meta = names;
            meta["oldDirectiveArgumentType"] = old.ty.to_string().into();
            meta["newDirectiveArgumentType"] = new.ty.to_string().into();
            meta["isSafeDirectiveArgumentTypeChange"] = is_safe.into();
            let message = format!("Type for {place} changed from '{}' to '{}'", old.ty, new.ty);
            let kind = ChangeKind::DirectiveArgumentTypeChanged;
            let change = change(kind, breaking_unless(is_safe), message, meta);
            self.push(match is_safe {
                true => change.because(
                    "Changing an input field from non-null to null is considered non-breaking.",
                ),
                false => change,
            });
        }
    }
}

/// Locations of `left` that `right` lacks.
fn without<'a>(
    left: &'a [DirectiveLocation],
    right: &'a [DirectiveLocation],
) -> impl Iterator<Item = &'a DirectiveLocation> {
    left.iter().filter(|location| !right.contains(location))
}

fn directive_described(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    let what = match (old, new) {
        (None, Some(new)) => format!("description '{}' was added", quoted(new)),
        (Some(old), None) => format!("description '{}' was removed", quoted(old)),
        (old, new) => format!(
            "description changed from '{}' to '{}'",
            quoted(old.unwrap_or_default()),
            quoted(new.unwrap_or_default())
        ),
    };
    format!("Directive '{name}' {what}")
}
