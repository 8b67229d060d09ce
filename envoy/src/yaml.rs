//! Objects as YAML that every parser reads alike.
//!
//! Tools of Kubernetes read YAML 1.1, where `off`, `no`, `1_000` and `12:30:00`
//! are no strings; libraries that write YAML 1.2 do not quote them. So whatever
//! is not plainly a word is quoted here, as in JSON, which is YAML too.

use std::fmt::Write as _;

use serde_json::Value;

/// One document for each value, in block style.
pub fn yaml(documents: &[Value]) -> String {
    let mut text = String::new();
    for document in documents {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        block(&mut text, document, 0);
    }
    text
}

/// Writes a value from the start of a line.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (number, (key, value)) in members.iter().enumerate() {
                // The first member of a list's item stands behind its dash.
                if number > 0 || !text.ends_with("- ") {
                    indent(text, depth);
                }
                text.push_str(&scalar(key));
                text.push(':');
                nested(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(text, depth);
                text.push_str("- ");
                match item {
                    Value::Array(inner) if !inner.is_empty() => {
                        // A list within a list is rare, and short.
                        let _ = writeln!(text, "{item}");
                    }
                    _ => block(text, item, depth + 1),
                }
            }
        }
        Value::String(string) => {
            text.push_str(&scalar(string));
            text.push('\n');
        }
        // Numbers, booleans, null, `{}` and `[]` are what they are in JSON.
        other => {
            let _ = writeln!(text, "{other}");
        }
    }
}

/// Writes a member's value behind its colon.
fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            block(text, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(text, value, depth);
        }
        _ => {
            text.push(' ');
            block(text, value, depth);
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Words that YAML 1.1 takes for something else.
const NO_STRINGS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn scalar(string: &str) -> String {
    let starts_as_word = string.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_word = NO_STRINGS
        .iter()
        .all(|word| !word.eq_ignore_ascii_case(string));
    match starts_as_word && is_word && string.bytes().all(is_plain) {
        true => string.to_owned(),
        false => Value::from(string).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_read_by_people() {
        let value = json!({
            "kind": "List",
            "@type": "x.y/Z",
            "items": [{"name": "a", "labels": {"on": "off"}}, [], ["b", 1], {}, "c d"],
            "none": null,
        });
        let expected = r#""@type": x.y/Z
items:
- labels:
    "on": "off"
  name: a
- []
- ["b",1]
- {}
- "c d"
kind: List
none: null
---
a: 0.5
"#;
        assert_eq!(yaml(&[value, json!({"a": 0.5})]), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "(?i)(y|n|yes|no|on|off|true|false|null|~|[0-9_.:ex+-]{1,8})",
            "[a-z:# '\"\\\\-]{0,6}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = yaml(std::slice::from_ref(&value));
            let read: Value = yaml_serde::from_str(&text).unwrap();
            prop_assert_eq!(read, value, "{}", text);
        }

        /// By the rule of YAML 1.1's types: only words are plain.
        #[test]
        fn what_is_plain_is_a_string_everywhere(text in "(?i)[a-z0-9._/~:+-]{1,6}") {
            let written = scalar(&text);
            if written == text {
                let lower = text.to_ascii_lowercase();
                prop_assert!(lower.starts_with(|first: char| first.is_ascii_lowercase()));
                prop_assert!(!NO_STRINGS.contains(&lower.as_str()));
            }
        }
    }
}
