//! Fields of objects and interfaces, and their arguments.

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::schema::Component;
use apollo_compiler::{Name, Node};
use serde_json::json;

use super::Differ;
use super::inputs::is_safe_for_input;
use super::types::{described, differ};
use super::usage::Site;
use crate::change::{Change, ChangeKind, Level, Side};
use crate::deprecation::{DEFAULT_REASON, is_deprecated, reason_of};
use crate::lists::by_name;
use crate::value::{Coerced, quoted};
use apollo_compiler::schema::Type;

type Fields = IndexMap<Name, Component<FieldDefinition>>;

/// Whether everybody who could read `old` can read `new`.
fn is_safe_for_output(old: &Type, new: &Type) -> bool {
    if new.is_non_null() {
        let (old, new) = (old.clone().nullable(), new.clone().nullable());
        return is_safe_for_output(&old, &new);
    }
    match (old.is_list(), new.is_list()) {
        (true, true) => !old.is_non_null() && is_safe_for_output(old.item_type(), new.item_type()),
        (false, false) => old == new,
        _ => false,
    }
}

impl Differ<'_> {
    pub(super) fn fields(&mut self, ty: &str, words: &str, old: Option<&Fields>, new: &Fields) {
        let old = old.into_iter().flat_map(|old| old.values());
        let old = old.map(|field| &field.node);
        let new = new.values().map(|field| &field.node);
        let fields = by_name(old, new, |field| &field.name);
        for field in fields.removed {
            self.field_removed(ty, words, field);
        }
        for field in fields.added {
            let name = field.name.as_str();
            let message = format!("Field '{name}' was added to {words} '{ty}'");
            let meta = json!({
                "typeName": ty,
                "addedFieldName": name,
                "typeType": words,
                "addedFieldReturnType": field.ty.to_string(),
            });
            self.push(
                Change::new(ChangeKind::FieldAdded, Level::NonBreaking, message, meta)
                    .path(format!("{ty}.{name}"))
                    .at(Side::New, field.location()),
            );
            self.field(ty, None, field);
        }
        for (old, field) in fields.both {
            self.field(ty, Some(old), field);
        }
    }

    fn field_removed(&mut self, ty: &str, words: &str, field: &Node<FieldDefinition>) {
        let name = field.name.as_str();
        // The original looks at the reason here, which may be null.
        let is_deprecated = reason_of(&field.directives).is_some();
        let mark = if is_deprecated { "(deprecated) " } else { "" };
        let message = format!("Field '{name}' {mark}was removed from {words} '{ty}'");
        let meta = json!({
            "typeName": ty,
            "removedFieldName": name,
            "isRemovedFieldDeprecated": is_deprecated,
            "typeType": words,
        });
        let reason = match is_deprecated {
            true => {
                "Removing a deprecated field is a breaking change. Before removing it, you may \
                 want to look at the field's usage to see the impact of removing the field."
            }
            false => {
                "Removing a field is a breaking change. It is preferable to deprecate the field \
                 before removing it. This applies to removed union fields as well, since removal \
                 breaks client operations that contain fragments that reference the removed type \
                 through direct (... on RemovedType) or indirect means such as __typename in the \
                 consumers."
            }
        };
        self.push(
            Change::new(ChangeKind::FieldRemoved, Level::Breaking, message, meta)
                .because(reason)
                .path(format!("{ty}.{name}"))
                .at(Side::Old, field.location()),
        );
    }

    fn field(&mut self, ty: &str, old: Option<&FieldDefinition>, new: &Node<FieldDefinition>) {
        self.field_description(ty, old, new);
        if let Some(change) = field_deprecation(ty, old, new) {
            self.push(change.at(Side::New, new.location()));
        }
        if let Some(old) = old.filter(|old| old.ty != new.ty) {
            let is_safe = is_safe_for_output(&old.ty, &new.ty);
            let message = format!(
                "Field '{ty}.{}' changed type from '{}' to '{}'",
                new.name, old.ty, new.ty
            );
            let meta = json!({
                "typeName": ty,
                "fieldName": new.name.as_str(),
                "oldFieldType": old.ty.to_string(),
                "newFieldType": new.ty.to_string(),
                "isSafeFieldTypeChange": is_safe,
            });
            let level = breaking_unless(is_safe);
            self.push(
                Change::new(ChangeKind::FieldTypeChanged, level, message, meta)
                    .path(format!("{ty}.{}", new.name))
                    .at(Side::New, new.location()),
            );
        }
        let before = old.map_or(&[][..], |old| &old.arguments);
        let arguments = by_name(before, &new.arguments, |argument| &argument.name);
        for argument in arguments.removed {
            self.argument_removed(ty, &new.name, argument);
        }
        for argument in arguments.added {
            self.argument_added(ty, &new.name, argument, old.is_none());
        }
        for (old, argument) in arguments.both {
            self.argument(ty, &new.name, old, argument);
        }
        let site = Site::Field {
            ty,
            field: &new.name,
        };
        let before = old.map_or(Vec::new(), |old| old.directives.iter().collect());
        let after: Vec<_> = new.directives.iter().collect();
        self.usages(site, &before, &after, old.is_none());
    }

    fn field_description(
        &mut self,
        ty: &str,
        old: Option<&FieldDefinition>,
        new: &Node<FieldDefinition>,
    ) {
        let name = new.name.as_str();
        let before = old.and_then(|old| old.description.as_deref());
        let after = new.description.as_deref();
        if !differ(before, after) {
            return;
        }
        let (old_text, new_text) = (before.unwrap_or_default(), after.unwrap_or_default());
        let place = format!("Field '{ty}.{name}'");
        let (kind, message, meta) = match (before, after) {
            (None, _) => (
                ChangeKind::FieldDescriptionAdded,
                format!("{place} has description '{}'", quoted(new_text)),
                json!({ "typeName": ty, "fieldName": name, "addedDescription": new_text }),
            ),
            (Some(_), None) => (
                ChangeKind::FieldDescriptionRemoved,
                format!("Description was removed from field '{ty}.{name}'"),
                json!({ "typeName": ty, "fieldName": name }),
            ),
            (Some(_), Some(_)) => {
                let what = if old_text.is_empty() {
                    format!("description '{}' was added", quoted(new_text))
                } else if new_text.is_empty() {
                    format!("description '{}' was removed", quoted(old_text))
                } else {
                    format!(
                        "description changed from '{}' to '{}'",
                        quoted(old_text),
                        quoted(new_text)
                    )
                };
                (
                    ChangeKind::FieldDescriptionChanged,
                    format!("{place} {what}"),
                    json!({
                        "typeName": ty,
                        "fieldName": name,
                        "oldDescription": old_text,
                        "newDescription": new_text,
                    }),
                )
            }
        };
        self.push(
            Change::new(kind, Level::NonBreaking, message, meta)
                .path(format!("{ty}.{name}"))
                .at(Side::New, new.location()),
        );
    }

    fn argument_removed(&mut self, ty: &str, field: &str, argument: &Node<InputValueDefinition>) {
        let name = argument.name.as_str();
        let message = format!(
            "Argument '{name}: {}' was removed from field '{ty}.{field}'",
            argument.ty
        );
        let meta = json!({
            "typeName": ty,
            "fieldName": field,
            "removedFieldArgumentName": name,
            "removedFieldType": argument.ty.to_string(),
        });
        let kind = ChangeKind::FieldArgumentRemoved;
        self.push(
            Change::new(kind, Level::Breaking, message, meta)
                .path(format!("{ty}.{field}.{name}"))
                .at(Side::Old, argument.location()),
        );
    }

    fn argument_added(
        &mut self,
        ty: &str,
        field: &str,
        argument: &Node<InputValueDefinition>,
        is_new_field: bool,
    ) {
        let name = argument.name.as_str();
        let has_default = Coerced::default_of(self.new, argument).is_some();
        let is_breaking = argument.ty.is_non_null() && !has_default;
        let mark = match has_default {
            true => " (with default value) ",
            false => " ",
        };
        let message = format!(
            "Argument '{name}: {}'{mark}added to field '{ty}.{field}'",
            argument.ty
        );
        let meta = json!({
            "typeName": ty,
            "fieldName": field,
            "addedArgumentName": name,
            "addedArgumentType": argument.ty.to_string(),
            "hasDefaultValue": has_default,
            "addedToNewField": is_new_field,
            "isAddedFieldArgumentBreaking": is_breaking,
        });
        let level = match (is_new_field, is_breaking) {
            (true, _) => Level::NonBreaking,
            (false, true) => Level::Breaking,
            (false, false) => Level::Dangerous,
        };
        self.push(
            Change::new(ChangeKind::FieldArgumentAdded, level, message, meta)
                .path(format!("{ty}.{field}.{name}"))
                .at(Side::New, argument.location()),
        );
    }

    fn argument(
        &mut self,
        ty: &str,
        field: &str,
        old: &Node<InputValueDefinition>,
        new: &Node<InputValueDefinition>,
    ) {
        let name = new.name.as_str();
        let path = format!("{ty}.{field}.{name}");
        let place = format!("argument '{name}' on field '{ty}.{field}'");
        let before = old.description.as_deref();
        let after = new.description.as_deref();
        if differ(before, after) {
            let message = described(before, after, &place);
            let meta = json!({
                "typeName": ty,
                "fieldName": field,
                "argumentName": name,
                "oldDescription": before,
                "newDescription": after,
            });
            let kind = ChangeKind::FieldArgumentDescriptionChanged;
            let change = Change::new(kind, Level::NonBreaking, message, meta);
            self.push(change.path(&*path).at(Side::New, new.location()));
        }
        if let Some(default) = self.default_changed(old, new) {
            let message = default.message(&place);
            let mut meta = json!({ "typeName": ty, "fieldName": field, "argumentName": name });
            default.add_to(&mut meta, "oldDefaultValue", "newDefaultValue");
            let kind = ChangeKind::FieldArgumentDefaultChanged;
            self.push(
                Change::new(kind, Level::Dangerous, message, meta)
                    .because(
                        "Changing the default value for an argument may change the runtime \
                         behaviour of a field if it was never provided.",
                    )
                    .path(&*path)
                    .at(Side::New, new.location()),
            );
        }
        if old.ty != new.ty {
            let is_safe = is_safe_for_input(&old.ty, &new.ty);
            let message = format!("Type for {place} changed from '{}' to '{}'", old.ty, new.ty);
            let meta = json!({
                "typeName": ty,
                "fieldName": field,
                "argumentName": name,
                "oldArgumentType": old.ty.to_string(),
                "newArgumentType": new.ty.to_string(),
                "isSafeArgumentTypeChange": is_safe,
            });
            let reason = match is_safe {
                true => "Changing an input field from non-null to null is considered non-breaking.",
                false => {
                    "Changing the type of a field's argument can cause existing queries that use \
                     this argument to error."
                }
            };
            let kind = ChangeKind::FieldArgumentTypeChanged;
            self.push(
                Change::new(kind, breaking_unless(is_safe), message, meta)
                    .because(reason)
                    .path(path)
                    .at(Side::New, new.location()),
            );
        }
        let site = Site::Argument {
            ty,
            field,
            argument: name,
        };
        let before: Vec<_> = old.directives.iter().collect();
        let after: Vec<_> = new.directives.iter().collect();
        self.usages(site, &before, &after, false);
    }
}

fn field_deprecation(
    ty: &str,
    old: Option<&FieldDefinition>,
    new: &FieldDefinition,
) -> Option<Change> {
    let name = new.name.as_str();
    let place = format!("{ty}.{name}");
    let was = old.is_some_and(|old| is_deprecated(&old.directives));
    let before = old.and_then(|old| reason_of(&old.directives));
    let after = reason_of(&new.directives);
    let is_unsaid = |reason: Option<&str>| reason.is_none_or(|reason| reason == DEFAULT_REASON);
    let (old_reason, new_reason) = (before.unwrap_or_default(), after.unwrap_or_default());
    let mut path = format!("{place}.@deprecated");
    let names = json!({ "typeName": ty, "fieldName": name });
    let with = |name: &str, reason: &str| {
        let mut meta = names.clone();
        meta[name] = reason.into();
        meta
    };
    let (kind, message, meta) = match (was, is_deprecated(&new.directives)) {
        (false, false) => return None,
        (false, true) => (
            ChangeKind::FieldDeprecationAdded,
            format!("Field '{place}' is deprecated"),
            with("deprecationReason", new_reason),
        ),
        (true, false) => (
            ChangeKind::FieldDeprecationRemoved,
            format!("Field '{place}' is no longer deprecated"),
            names,
        ),
        (true, true) if !differ(before, after) => return None,
        (true, true) if is_unsaid(before) => (
            ChangeKind::FieldDeprecationReasonAdded,
            format!(
                "Field '{place}' has deprecation reason '{}'",
                quoted(new_reason)
            ),
            with("addedDeprecationReason", new_reason),
        ),
        (true, true) if is_unsaid(after) => {
            path = place.clone();
            (
                ChangeKind::FieldDeprecationReasonRemoved,
                format!("Deprecation reason was removed from field '{place}'"),
                names,
            )
        }
        (true, true) => {
            let mut meta = with("oldDeprecationReason", old_reason);
            meta["newDeprecationReason"] = new_reason.into();
            (
                ChangeKind::FieldDeprecationReasonChanged,
                format!(
                    "Deprecation reason on field '{place}' has changed from '{}' to '{}'",
                    quoted(old_reason),
                    quoted(new_reason)
                ),
                meta,
            )
        }
    };
    Some(Change::new(kind, Level::NonBreaking, message, meta).path(path))
}

/// A type that accepts or gives what it did breaks nobody.
pub(super) fn breaking_unless(is_safe: bool) -> Level {
    match is_safe {
        true => Level::NonBreaking,
        false => Level::Breaking,
    }
}
