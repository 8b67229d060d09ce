//! What holds of every filter.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::schema::Attribute;

/// Paths of users that can be compared.
fn paths() -> Vec<AttributePath> {
    let of = ResourceType::User;
    let core = of
        .schema()
        .attributes
        .iter()
        .map(|attribute| (None, attribute));
    let common = ["id", "externalId", "meta"].map(|name| (None, of.attribute(name).unwrap()));
    let extended = of.extensions().iter().flat_map(|schema| {
        schema
            .attributes
            .iter()
            .map(move |attribute| (Some(*schema), attribute))
    });
    let whole = |(extension, attribute)| AttributePath {
        extension,
        attribute,
        sub_attribute: None,
    };
    let all = core.chain(common).chain(extended).map(whole);
    all.flat_map(|path: AttributePath| {
        let parts = path.attribute.sub_attributes.iter();
        let parts = parts.map(move |sub| path.with(sub));
        std::iter::once(path).chain(parts)
    })
    .collect()
}

fn condition(attribute: &'static Attribute) -> BoxedStrategy<Condition> {
    let all = prop::sample::select(Comparison::ALL.to_vec());
    let same = prop::sample::select(vec![Comparison::Equal, Comparison::NotEqual]);
    let compare = |(comparison, literal)| Condition::Compare(comparison, literal);
    let given = match attribute.kind {
        Kind::Complex => Just(Condition::Present).boxed(),
        Kind::Binary => (same, Just(Literal::Null)).prop_map(compare).boxed(),
        Kind::Boolean => {
            let literal = any::<bool>().prop_map(Literal::Boolean);
            let literal = prop_oneof![Just(Literal::Null), literal];
            (same, literal).prop_map(compare).boxed()
        }
        Kind::Time => {
            use Comparison::{Contains, EndsWith, StartsWith};
            let order = Comparison::ALL.into_iter();
            let order = order.filter(|one| !matches!(one, Contains | StartsWith | EndsWith));
            let order = order.collect::<Vec<_>>();
            let literal = (-1_i64 << 40..1_i64 << 42).prop_map(Literal::Time);
            (prop::sample::select(order), literal)
                .prop_map(compare)
                .boxed()
        }
        Kind::Text | Kind::Reference => {
            let text = prop_oneof!["[a-z\"\\\\) \\]]{0,6}", any::<String>()];
            let text = text.prop_map(|text| text.replace('\0', ""));
            let text = text.prop_map(move |text| Literal::Text(fold(attribute, &text)));
            let literal = prop_oneof![1 => Just(Literal::Null), 9 => text];
            (all, literal).prop_map(compare).boxed()
        }
    };
    prop_oneof![1 => Just(Condition::Present), 3 => given].boxed()
}

fn test_of(paths: Vec<AttributePath>) -> BoxedStrategy<Filter> {
    let path = prop::sample::select(paths);
    let test = path.prop_flat_map(|path| {
        let condition = condition(path.leaf());
        condition.prop_map(move |condition| Filter::Test(Test { path, condition }))
    });
    test.boxed()
}

fn tree(leaf: BoxedStrategy<Filter>, depth: u32) -> BoxedStrategy<Filter> {
    let tree = leaf.prop_recursive(depth, 24, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(Filter::And),
            parts.prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    });
    tree.boxed()
}

fn some_filter() -> BoxedStrategy<Filter> {
    let lists: Vec<_> = paths()
        .into_iter()
        .filter(|path| path.attribute.is_multi_valued && path.sub_attribute.is_none())
        .collect();
    let element = prop::sample::select(lists).prop_flat_map(|path| {
        let parts = path.attribute.sub_attributes.iter();
        let parts = parts.map(|sub| path.with(sub)).collect();
        let part = tree(test_of(parts), 2);
        part.prop_map(move |part| Filter::Element(path, Box::new(part)))
    });
    tree(prop_oneof![3 => test_of(paths()), 1 => element].boxed(), 3)
}

/// Text that is nearly a filter.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "title",
        "emails",
        "active",
        "name.givenName",
        "type",
        "value",
        "#E:manager",
        "[",
        "]",
        "(",
        ")",
        ".",
        " ",
        "not",
        "and",
        " or ",
        " and ",
        " eq ",
        " pr",
        " co ",
        "\"",
        "\"a\"",
        "\\",
        "true",
        "null",
        "1e9",
        "é",
        "\u{0}",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| fill(&tokens.concat()))
}

proptest! {
    #[test]
    fn a_filter_is_its_text(filter in some_filter()) {
        let text = show(&filter);
        let parsed = Filter::parse(ResourceType::User, &text);
        prop_assert_eq!(parsed, Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_a_filter_or_refused(text in prop_oneof![any::<String>(), tokens()]) {
        let _ = Filter::parse_for_all(&text);
        let parse = |text: &str| Filter::parse(ResourceType::User, text);
        match parse(&text) {
            Ok(filter) => prop_assert_eq!(parse(&show(&filter)), Ok(filter)),
            Err(error) => prop_assert_eq!(error.kind, ErrorKind::InvalidFilter),
        }
    }

    #[test]
    fn parts_of_text_are_parts_of_folded_text(start: String, part: String, end: String) {
        let title = AttributePath::parse(ResourceType::User, "title").unwrap();
        let whole = fold(title.leaf(), &format!("{start}{part}{end}"));
        prop_assert!(whole.contains(&fold(title.leaf(), &part)));
        prop_assert_eq!(fold(title.leaf(), &whole), whole);
    }

    #[test]
    fn an_element_that_matches_does_not_match_the_opposite(
        filter in tree(test_of(paths().into_iter().filter(|path| {
            path.attribute.name == "emails" && path.sub_attribute.is_some()
        }).collect()), 3),
        value: Option<String>,
        primary: Option<bool>,
    ) {
        let mut element = json!({"value": value, "primary": primary});
        let parts = element.as_object_mut().unwrap();
        parts.retain(|_, value| *value != Value::Null);
        let opposite = Filter::Not(Box::new(filter.clone()));
        prop_assert_ne!(matches(&filter, &element), matches(&opposite, &element));
    }
}
