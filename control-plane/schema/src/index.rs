//! What the directives say of every field, with everything that may apply at
//! run time taken together.
//!
//! A field selected on an interface resolves on some object, and who annotates
//! an interface means its objects too. So what applies to a field `T.f` is the
//! union over `T`, the object types `T` may be, and the interfaces any of
//! these implement. Too much asks for a purpose in vain; too little would be a
//! hole.

use std::collections::HashMap;

use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::collections::IndexSet;
use apollo_compiler::schema::{Component, ExtendedType, Implementers};
use apollo_compiler::{Name, Node, Schema};
use ig_contract::snapshot::Resource;

use crate::Reason;
use crate::annotation::{Authz, ListSize, ONE, Reader, Weight};
use crate::input::{Inputs, Place, argument_weight, facts_of};

/// What applies to a composite type.
#[derive(Default)]
pub(crate) struct TypeNotes {
    pub(crate) authz: Vec<Authz>,
    pub(crate) resources: Vec<Resource>,
    fields: HashMap<Name, FieldNotes>,
}

/// What applies to a field, without what applies to its parent and its type.
#[derive(Default)]
pub(crate) struct FieldNotes {
    pub(crate) authz: Vec<Authz>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) weight: Weight,
    pub(crate) list_sizes: Vec<ListSize>,
    /// Arguments at or below which there are facts. Where the definitions of
    /// an argument differ, there is one for each.
    pub(crate) places: Vec<Place>,
    pub(crate) argument_weights: HashMap<Name, Weight>,
}

/// Everything the directives of a schema say.
pub(crate) struct Index {
    types: HashMap<Name, TypeNotes>,
    /// Arguments of executable directives at or below which there are facts.
    directives: HashMap<Name, Vec<Place>>,
    pub(crate) inputs: Inputs,
}

impl Index {
    pub(crate) fn build(schema: &Schema) -> Result<Self, Vec<Reason>> {
        let mut reader = Reader::new(schema);
        let inputs = Inputs::build(&mut reader);
        let mut directives = HashMap::new();
        for (name, definition) in &schema.directive_definitions {
            let mut places = Vec::new();
            for argument in &definition.arguments {
                places.push(Place::new(argument, facts_of(&mut reader, argument)));
            }
            places.retain(|place| matters(place, &inputs));
            if !places.is_empty() {
                directives.insert(name.clone(), places);
            }
        }
        let own = read(&mut reader);
        if !reader.reasons.is_empty() {
            return Err(reader.reasons);
        }
        let union = Union {
            schema,
            implementers: schema.implementers_map().into_iter().collect(),
            own,
        };
        Ok(Self {
            types: union.types(&inputs),
            directives,
            inputs,
        })
    }

    pub(crate) fn of_type(&self, ty: &Name) -> Option<&TypeNotes> {
        self.types.get(ty)
    }

    /// What applies to the field `name` of `ty`; nothing for `__typename`,
    /// `__schema` and `__type`.
    pub(crate) fn of_field(&self, ty: &Name, name: &Name) -> Option<&FieldNotes> {
        self.types.get(ty)?.fields.get(name)
    }

    pub(crate) fn of_directive(&self, name: &Name) -> &[Place] {
        self.directives.get(name).map_or(&[], Vec::as_slice)
    }
}

fn matters(place: &Place, inputs: &Inputs) -> bool {
    !place.facts.is_empty() || inputs.has_facts(place.ty.inner_named_type())
}

/// What stands at a type itself.
#[derive(Default)]
struct OwnType {
    authz: Vec<Authz>,
    resources: Vec<Resource>,
    weight: Option<Weight>,
    fields: HashMap<Name, OwnField>,
}

/// What stands at a field itself.
struct OwnField {
    authz: Vec<Authz>,
    resources: Vec<Resource>,
    weight: Option<Weight>,
    list_size: Option<ListSize>,
    arguments: Vec<(Place, Weight)>,
    ty: Name,
}

fn read(reader: &mut Reader<'_>) -> HashMap<Name, OwnType> {
    let mut types = HashMap::new();
    for (name, ty) in &reader.schema.types {
        let mut own = OwnType::default();
        for directive in &ty.directives().0 {
            match directive.name.as_str() {
                "authz" => own.authz.push(reader.authz(&directive.node)),
                "resource" => own.resources.push(reader.resource(&directive.node)),
                "cost" => own.weight = reader.weight(&directive.node),
                _ => {}
            }
        }
        for (name, field) in fields(ty) {
            own.fields.insert(name.clone(), read_field(reader, field));
        }
        types.insert(name.clone(), own);
    }
    types
}

fn fields(ty: &ExtendedType) -> impl Iterator<Item = (&Name, &Component<FieldDefinition>)> {
    let fields = match ty {
        ExtendedType::Object(ty) => Some(&ty.fields),
        ExtendedType::Interface(ty) => Some(&ty.fields),
        _ => None,
    };
    fields.into_iter().flatten()
}

fn read_field<'a>(reader: &mut Reader<'a>, field: &'a Node<FieldDefinition>) -> OwnField {
    let mut own = OwnField {
        authz: Vec::new(),
        resources: Vec::new(),
        weight: None,
        list_size: None,
        arguments: Vec::new(),
        ty: field.ty.inner_named_type().clone(),
    };
    for directive in &field.directives {
        match directive.name.as_str() {
            "authz" => own.authz.push(reader.authz(directive)),
            "resource" => own.resources.push(reader.resource(directive)),
            "cost" => own.weight = reader.weight(directive),
            "listSize" => {
                let size = reader.list_size(directive);
                for message in misused(&size, field, reader.schema) {
                    reader.report(message, directive.location());
                }
                own.list_size = Some(size);
            }
            _ => {}
        }
    }
    for argument in &field.arguments {
        let place = Place::new(argument, facts_of(reader, argument));
        own.arguments
            .push((place, argument_weight(reader, argument)));
    }
    own
}

/// What is wrong with a `@listSize` at `field`.
fn misused(size: &ListSize, field: &FieldDefinition, schema: &Schema) -> Vec<String> {
    let mut messages = Vec::new();
    for name in &size.slicing {
        let argument = field.argument_by_name(name);
        if !argument.is_some_and(|argument| {
            argument.ty.is_named() && **argument.ty.inner_named_type() == *"Int"
        }) {
            messages.push(format!(
                "`@listSize(slicingArguments:)` names `{name}`, which is no Int argument of `{}`",
                field.name
            ));
        }
    }
    for name in &size.sized_fields {
        let sized = schema.type_field(field.ty.inner_named_type(), name);
        if !sized.is_ok_and(|sized| sized.ty.is_list()) {
            messages.push(format!(
                "`@listSize(sizedFields:)` names `{name}`, which is no list in `{}`",
                field.ty.inner_named_type()
            ));
        }
    }
    if size.sized_fields.is_empty() && !field.ty.is_list() {
        messages.push(format!(
            "`@listSize` is at `{}`, which is no list, and names no `sizedFields`",
            field.name
        ));
    }
    messages
}

/// Takes together what may apply.
struct Union<'a> {
    schema: &'a Schema,
    implementers: HashMap<Name, Implementers>,
    own: HashMap<Name, OwnType>,
}

impl<'a> Union<'a> {
    fn types(&self, inputs: &Inputs) -> HashMap<Name, TypeNotes> {
        let mut types = HashMap::new();
        for (name, ty) in &self.schema.types {
            if !matches!(
                ty,
                ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_)
            ) {
                continue;
            }
            let related = self.related(name);
            let mut notes = TypeNotes::default();
            for own in related.iter().filter_map(|ty| self.own.get(*ty)) {
                extend(&mut notes.authz, &own.authz);
                extend(&mut notes.resources, &own.resources);
            }
            for (field, _) in fields(ty) {
                let field_notes = self.field(name, field, &related, inputs);
                notes.fields.insert(field.clone(), field_notes);
            }
            types.insert(name.clone(), notes);
        }
        types
    }

    fn field(
        &self,
        ty: &Name,
        field: &Name,
        related: &IndexSet<&Name>,
        inputs: &Inputs,
    ) -> FieldNotes {
        let mut notes = FieldNotes::default();
        for own in related.iter().filter_map(|ty| self.own_field(ty, field)) {
            extend(&mut notes.authz, &own.authz);
            extend(&mut notes.resources, &own.resources);
        }
        for ty in std::iter::once(ty).chain(self.possible(ty)) {
            let Some(own) = self.own_field(ty, field) else {
                continue;
            };
            // What an object does not say itself, its interfaces say for it.
            let with_supers = || {
                std::iter::once(own).chain(
                    self.supers(ty)
                        .filter_map(|interface| self.own_field(interface, field)),
                )
            };
            let weight = with_supers().find_map(|own| own.weight);
            notes.weight = notes
                .weight
                .max(weight.unwrap_or_else(|| self.weight_of_type(&own.ty)));
            let size = with_supers().find_map(|own| own.list_size.as_ref());
            extend(&mut notes.list_sizes, size);
            for (place, weight) in &own.arguments {
                let mut place = place.clone();
                for other in with_supers().skip(1).flat_map(|own| &own.arguments) {
                    if other.0.name == place.name {
                        extend(&mut place.facts, &other.0.facts);
                    }
                }
                let total = notes
                    .argument_weights
                    .entry(place.name.clone())
                    .or_default();
                *total = (*total).max(*weight);
                if matters(&place, inputs) {
                    extend(&mut notes.places, Some(&place));
                }
            }
        }
        notes
    }

    fn own_field(&self, ty: &Name, field: &Name) -> Option<&OwnField> {
        self.own.get(ty)?.fields.get(field)
    }

    /// What a value of type `ty` costs: one for an object and nothing for a
    /// leaf, where no `@cost` says otherwise; the most of what it may be.
    fn weight_of_type(&self, ty: &Name) -> Weight {
        let own = |ty: &Name, default| {
            let own = self.own.get(ty).and_then(|own| own.weight);
            own.unwrap_or(default)
        };
        match self.schema.types.get(ty) {
            Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)) => own(ty, 0),
            Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => self
                .possible(ty)
                .map(|object| own(object, ONE))
                .max()
                .unwrap_or(ONE),
            _ => own(ty, ONE),
        }
    }

    /// The object types that a value of the abstract type `ty` may have.
    fn possible<'s>(&'s self, ty: &'s Name) -> impl Iterator<Item = &'s Name> {
        let members = match self.schema.types.get(ty) {
            Some(ExtendedType::Union(union)) => Some(&union.members),
            _ => None,
        };
        let objects = self.implementers.get(ty).map(|found| &found.objects);
        objects
            .into_iter()
            .flatten()
            .chain(members.into_iter().flatten().map(|member| &member.name))
    }

    /// The interfaces that `ty` implements; valid schemas list all of them.
    fn supers<'s>(&'s self, ty: &Name) -> impl Iterator<Item = &'s Name> {
        let interfaces = match self.schema.types.get(ty) {
            Some(ExtendedType::Object(ty)) => Some(&ty.implements_interfaces),
            Some(ExtendedType::Interface(ty)) => Some(&ty.implements_interfaces),
            _ => None,
        };
        interfaces
            .into_iter()
            .flatten()
            .map(|interface| &interface.name)
    }

    fn related<'s>(&'s self, ty: &'s Name) -> IndexSet<&'s Name> {
        std::iter::once(ty)
            .chain(self.possible(ty))
            .flat_map(|ty| std::iter::once(ty).chain(self.supers(ty)))
            .collect()
    }
}

fn extend<'a, T: Clone + PartialEq + 'a>(to: &mut Vec<T>, from: impl IntoIterator<Item = &'a T>) {
    for item in from {
        if !to.contains(item) {
            to.push(item.clone());
        }
    }
}
