//! Every limit holds exactly at its boundary.

use ig_contract::snapshot::Limits;
use proptest::prelude::*;

use super::*;

/// `levels` arrays or objects in each other, with a scalar inside.
fn nested(levels: usize, is_object: impl Fn(usize) -> bool) -> String {
    let mut json = String::from("1");
    for level in 0..levels {
        json = if is_object(level) {
            format!(r##"{{"k":{json}}}"##)
        } else {
            format!("[{json}]")
        };
    }
    json
}

fn with_variable(value: &str) -> String {
    fill(&format!(r##"{{"id":"#H","variables":{{"a":{value}}}}}"##))
}

fn is_read(body: &str, limits: &Limits) -> bool {
    match read(Method::Post, ENDPOINT, body.as_bytes(), limits) {
        line if line.starts_with("#H") || line.starts_with("[#H") => true,
        line if line == "!json" => false,
        line => panic!("{line}"),
    }
}

proptest! {
    #[test]
    fn depth(max_depth in 0_u16..40, levels in 0_usize..40, kinds: u64) {
        let limits = Limits { max_depth, ..Limits::default() };
        let value = nested(levels, |level| kinds >> level & 1 == 1);
        // A variable's value is the first level; what holds nothing adds none.
        let fits = levels == 0 || levels < usize::from(max_depth);
        prop_assert_eq!(is_read(&with_variable(&value), &limits), fits);
        // Of `extensions`, the object itself is.
        let extensions = fill(&format!(r##"{{"id":"#H","extensions":{{"a":{value}}}}}"##));
        let fits = levels + 1 < usize::from(max_depth);
        prop_assert_eq!(is_read(&extensions, &limits), fits);
    }

    #[test]
    fn values(max_values in 0_u32..60, items in prop::collection::vec(0_usize..6, 0..8)) {
        let limits = Limits { max_values, max_batch: 9, ..Limits::default() };
        // Each variable is one value and as many as it has inside.
        let count = items.iter().map(|inside| inside + 1).sum::<usize>();
        let variables: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, inside)| format!(r##""v{index}":[{}]"##, vec!["0"; *inside].join(",")))
            .collect();
        let object = fill(&format!(r##"{{"id":"#H","variables":{{{}}}}}"##, variables.join(",")));
        prop_assert_eq!(is_read(&object, &limits), count <= max_values as usize);
        // The operations of a batch spend from one purse.
        let batch = format!("[{object},{object}]");
        prop_assert_eq!(is_read(&batch, &limits), 2 * count <= max_values as usize);
    }

    #[test]
    fn batch(max_batch in 1_u16..20, count in 1_usize..24) {
        let limits = Limits { max_batch, ..Limits::default() };
        let items = vec![fill(r##"{"id":"#H"}"##); count].join(",");
        let line = read(Method::Post, ENDPOINT, format!("[{items}]").as_bytes(), &limits);
        let expected = match count <= usize::from(max_batch) {
            true => format!("[{}]", vec!["#H"; count].join(" | ")),
            false => "!batch-limit".to_owned(),
        };
        prop_assert_eq!(line, expected);
    }
}

#[test]
fn url_and_body_spend_from_one_purse() {
    let target = "/graphql?variables=%7B%22a%22:1,%22b%22:1%7D";
    let body = fill(r##"{"id":"#H","extensions":{"a":1}}"##);
    for (max_values, expected) in [(3, "!json"), (4, "#H {a: 1, b: 1}")] {
        let limits = Limits {
            max_values,
            ..Limits::default()
        };
        assert_eq!(
            read(Method::Post, target, body.as_bytes(), &limits),
            expected
        );
    }
}

/// Nesting beyond what a stack holds is an error, or is skipped without one.
#[test]
fn bottomless_nesting() {
    let limits = Limits {
        max_depth: u16::MAX,
        max_values: u32::MAX,
        max_batch: 9,
        ..Limits::default()
    };
    let open = "[".repeat(200_000);
    let closed = format!("{open}{}", "]".repeat(200_000));
    let objects = "{\"a\":".repeat(200_000);
    let table = [
        (open.clone(), "!json"),
        (closed.clone(), "!json"),
        (objects, "!json"),
        (with_variable(&closed), "!json"),
        (
            fill(&format!(r##"{{"id":"#H","extensions":{closed}}}"##)),
            "!json",
        ),
        (fill(&format!(r##"{{"id":{closed}}}"##)), "!json"),
        (fill(&format!(r##"{{"id":"#H","x":{closed}}}"##)), "#H"),
    ];
    for (body, expected) in table {
        let line = read(Method::Post, ENDPOINT, body.as_bytes(), &limits);
        assert_eq!(
            line,
            expected,
            "{}…",
            body.chars().take(40).collect::<String>()
        );
    }
}
