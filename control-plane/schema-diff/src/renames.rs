//! What may have come back under another name, or in another type: candidates, which
//! `authz` compares.
//!
//! What is told grows with the schema, not with its square: of things that are alike,
//! those with one protection are one candidate.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use apollo_compiler::Name;
use apollo_compiler::ast::{FieldDefinition, OperationType};
use apollo_compiler::schema::ExtendedType;
use ig_schema::{Protection, Schema};

use crate::authz::{Rename, fields_of};

/// Most candidates for one thing that was removed: all with different protections.
const MAX_ALIKE: usize = 32;

/// Most pairs of types that are followed from kept fields.
const MAX_SWAPS: usize = 100_000;

/// What was removed where something alike was added: types with the same fields, and
/// fields of one type with the same type. Of what is alike by chance, only what was
/// protected is told.
pub(crate) fn find(old: &Schema, new: &Schema) -> Vec<Rename> {
    let (before, after) = (&old.definitions().types, &new.definitions().types);
    let mut renames = renamed_roots(old, new);
    let mut shapes: BTreeMap<BTreeSet<Name>, Alike<'_>> = BTreeMap::new();
    for (name, ty) in after {
        if let (false, Some(shape)) = (before.contains_key(name), shape(ty)) {
            let fields = fields_of(ty).map(|field| protection(new, name, &field.name));
            shapes.entry(shape).or_default().add(name, fields.collect());
        }
    }
    for (name, was) in before {
        match after.get(name) {
            Some(is) => renamed_fields(old, new, name, (was, is), &mut renames),
            None => {
                let alike = shape(was).and_then(|shape| shapes.get(&shape));
                for to in alike.into_iter().flat_map(Alike::names) {
                    renames.push(Rename::new(name, to));
                    renames.extend(fields_of(was).map(|field| {
                        let field = &field.name;
                        Rename::new(format_args!("{name}.{field}"), format_args!("{to}.{field}"))
                    }));
                }
            }
        }
    }
    renames.sort_unstable();
    renames.dedup();
    renames
}

/// Things that are alike, one for each protection that they have.
#[derive(Default)]
struct Alike<'a>(Vec<(Vec<Protection>, &'a Name)>);

impl<'a> Alike<'a> {
    fn add(&mut self, name: &'a Name, protections: Vec<Protection>) {
        let is_known = self.0.iter().any(|(known, _)| *known == protections);
        if is_known {
            return;
        }
        self.0.push((protections, name));
        if self.0.len() > MAX_ALIKE {
            // Whoever adds that many has something to hide: those that ask least stay.
            self.0.sort_by_key(|(protections, name)| {
                let asks = protections.iter().map(|one| one.authz.len());
                (asks.sum::<usize>(), *name)
            });
            self.0.truncate(MAX_ALIKE);
        }
    }

    fn names(&self) -> impl Iterator<Item = &'a Name> {
        self.0.iter().map(|(_, name)| *name)
    }
}

fn protection(schema: &Schema, ty: &str, field: &str) -> Protection {
    schema.protection_of(ty, field).unwrap_or_default()
}

/// Types that a kept field gives now instead of others: to callers, fields that both
/// have are the same ones.
pub(crate) fn swaps(old: &Schema, new: &Schema) -> Vec<Rename> {
    let (before, after) = (&old.definitions().types, &new.definitions().types);
    let mut open: Vec<(&Name, &Name)> = before
        .keys()
        .filter_map(|name| after.get_key_value(name).map(|(is, _)| (name, is)))
        .collect();
    let mut seen: HashSet<_> = open.iter().copied().collect();
    let mut alike: BTreeMap<(&Name, &Name), Alike<'_>> = BTreeMap::new();
    while let Some((from, to)) = open.pop() {
        let (Some(was), Some(is)) = (before.get(from), after.get(to)) else {
            continue;
        };
        let fields: HashMap<_, _> = fields_of(is).map(|it| (&it.name, it)).collect();
        for field in fields_of(was) {
            let Some(other) = fields.get(&field.name) else {
                continue;
            };
            if from != to {
                let found = alike.entry((from, &field.name)).or_default();
                found.add(to, vec![protection(new, to, &field.name)]);
            }
            let pair = (field.ty.inner_named_type(), other.ty.inner_named_type());
            if pair.0 != pair.1 && seen.len() < MAX_SWAPS && seen.insert(pair) {
                open.push(pair);
            }
        }
    }
    let renames = alike.iter().flat_map(|((from, field), all)| {
        all.names().map(move |to| {
            Rename::new(format_args!("{from}.{field}"), format_args!("{to}.{field}"))
        })
    });
    renames.collect()
}

impl Rename {
    fn new(from: impl ToString, to: impl ToString) -> Self {
        Self {
            from: from.to_string(),
            to: to.to_string(),
        }
    }
}

/// Root types that are other ones now: whatever they are called, the fields
/// that both have are the same to callers.
fn renamed_roots(old: &Schema, new: &Schema) -> Vec<Rename> {
    let mut renames = Vec::new();
    let (old, new) = (old.definitions(), new.definitions());
    for kind in [
        OperationType::Query,
        OperationType::Mutation,
        OperationType::Subscription,
    ] {
        let roots = (old.root_operation(kind), new.root_operation(kind));
        let (Some(from), Some(to)) = roots else {
            continue;
        };
        let types = (old.types.get(from), new.types.get(to));
        let (true, (Some(was), Some(is))) = (from != to, types) else {
            continue;
        };
        renames.push(Rename::new(from, to));
        let names: HashSet<_> = fields_of(is).map(|field| &field.name).collect();
        renames.extend(
            fields_of(was)
                .map(|field| &field.name)
                .filter(|field| names.contains(field))
                .map(|field| {
                    Rename::new(format_args!("{from}.{field}"), format_args!("{to}.{field}"))
                }),
        );
    }
    renames
}

/// Names of a type's fields. One, such as `id`, makes no likeness.
fn shape(ty: &ExtendedType) -> Option<BTreeSet<Name>> {
    let names: BTreeSet<_> = fields_of(ty).map(|field| field.name.clone()).collect();
    (names.len() > 1).then_some(names)
}

fn renamed_fields(
    old: &Schema,
    new: &Schema,
    ty: &Name,
    (was, is): (&ExtendedType, &ExtendedType),
    renames: &mut Vec<Rename>,
) {
    let names = |ty| -> HashSet<_> { fields_of(ty).map(|field| &field.name).collect() };
    let (before, after) = (names(was), names(is));
    // By the whole signature, and by the type alone: a further argument or another
    // wrapper makes no other field of one that was protected.
    let mut same: HashMap<String, Vec<&Name>> = HashMap::new();
    let mut alike: HashMap<&Name, Alike<'_>> = HashMap::new();
    for field in fields_of(is).filter(|field| !before.contains(&field.name)) {
        same.entry(signature(field)).or_default().push(&field.name);
        let found = alike.entry(field.ty.inner_named_type()).or_default();
        found.add(&field.name, vec![protection(new, ty, &field.name)]);
    }
    let gone: Vec<_> = fields_of(was)
        .filter(|field| !after.contains(&field.name))
        .map(|field| (signature(field), field))
        .collect();
    let mut many: HashMap<&str, usize> = HashMap::new();
    for (signature, _) in &gone {
        *many.entry(signature).or_default() += 1;
    }
    for (signature, field) in &gone {
        let from = &field.name;
        let mut tell = |to: &Name| {
            renames.push(Rename::new(
                format_args!("{ty}.{from}"),
                format_args!("{ty}.{to}"),
            ));
        };
        if !protection(old, ty, from).is_empty() {
            let alike = alike.get(field.ty.inner_named_type());
            alike.into_iter().flat_map(Alike::names).for_each(tell);
        } else if let (Some([to]), Some(1)) = (
            same.get(signature).map(Vec::as_slice),
            many.get(signature.as_str()),
        ) {
            tell(to);
        }
    }
}

/// A field's type and arguments, in an order that says nothing.
fn signature(field: &FieldDefinition) -> String {
    let arguments = field.arguments.iter();
    let mut arguments: Vec<_> = arguments
        .map(|argument| format!("{}: {}", argument.name, argument.ty))
        .collect();
    arguments.sort_unstable();
    format!("({}): {}", arguments.join(", "), field.ty)
}
