//! Fields of input objects, and defaults.

use apollo_compiler::Node;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::{InputObjectType, Type};
use serde_json::{Value, json};

use super::Differ;
use super::fields::breaking_unless;
use super::types::differ;
use super::usage::Site;
use crate::change::{Change, ChangeKind, Level, Side};
use crate::deprecation::is_deprecated;
use crate::lists::by_name;
use crate::value::{Coerced, quoted};

/// Whether `new` takes every value that `old` took.
pub(super) fn is_safe_for_input(old: &Type, new: &Type) -> bool {
    if old.is_list() && new.is_list() && old.is_non_null() == new.is_non_null() {
        return is_safe_for_input(old.item_type(), new.item_type());
    }
    if old.is_non_null() {
        let (old, new) = (old.clone().nullable(), new.clone().nullable());
        return is_safe_for_input(&old, &new);
    }
    !old.is_list() && old == new
}

/// A default, before and after; none where there is none.
pub(super) struct DefaultChange {
    old: Option<String>,
    new: Option<String>,
}

impl DefaultChange {
    /// How the original prints no value.
    const NONE: &str = "undefined";

    pub(super) fn message(&self, place: &str) -> String {
        let new = self.new.as_deref().unwrap_or(Self::NONE);
        match &self.old {
            None => format!("Default value '{new}' was added to {place}"),
            Some(old) => {
                format!("Default value for {place} changed from '{old}' to '{new}'")
            }
        }
    }

    pub(super) fn add_to(&self, meta: &mut Value, old: &str, new: &str) {
        if let Some(value) = &self.old {
            meta[old] = value.as_str().into();
        }
        if let Some(value) = &self.new {
            meta[new] = value.as_str().into();
        }
    }
}

impl Differ<'_> {
    pub(super) fn default_changed(
        &self,
        old: &InputValueDefinition,
        new: &InputValueDefinition,
    ) -> Option<DefaultChange> {
        let before = Coerced::default_of(self.old, old);
        let after = Coerced::default_of(self.new, new);
        let is_same = match (&before, &after) {
            (Some(before), Some(after)) => before.is_same(after),
            (before, after) => before.is_none() && after.is_none(),
        };
        (!is_same).then(|| DefaultChange {
            old: before.map(|value| value.print()),
            new: after.map(|value| value.print()),
        })
    }

    pub(super) fn input_fields(&mut self, old: Option<&InputObjectType>, new: &InputObjectType) {
        let ty = new.name.as_str();
        let is_new = old.is_none();
        let before = old.into_iter().flat_map(|old| old.fields.values());
        let before = before.map(|field| &field.node);
        let after = new.fields.values().map(|field| &field.node);
        let fields = by_name(before, after, |field| &field.name);
        for field in fields.removed {
            let name = field.name.as_str();
            let is_deprecated = is_deprecated(&field.directives);
            let mark = if is_deprecated { "(deprecated) " } else { "" };
            let message =
                format!("Input field '{name}' {mark}was removed from input object type '{ty}'");
            let meta = json!({
                "inputName": ty,
                "removedFieldName": name,
                "isInputFieldDeprecated": is_deprecated,
            });
            self.push(
                Change::new(
                    ChangeKind::InputFieldRemoved,
                    Level::Breaking,
                    message,
                    meta,
                )
                .because(
                    "Removing an input field will cause existing queries that use this input \
                         field to error.",
                )
                .path(format!("{ty}.{name}"))
                .at(Side::Old, field.location()),
            );
        }
        for field in fields.added {
            self.input_field_added(ty, field, is_new);
            self.input_field(ty, None, field);
        }
        for (old, field) in fields.both {
            self.input_field(ty, Some(old), field);
        }
    }

    fn input_field_added(&mut self, ty: &str, field: &Node<InputValueDefinition>, is_new: bool) {
        let name = field.name.as_str();
        let default = Coerced::default_of(self.new, field).map(|value| value.print());
        let is_nullable = !field.ty.is_non_null();
        let (level, reason) = match &default {
            _ if is_new => (
                Level::NonBreaking,
                "The field is being added to a new type.",
            ),
            None if is_nullable => (
                Level::NonBreaking,
                "The field is nullable and no default is set.",
            ),
            None => (
                Level::Breaking,
                "Adding a required input field to an existing input object type is a breaking \
                 change because it will cause existing uses of this input object type to error.",
            ),
            Some(_) => (
                Level::Dangerous,
                "Adding a field with a default value can change runtime behavior for clients \
                 that previously omitted it, and during rolling deploys consumers may receive the \
                 new default before producers are ready to handle it.",
            ),
        };
        let with = match &default {
            Some(default) if !default.is_empty() => format!(" with default value '{default}'"),
            _ => String::new(),
        };
        let message = format!(
            "Input field '{name}' of type '{}'{with} was added to input object type '{ty}'",
            field.ty
        );
        let mut meta = json!({
            "inputName": ty,
            "addedInputFieldName": name,
            "isAddedInputFieldTypeNullable": is_nullable,
            "addedInputFieldType": field.ty.to_string(),
            "addedToNewType": is_new,
        });
        if let Some(default) = default {
            meta["addedFieldDefault"] = default.into();
        }
        self.push(
            Change::new(ChangeKind::InputFieldAdded, level, message, meta)
                .because(reason)
                .path(format!("{ty}.{name}"))
                .at(Side::New, field.location()),
        );
    }

    fn input_field(
        &mut self,
        ty: &str,
        old: Option<&Node<InputValueDefinition>>,
        new: &Node<InputValueDefinition>,
    ) {
        self.input_description(ty, old, new);
        if let Some(old) = old {
            self.input_default(ty, old, new);
            self.input_type(ty, old, new);
        }
        let of = new.ty.to_string();
        let site = Site::InputField {
            ty,
            field: &new.name,
            of: &of,
        };
        let before = old.map_or(Vec::new(), |old| old.directives.iter().collect());
        let after: Vec<_> = new.directives.iter().collect();
        self.usages(site, &before, &after, old.is_none());
    }

    fn input_description(
        &mut self,
        ty: &str,
        old: Option<&Node<InputValueDefinition>>,
        new: &Node<InputValueDefinition>,
    ) {
        let name = new.name.as_str();
        let before = old.and_then(|old| old.description.as_deref());
        let after = new.description.as_deref();
        if !differ(before, after) {
            return;
        }
        let (old_text, new_text) = (before.unwrap_or_default(), after.unwrap_or_default());
        let place = format!("nput field '{ty}.{name}'");
        let names = json!({ "inputName": ty, "inputFieldName": name });
        let mut meta = names;
        let (kind, message) = match (before, after) {
            (None, _) => {
                meta["addedInputFieldDescription"] = new_text.into();
                (
                    ChangeKind::InputFieldDescriptionAdded,
                    format!("I{place} has description '{}'", quoted(new_text)),
                )
            }
            (Some(_), None) => {
                meta["removedDescription"] = old_text.into();
                (
                    ChangeKind::InputFieldDescriptionRemoved,
                    format!(
                        "Description '{}' was removed from i{place}",
                        quoted(old_text)
                    ),
                )
            }
            (Some(_), Some(_)) => {
                meta["oldInputFieldDescription"] = old_text.into();
                meta["newInputFieldDescription"] = new_text.into();
                (
                    ChangeKind::InputFieldDescriptionChanged,
                    format!(
                        "I{place} description changed from '{}' to '{}'",
                        quoted(old_text),
                        quoted(new_text)
                    ),
                )
            }
        };
        self.push(
            Change::new(kind, Level::NonBreaking, message, meta)
                .path(format!("{ty}.{name}"))
                .at(Side::New, new.location()),
        );
    }

    fn input_default(
        &mut self,
        ty: &str,
        old: &Node<InputValueDefinition>,
        new: &Node<InputValueDefinition>,
    ) {
        let Some(default) = self.default_changed(old, new) else {
            return;
        };
        let name = new.name.as_str();
        let or_none = |value: &Option<String>| {
            let value = value.as_deref();
            value.unwrap_or(DefaultChange::NONE).to_owned()
        };
        let message = format!(
            "Input field '{ty}.{name}' default value changed from '{}' to '{}'",
            or_none(&default.old),
            or_none(&default.new)
        );
        let mut meta = json!({ "inputName": ty, "inputFieldName": name });
        default.add_to(&mut meta, "oldDefaultValue", "newDefaultValue");
        let kind = ChangeKind::InputFieldDefaultValueChanged;
        self.push(
            Change::new(kind, Level::Dangerous, message, meta)
                .because(
                    "Changing the default value for an argument may change the runtime behavior \
                     of a field if it was never provided.",
                )
                .path(format!("{ty}.{name}"))
                .at(Side::New, new.location()),
        );
    }

    fn input_type(
        &mut self,
        ty: &str,
        old: &Node<InputValueDefinition>,
        new: &Node<InputValueDefinition>,
    ) {
        if old.ty == new.ty {
            return;
        }
        let name = new.name.as_str();
        let is_safe = is_safe_for_input(&old.ty, &new.ty);
        let message = format!(
            "Input field '{ty}.{name}' changed type from '{}' to '{}'",
            old.ty, new.ty
        );
        let meta = json!({
            "inputName": ty,
            "inputFieldName": name,
            "oldInputFieldType": old.ty.to_string(),
            "newInputFieldType": new.ty.to_string(),
            "isInputFieldTypeChangeSafe": is_safe,
        });
        let reason = match is_safe {
            true => "Changing an input field from non-null to null is considered non-breaking.",
            false => {
                "Changing the type of an input field can cause existing queries that use this \
                 field to error."
            }
        };
        let kind = ChangeKind::InputFieldTypeChanged;
        self.push(
            Change::new(kind, breaking_unless(is_safe), message, meta)
                .because(reason)
                .path(format!("{ty}.{name}"))
                .at(Side::New, new.location()),
        );
    }
}
