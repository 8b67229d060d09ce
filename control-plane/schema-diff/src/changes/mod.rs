//! What changed, rule by rule as `@graphql-inspector/core` 8 has it.
//!
//! Three rules are our own:
//!
//! | case | graphql-inspector | here |
//! |---|---|---|
//! | a directive on an extension, as `extend type A @d` | is not seen on types, and counts by the number of the extension on `schema` | counts as if it stood at the definition |
//! | the same string as `"a"` and as `"""a"""` in a directive's argument | differs | is the same |
//! | a default that was an empty list and is an empty object | is the same | differs |
//!
//! Changes come in the order of the schemas' sources; graphql-inspector's
//! order is that in which graphql-js finds types.

mod definitions;
mod fields;
mod inputs;
mod types;
mod usage;

use apollo_compiler::Node;
use apollo_compiler::Schema as Definitions;
use apollo_compiler::ast::{Directive, OperationType};
use apollo_compiler::schema::{DirectiveList, ExtendedType};
use ig_schema::Schema;
use serde_json::json;

use crate::change::{Change, ChangeKind, Level, Side};
use crate::lists::by_name;
use usage::Site;

/// What graphql-js calls specified, and what is no change therefore.
const SPECIFIED_DIRECTIVES: [&str; 5] = ["skip", "include", "deprecated", "specifiedBy", "oneOf"];
const SPECIFIED_TYPES: [&str; 13] = [
    "String",
    "Int",
    "Float",
    "Boolean",
    "ID",
    "__Schema",
    "__Type",
    "__TypeKind",
    "__Field",
    "__InputValue",
    "__EnumValue",
    "__Directive",
    "__DirectiveLocation",
];

/// Everything that changed from one schema to another.
pub fn diff(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut differ = Differ {
        old: old.definitions(),
        new: new.definitions(),
        changes: Vec::new(),
    };
    differ.directives(old, new);
    differ.roots();
    differ.types();
    let (old, new) = (differ.old, differ.new);
    let (old, new) = (&old.schema_definition, &new.schema_definition);
    differ.usages(
        Site::Schema,
        &nodes(&old.directives),
        &nodes(&new.directives),
        false,
    );
    differ.changes
}

struct Differ<'a> {
    old: &'a Definitions,
    new: &'a Definitions,
    changes: Vec<Change>,
}

fn nodes(directives: &DirectiveList) -> Vec<&Node<Directive>> {
    directives.iter().map(|directive| &directive.node).collect()
}

impl<'a> Differ<'a> {
    fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    fn roots(&mut self) {
        let kinds = [
            (
                OperationType::Query,
                ChangeKind::SchemaQueryTypeChanged,
                ("Query", "query root type"),
            ),
            (
                OperationType::Mutation,
                ChangeKind::SchemaMutationTypeChanged,
                ("Mutation", "mutation type"),
            ),
            (
                OperationType::Subscription,
                ChangeKind::SchemaSubscriptionTypeChanged,
                ("Subscription", "subscription type"),
            ),
        ];
        for (ty, kind, (name, words)) in kinds {
            let old = self.old.root_operation(ty).map(|name| name.as_str());
            let new = self.new.root_operation(ty).map(|name| name.as_str());
            if old == new {
                continue;
            }
            let level = match old {
                None => Level::NonBreaking,
                Some(_) => Level::Breaking,
            };
            let message = match (old, new) {
                (None, new) => {
                    let new = new.unwrap_or_default();
                    format!("Schema {words} was set to '{new}'.")
                }
                (Some(old), None) => format!("Schema {words} '{old}' was removed."),
                (Some(old), Some(new)) => {
                    format!("Schema {words} was changed from '{old}' to '{new}'")
                }
            };
            let meta = json!({
                format!("old{name}TypeName"): old,
                format!("new{name}TypeName"): new,
            });
            self.push(Change::new(kind, level, message, meta));
        }
    }

    fn types(&mut self) {
        let own = |schema: &'a Definitions| {
            let types = schema.types.values();
            types.filter(|ty| !SPECIFIED_TYPES.contains(&ty.name().as_str()))
        };
        let types = by_name(own(self.old), own(self.new), |ty| ty.name());
        for ty in types.removed {
            let name = ty.name();
            self.push(
                Change::new(
                    ChangeKind::TypeRemoved,
                    Level::Breaking,
                    format!("Type '{name}' was removed"),
                    json!({ "removedTypeName": name.as_str() }),
                )
                .path(name.as_str())
                .at(Side::Old, name.location()),
            );
        }
        for ty in types.added {
            self.type_added(ty);
            self.ty(None, ty);
        }
        for (old, new) in types.both {
            self.ty(Some(old), new);
        }
    }

    fn type_added(&mut self, ty: &ExtendedType) {
        let name = ty.name();
        let mut meta = json!({
            "addedTypeName": name.as_str(),
            "addedTypeKind": types::kind(ty),
        });
        if let (ExtendedType::InputObject(ty), Some(meta)) = (ty, meta.as_object_mut()) {
            let is_one_of = ty.directives.has("oneOf");
            meta.insert("addedTypeIsOneOf".to_owned(), is_one_of.into());
        }
        let message = format!("Type '{name}' was added");
        self.push(
            Change::new(ChangeKind::TypeAdded, Level::NonBreaking, message, meta)
                .path(name.as_str())
                .at(Side::New, name.location()),
        );
    }
}
