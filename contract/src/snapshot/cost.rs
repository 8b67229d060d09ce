//! How the cost of an operation grows with its variables.

use serde::{Deserialize, Serialize};

use super::Operation;

/// Thousandths of one, the unit of weights.
const ONE: u64 = 1000;

/// A part of an operation's cost: a weight times sizes of lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostTerm {
    /// Thousandths of one.
    pub weight: u64,
    /// Indices into the operation's sizes; one that is there twice counts twice.
    pub sizes: Vec<u32>,
}

/// How many items a list has: the largest of what is known and what is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListSize {
    /// Items it has whatever the variables are.
    pub at_least: u64,
    /// What variables ask for. Several where a field may be one of several;
    /// ascending and distinct.
    pub asked: Vec<AskedSize>,
}

/// Items asked for by slicing arguments: the largest that is given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedSize {
    /// Variables, and what counts for each that a request does not give.
    pub variables: Vec<(String, Option<u64>)>,
    /// Items where none is given and none has a default.
    pub assumed: u64,
}

impl ListSize {
    /// A size that no variable changes.
    pub const fn fixed(size: u64) -> Self {
        Self {
            at_least: size,
            asked: Vec::new(),
        }
    }

    /// The number of items by the values of variables.
    pub fn items(&self, size_of: &mut impl FnMut(&str) -> Option<u64>) -> u64 {
        let asked = self.asked.iter().map(|asked| {
            let values = asked
                .variables
                .iter()
                .filter_map(|(name, default)| size_of(name).or(*default));
            values.max().unwrap_or(asked.assumed)
        });
        asked.fold(self.at_least, u64::max)
    }
}

impl Operation {
    /// The cost of a request with these values of variables. `size_of` is 0 for a
    /// negative one, and `None` for one that is absent, null or no integer: its
    /// default counts then, or else the argument is as if it were not given.
    pub fn cost_with(&self, mut size_of: impl FnMut(&str) -> Option<u64>) -> u32 {
        if self.terms.is_empty() {
            return self.cost;
        }
        let items: Vec<_> = self
            .sizes
            .iter()
            .map(|size| size.items(&mut size_of))
            .collect();
        let total = self.terms.iter().fold(0, |total: u64, term| {
            // An index that no compiler writes bounds nothing.
            let sizes = term.sizes.iter().map(|index| items.get(*index as usize));
            total.saturating_add(sizes.fold(term.weight, |product, size| {
                product.saturating_mul(size.copied().unwrap_or(u64::MAX))
            }))
        });
        u32::try_from(total.div_ceil(ONE)).unwrap_or(u32::MAX)
    }
}
