//! Costs as sums of terms, weight × sizes of lists.
//!
//! They are bounded: a size beyond [`SIZES`] in an operation, and the sizes of a
//! term that has more than [`SIZES_OF_TERM`] or comes after [`TERMS`] others, count
//! as what they are without any variable.

use std::collections::{BTreeMap, HashMap};

use ig_contract::snapshot::{CostTerm, ListSize};

use crate::annotation::{ONE, Weight};

/// Terms of one operation, beside the one that no variable changes.
const TERMS: usize = 63;
/// Sizes that one term multiplies.
const SIZES_OF_TERM: usize = 8;
/// Distinct sizes of one operation.
const SIZES: usize = 64;

/// A cost: weights by the sizes, ascending, that multiply them.
#[derive(Clone, Default)]
pub(crate) struct Sum {
    fixed: Weight,
    terms: BTreeMap<Vec<u32>, Weight>,
}

impl Sum {
    pub(crate) fn add_fixed(&mut self, weight: Weight) {
        self.fixed = self.fixed.saturating_add(weight);
    }

    pub(crate) fn scale(&mut self, factor: u64) {
        self.fixed = self.fixed.saturating_mul(factor);
        self.terms.retain(|_, weight| {
            *weight = weight.saturating_mul(factor);
            *weight > 0
        });
    }
}

/// The sizes that an operation's cost grows with, and at last its terms.
#[derive(Default)]
pub(crate) struct Growth {
    numbers: HashMap<ListSize, u32>,
    pub(crate) sizes: Vec<ListSize>,
    pub(crate) terms: Vec<CostTerm>,
    /// Without any variable.
    pub(crate) cost: u32,
}

impl Growth {
    pub(crate) fn add(&self, total: &mut Sum, other: &Sum) {
        total.add_fixed(other.fixed);
        for (sizes, weight) in &other.terms {
            self.add_term(total, sizes.clone(), *weight);
        }
    }

    pub(crate) fn times(&mut self, mut sum: Sum, size: ListSize) -> Sum {
        let assumed = size.items(&mut |_| None);
        if sum.fixed == 0 && sum.terms.is_empty() {
            return sum;
        }
        let number = match size.asked.is_empty() {
            true => None,
            false => self.number(size),
        };
        let Some(number) = number else {
            sum.scale(assumed);
            return sum;
        };
        let mut product = Sum::default();
        self.add_term(&mut product, vec![number], sum.fixed);
        for (mut sizes, weight) in sum.terms {
            let place = sizes.partition_point(|other| *other < number);
            sizes.insert(place, number);
            self.add_term(&mut product, sizes, weight);
        }
        product
    }

    fn number(&mut self, size: ListSize) -> Option<u32> {
        if let Some(number) = self.numbers.get(&size) {
            return Some(*number);
        }
        let number = u32::try_from(self.sizes.len()).ok()?;
        (self.sizes.len() < SIZES).then(|| {
            self.sizes.push(size.clone());
            self.numbers.insert(size, number);
            number
        })
    }

    fn add_term(&self, total: &mut Sum, sizes: Vec<u32>, weight: Weight) {
        if weight == 0 {
            return;
        }
        let has_room = total.terms.len() < TERMS || total.terms.contains_key(&sizes);
        if has_room && sizes.len() <= SIZES_OF_TERM {
            let term = total.terms.entry(sizes).or_default();
            *term = term.saturating_add(weight);
        } else {
            total.add_fixed(self.assumed(&sizes, weight));
        }
    }

    /// What a term is without any variable.
    fn assumed(&self, sizes: &[u32], weight: Weight) -> Weight {
        let sizes = sizes
            .iter()
            .filter_map(|size| self.sizes.get(*size as usize));
        sizes.fold(weight, |product, size| {
            product.saturating_mul(size.items(&mut |_| None))
        })
    }

    /// The growth of an operation whose cost is `total`.
    pub(crate) fn of(mut self, total: Sum) -> Self {
        let variable = total.terms.iter().fold(0, |sum: Weight, (sizes, weight)| {
            sum.saturating_add(self.assumed(sizes, *weight))
        });
        let cost = total.fixed.saturating_add(variable).div_ceil(ONE);
        self.cost = u32::try_from(cost).unwrap_or(u32::MAX);
        if total.terms.is_empty() {
            self.sizes.clear();
            return self;
        }
        let fixed = (total.fixed > 0).then_some((Vec::new(), total.fixed));
        let terms = fixed.into_iter().chain(total.terms);
        self.terms = terms
            .map(|(sizes, weight)| CostTerm { weight, sizes })
            .collect();
        self
    }
}
