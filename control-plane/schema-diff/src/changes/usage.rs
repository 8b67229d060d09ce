//! Uses of directives.

use apollo_compiler::Node;
use apollo_compiler::ast::Directive;
use serde_json::{Map, Value, json};

use super::Differ;
use crate::change::{Change, ChangeKind, Level, Side};
use crate::lists::{self, by_name};
use crate::value::literal;

/// What a directive is used on.
#[derive(Clone, Copy)]
pub(super) enum Site<'a> {
    Schema,
    Scalar(&'a str),
    Object(&'a str),
    Interface(&'a str),
    Union(&'a str),
    Enum(&'a str),
    InputObject(&'a str),
    EnumValue {
        ty: &'a str,
        value: &'a str,
    },
    Field {
        ty: &'a str,
        field: &'a str,
    },
    Argument {
        ty: &'a str,
        field: &'a str,
        argument: &'a str,
    },
    InputField {
        ty: &'a str,
        field: &'a str,
        /// The type of its values.
        of: &'a str,
    },
}

impl Site<'_> {
    /// Kinds of a use that came, and of one that went.
    fn kinds(self) -> (ChangeKind, ChangeKind) {
        use ChangeKind::*;
        match self {
            Self::Schema => (DirectiveUsageSchemaAdded, DirectiveUsageSchemaRemoved),
            Self::Scalar(_) => (DirectiveUsageScalarAdded, DirectiveUsageScalarRemoved),
            Self::Object(_) => (DirectiveUsageObjectAdded, DirectiveUsageObjectRemoved),
            Self::Interface(_) => (DirectiveUsageInterfaceAdded, DirectiveUsageInterfaceRemoved),
            Self::Union(_) => (
                DirectiveUsageUnionMemberAdded,
                DirectiveUsageUnionMemberRemoved,
            ),
            Self::Enum(_) => (DirectiveUsageEnumAdded, DirectiveUsageEnumRemoved),
            Self::InputObject(_) => (
                DirectiveUsageInputObjectAdded,
                DirectiveUsageInputObjectRemoved,
            ),
            Self::EnumValue { .. } => {
                (DirectiveUsageEnumValueAdded, DirectiveUsageEnumValueRemoved)
            }
            Self::Field { .. } => (
                DirectiveUsageFieldDefinitionAdded,
                DirectiveUsageFieldDefinitionRemoved,
            ),
            Self::Argument { .. } => (
                DirectiveUsageArgumentDefinitionAdded,
                DirectiveUsageArgumentDefinitionRemoved,
            ),
            Self::InputField { .. } => (
                DirectiveUsageInputFieldDefinitionAdded,
                DirectiveUsageInputFieldDefinitionRemoved,
            ),
        }
    }

    /// The place as messages have it, and as reasons have it.
    fn words(self) -> (String, String) {
        let both = |text: String| (text.clone(), text);
        match self {
            Self::Schema => both("schema".to_owned()),
            Self::Scalar(ty) => both(format!("scalar '{ty}'")),
            Self::Object(ty) => both(format!("object '{ty}'")),
            Self::Interface(ty) => both(format!("interface '{ty}'")),
            Self::Union(ty) => (
                format!("union member '{ty}'"),
                format!("union member '{ty}.{ty}'"),
            ),
            Self::Enum(ty) => both(format!("enum '{ty}'")),
            Self::InputObject(ty) => both(format!("input object '{ty}'")),
            Self::EnumValue { ty, value } => both(format!("enum value '{ty}.{value}'")),
            Self::Field { ty, field } => {
                (format!("field '{ty}.{field}'"), format!("field '{field}'"))
            }
            Self::Argument {
                ty,
                field,
                argument,
            } => (
                format!("argument '{argument}' of field '{field}' in type '{ty}'"),
                format!("argument '{argument}'"),
            ),
            Self::InputField { ty, field, .. } => (
                format!("input field '{field}' in input object '{ty}'"),
                format!("input field '{field}'"),
            ),
        }
    }

    /// The place as paths have it.
    fn path(self) -> String {
        match self {
            Self::Schema => String::new(),
            Self::Scalar(ty)
            | Self::Object(ty)
            | Self::Interface(ty)
            | Self::Union(ty)
            | Self::Enum(ty)
            | Self::InputObject(ty) => ty.to_owned(),
            Self::EnumValue { ty, value: name }
            | Self::Field { ty, field: name }
            | Self::InputField {
                ty, field: name, ..
            } => format!("{ty}.{name}"),
            Self::Argument {
                ty,
                field,
                argument,
            } => format!("{ty}.{field}.{argument}"),
        }
    }

    /// Names of the place, as `meta` has them. `verb` is `added` or `removed`.
    fn names(self, verb: &str, directive: &str) -> Map<String, Value> {
        let names = match self {
            Self::Schema => json!({}),
            Self::Scalar(ty) => json!({ "scalarName": ty }),
            Self::Object(ty) => json!({ "objectName": ty }),
            Self::Interface(ty) => json!({ "interfaceName": ty }),
            Self::Union(ty) => json!({
                "unionName": ty,
                format!("{verb}UnionMemberTypeName"): ty,
            }),
            Self::Enum(ty) => json!({ "enumName": ty }),
            Self::InputObject(ty) => {
                let capital = if verb == "added" { "Added" } else { "Removed" };
                json!({
                    "inputObjectName": ty,
                    format!("{verb}InputFieldName"): directive,
                    format!("{verb}InputFieldType"): ty,
                    format!("is{capital}InputFieldTypeNullable"): false,
                })
            }
            Self::EnumValue { ty, value } => json!({ "enumName": ty, "enumValueName": value }),
            Self::Field { ty, field } => json!({ "typeName": ty, "fieldName": field }),
            Self::Argument {
                ty,
                field,
                argument,
            } => json!({ "typeName": ty, "fieldName": field, "argumentName": argument }),
            Self::InputField { ty, field, of } if verb == "added" => {
                json!({ "inputObjectName": ty, "inputFieldName": field, "inputFieldType": of })
            }
            Self::InputField { ty, field, .. } => {
                json!({ "inputObjectName": ty, "inputFieldName": field })
            }
        };
        match names {
            Value::Object(names) => names,
            _ => Map::new(),
        }
    }
}

/// Which use of its name `directive` is among `all`, from 1.
fn nth(all: &[&Node<Directive>], directive: &Node<Directive>) -> usize {
    let until = all
        .iter()
        .position(|other| other.ptr_eq(directive))
        .map_or(&[][..], |at| all.get(..=at).unwrap_or_default());
    let same = until.iter().filter(|other| other.name == directive.name);
    same.count()
}

impl Differ<'_> {
    /// Uses of directives on `site`, which may be new as a whole.
    pub(super) fn usages(
        &mut self,
        site: Site<'_>,
        old: &[&Node<Directive>],
        new: &[&Node<Directive>],
        is_new: bool,
    ) {
        let compared = lists::directives(old, new);
        for directive in compared.removed {
            self.usage_removed(site, directive, nth(old, directive));
        }
        for directive in &compared.added {
            self.usage_added(site, directive, nth(new, directive), is_new);
        }
        let added = compared.added.into_iter().map(|new| (None, new));
        let both = compared.both.into_iter();
        for (old, directive) in added.chain(both.map(|(old, new)| (Some(old), new))) {
            let times = match site {
                Site::Schema => 0,
                _ => nth(new, directive),
            };
            self.arguments_of_usage(site, old, directive, times);
        }
    }

    fn usage_added(
        &mut self,
        site: Site<'_>,
        directive: &Node<Directive>,
        times: usize,
        is_new: bool,
    ) {
        let name = directive.name.as_str();
        let level = match name {
            _ if is_new => Level::NonBreaking,
            "deprecated" => Level::NonBreaking,
            "oneOf" => Level::Breaking,
            _ => Level::Dangerous,
        };
        let (words, reason) = site.words();
        let mut meta = site.names("added", name);
        meta.insert("addedDirectiveName".to_owned(), name.into());
        meta.insert("addedToNewType".to_owned(), is_new.into());
        meta.insert("directiveRepeatedTimes".to_owned(), times.into());
        let message = format!("Directive '{name}' was added to {words}");
        self.push(
            Change::new(site.kinds().0, level, message, meta.into())
                .because(format!("Directive '{name}' was added to {reason}"))
                .path(format!("{}.@{name}", site.path()))
                .at(Side::New, directive.location()),
        );
    }

    fn usage_removed(&mut self, site: Site<'_>, directive: &Node<Directive>, times: usize) {
        let name = directive.name.as_str();
        let level = match name {
            "deprecated" | "oneOf" => Level::NonBreaking,
            _ => Level::Dangerous,
        };
        // The original looks for the use in the new schema, where it is not.
        let times = match site {
            Site::Enum(_) | Site::InputField { .. } => 0,
            _ => times,
        };
        let (words, reason) = site.words();
        let mut meta = site.names("removed", name);
        meta.insert("removedDirectiveName".to_owned(), name.into());
        meta.insert("directiveRepeatedTimes".to_owned(), times.into());
        let message = format!("Directive '{name}' was removed from {words}");
        self.push(
            Change::new(site.kinds().1, level, message, meta.into())
                .because(format!("Directive '{name}' was removed from {reason}"))
                .path(format!("{}.@{name}", site.path()))
                .at(Side::Old, directive.location()),
        );
    }

    /// Arguments that a use was given. A changed one went and came.
    fn arguments_of_usage(
        &mut self,
        site: Site<'_>,
        old: Option<&Node<Directive>>,
        new: &Node<Directive>,
        times: usize,
    ) {
        let before = old.map_or(&[][..], |old| &old.arguments);
        let arguments = by_name(before, &new.arguments, |argument| &argument.name);
        let at = (Side::New, new.location());
        let went = |name: &str| {
            let mut meta = argument_meta(site, new, times);
            meta.insert("removedArgumentName".to_owned(), name.into());
            let message = format!("Argument '{name}' was removed from '@{}'", new.name);
            let kind = ChangeKind::DirectiveUsageArgumentRemoved;
            Change::new(kind, Level::Dangerous, message, meta.into())
                .because("Changing an argument on a directive can change runtime behavior.")
                .path(format!("{}.@{}.{name}", site.path(), new.name))
                .at(at.0, at.1)
        };
        let came = |name: &str, value: String, before: Option<String>| {
            let mut meta = argument_meta(site, new, times);
            meta.insert("addedArgumentName".to_owned(), name.into());
            meta.insert("addedArgumentValue".to_owned(), value.into());
            meta.insert("oldArgumentValue".to_owned(), before.into());
            let message = format!("Argument '{name}' was added to '@{}'", new.name);
            let kind = ChangeKind::DirectiveUsageArgumentAdded;
            Change::new(kind, Level::NonBreaking, message, meta.into())
                .path(format!("{}.@{}.{name}", site.path(), new.name))
                .at(at.0, at.1)
        };
        for argument in arguments.removed {
            self.push(went(&argument.name));
        }
        for argument in arguments.added {
            self.push(came(&argument.name, literal(&argument.value), None));
        }
        for (old, new) in arguments.both {
            let (before, after) = (literal(&old.value), literal(&new.value));
            if before != after {
                self.push(went(&new.name));
                self.push(came(&new.name, after, Some(before)));
            }
        }
    }
}

fn argument_meta(site: Site<'_>, directive: &Directive, times: usize) -> Map<String, Value> {
    let (ty, field, argument, value) = match site {
        Site::Schema => (None, None, None, None),
        Site::Scalar(ty)
        | Site::Object(ty)
        | Site::Interface(ty)
        | Site::Union(ty)
        | Site::Enum(ty)
        | Site::InputObject(ty) => (Some(ty), None, None, None),
        Site::EnumValue { ty, value } => (Some(ty), None, None, Some(value)),
        Site::Field { ty, field } | Site::InputField { ty, field, .. } => {
            (Some(ty), Some(field), None, None)
        }
        Site::Argument {
            ty,
            field,
            argument,
        } => (Some(ty), Some(field), Some(argument), None),
    };
    let mut meta = Map::new();
    for (name, value) in [
        ("parentTypeName", ty),
        ("parentFieldName", field),
        ("parentArgumentName", argument),
        ("parentEnumValueName", value),
        ("directiveName", Some(directive.name.as_str())),
    ] {
        meta.insert(name.to_owned(), value.into());
    }
    meta.insert("directiveRepeatedTimes".to_owned(), times.into());
    meta
}
