//! The static cost of an operation, after IBM's cost specification.
//!
//! ```text
//! cost(operation) = (10 for a mutation) + Σ cost(field), rounded up
//! cost(field)     = size × (weight + Σ cost(child)) + Σ weight(argument given)
//! ```
//!
//! - *weight* is `@cost` at the field, at the same field of an interface, at
//!   its type, or else 1 for an object, interface or union and 0 for a leaf.
//! - *size* is 1 for what is no list. For a list it is what `sizedFields` of
//!   the parent says; else, by `@listSize`, the largest slicing argument
//!   (a literal, a default of the schema, or the variable's default), else
//!   `assumedSize`; else [`DEFAULT_LIST_SIZE`]. Further dimensions of a list
//!   have the default size.
//! - *weight(argument)* is `@cost` at the argument, else 0, and that of the
//!   input fields in a literal, or of all of the type's where a variable is
//!   given.
//! - Where a field may be one of several, the largest weight and size count.
//! - Selections with one response name merge, as they do in execution, so a
//!   fragment spread twice costs once. `@skip` and `@include` count as taken.
//!
//! Where variables ask for sizes, the cost is a sum of terms, weight × sizes,
//! that a guard evaluates with a request's values ([`crate::growth`]). The static
//! cost takes no variable as given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use apollo_compiler::ast::OperationType;
use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::{Type, Value};
use apollo_compiler::{ExecutableDocument, Name, Node};

use ig_contract::snapshot::{AskedSize, ListSize};

use crate::annotation::{self, ONE, Weight};
use crate::fault::{Budget, Fault, FaultKind};
use crate::growth::{Growth, Sum};
use crate::index::Index;
use crate::input::list_depth;

/// Items that a list of unknown size is taken to have.
pub const DEFAULT_LIST_SIZE: u64 = 10;

/// What a mutation costs beside its fields.
pub const MUTATION_COST: u64 = 10;

/// Sizes of list fields that `sizedFields` of their parent sets.
type Sizes = BTreeMap<String, ListSize>;

/// A field and the type it is selected on.
type Selected<'a> = (&'a Name, &'a Node<Field>);

/// Computes the cost of one operation.
pub(crate) struct Cost<'a> {
    document: &'a ExecutableDocument,
    index: &'a Index,
    operation: &'a Operation,
    /// Costs of merged fields. A field is reached by many ways when fragments
    /// spread fragments; its address tells it from others.
    known: HashMap<(Vec<usize>, Sizes), Rc<Sum>>,
    growth: Growth,
}

impl<'a> Cost<'a> {
    pub(crate) fn new(
        document: &'a ExecutableDocument,
        index: &'a Index,
        operation: &'a Operation,
    ) -> Self {
        Self {
            document,
            index,
            operation,
            known: HashMap::new(),
            growth: Growth::default(),
        }
    }

    pub(crate) fn run(mut self, budget: &mut Budget) -> Result<Growth, Fault> {
        let root = [&self.operation.selection_set];
        let mut total = self.selections(&root, &Sizes::new(), 0, budget)?;
        if self.operation.operation_type == OperationType::Mutation {
            total.add_fixed(MUTATION_COST * ONE);
        }
        Ok(self.growth.of(total))
    }

    fn selections(
        &mut self,
        sets: &[&'a SelectionSet],
        sizes: &Sizes,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Sum, Fault> {
        let mut collected = Collected {
            document: self.document,
            fields: IndexMap::default(),
            seen: HashSet::new(),
        };
        for set in sets {
            collected.add(set, depth, budget)?;
        }
        let mut total = Sum::default();
        for fields in collected.fields.into_values() {
            let cost = self.merged(&fields, sizes, depth, budget)?;
            self.growth.add(&mut total, &cost);
        }
        Ok(total)
    }

    /// Cost of the fields that have one response name.
    fn merged(
        &mut self,
        fields: &[Selected<'a>],
        sizes: &Sizes,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Rc<Sum>, Fault> {
        let mut addresses: Vec<_> = fields
            .iter()
            .map(|(_, field)| std::ptr::from_ref::<Field>(field).addr())
            .collect();
        addresses.sort_unstable();
        let mut own_sizes = sizes.clone();
        own_sizes.retain(|name, _| fields.iter().any(|(_, field)| *field.name == **name));
        let key = (addresses, own_sizes);
        if let Some(known) = self.known.get(&key) {
            return Ok(Rc::clone(known));
        }
        let (mut weight, mut arguments, mut further): (Weight, Weight, u64) = (0, 0, 1);
        let mut size = ListSize::fixed(0);
        let mut child_sizes = Sizes::new();
        for (parent, field) in fields {
            let own = self.size(parent, field, sizes, &mut child_sizes)?;
            enlarge(&mut size, own);
            further = further.max(further_dimensions(&field.definition.ty));
            weight = weight.max(self.weight(parent, field));
            arguments = arguments.max(self.arguments(parent, field));
        }
        let sets: Vec<_> = fields
            .iter()
            .map(|(_, field)| &field.selection_set)
            .collect();
        let mut cost = self.selections(&sets, &child_sizes, depth + 1, budget)?;
        cost.add_fixed(weight);
        cost.scale(further);
        let mut cost = self.growth.times(cost, size);
        cost.add_fixed(arguments);
        let cost = Rc::new(cost);
        self.known.insert(key, Rc::clone(&cost));
        Ok(cost)
    }

    fn weight(&self, parent: &Name, field: &Field) -> Weight {
        match self.index.of_field(parent, &field.name) {
            Some(notes) => notes.weight,
            // Introspection.
            None if field.selection_set.is_empty() => 0,
            None => ONE,
        }
    }

    fn arguments(&self, parent: &Name, field: &Field) -> Weight {
        let notes = self.index.of_field(parent, &field.name);
        let weight = |name| {
            notes
                .and_then(|notes| notes.argument_weights.get(name))
                .copied()
        };
        field.arguments.iter().fold(0, |total: Weight, argument| {
            let own = weight(&argument.name).unwrap_or(0);
            let definition = field.definition.argument_by_name(&argument.name);
            let below = definition.map_or(0, |definition| {
                self.index.inputs.weight(&definition.ty, &argument.value)
            });
            total.saturating_add(own).saturating_add(below)
        })
    }

    /// How many items `field` has in its first dimension; notes in `child_sizes`
    /// what it says of the lists in it.
    fn size(
        &self,
        parent: &Name,
        field: &Node<Field>,
        sizes: &Sizes,
        child_sizes: &mut Sizes,
    ) -> Result<ListSize, Fault> {
        let notes = self.index.of_field(parent, &field.name);
        let mut own = sizes.get(field.name.as_str()).cloned();
        for list_size in notes.into_iter().flat_map(|notes| &notes.list_sizes) {
            self.check_slicing(list_size, field)?;
            let size = self.sliced(list_size, field);
            for name in &list_size.sized_fields {
                let child = child_sizes.entry(name.clone());
                enlarge(child.or_insert(ListSize::fixed(0)), size.clone());
            }
            if list_size.sized_fields.is_empty() {
                enlarge(own.get_or_insert(ListSize::fixed(0)), size);
            }
        }
        Ok(match list_depth(&field.definition.ty) {
            0 => ListSize::fixed(1),
            _ => own.unwrap_or(ListSize::fixed(DEFAULT_LIST_SIZE)),
        })
    }

    fn check_slicing(
        &self,
        list_size: &annotation::ListSize,
        field: &Node<Field>,
    ) -> Result<(), Fault> {
        let given = list_size.slicing.iter().filter(|name| {
            let default = field.definition.argument_by_name(name);
            let default = default.and_then(|argument| argument.default_value.as_ref());
            let value = field.specified_argument_by_name(name).or(default);
            value.is_some_and(|value| !value.is_null())
        });
        if !list_size.require_one || list_size.slicing.is_empty() || given.count() == 1 {
            return Ok(());
        }
        Err(Fault {
            kind: FaultKind::SlicingArguments {
                field: field.name.to_string(),
                arguments: list_size.slicing.join("`, `"),
            },
            span: field.location(),
        })
    }

    /// The size that the slicing arguments of `field` ask for.
    fn sliced(&self, list_size: &annotation::ListSize, field: &Field) -> ListSize {
        let mut variables = Vec::new();
        let mut literal = None;
        for name in &list_size.slicing {
            let definition = field.definition.argument_by_name(name);
            let default = definition.and_then(|argument| argument.default_value.as_deref());
            let given = field.specified_argument_by_name(name).map(|value| &**value);
            match given.or(default) {
                Some(Value::Variable(name)) => {
                    variables.push((name.to_string(), self.default_of(name)));
                }
                value => literal = literal.max(value.and_then(integer)),
            }
        }
        let unknown = list_size.assumed.unwrap_or(DEFAULT_LIST_SIZE);
        let assumed = literal.unwrap_or(unknown);
        if variables.is_empty() {
            return ListSize::fixed(assumed);
        }
        variables.sort_unstable();
        variables.dedup();
        ListSize {
            at_least: literal.unwrap_or(0),
            asked: vec![AskedSize { variables, assumed }],
        }
    }

    fn default_of(&self, variable: &Name) -> Option<u64> {
        let mut variables = self.operation.variables.iter();
        let definition = variables.find(|definition| definition.name == *variable)?;
        integer(definition.default_value.as_ref()?)
    }
}

/// A literal integer. What asks for less than nothing may ask for everything, so
/// it counts as if it asked for nothing in particular.
fn integer(value: &Value) -> Option<u64> {
    u64::try_from(value.to_i32()?).ok()
}

/// Makes `size` the larger of both, whatever the variables are.
fn enlarge(size: &mut ListSize, other: ListSize) {
    size.at_least = size.at_least.max(other.at_least);
    size.asked.extend(other.asked);
    size.asked.sort_unstable();
    size.asked.dedup();
}

/// Items of a list of type `ty` for each item in its first dimension.
fn further_dimensions(ty: &Type) -> u64 {
    (1..list_depth(ty)).fold(1, |size: u64, _| size.saturating_mul(DEFAULT_LIST_SIZE))
}

/// Fields of merged selection sets by response name, in order: GraphQL's
/// CollectFields.
struct Collected<'a> {
    document: &'a ExecutableDocument,
    fields: IndexMap<&'a Name, Vec<Selected<'a>>>,
    seen: HashSet<&'a Name>,
}

impl<'a> Collected<'a> {
    fn add(
        &mut self,
        set: &'a SelectionSet,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), FaultKind> {
        for selection in &set.selections {
            budget.step(depth)?;
            match selection {
                Selection::Field(field) => {
                    let fields = self.fields.entry(field.response_key()).or_default();
                    fields.push((&set.ty, field));
                }
                Selection::InlineFragment(inline) => {
                    self.add(&inline.selection_set, depth + 1, budget)?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment
                        && self.seen.insert(&spread.fragment_name)
                    {
                        self.add(&fragment.selection_set, depth + 1, budget)?;
                    }
                }
            }
        }
        Ok(())
    }
}
