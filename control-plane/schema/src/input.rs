//! Where values go in: arguments and input fields, the facts they feed and
//! what they cost.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::{ExtendedType, Type, Value};
use apollo_compiler::{Name, Node, Schema};

use crate::annotation::{Reader, Weight};
use crate::cost::DEFAULT_LIST_SIZE;

/// Levels of input types that weights are summed over.
const WEIGHT_DEPTH: usize = 16;

/// An argument or input field at or below which there is a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) name: Name,
    pub(crate) ty: Node<Type>,
    pub(crate) default: Option<Node<Value>>,
    /// Facts that the value itself feeds: of a leaf type, or a list of it.
    pub(crate) facts: Vec<String>,
}

impl Place {
    pub(crate) fn new(definition: &InputValueDefinition, facts: Vec<String>) -> Self {
        Self {
            name: definition.name.clone(),
            ty: definition.ty.clone(),
            default: definition.default_value.clone(),
            facts,
        }
    }
}

/// How many lists `ty` is made of.
pub(crate) fn list_depth(ty: &Type) -> usize {
    match ty {
        Type::Named(_) | Type::NonNullNamed(_) => 0,
        Type::List(item) | Type::NonNullList(item) => 1 + list_depth(item),
    }
}

#[derive(Default)]
struct InputWeight {
    /// Own weight and type, by name of the field.
    fields: HashMap<Name, (Weight, Node<Type>)>,
    /// Of a value that has every field.
    whole: Weight,
}

/// What is known of input objects. Types without facts, or without weights,
/// have no entry: nothing below them matters.
#[derive(Default)]
pub(crate) struct Inputs {
    places: HashMap<Name, Vec<Place>>,
    weights: HashMap<Name, InputWeight>,
}

impl Inputs {
    pub(crate) fn build(reader: &mut Reader<'_>) -> Self {
        let mut fields = HashMap::new();
        let mut weights = HashMap::new();
        for (name, ty) in &reader.schema.types {
            let ExtendedType::InputObject(ty) = ty else {
                continue;
            };
            let mut places = Vec::new();
            let mut own = HashMap::new();
            for field in ty.fields.values() {
                places.push(Place::new(field, facts_of(reader, field)));
                let weight = argument_weight(reader, field);
                own.insert(field.name.clone(), (weight, field.ty.clone()));
            }
            fields.insert(name.clone(), places);
            weights.insert(name.clone(), own);
        }
        Self {
            places: only_with_facts(fields),
            weights: with_wholes(reader.schema, weights),
        }
    }

    /// Fields of the input object `ty` at or below which there are facts.
    pub(crate) fn places(&self, ty: &Name) -> &[Place] {
        self.places.get(ty).map_or(&[], Vec::as_slice)
    }

    /// Whether there is a fact below a value of type `ty`.
    pub(crate) fn has_facts(&self, ty: &Name) -> bool {
        self.places.contains_key(ty)
    }

    /// The weight of a value's input fields: of those a literal has, and of
    /// every one where the value comes from a variable.
    pub(crate) fn weight(&self, ty: &Type, value: &Value) -> Weight {
        let Some(weights) = self.weights.get(ty.inner_named_type()) else {
            return 0;
        };
        match value {
            Value::Variable(_) => scaled(ty, weights.whole),
            Value::List(items) => items
                .iter()
                .map(|item| self.weight(ty.item_type(), item))
                .fold(0, u64::saturating_add),
            Value::Object(members) => members
                .iter()
                .filter_map(|(name, value)| {
                    let (own, ty) = weights.fields.get(name)?;
                    Some(own.saturating_add(self.weight(ty, value)))
                })
                .fold(0, u64::saturating_add),
            _ => 0,
        }
    }
}

/// A weight once for each item a value of type `ty` is taken to have.
fn scaled(ty: &Type, weight: Weight) -> Weight {
    (0..list_depth(ty)).fold(weight, |weight, _| weight.saturating_mul(DEFAULT_LIST_SIZE))
}

/// Facts that `@fact` names on `definition`.
pub(crate) fn facts_of<'a>(
    reader: &mut Reader<'a>,
    definition: &'a Node<InputValueDefinition>,
) -> Vec<String> {
    let mut facts = Vec::new();
    for directive in definition.directives.get_all("fact") {
        let ty = definition.ty.inner_named_type();
        // Objects lack their defaults in a request, so a policy would see
        // something else than the upstream.
        if matches!(
            reader.schema.types.get(ty),
            Some(ExtendedType::InputObject(_))
        ) {
            let message =
                format!("`@fact` is for scalars and enums: annotate the fields of `{ty}` instead");
            reader.report(message, directive.location());
        }
        facts.extend(reader.fact(directive));
    }
    facts
}

/// Weight that `@cost` gives `definition`.
pub(crate) fn argument_weight<'a>(
    reader: &mut Reader<'a>,
    definition: &'a Node<InputValueDefinition>,
) -> Weight {
    let directive = definition.directives.get("cost");
    directive
        .and_then(|directive| reader.weight(directive))
        .unwrap_or(0)
}

/// Keeps the fields at or below which there are facts.
fn only_with_facts(mut fields: HashMap<Name, Vec<Place>>) -> HashMap<Name, Vec<Place>> {
    let mut holders: HashMap<&Name, Vec<&Name>> = HashMap::new();
    let mut reached: HashSet<Name> = HashSet::new();
    let mut work = Vec::new();
    for (ty, places) in &fields {
        for place in places {
            let holders = holders.entry(place.ty.inner_named_type()).or_default();
            holders.push(ty);
            if !place.facts.is_empty() && reached.insert(ty.clone()) {
                work.push(ty);
            }
        }
    }
    while let Some(ty) = work.pop() {
        for &holder in holders.get(ty).into_iter().flatten() {
            if reached.insert(holder.clone()) {
                work.push(holder);
            }
        }
    }
    fields.retain(|ty, places| {
        places.retain(|place| {
            !place.facts.is_empty() || reached.contains(place.ty.inner_named_type())
        });
        reached.contains(ty)
    });
    fields
}

type OwnWeights = HashMap<Name, HashMap<Name, (Weight, Node<Type>)>>;

fn with_wholes(schema: &Schema, mut own: OwnWeights) -> HashMap<Name, InputWeight> {
    let mut wholes: HashMap<Name, Weight> = HashMap::new();
    // One round per level: a recursive type counts to this depth, and no walk
    // takes exponential time.
    for _ in 0..WEIGHT_DEPTH {
        let whole = |fields: &HashMap<Name, (Weight, Node<Type>)>| {
            fields.values().fold(0, |sum: Weight, (own, ty)| {
                let below = wholes.get(ty.inner_named_type()).copied().unwrap_or(0);
                sum.saturating_add(*own).saturating_add(scaled(ty, below))
            })
        };
        let next: HashMap<_, _> = own
            .iter()
            .map(|(ty, fields)| (ty.clone(), whole(fields)))
            .collect();
        if next == wholes {
            break;
        }
        wholes = next;
    }
    schema
        .types
        .keys()
        .filter_map(|ty| {
            let whole = wholes.get(ty).copied().filter(|whole| *whole > 0)?;
            let fields = own.remove(ty)?;
            Some((ty.clone(), InputWeight { fields, whole }))
        })
        .collect()
}
