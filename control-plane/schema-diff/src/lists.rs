//! What two lists have in common, in the order in which changes are told:
//! what went, what came, what stayed.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use apollo_compiler::Node;
use apollo_compiler::ast::Directive;

/// Two lists, compared.
pub(crate) struct Compared<T> {
    /// Only in the old one.
    pub(crate) removed: Vec<T>,
    /// Only in the new one.
    pub(crate) added: Vec<T>,
    /// In both, the old one first.
    pub(crate) both: Vec<(T, T)>,
}

/// Compares lists of what has a name, which no other of its list has.
pub(crate) fn by_name<T: Copy, N: Hash + Eq>(
    old: impl IntoIterator<Item = T>,
    new: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> N,
) -> Compared<T> {
    let new: Vec<_> = new.into_iter().collect();
    let named: HashMap<N, T> = new.iter().map(|item| (name(*item), *item)).collect();
    let mut seen = HashSet::new();
    let (mut removed, mut both) = (Vec::new(), Vec::new());
    for item in old {
        match named.get(&name(item)) {
            Some(other) => both.push((item, *other)),
            None => removed.push(item),
        }
        seen.insert(name(item));
    }
    let added = new.into_iter().filter(|item| !seen.contains(&name(*item)));
    Compared {
        removed,
        added: added.collect(),
        both,
    }
}

/// Compares uses of directives: the first use of a name stands for the first
/// on the other side, and so on.
pub(crate) fn directives<'a>(
    old: &[&'a Node<Directive>],
    new: &[&'a Node<Directive>],
) -> Compared<&'a Node<Directive>> {
    let nth = |list: &[&'a Node<Directive>]| {
        let mut counts = HashMap::new();
        let numbered = list.iter().map(|directive| {
            let count: &mut usize = counts.entry(&directive.name).or_default();
            *count += 1;
            (*count, *directive)
        });
        numbered.collect::<Vec<_>>()
    };
    let Compared {
        removed,
        added,
        both,
    } = by_name(nth(old), nth(new), |(number, directive)| {
        (number, &directive.name)
    });
    let bare = |list: Vec<(usize, _)>| list.into_iter().map(|(_, directive)| directive).collect();
    Compared {
        removed: bare(removed),
        added: bare(added),
        both: both.into_iter().map(|(old, new)| (old.1, new.1)).collect(),
    }
}
