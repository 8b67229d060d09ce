//! What may have come back under another name, or in another type.
//!
//! Whatever is alike may be the same to callers, and of all that is alike the one that
//! asks less decides. So each candidate is compared, one that asks less is told if there
//! is one, and what is told grows with the schema, not with its square. Where there is
//! too much to compare, nothing is known to be as strict ([`Renames::is_complete`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use apollo_compiler::Name;
use apollo_compiler::ast::{FieldDefinition, OperationType};
use apollo_compiler::schema::ExtendedType;
use ig_schema::{Protection, Schema};

use crate::authz::{Effect, Rename, compare, fields_of};

/// Most pairs of types that may be the same to callers.
const MAX_PAIRS: usize = 50_000;

/// Most protections that are compared.
const MAX_COMPARED: usize = 1_000_000;

/// What may be something else now.
pub(crate) struct Renames {
    /// What was removed, and its like.
    pub(crate) told: Vec<Rename>,
    /// Kept fields that are in another type now.
    pub(crate) swapped: Vec<Rename>,
    /// Whether everything that is alike was compared.
    pub(crate) is_complete: bool,
}

/// A field, by its type and name.
type Field<'a> = (&'a Name, &'a Name);

/// Finds all of it.
pub(crate) fn find(old: &Schema, new: &Schema) -> Renames {
    let mut search = Search {
        schemas: (old, new),
        known: (HashMap::new(), HashMap::new()),
        left: MAX_COMPARED,
        is_complete: true,
    };
    let (before, after) = (&old.definitions().types, &new.definitions().types);
    let mut told = renamed_roots(old, new);
    let mut pairs: BTreeSet<(&Name, &Name)> = BTreeSet::new();
    for rename in told.iter().filter(|rename| !rename.from.contains('.')) {
        let names = (
            before.get_key_value(rename.from.as_str()),
            after.get_key_value(rename.to.as_str()),
        );
        if let (Some((from, _)), Some((to, _))) = names {
            pairs.insert((from, to));
        }
    }
    for (from, to) in search.types() {
        pairs.insert((from, to));
        told.push(Rename::new(from, to));
        let fields = before.get(from).into_iter().flat_map(fields_of);
        told.extend(fields.map(|field| {
            let field = &field.name;
            Rename::new(format_args!("{from}.{field}"), format_args!("{to}.{field}"))
        }));
    }
    pairs.extend(
        before
            .keys()
            .filter_map(|name| after.get_key_value(name).map(|(is, _)| (name, is))),
    );
    search.follow(&mut pairs);
    let swapped = search.swapped(&pairs);
    for pair in &pairs {
        search.fields(*pair, &pairs, &mut told);
    }
    told.sort_unstable();
    told.dedup();
    Renames {
        told,
        swapped,
        is_complete: search.is_complete,
    }
}

struct Search<'a> {
    schemas: (&'a Schema, &'a Schema),
    /// Protections of fields of both.
    known: (
        HashMap<Field<'a>, Protection>,
        HashMap<Field<'a>, Protection>,
    ),
    /// Comparisons that may be made yet.
    left: usize,
    is_complete: bool,
}

impl<'a> Search<'a> {
    fn is_protected(&mut self, field: Field<'a>) -> bool {
        let of = self.known.0.entry(field);
        !of.or_insert_with(|| protection(self.schemas.0, field))
            .is_empty()
    }

    /// Whether the one asks less now than the other did.
    fn asks_less(&mut self, was: Field<'a>, is: Field<'a>) -> bool {
        if !self.is_protected(was) {
            return false;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.is_complete = false;
            return false;
        };
        self.left = left;
        let (Some(was), is) = (
            self.known.0.get(&was),
            self.known
                .1
                .entry(is)
                .or_insert_with(|| protection(self.schemas.1, is)),
        ) else {
            return false;
        };
        compare(was, is) == Effect::Weakened
    }

    /// Types that were removed, each with one of the new ones that have the same
    /// fields: one that asks less, if there is one.
    fn types(&mut self) -> Vec<(&'a Name, &'a Name)> {
        let (old, new) = self.schemas;
        let (before, after) = (&old.definitions().types, &new.definitions().types);
        let mut shapes: BTreeMap<BTreeSet<Name>, Vec<&Name>> = BTreeMap::new();
        for (name, ty) in after {
            if let (false, Some(shape)) = (before.contains_key(name), shape(ty)) {
                shapes.entry(shape).or_default().push(name);
            }
        }
        let mut found = Vec::new();
        for (name, was) in before {
            if after.contains_key(name) {
                continue;
            }
            let alike = shape(was).and_then(|shape| shapes.get(&shape));
            let Some([first, ..]) = alike.map(Vec::as_slice) else {
                continue;
            };
            let fields: Vec<_> = fields_of(was).map(|field| &field.name).collect();
            let mut all = alike.into_iter().flatten();
            let weaker = all.find(|to| {
                let mut fields = fields.iter();
                fields.any(|field| self.asks_less((name, field), (to, field)))
            });
            found.push((name, *weaker.unwrap_or(first)));
        }
        found
    }

    /// Adds the types that kept fields of pairs give: to callers, fields that both
    /// have are the same ones.
    fn follow(&mut self, pairs: &mut BTreeSet<(&'a Name, &'a Name)>) {
        let (old, new) = self.schemas;
        let (before, after) = (&old.definitions().types, &new.definitions().types);
        let mut open: Vec<_> = pairs.iter().copied().collect();
        while let Some((from, to)) = open.pop() {
            let (Some(was), Some(is)) = (before.get(from), after.get(to)) else {
                continue;
            };
            let fields: HashMap<_, _> = fields_of(is).map(|it| (&it.name, it)).collect();
            for field in fields_of(was) {
                let Some(other) = fields.get(&field.name) else {
                    continue;
                };
                let pair = (field.ty.inner_named_type(), other.ty.inner_named_type());
                if pair.0 == pair.1 || pairs.contains(&pair) {
                    continue;
                }
                if pairs.len() >= MAX_PAIRS {
                    self.is_complete = false;
                    return;
                }
                pairs.insert(pair);
                open.push(pair);
            }
        }
    }

    /// Fields that both types of a pair have: for each one that asks less, if there is
    /// one.
    fn swapped(&mut self, pairs: &BTreeSet<(&'a Name, &'a Name)>) -> Vec<Rename> {
        let (old, new) = self.schemas;
        let (before, after) = (&old.definitions().types, &new.definitions().types);
        let mut found: BTreeMap<Field<'a>, &Name> = BTreeMap::new();
        for (from, to) in pairs.iter().filter(|(from, to)| from != to) {
            let (Some(was), Some(is)) = (before.get(*from), after.get(*to)) else {
                continue;
            };
            let names: HashSet<_> = fields_of(is).map(|field| &field.name).collect();
            for field in fields_of(was).map(|field| &field.name) {
                let is_new = names.contains(field) && !found.contains_key(&(*from, field));
                if is_new && self.asks_less((from, field), (to, field)) {
                    found.insert((from, field), to);
                }
            }
        }
        let found = found.into_iter();
        found
            .map(|((from, field), to)| {
                Rename::new(format_args!("{from}.{field}"), format_args!("{to}.{field}"))
            })
            .collect()
    }

    /// Fields of a type that were removed while others came to what it is now.
    fn fields(
        &mut self,
        (from, to): (&'a Name, &'a Name),
        pairs: &BTreeSet<(&'a Name, &'a Name)>,
        told: &mut Vec<Rename>,
    ) {
        let (old, new) = self.schemas;
        let (before, after) = (&old.definitions().types, &new.definitions().types);
        let (Some(was), Some(is)) = (before.get(from), after.get(to)) else {
            return;
        };
        let names = |ty| -> HashSet<_> { fields_of(ty).map(|field| &field.name).collect() };
        let (had, has) = (names(was), names(is));
        let came: Vec<_> = fields_of(is)
            .filter(|field| !had.contains(&field.name))
            .collect();
        let gone: Vec<_> = fields_of(was)
            .filter(|field| !has.contains(&field.name))
            .collect();
        let mut same: HashMap<String, Vec<&Name>> = HashMap::new();
        for field in &came {
            same.entry(signature(field)).or_default().push(&field.name);
        }
        let mut many: HashMap<String, usize> = HashMap::new();
        for field in &gone {
            *many.entry(signature(field)).or_default() += 1;
        }
        // A type that is gone may be any that came.
        let is_alike = |was: &'a FieldDefinition, is: &'a FieldDefinition| {
            let (was, is) = (was.ty.inner_named_type(), is.ty.inner_named_type());
            was == is
                || pairs.contains(&(was, is))
                || (!after.contains_key(was) && !before.contains_key(is))
        };
        for field in gone {
            let found = if self.is_protected((from, &field.name)) {
                // Whatever its arguments and wrappers are.
                let mut alike = came
                    .iter()
                    .filter(|other| is_alike(field, other))
                    .map(|other| &other.name);
                let first = alike.clone().next();
                let weaker = alike.find(|other| self.asks_less((from, &field.name), (to, other)));
                weaker.or(first)
            } else {
                let signature = signature(field);
                match (
                    same.get(&signature).map(Vec::as_slice),
                    many.get(&signature),
                ) {
                    (Some([other]), Some(1)) => Some(*other),
                    _ => None,
                }
            };
            told.extend(found.map(|other| {
                Rename::new(
                    format_args!("{from}.{}", field.name),
                    format_args!("{to}.{other}"),
                )
            }));
        }
    }
}

fn protection(schema: &Schema, (ty, field): Field<'_>) -> Protection {
    schema.protection_of(ty, field).unwrap_or_default()
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

/// A field's type and arguments, in an order that says nothing.
fn signature(field: &FieldDefinition) -> String {
    let arguments = field.arguments.iter();
    let mut arguments: Vec<_> = arguments
        .map(|argument| format!("{}: {}", argument.name, argument.ty))
        .collect();
    arguments.sort_unstable();
    format!("({}): {}", arguments.join(", "), field.ty)
}
