//! What a resource can be found by.

use serde_json::json;

use super::*;
use crate::schema::ENTERPRISE;

/// The entries in lines: key, element and value.
fn entries_of(of: ResourceType, resource: &Value) -> Vec<String> {
    let entries = entries(of, resource.as_object().unwrap());
    let mut lines: Vec<_> = entries
        .iter()
        .map(
            |Entry {
                 key,
                 element,
                 value,
             }| format!("{key} {element} {value}"),
        )
        .collect();
    lines.sort();
    lines
}

#[test]
fn every_simple_value_is_an_entry() {
    let cases = [
        (
            json!({"userName": "Ann", "title": ""}),
            vec!["title 0 ", "userName 0 ann"],
        ),
        (
            json!({"active": false, "profileUrl": "https://X"}),
            vec!["active 0 false", "profileUrl 0 https://X"],
        ),
        (
            json!({"name": {"givenName": "G", "familyName": "F"}}),
            vec!["name 0 +", "name.familyName 0 f", "name.givenName 0 g"],
        ),
        // The primary one comes first: it is what is sorted by.
        (
            json!({"emails": [
                {"value": "A"},
                {"value": "B", "type": "Work", "primary": true},
                {"value": "C", "primary": false},
            ]}),
            vec![
                "emails 0 +",
                "emails 1 +",
                "emails 2 +",
                "emails.primary 0 true",
                "emails.primary 2 false",
                "emails.type 0 work",
                "emails.value 0 b",
                "emails.value 1 a",
                "emails.value 2 c",
            ],
        ),
        // Empty text is a value, but makes an element no less empty.
        (json!({"emails": [{"value": ""}]}), vec!["emails.value 0 "]),
        (
            json!({"emails": [{"primary": false}]}),
            vec!["emails 0 +", "emails.primary 0 false"],
        ),
        // Of bytes is only known that they are there.
        (
            json!({"x509Certificates": [{"value": "A".repeat(9000)}, {"value": ""}]}),
            vec![
                "x509Certificates 0 +",
                "x509Certificates.value 0 +",
                "x509Certificates.value 1 ",
            ],
        ),
        (
            json!({ENTERPRISE.id: {"department": "D", "manager": {"value": "M1"}}}),
            vec![
                "EnterpriseUser:department 0 d",
                "EnterpriseUser:manager 0 +",
                "EnterpriseUser:manager.value 0 M1",
            ],
        ),
        // What every resource has is elsewhere.
        (
            json!({"id": "1", "externalId": "2", "meta": {"version": "3"}, "schemas": ["a"]}),
            vec![],
        ),
        (json!({}), vec![]),
    ];
    for (resource, expected) in cases {
        let mut found = entries_of(ResourceType::User, &resource);
        found.retain(|entry| !entry.starts_with("schemas "));
        assert_eq!(found, expected, "{resource:.100}");
    }
}

#[test]
fn members_are_no_entries() {
    let group = json!({"displayName": "G", "members": [{"value": "a", "type": "User"}]});
    let found = entries_of(ResourceType::Group, &group);
    let schema = format!("schemas 0 {}", ResourceType::Group.schema().id);
    assert_eq!(found, ["displayName 0 g", schema.as_str()]);
}

#[test]
fn schemas_are_those_that_have_something() {
    let resource = json!({"userName": "a", ENTERPRISE.id: {"department": "D"}});
    let mut found = entries_of(ResourceType::User, &resource);
    found.retain(|entry| entry.starts_with("schemas "));
    let schema = |element, schema: &Schema| format!("schemas {element} {}", schema.id);
    let own = ResourceType::User.schema();
    assert_eq!(found, [schema(0, own), schema(1, &ENTERPRISE)]);
}

#[test]
fn no_two_entries_are_of_one_place() {
    let element = json!({
        "value": "a", "display": "a", "type": "a", "primary": true, "formatted": "a", "country": "a",
    });
    let of = ResourceType::User;
    let lists = of
        .schema()
        .attributes
        .iter()
        .filter(|one| one.is_multi_valued);
    let user: Map<_, _> = lists
        .map(|list| {
            (
                list.name.to_owned(),
                json!([element, element, {"value": "a"}]),
            )
        })
        .collect();
    let found = entries(of, &user);
    let places: std::collections::BTreeSet<_> = found
        .iter()
        .map(|entry| (&entry.key, entry.element))
        .collect();
    assert_eq!(places.len(), found.len());
}
