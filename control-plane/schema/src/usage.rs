//! Which parts of a schema a document uses.

use std::collections::{BTreeSet, HashMap};

use apollo_compiler::ast::{Argument, DirectiveList};
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use apollo_compiler::schema::{ExtendedType, Implementers, Type, Value};
use apollo_compiler::{ExecutableDocument, Name, Node};

use crate::{InvalidDocument, Limits, Schema, document};

/// Places of a schema that a document uses, written as `Type`, `Type.field`,
/// `Type.field.argument`, `Input.field`, `Enum.VALUE`, `@directive` or
/// `@directive.argument`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// What stands in the document, and the types of what it selects.
    pub named: BTreeSet<String>,
    /// What applies to that besides: types that a named one may be or
    /// implements, and their fields of the same name.
    pub related: BTreeSet<String>,
    /// Types below its variables, their fields and values: a request may have
    /// any of these.
    pub inputs: BTreeSet<String>,
}

/// Tells what documents use of one schema.
pub struct Usages<'a> {
    schema: &'a Schema,
    implementers: HashMap<Name, Implementers>,
}

impl<'a> Usages<'a> {
    /// For documents on `schema`.
    pub fn new(schema: &'a Schema) -> Self {
        let implementers = schema.definitions.implementers_map().into_iter().collect();
        Self {
            schema,
            implementers,
        }
    }

    /// What the document `text` uses, all of its operations together.
    ///
    /// # Errors
    /// See [`InvalidDocument`].
    pub fn of(&self, text: &str, limits: Limits) -> Result<Usage, InvalidDocument> {
        let document = document::parse(self.schema, text, limits)?;
        let mut walk = Walk {
            usages: self,
            usage: Usage::default(),
        };
        walk.document(&document);
        Ok(walk.usage)
    }

    /// Types that `ty` may be or implements.
    fn related<'s>(&'s self, ty: &'s Name) -> impl Iterator<Item = &'s Name> {
        let types = &self.schema.definitions.types;
        let (supers, members) = match types.get(ty) {
            Some(ExtendedType::Object(ty)) => (Some(&ty.implements_interfaces), None),
            Some(ExtendedType::Interface(ty)) => (Some(&ty.implements_interfaces), None),
            Some(ExtendedType::Union(ty)) => (None, Some(&ty.members)),
            _ => (None, None),
        };
        let names = supers.into_iter().chain(members).flatten();
        let implementers = self.implementers.get(ty);
        let implementers = implementers.into_iter().flat_map(|found| found.iter());
        names.map(|name| &name.name).chain(implementers)
    }
}

struct Walk<'a> {
    usages: &'a Usages<'a>,
    usage: Usage,
}

// Nesting of selections and literals is bounded by the parser, and fragments
// are walked once each, not where they are spread.
impl Walk<'_> {
    fn document(&mut self, document: &ExecutableDocument) {
        for operation in document.operations.iter() {
            self.directives(&operation.directives);
            for variable in &operation.variables {
                self.directives(&variable.directives);
                self.ty(variable.ty.inner_named_type());
                self.below(variable.ty.inner_named_type());
                if let Some(value) = &variable.default_value {
                    self.value(&variable.ty, value);
                }
            }
            self.selections(&operation.selection_set);
        }
        for fragment in document.fragments.values() {
            self.directives(&fragment.directives);
            self.selections(&fragment.selection_set);
        }
    }

    fn ty(&mut self, name: &Name) {
        if self.usage.named.insert(name.to_string()) {
            let usages = self.usages;
            for other in usages.related(name) {
                self.usage.related.insert(other.to_string());
            }
        }
    }

    fn selections(&mut self, set: &SelectionSet) {
        self.ty(&set.ty);
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    self.field(&set.ty, field);
                    if !field.selection_set.selections.is_empty() {
                        self.selections(&field.selection_set);
                    }
                }
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn field(&mut self, parent: &Name, field: &Field) {
        let place = format!("{parent}.{}", field.name);
        let usages = self.usages;
        for other in usages.related(parent) {
            self.usage.related.insert(format!("{other}.{}", field.name));
            for argument in &field.definition.arguments {
                let place = format!("{other}.{}.{}", field.name, argument.name);
                self.usage.related.insert(place);
            }
        }
        self.ty(field.definition.ty.inner_named_type());
        for argument in &field.definition.arguments {
            // Left out ones too: what their defaults are matters.
            let place = format!("{place}.{}", argument.name);
            self.usage.related.insert(place);
        }
        self.arguments(&place, &field.arguments, |name| {
            let argument = field.definition.argument_by_name(name);
            argument.map(|argument| (*argument.ty).clone())
        });
        self.usage.named.insert(place);
    }

    fn arguments(
        &mut self,
        parent: &str,
        arguments: &[Node<Argument>],
        ty: impl Fn(&Name) -> Option<Type>,
    ) {
        for argument in arguments {
            self.usage
                .named
                .insert(format!("{parent}.{}", argument.name));
            if let Some(ty) = ty(&argument.name) {
                self.value(&ty, &argument.value);
            }
        }
    }

    fn directives(&mut self, directives: &DirectiveList) {
        let definitions = &self.usages.schema.definitions.directive_definitions;
        for directive in directives.iter() {
            let place = format!("@{}", directive.name);
            let definition = definitions.get(&directive.name);
            self.arguments(&place, &directive.arguments, |name| {
                let argument = definition?.argument_by_name(name)?;
                Some((*argument.ty).clone())
            });
            self.usage.named.insert(place);
        }
    }

    /// A literal of type `ty`.
    fn value(&mut self, ty: &Type, value: &Value) {
        let name = ty.inner_named_type();
        match value {
            Value::Enum(value) => {
                self.usage.named.insert(format!("{name}.{value}"));
            }
            Value::List(items) => {
                for item in items {
                    self.value(ty.item_type(), item);
                }
            }
            Value::Object(members) => {
                let definition = self.usages.schema.definitions.types.get(name);
                let Some(ExtendedType::InputObject(definition)) = definition else {
                    return;
                };
                self.ty(name);
                for (member, value) in members {
                    self.usage.named.insert(format!("{name}.{member}"));
                    if let Some(field) = definition.fields.get(member) {
                        self.value(&field.ty, value);
                    }
                }
            }
            _ => {}
        }
    }

    /// What a variable of type `ty` may have.
    fn below(&mut self, ty: &Name) {
        let mut work = vec![ty];
        let types = &self.usages.schema.definitions.types;
        while let Some(name) = work.pop() {
            let Some((name, ty)) = types.get_key_value(name) else {
                continue;
            };
            if !self.usage.inputs.insert(name.to_string()) {
                continue;
            }
            match ty {
                ExtendedType::InputObject(ty) => {
                    for field in ty.fields.values() {
                        self.usage.inputs.insert(format!("{name}.{}", field.name));
                        work.push(field.ty.inner_named_type());
                    }
                }
                ExtendedType::Enum(ty) => {
                    for value in ty.values.keys() {
                        self.usage.inputs.insert(format!("{name}.{value}"));
                    }
                }
                _ => {}
            }
        }
    }
}
