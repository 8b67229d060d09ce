//! What an operation selects: actions and resources. Facts are gathered on
//! the way, since this walk sees every argument.

use std::collections::{BTreeSet, HashMap, HashSet};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::Name;
use apollo_compiler::ast::{DirectiveList, OperationType};
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use ig_contract::snapshot::{Action, Resource};

use crate::annotation::Authz;
use crate::fact::Facts;
use crate::fault::{Budget, Fault};
use crate::index::Index;

/// Walks every selection of an operation. `@skip` and `@include` make no
/// difference: what may be selected counts as selected.
pub(crate) struct Walk<'a> {
    document: &'a ExecutableDocument,
    index: &'a Index,
    kind: OperationType,
    /// Fragments seen below the root field of a name, or at the root. What
    /// they add depends on nothing else, so once is enough.
    seen: HashMap<Option<&'a Name>, HashSet<&'a Name>>,
    pub(crate) facts: Facts<'a>,
    pub(crate) actions: BTreeSet<Action>,
    pub(crate) resources: BTreeSet<Resource>,
    pub(crate) step_up: bool,
    pub(crate) cross_tenant: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        document: &'a ExecutableDocument,
        index: &'a Index,
        operation: &'a Operation,
    ) -> Self {
        Self {
            document,
            index,
            kind: operation.operation_type,
            seen: HashMap::new(),
            facts: Facts::new(&index.inputs, operation),
            actions: BTreeSet::new(),
            resources: BTreeSet::new(),
            step_up: false,
            cross_tenant: false,
        }
    }

    pub(crate) fn run(
        &mut self,
        operation: &'a Operation,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        self.directives(&operation.directives, budget)?;
        for variable in &operation.variables {
            self.directives(&variable.directives, budget)?;
        }
        self.selections(&operation.selection_set, None, 0, budget)
    }

    fn selections(
        &mut self,
        set: &'a SelectionSet,
        root: Option<&'a Name>,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        for selection in &set.selections {
            budget.step(depth)?;
            self.directives(selection.directives(), budget)?;
            match selection {
                Selection::Field(field) => {
                    self.field(&set.ty, field, root, budget)?;
                    let root = root.or(Some(&field.name));
                    self.selections(&field.selection_set, root, depth + 1, budget)?;
                }
                Selection::InlineFragment(inline) => {
                    self.selections(&inline.selection_set, root, depth + 1, budget)?;
                }
                Selection::FragmentSpread(spread) => {
                    if !self
                        .seen
                        .entry(root)
                        .or_default()
                        .insert(&spread.fragment_name)
                    {
                        continue;
                    }
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.directives(&fragment.directives, budget)?;
                        self.selections(&fragment.selection_set, root, depth + 1, budget)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        parent: &'a Name,
        field: &'a Field,
        root: Option<&'a Name>,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let index = self.index;
        let own = index.of_field(parent, &field.name);
        let types = [
            index.of_type(parent),
            index.of_type(field.definition.ty.inner_named_type()),
        ];
        let types = || types.into_iter().flatten();
        let authz = own.into_iter().flat_map(|notes| &notes.authz);
        let mut applies = false;
        for authz in authz.chain(types().flat_map(|notes| &notes.authz)) {
            applies = true;
            self.authz(authz, root.unwrap_or(&field.name));
        }
        if root.is_none() && !applies {
            self.actions.insert(Action {
                name: self.default_action(&field.name),
                purposes: Vec::new(),
            });
        }
        let resources = own.into_iter().flat_map(|notes| &notes.resources);
        for resource in resources.chain(types().flat_map(|notes| &notes.resources)) {
            if !self.resources.contains(resource) {
                self.resources.insert(resource.clone());
            }
        }
        let places = own.map_or(&[][..], |notes| &notes.places);
        self.facts.arguments(places, &field.arguments, budget)
    }

    fn authz(&mut self, authz: &Authz, root: &Name) {
        self.step_up |= authz.step_up;
        self.cross_tenant |= authz.cross_tenant;
        let name = match &authz.action {
            Some(action) => action.clone(),
            None => self.default_action(root),
        };
        self.actions.insert(Action {
            name,
            purposes: authz.purposes.clone(),
        });
    }

    fn default_action(&self, root: &Name) -> String {
        format!("{}:{root}", self.kind.name())
    }

    /// Arguments of directives can feed facts too.
    fn directives(
        &mut self,
        directives: &'a DirectiveList,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        for directive in directives {
            let places = self.index.of_directive(&directive.name);
            self.facts.arguments(places, &directive.arguments, budget)?;
        }
        Ok(())
    }
}
