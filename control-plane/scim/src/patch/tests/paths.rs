//! What paths name.

use super::*;
use crate::error::ErrorKind;

#[test]
fn required_attributes_stay() {
    cases! {
        {} {"op": "remove", "path": "userName"} => "mutability"
        {} {"op": "replace", "path": "userName", "value": null} => "mutability"
        {} {"op": "replace", "path": "userName", "value": ""} => "invalidValue"
        {} {"op": "add", "path": "userName", "value": null} => {}
        {} {"op": "replace", "path": "userName", "value": "Bob"} => {"userName": "Bob"}
        {} {"op": "replace", "value": {"USERNAME": "Bob"}} => {"userName": "Bob"}
    }
}

#[test]
fn values_have_the_type_of_their_attribute() {
    cases! {
        {} {"op": "add", "path": "title", "value": 5} => "invalidValue"
        {} {"op": "add", "path": "title", "value": ["a"]} => "invalidValue"
        {} {"op": "add", "path": "title", "value": {"value": "a"}} => "invalidValue"
        {} {"op": "add", "path": "title", "value": "a\u{0}b"} => "invalidValue"
        {} {"op": "add", "path": "name", "value": "Ann"} => "invalidValue"
        {} {"op": "add", "path": "name", "value": [{"givenName": "a"}]} => "invalidValue"
        {} {"op": "add", "path": "name", "value": {"givenName": {"a": 1}}} => "invalidValue"
        {} {"op": "add", "path": "name.givenName", "value": false} => "invalidValue"
        {} {"op": "add", "path": "emails", "value": [[{"value": "a"}]]} => "invalidValue"
        {} {"op": "add", "path": "emails", "value": [{"value": 5}]} => "invalidValue"
        {} {"op": "add", "path": "emails[type eq \"work\"]", "value": [{"value": "a"}, {"value": "b"}]}
            => "invalidValue"
        {} {"op": "add", "path": "emails[type eq \"work\"]", "value": 5} => "invalidValue"
        {} {"op": "add", "path": "title"} => "invalidSyntax"
        {} {"op": "replace", "path": "title"} => "invalidSyntax"
    }
}

#[test]
fn paths_that_name_nothing_are_refused() {
    let cases = [
        ("nobody", "invalidPath"),
        ("userName.value", "invalidPath"),
        ("name.nobody", "invalidPath"),
        ("name.", "invalidPath"),
        (".name", "invalidPath"),
        (" title", "invalidPath"),
        ("title ", "invalidPath"),
        ("/title", "invalidPath"),
        ("members", "invalidPath"),
        ("members[value eq \"a\"]", "invalidPath"),
        ("urn:nobody:2.0:User:title", "invalidPath"),
        // Of which element?
        ("emails.value", "invalidPath"),
        ("name[givenName eq \"a\"]", "invalidPath"),
        ("title[value eq \"a\"]", "invalidPath"),
        ("emails[type eq \"work\"]value", "invalidPath"),
        ("emails[type eq \"work\"].", "invalidPath"),
        ("emails[type eq \"work\"].nobody", "invalidPath"),
        ("emails[type eq \"work\"].value.x", "invalidPath"),
        ("emails[type eq \"work\"][value pr]", "invalidPath"),
        ("emails[type eq \"work\"] ", "invalidPath"),
        ("emails]", "invalidPath"),
        // RFC 7644 §3.12 has `invalidFilter` for those of paths, too.
        ("emails[", "invalidFilter"),
        ("emails[]", "invalidFilter"),
        ("emails[0]", "invalidFilter"),
        ("emails[type]", "invalidFilter"),
        ("emails[type eq work]", "invalidFilter"),
        ("emails[type eq \"work\"", "invalidFilter"),
        ("emails[type eq \"work\"]].value", "invalidPath"),
        ("emails[nobody eq \"a\"]", "invalidFilter"),
        ("emails[emails.type eq \"a\"]", "invalidFilter"),
        ("emails[primary gt true]", "invalidFilter"),
    ];
    for (path, scim_type) in cases {
        let case = |op: &str| {
            let operation = json!({"op": op, "path": path, "value": "a"});
            (json!({}), operation, json!(scim_type))
        };
        check_cases(["add", "replace", "remove"].map(case));
    }
    check_cases([
        (
            json!({}),
            json!({"op": "add", "path": 5, "value": "a"}),
            json!("invalidSyntax"),
        ),
        (
            json!({}),
            json!({"op": "add", "path": ["title"], "value": "a"}),
            json!("invalidSyntax"),
        ),
    ]);
}

#[test]
fn a_bracket_in_text_ends_no_path() {
    cases! {
        {"emails": [{"value": "a]\"b"}, {"value": "c"}]}
            {"op": "replace", "path": "emails[value eq \"a]\\\"b\"].value", "value": "d"}
            => {"emails": [{"value": "d"}, {"value": "c"}]}
    }
}

#[test]
fn members_of_groups_are_recognised() {
    let read = |of, operation: Value| {
        let steps = read(of, ID, &json!({"Operations": [operation]})).unwrap();
        let are: Vec<_> = steps.iter().map(|step| step.target.is_members()).collect();
        are
    };
    let group = ResourceType::Group;
    let urn = format!("{}:members", group.schema().id);
    let add = |path: &str| json!({"op": "add", "path": path, "value": [{"value": "a"}]});
    for path in [
        "members",
        "MEMBERS",
        urn.as_str(),
        "members[value eq \"a\"]",
    ] {
        assert_eq!(read(group, add(path)), [true], "{path}");
    }
    assert_eq!(
        read(group, json!({"op": "remove", "path": "members"})),
        [true]
    );
    let both = json!({"op": "replace", "value": {"displayName": "g", "members": [], "id": ID}});
    assert_eq!(read(group, both), [false, true]);
    assert_eq!(read(group, add("displayName")), [false]);
    assert_eq!(read(ResourceType::User, add("emails")), [false]);
    assert_eq!(read(ResourceType::User, add(ENTERPRISE.id)), [false]);
}

#[test]
fn members_come_and_go_but_do_not_change() {
    let group = json!({"displayName": "g", "members": [{"value": "a"}]});
    let of = ResourceType::Group;
    let refused = [
        (
            json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
            "mutability",
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"a\"].type"}),
            "mutability",
        ),
        (
            json!({"op": "replace", "path": "members.value", "value": "b"}),
            "invalidPath",
        ),
        (json!({"op": "remove", "path": "displayName"}), "mutability"),
        (
            json!({"op": "replace", "path": "displayName", "value": ""}),
            "invalidValue",
        ),
        (
            json!({"op": "add", "path": "emails", "value": "b"}),
            "invalidPath",
        ),
    ];
    for (operation, scim_type) in refused {
        let body = json!({"Operations": [operation]});
        let found = send(of, group.as_object().unwrap(), &body);
        let found = found.map_err(|error| error.kind.scim_type());
        assert_eq!(found, Err(Some(scim_type)), "{body}");
    }
    // Nothing, and no value, are told apart in the step.
    let value = |operation: Value| {
        let steps = read(of, ID, &json!({"Operations": [operation]})).unwrap();
        steps[0].value.clone()
    };
    assert_eq!(value(json!({"op": "remove", "path": "members"})), None);
    let empty = json!({"op": "remove", "path": "members", "value": []});
    assert_eq!(value(empty), Some(json!([])));
}

/// Okta sets one; there is none here to set.
#[test]
fn a_password_changes_nothing() {
    let before = json!({"userName": "a"});
    for operation in [
        json!({"op": "replace", "path": "password", "value": "secret"}),
        json!({"op": "replace", "value": {"password": "secret"}}),
    ] {
        let body = json!({"Operations": [operation]});
        let steps = read(ResourceType::User, "1", &body).unwrap();
        assert!(steps.is_empty());
        let mut after = before.as_object().unwrap().clone();
        apply(ResourceType::User, &mut after, &steps).unwrap();
        assert_eq!(serde_json::Value::Object(after), before);
    }
}

/// Work is bounded by what is sent and what is there.
#[test]
fn too_much_is_refused() {
    let terms = |count: usize| vec!["value co \"a\""; count].join(" or ");
    let patch = |path: &str, value: Value| {
        let operation = json!({"op": "add", "path": path, "value": value});
        let steps = read(ResourceType::User, "1", &json!({"Operations": [operation]}))?;
        let mut user = json!({"userName": "a"}).as_object().unwrap().clone();
        apply(ResourceType::User, &mut user, &steps)
    };
    let kind = |outcome: Result<(), Error>| outcome.unwrap_err().kind;
    let many = format!("emails[{}].display", terms(17));
    assert_eq!(kind(patch(&many, json!("x"))), ErrorKind::TooMany);
    let address = |n: usize| json!({"value": format!("{n}{}", "a".repeat(1900))});
    let large: Vec<_> = (0..100).map(address).collect();
    assert_eq!(kind(patch("emails", json!(large))), ErrorKind::InvalidValue);
    let members = format!("members[{}]", terms(17));
    let body = json!({"Operations": [{"op": "remove", "path": members}]});
    assert!(read(ResourceType::Group, "1", &body).is_ok());
}
