//! Any text as a filter: refused as one, or one that an element matches or not.
#![no_main]

use ig_scim::filter::{self, Filter};
use ig_scim::{ErrorKind, ResourceType};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let element = json!({"value": "Ann@X.y", "type": "work", "primary": true, "display": ""});
    let of_all = Filter::parse_for_all(text);
    for of in ResourceType::ALL {
        match Filter::parse(of, text) {
            Ok(filter) => {
                evaluate(&filter, &element);
                // What is a filter on one type is one on all.
                let of_all = of_all.as_ref().expect("a filter on all types");
                assert!(of_all.contains(&(of, filter)));
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::InvalidFilter),
        }
    }
});

fn evaluate(filter: &Filter, element: &Value) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            assert!(parts.len() > 1);
            parts.iter().for_each(|part| evaluate(part, element));
        }
        Filter::Not(part) => evaluate(part, element),
        Filter::Test(test) => assert!(!test.path.key().is_empty()),
        Filter::Element(path, part) => {
            assert!(path.attribute.is_multi_valued && path.sub_attribute.is_none());
            let opposite = Filter::Not(part.clone());
            let is = filter::matches(part, element);
            assert_ne!(is, filter::matches(&opposite, element));
        }
        Filter::Nothing => panic!("of an attribute that another type has"),
    }
}
