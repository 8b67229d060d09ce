//! What stands between a caller and data, place by place: to compare schemas.
//!
//! A place is written as `Type`, `Type.field`, `Type.field.argument`,
//! `Input.field` or `@directive.argument`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use apollo_compiler::Name;
use apollo_compiler::ast::{Directive, FieldDefinition, InputValueDefinition};
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::{Node, Schema as Definitions};
use ig_contract::snapshot::Resource;
use serde::Serialize;

use crate::Schema;
use crate::annotation::{Authz, Reader};
use crate::input::Place;

/// What `@authz`, `@resource` and `@fact` say.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Protection {
    /// Uses of `@authz`; all of them apply.
    pub authz: Vec<Authz>,
    /// What the data is.
    pub resources: Vec<Resource>,
    /// Facts that values are shown to policies as.
    pub facts: BTreeSet<String>,
}

impl Protection {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.authz.is_empty() && self.resources.is_empty() && self.facts.is_empty()
    }
}

impl Schema {
    /// What the SDL says itself, at every place where it says something.
    pub fn protections(&self) -> BTreeMap<String, Protection> {
        let mut places = Places {
            // What is wrong was said when the schema was parsed.
            reader: Reader::new(&self.definitions),
            found: BTreeMap::new(),
        };
        for (name, ty) in &self.definitions.types {
            let directives = ty.directives().iter().map(|directive| &directive.node);
            places.add(name.to_string(), directives);
            match ty {
                ExtendedType::Object(ty) => places.fields(name, ty.fields.values()),
                ExtendedType::Interface(ty) => places.fields(name, ty.fields.values()),
                ExtendedType::InputObject(ty) => {
                    places.inputs(name, ty.fields.values().map(|field| &field.node));
                }
                _ => {}
            }
        }
        for (name, definition) in &self.definitions.directive_definitions {
            places.inputs(format_args!("@{name}"), &definition.arguments);
        }
        places.found
    }

    /// Everything that applies to the field `name` of `ty`, whatever place
    /// says it: the field, its parent, its type, and what any of these may be
    /// or implements. None if there is no such field.
    pub fn protection_of(&self, ty: &str, name: &str) -> Option<Protection> {
        let definition = self.definitions.type_field(ty, name).ok()?;
        let own = self.index.of_field(&Name::new(ty).ok()?, &definition.name);
        let types = [ty, definition.ty.inner_named_type().as_str()];
        let notes = types.map(|ty| Name::new(ty).ok().and_then(|ty| self.index.of_type(&ty)));
        let notes = || notes.iter().flatten();
        let mut all = Protection::default();
        if let Some(own) = own {
            all.authz.extend(own.authz.iter().cloned());
            all.resources.extend(own.resources.iter().cloned());
            let mut seen = HashSet::new();
            self.facts_below(&own.places, &mut seen, &mut all.facts);
        }
        all.authz
            .extend(notes().flat_map(|notes| notes.authz.iter().cloned()));
        all.resources
            .extend(notes().flat_map(|notes| notes.resources.iter().cloned()));
        all.authz.sort_unstable();
        all.authz.dedup();
        all.resources.sort_unstable();
        all.resources.dedup();
        Some(all)
    }

    fn facts_below<'a>(
        &'a self,
        places: &'a [Place],
        seen: &mut HashSet<&'a Name>,
        facts: &mut BTreeSet<String>,
    ) {
        // A stack of our own: input types may be a long chain.
        let mut work = vec![places];
        while let Some(places) = work.pop() {
            for place in places {
                facts.extend(place.facts.iter().cloned());
                let ty = place.ty.inner_named_type();
                if seen.insert(ty) {
                    work.push(self.index.inputs.places(ty));
                }
            }
        }
    }

    /// Whether there is such a place, written as in [`Schema::protections`].
    pub fn has_place(&self, place: &str) -> bool {
        let mut parts = place.split('.');
        let names = (parts.next(), parts.next(), parts.next(), parts.next());
        match names {
            (Some(first), argument, None, None) if first.starts_with('@') => {
                let directives = &self.definitions.directive_definitions;
                let name = first.trim_start_matches('@');
                directives.get(name).is_some_and(|directive| {
                    argument.is_none_or(|name| directive.argument_by_name(name).is_some())
                })
            }
            (Some(ty), None, None, None) => self.definitions.types.contains_key(ty),
            (Some(ty), Some(name), None, None) => has_member(&self.definitions, ty, name),
            (Some(ty), Some(name), Some(argument), None) => self
                .definitions
                .type_field(ty, name)
                .is_ok_and(|field| field.argument_by_name(argument).is_some()),
            _ => false,
        }
    }
}

fn has_member(schema: &Definitions, ty: &str, name: &str) -> bool {
    match schema.types.get(ty) {
        Some(ExtendedType::Object(ty)) => ty.fields.contains_key(name),
        Some(ExtendedType::Interface(ty)) => ty.fields.contains_key(name),
        Some(ExtendedType::InputObject(ty)) => ty.fields.contains_key(name),
        Some(ExtendedType::Enum(ty)) => ty.values.contains_key(name),
        _ => false,
    }
}

/// Gathers what places say.
struct Places<'a> {
    reader: Reader<'a>,
    found: BTreeMap<String, Protection>,
}

impl<'a> Places<'a> {
    fn add(&mut self, place: String, directives: impl Iterator<Item = &'a Node<Directive>>) {
        let mut own = Protection::default();
        for directive in directives {
            match directive.name.as_str() {
                "authz" => own.authz.push(self.reader.authz(directive)),
                "resource" => own.resources.push(self.reader.resource(directive)),
                "fact" => own.facts.extend(self.reader.fact(directive)),
                _ => {}
            }
        }
        if !own.is_empty() {
            self.found.insert(place, own);
        }
    }

    fn fields(&mut self, ty: &Name, fields: impl Iterator<Item = &'a Component<FieldDefinition>>) {
        for field in fields {
            let place = format!("{ty}.{}", field.name);
            self.inputs(&place, &field.arguments);
            self.add(place, field.directives.iter());
        }
    }

    fn inputs(
        &mut self,
        parent: impl std::fmt::Display,
        inputs: impl IntoIterator<Item = &'a Node<InputValueDefinition>>,
    ) {
        for input in inputs {
            if !input.directives.is_empty() {
                self.add(format!("{parent}.{}", input.name), input.directives.iter());
            }
        }
    }
}
