//! Types, but for their fields.

use apollo_compiler::Node;
use apollo_compiler::collections::IndexSet;
use apollo_compiler::schema::{
    ComponentName, EnumType, EnumValueDefinition, ExtendedType, UnionType,
};
use serde_json::json;

use super::usage::Site;
use super::{Differ, nodes};
use crate::change::{Change, ChangeKind, Level, Side};
use crate::deprecation::{DEFAULT_REASON, is_deprecated, reason_of};
use crate::lists::by_name;
use crate::value::quoted;

/// The kind of a definition, as graphql-js calls it.
pub(super) fn kind(ty: &ExtendedType) -> &'static str {
    match ty {
        ExtendedType::Scalar(_) => "ScalarTypeDefinition",
        ExtendedType::Object(_) => "ObjectTypeDefinition",
        ExtendedType::Interface(_) => "InterfaceTypeDefinition",
        ExtendedType::Union(_) => "UnionTypeDefinition",
        ExtendedType::Enum(_) => "EnumTypeDefinition",
        ExtendedType::InputObject(_) => "InputObjectTypeDefinition",
    }
}

/// An empty text counts as none.
pub(super) fn differ(old: Option<&str>, new: Option<&str>) -> bool {
    old.unwrap_or_default() != new.unwrap_or_default()
}

impl Differ<'_> {
    /// A type that is in both schemas, or only in the new one.
    pub(super) fn ty(&mut self, old: Option<&ExtendedType>, new: &ExtendedType) {
        let name = new.name().as_str();
        let is_new = old.is_none();
        match (old, new) {
            (Some(old), new) if kind(old) != kind(new) => self.kind_changed(old, new),
            (_, ExtendedType::Scalar(_)) => {}
            (old, ExtendedType::Enum(new)) => {
                let old = old.and_then(|old| old.as_enum());
                self.values(old, new);
            }
            (old, ExtendedType::Union(new)) => {
                let old = old.and_then(|old| old.as_union());
                self.members(old, new);
            }
            (old, ExtendedType::InputObject(new)) => {
                let old = old.and_then(|old| old.as_input_object());
                self.input_fields(old, new);
            }
            (old, ExtendedType::Object(new)) => {
                let old = old.and_then(|old| old.as_object());
                let supers = old.map(|old| &old.implements_interfaces);
                self.interfaces(name, supers, &new.implements_interfaces);
                self.fields(name, "object type", old.map(|old| &old.fields), &new.fields);
            }
            (old, ExtendedType::Interface(new)) => {
                let old = old.and_then(|old| old.as_interface());
                let supers = old.map(|old| &old.implements_interfaces);
                self.interfaces(name, supers, &new.implements_interfaces);
                self.fields(name, "interface", old.map(|old| &old.fields), &new.fields);
            }
        }
        let site = match new {
            ExtendedType::Scalar(_) => Site::Scalar(name),
            ExtendedType::Object(_) => Site::Object(name),
            ExtendedType::Interface(_) => Site::Interface(name),
            ExtendedType::Union(_) => Site::Union(name),
            ExtendedType::Enum(_) => Site::Enum(name),
            ExtendedType::InputObject(_) => Site::InputObject(name),
        };
        if old.is_none_or(|old| kind(old) == kind(new)) {
            let before = old.map_or(Vec::new(), |old| nodes(old.directives()));
            self.usages(site, &before, &nodes(new.directives()), is_new);
        }
        self.description(old, new);
    }

    fn kind_changed(&mut self, old: &ExtendedType, new: &ExtendedType) {
        let name = new.name();
        let (before, after) = (kind(old), kind(new));
        let meta = json!({
            "typeName": name.as_str(),
            "oldTypeKind": before,
            "newTypeKind": after,
        });
        let message = format!("'{name}' kind changed from '{before}' to '{after}'");
        self.push(
            Change::new(ChangeKind::TypeKindChanged, Level::Breaking, message, meta)
                .because(
                    "Changing the kind of a type is a breaking change because it can cause \
                     existing queries to error. For example, turning an object type to a scalar \
                     type would break queries that define a selection set for this type.",
                )
                .path(name.as_str())
                .at(Side::New, name.location()),
        );
    }

    fn description(&mut self, old: Option<&ExtendedType>, new: &ExtendedType) {
        let before = old.and_then(|old| old.description()).map(|text| &**text);
        let after = new.description().map(|text| &**text);
        if !differ(before, after) {
            return;
        }
        let name = new.name().as_str();
        let (old_text, new_text) = (before.unwrap_or_default(), after.unwrap_or_default());
        let (kind, message, meta) = match (before, after) {
            (None, _) => (
                ChangeKind::TypeDescriptionAdded,
                format!(
                    "Object type '{name}' has description '{}'",
                    quoted(new_text)
                ),
                json!({ "typeName": name, "addedTypeDescription": new_text }),
            ),
            (Some(_), None) => (
                ChangeKind::TypeDescriptionRemoved,
                format!(
                    "Description '{}' was removed from object type '{name}'",
                    quoted(old_text)
                ),
                json!({ "typeName": name, "removedTypeDescription": old_text }),
            ),
            (Some(_), Some(_)) => (
                ChangeKind::TypeDescriptionChanged,
                format!(
                    "Description '{}' on type '{name}' has changed to '{}'",
                    quoted(old_text),
                    quoted(new_text)
                ),
                json!({
                    "typeName": name,
                    "oldTypeDescription": old_text,
                    "newTypeDescription": new_text,
                }),
            ),
        };
        self.push(
            Change::new(kind, Level::NonBreaking, message, meta)
                .path(name)
                .at(Side::New, new.name().location()),
        );
    }

    fn interfaces(
        &mut self,
        ty: &str,
        old: Option<&IndexSet<ComponentName>>,
        new: &IndexSet<ComponentName>,
    ) {
        let is_new = old.is_none();
        let supers = by_name(old.into_iter().flatten(), new, |name| &name.name);
        for name in supers.removed {
            let message = format!("'{ty}' object type no longer implements '{name}' interface");
            let meta = json!({ "objectTypeName": ty, "removedInterfaceName": name.as_str() });
            let kind = ChangeKind::ObjectTypeInterfaceRemoved;
            self.push(
                Change::new(kind, Level::Breaking, message, meta)
                    .because(
                        "Removing an interface from an object type can cause existing queries \
                         that use this in a fragment spread to error.",
                    )
                    .path(ty)
                    .at(Side::Old, name.location()),
            );
        }
        for name in supers.added {
            let meta = json!({
                "objectTypeName": ty,
                "addedInterfaceName": name.as_str(),
                "addedToNewType": is_new,
            });
            let message = format!("'{ty}' object implements '{name}' interface");
            let kind = ChangeKind::ObjectTypeInterfaceAdded;
            self.push(
                Change::new(kind, dangerous_unless(is_new), message, meta)
                    .because(
                        "Adding an interface to an object type may break existing clients that \
                         are consuming a field returning the interface type that are not \
                         programming defensively against this new possible type.",
                    )
                    .path(ty)
                    .at(Side::New, name.location()),
            );
        }
    }

    fn members(&mut self, old: Option<&UnionType>, new: &UnionType) {
        let is_new = old.is_none();
        let ty = new.name.as_str();
        let old = old.into_iter().flat_map(|old| &old.members);
        let members = by_name(old, &new.members, |name| &name.name);
        for name in members.removed {
            let message = format!("Member '{name}' was removed from Union type '{ty}'");
            let meta = json!({ "unionName": ty, "removedUnionMemberTypeName": name.as_str() });
            self.push(
                Change::new(
                    ChangeKind::UnionMemberRemoved,
                    Level::Breaking,
                    message,
                    meta,
                )
                .because(
                    "Removing a union member from a union can cause existing queries that \
                         use this union member in a fragment spread to error.",
                )
                .path(ty)
                .at(Side::Old, name.location()),
            );
        }
        for name in members.added {
            let meta = json!({
                "unionName": ty,
                "addedUnionMemberTypeName": name.as_str(),
                "addedToNewType": is_new,
            });
            let message = format!("Member '{name}' was added to Union type '{ty}'");
            let kind = ChangeKind::UnionMemberAdded;
            self.push(
                Change::new(kind, dangerous_unless(is_new), message, meta)
                    .because(
                        "Adding a possible type to Unions may break existing clients that were \
                         not programming defensively against a new possible type.",
                    )
                    .path(ty)
                    .at(Side::New, name.location()),
            );
        }
    }

    fn values(&mut self, old: Option<&EnumType>, new: &EnumType) {
        let is_new = old.is_none();
        let ty = new.name.as_str();
        let old = old.into_iter().flat_map(|old| old.values.values());
        let old = old.map(|value| &value.node);
        let new = new.values.values().map(|value| &value.node);
        let values = by_name(old, new, |value| &value.value);
        for value in values.removed {
            let name = value.value.as_str();
            let is_deprecated = is_deprecated(&value.directives);
            let mark = if is_deprecated { "(deprecated) " } else { "" };
            let message = format!("Enum value '{name}' {mark}was removed from enum '{ty}'");
            let meta = json!({
                "enumName": ty,
                "removedEnumValueName": name,
                "isEnumValueDeprecated": is_deprecated,
            });
            self.push(
                Change::new(ChangeKind::EnumValueRemoved, Level::Breaking, message, meta)
                    .because(
                        "Removing an enum value will cause existing queries that use this enum \
                         value to error.",
                    )
                    .path(format!("{ty}.{name}"))
                    .at(Side::Old, value.location()),
            );
        }
        for value in values.added {
            let name = value.value.as_str();
            let meta = json!({
                "enumName": ty,
                "addedEnumValueName": name,
                "addedToNewType": is_new,
                "addedDirectiveDescription": value.description.as_deref(),
            });
            let message = format!("Enum value '{name}' was added to enum '{ty}'");
            let kind = ChangeKind::EnumValueAdded;
            let change = Change::new(kind, dangerous_unless(is_new), message, meta)
                .path(format!("{ty}.{name}"))
                .at(Side::New, value.location());
            self.push(match is_new {
                true => change,
                false => change.because(
                    "Adding an enum value may break existing clients that were not programming \
                     defensively against an added case when querying an enum.",
                ),
            });
            self.value(ty, None, value);
        }
        for (old, value) in values.both {
            self.value(ty, Some(old), value);
        }
    }

    fn value(
        &mut self,
        ty: &str,
        old: Option<&EnumValueDefinition>,
        new: &Node<EnumValueDefinition>,
    ) {
        let (name, span) = (new.value.as_str(), new.location());
        let before = old.and_then(|old| old.description.as_deref());
        let after = new.description.as_deref();
        if differ(before, after) {
            let message = described(before, after, &format!("enum value '{ty}.{name}'"));
            let meta = json!({
                "enumName": ty,
                "enumValueName": name,
                "oldEnumValueDescription": before,
                "newEnumValueDescription": after,
            });
            let kind = ChangeKind::EnumValueDescriptionChanged;
            self.push(
                Change::new(kind, Level::NonBreaking, message, meta)
                    .path(format!("{ty}.{name}"))
                    .at(Side::New, span),
            );
        }
        let before = old.and_then(|old| reason_of(&old.directives));
        let after = reason_of(&new.directives);
        if differ(before, after) {
            let change = value_deprecation(ty, name, before, after);
            self.push(change.at(Side::New, span));
        }
        let site = Site::EnumValue { ty, value: name };
        let before = old.map_or(Vec::new(), |old| old.directives.iter().collect());
        let after: Vec<_> = new.directives.iter().collect();
        self.usages(site, &before, &after, old.is_none());
    }
}

/// A description that came, went or changed, where `null` and empty differ.
pub(super) fn described(old: Option<&str>, new: Option<&str>, place: &str) -> String {
    match (old, new) {
        (None, Some(new)) => format!("Description '{}' was added to {place}", quoted(new)),
        (Some(old), None) => format!("Description '{}' was removed from {place}", quoted(old)),
        (old, new) => format!(
            "Description for {place} changed from '{}' to '{}'",
            quoted(old.unwrap_or_default()),
            quoted(new.unwrap_or_default())
        ),
    }
}

fn value_deprecation(ty: &str, name: &str, old: Option<&str>, new: Option<&str>) -> Change {
    let (before, after) = (old.unwrap_or_default(), new.unwrap_or_default());
    let is_unsaid = |reason: Option<&str>| reason.is_none_or(|reason| reason == DEFAULT_REASON);
    let place = format!("{ty}.{name}");
    let (kind, message, meta, path) = if is_unsaid(old) {
        (
            ChangeKind::EnumValueDeprecationReasonAdded,
            format!(
                "Enum value '{place}' was deprecated with reason '{}'",
                quoted(after)
            ),
            json!({ "enumName": ty, "enumValueName": name, "addedValueDeprecationReason": after }),
            format!("{place}.@deprecated"),
        )
    } else if is_unsaid(new) {
        (
            ChangeKind::EnumValueDeprecationReasonRemoved,
            format!("Deprecation reason was removed from enum value '{place}'"),
            json!({
                "enumName": ty,
                "enumValueName": name,
                "removedEnumValueDeprecationReason": before,
            }),
            place,
        )
    } else {
        (
            ChangeKind::EnumValueDeprecationReasonChanged,
            format!(
                "Enum value '{place}' deprecation reason changed from '{}' to '{}'",
                quoted(before),
                quoted(after)
            ),
            json!({
                "enumName": ty,
                "enumValueName": name,
                "oldEnumValueDeprecationReason": before,
                "newEnumValueDeprecationReason": after,
            }),
            format!("{place}.@deprecated"),
        )
    };
    Change::new(kind, Level::NonBreaking, message, meta).path(path)
}

/// What is added to something new breaks nobody.
fn dangerous_unless(is_new: bool) -> Level {
    match is_new {
        true => Level::NonBreaking,
        false => Level::Dangerous,
    }
}
