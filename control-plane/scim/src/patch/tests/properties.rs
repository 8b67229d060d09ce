//! What holds after every request.

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::resource;

/// Any JSON, most of it made of names that mean something.
fn some_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["True", "false", "", "a", "work", "b"]).prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 32, 4, |inner| {
        let names = prop_oneof![4 => some_path(), 1 => any::<String>()];
        let object = prop::collection::vec((names, inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    });
    tree.boxed()
}

fn some_path() -> BoxedStrategy<String> {
    let paths = [
        "op",
        "path",
        "value",
        "Operations",
        "schemas",
        "id",
        "meta",
        "groups",
        "userName",
        "title",
        "active",
        "name",
        "name.givenName",
        "givenName",
        "GIVENNAME",
        "familyName",
        "emails",
        "emails.type",
        "type",
        "display",
        "primary",
        "$ref",
        "addresses",
        "manager",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[value pr].primary",
        "emails[not (type eq \"work\")].type",
        "emails[primary eq true and value ne \"a\"]",
        "roles[value eq \"a\" or type eq null].display",
        "x509Certificates",
        "#E",
        "#E:",
        "#E:manager",
        "#E:manager.value",
        "#E:department",
        "department",
        "urn:ig:tenant",
    ];
    let paths = prop::sample::select(paths.to_vec());
    paths
        .prop_map(|path| path.replace("#E", ENTERPRISE.id))
        .boxed()
}

/// A value that may well be one of the attribute.
fn some_value() -> BoxedStrategy<Value> {
    let text = || prop_oneof![Just(Value::Null), "[ab]?".prop_map(Value::from)];
    let is = prop_oneof![Just(json!(true)), Just(json!("False")), Just(Value::Null)];
    let part = (text(), text(), is, text()).prop_map(|(value, kind, primary, name)| {
        json!({
            "value": value, "type": kind, "primary": primary,
            "givenName": name, "department": name, "$ref": name,
        })
    });
    let part = prop_oneof![3 => part, 1 => text()].boxed();
    let list = prop::collection::vec(part.clone(), 0..4).prop_map(Value::from);
    prop_oneof![part, list, text(), any::<bool>().prop_map(Value::from)].boxed()
}

fn some_operation() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "REMOVE"]);
    let value = prop_oneof![4 => some_value(), 1 => some_json()];
    (
        op,
        prop::option::of(some_path()),
        prop::option::weighted(0.9, value),
    )
        .prop_map(|(op, path, value)| {
            let mut operation = json!({"op": op, "path": path});
            if let Some(value) = value {
                operation["value"] = value;
            }
            operation
        })
}

fn before() -> Resource {
    user(&json!({
        "active": true,
        "name": {"givenName": "a", "familyName": "b"},
        "emails": [{"value": "a", "type": "work", "primary": true}, {"value": "b"}],
        "#E": {"department": "a"},
    }))
}

/// Whether a resource is as [`resource::read`] makes it: names and types of
/// the schema, nothing empty.
fn is_canonical(of: ResourceType, found: &Resource) -> bool {
    let mut body: Map<String, Value> = found.clone();
    body.insert("schemas".into(), json!([of.schema().id]));
    resource::read(of, &body.into()).as_ref() == Ok(found)
}

proptest! {
    #[test]
    fn any_body_is_a_request_or_refused(body in some_json()) {
        for of in ResourceType::ALL {
            let _ = read(of, ID, &body);
        }
    }

    #[test]
    fn a_resource_stays_one(operations in prop::collection::vec(some_operation(), 1..6)) {
        let body = json!({"Operations": operations});
        if let Ok(found) = send(ResourceType::User, &before(), &body) {
            prop_assert_eq!(resource::check(ResourceType::User, &found), Ok(()));
            prop_assert!(is_canonical(ResourceType::User, &found), "{found:?}");
        }
    }

    #[test]
    fn steps_one_by_one_are_the_steps_at_once(operations in prop::collection::vec(some_operation(), 1..6)) {
        let of = ResourceType::User;
        let mut one_by_one = Ok(before());
        for operation in &operations {
            let body = json!({"Operations": [operation]});
            one_by_one = one_by_one.and_then(|resource| send(of, &resource, &body));
        }
        let at_once = send(of, &before(), &json!({"Operations": operations}));
        // Only at once may two elements be primary in between.
        if let Ok(one_by_one) = one_by_one {
            prop_assert_eq!(at_once, Ok(one_by_one));
        }
    }

    #[test]
    fn to_replace_again_changes_nothing(path in some_path(), value in some_value()) {
        let body = json!({"Operations": [{"op": "replace", "path": path, "value": value}]});
        if let Ok(once) = send(ResourceType::User, &before(), &body)
            // The element may have been what the filter does not mean any more.
            && !path.contains('[')
        {
            prop_assert_eq!(send(ResourceType::User, &once, &body), Ok(once));
        }
    }

    #[test]
    fn nothing_is_added_by_remove(path in some_path(), value in prop::option::of(some_value())) {
        let operation = json!({"op": "remove", "path": path, "value": value});
        let body = json!({"Operations": [operation]});
        if let Ok(found) = send(ResourceType::User, &before(), &body) {
            let all = Value::Object(before()).to_string().len();
            prop_assert!(Value::Object(found).to_string().len() <= all);
        }
    }
}
