//! What can be said of tests before the database is asked.

use ig_scim::AttributePath;
use ig_scim::filter::{Comparison, Condition, Filter, Literal, Test};

/// The key under which elements of a list are there at all.
pub(super) fn element_key(path: &AttributePath) -> String {
    AttributePath {
        sub_attribute: None,
        ..*path
    }
    .key()
}

/// Most tables of a join.
const MAX_JOINED: usize = 8;

/// The tests of a filter that is nothing but tests which all must hold and
/// look at a value; the one that finds least comes first.
pub(super) fn conjunction(filter: &Filter) -> Option<Vec<&Test>> {
    let mut tests = Vec::new();
    collect(filter, &mut tests)?;
    if tests.len() > MAX_JOINED {
        return None;
    }
    tests.sort_by_key(|test| {
        let is_one_of_few = !test.path.leaf().canonical_values.is_empty()
            || matches!(
                test.condition,
                Condition::Compare(_, Literal::Boolean(_)) | Condition::Present
            );
        let is_range = !matches!(test.condition, Condition::Compare(Comparison::Equal, _));
        (is_one_of_few, is_range)
    });
    Some(tests)
}

fn collect<'a>(filter: &'a Filter, tests: &mut Vec<&'a Test>) -> Option<()> {
    match filter {
        Filter::And(parts) => parts.iter().try_for_each(|part| collect(part, tests)),
        Filter::Test(test) => match &test.condition {
            Condition::Compare(Comparison::NotEqual, _) | Condition::Compare(_, Literal::Null) => {
                None
            }
            _ => {
                tests.push(test);
                Some(())
            }
        },
        _ => None,
    }
}

pub(super) fn is_constant(value: &str, comparison: Comparison, literal: &Literal) -> bool {
    let Literal::Text(text) = literal else {
        return false;
    };
    let text = text.as_str();
    match comparison {
        Comparison::Equal => value == text,
        Comparison::NotEqual => value != text,
        Comparison::Contains => value.contains(text),
        Comparison::StartsWith => value.starts_with(text),
        Comparison::EndsWith => value.ends_with(text),
        Comparison::Greater => value > text,
        Comparison::GreaterOrEqual => value >= text,
        Comparison::Less => value < text,
        Comparison::LessOrEqual => value <= text,
    }
}

/// The least text that is greater than all that begin so; both databases
/// compare by code points.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}
