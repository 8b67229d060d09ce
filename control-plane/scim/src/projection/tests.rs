//! What is left of a resource.

use serde_json::json;

use super::*;
use crate::schema::ENTERPRISE;

fn full() -> Value {
    fill(&json!({
        "schemas": ["#U", "#E", "urn:ig:tenant"],
        "id": "1",
        "userName": "ann",
        "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "a", "type": "work"}, {"value": "b"}],
        "groups": [{"value": "admins"}],
        "#E": {"department": "d", "manager": {"value": "m", "displayName": "M"}},
        "urn:ig:tenant": {"id": "alpha"},
        "meta": {"resourceType": "User", "version": "v"},
    }))
}

fn fill(value: &Value) -> Value {
    let user = ResourceType::User.schema().id;
    let text = value.to_string().replace("#E", ENTERPRISE.id);
    serde_json::from_str(&text.replace("#U", user)).unwrap()
}

fn names(list: &str) -> Vec<String> {
    vec![fill(&list.into()).as_str().unwrap().to_owned()]
}

fn projected(projection: &Projection) -> Value {
    let Value::Object(mut user) = full() else {
        panic!("an object");
    };
    projection.apply(ResourceType::User, &mut user);
    user.into()
}

#[test]
fn attributes_are_what_is_returned_beside_what_always_is() {
    let cases = [
        ("userName", json!({"userName": "ann"})),
        (
            "USERNAME , name",
            json!({"userName": "ann", "name": full()["name"]}),
        ),
        ("#U:userName", json!({"userName": "ann"})),
        ("name.givenName", json!({"name": {"givenName": "g"}})),
        ("#U:name.GIVENNAME", json!({"name": {"givenName": "g"}})),
        (
            "name.givenName,name.familyName",
            json!({"name": full()["name"]}),
        ),
        ("name,name.givenName", json!({"name": full()["name"]})),
        ("name.givenName,name", json!({"name": full()["name"]})),
        (
            "emails.value",
            json!({"emails": [{"value": "a"}, {"value": "b"}]}),
        ),
        (
            "emails.value,emails.type",
            json!({"emails": full()["emails"]}),
        ),
        (
            "emails.type,emails.value",
            json!({"emails": full()["emails"]}),
        ),
        // Nothing is left of the second.
        ("emails.type", json!({"emails": [{"type": "work"}]})),
        ("emails.display", json!({})),
        ("groups", json!({"groups": full()["groups"]})),
        ("meta.version", json!({"meta": {"version": "v"}})),
        ("#E", json!({"#E": full()[ENTERPRISE.id]})),
        ("#E:department", json!({"#E": {"department": "d"}})),
        (
            "#E:manager.value",
            json!({"#E": {"manager": {"value": "m"}}}),
        ),
        (
            "#E:manager.value,#E:department",
            json!({"#E": {"department": "d", "manager": {"value": "m"}}}),
        ),
        ("#E:division", json!({})),
        ("urn:ig:tenant", json!({"urn:ig:tenant": {"id": "alpha"}})),
        // Names of nothing.
        ("nobody", json!({})),
        ("department", json!({})),
        ("name.nobody", json!({})),
        ("userName.value", json!({})),
        ("userName,userName.value", json!({"userName": "ann"})),
        ("id,id.value,schemas.value", json!({})),
        ("urn:nobody:2.0:User:userName", json!({})),
        ("userName,,", json!({"userName": "ann"})),
    ];
    for (list, expected) in cases {
        let projection = Projection::new(&names(list), &[]).unwrap();
        let mut expected = fill(&expected);
        expected["id"] = full()["id"].clone();
        expected["schemas"] = full()["schemas"].clone();
        assert_eq!(projected(&projection), expected, "{list}");
    }
}

#[test]
fn excluded_attributes_are_what_is_not_returned() {
    // The pointers to what is gone.
    let cases: [(&str, &[&str]); 16] = [
        ("userName", &["/userName"]),
        ("Emails,NAME", &["/emails", "/name"]),
        ("name.givenName", &["/name/givenName"]),
        ("name.givenName,name.familyName", &["/name"]),
        ("emails.type", &["/emails/0/type"]),
        ("emails.type,emails.value", &["/emails"]),
        ("#U:userName", &["/userName"]),
        ("#E", &["/#E"]),
        ("#E:department", &["/#E/department"]),
        ("#E:manager.value", &["/#E/manager/value"]),
        ("#E:department,#E:manager", &["/#E"]),
        ("meta", &["/meta"]),
        // What is always returned, and names of nothing.
        ("id,schemas,ID,#U:id", &[]),
        ("id.value,schemas.value", &[]),
        ("nobody,department,name.nobody,userName.value", &[]),
        ("urn:ig:tenant", &["/urn:ig:tenant"]),
    ];
    for (list, gone) in cases {
        let projection = Projection::new(&[], &names(list)).unwrap();
        let mut expected = full();
        for pointer in gone {
            let pointer = pointer.replace("#E", ENTERPRISE.id);
            let (of, name) = pointer.rsplit_once('/').unwrap();
            expected
                .pointer_mut(of)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(name)
                .unwrap();
        }
        assert_eq!(projected(&projection), expected, "{list}");
    }
}

#[test]
fn one_of_both_is_given() {
    let kind = |attributes: &str, excluded: &str| {
        let found = Projection::new(&names(attributes), &names(excluded));
        found.map_err(|error| error.kind)
    };
    assert_eq!(kind("", ""), Ok(Projection::Default));
    assert_eq!(kind(" , ", ""), Ok(Projection::Default));
    assert_eq!(kind("userName", "title"), Err(ErrorKind::InvalidValue));
    assert_eq!(
        kind(&"a,".repeat(MAX_NAMES + 1), ""),
        Err(ErrorKind::InvalidValue)
    );
    assert!(kind(&"a,".repeat(MAX_NAMES), "").is_ok());
    assert_eq!(Projection::new(&[], &[]), Ok(Projection::Default));
    let lists = ["userName".to_owned(), "title,name".to_owned()];
    let Ok(Projection::Only(all)) = Projection::new(&lists, &[]) else {
        panic!("attributes");
    };
    assert_eq!(all, ["userName", "title", "name"]);
    assert_eq!(projected(&Projection::Default), full());
}

#[test]
fn members_are_read_where_they_are_wanted() {
    let cases = [
        ("", "", true),
        ("members", "", true),
        ("MEMBERS.value", "", true),
        (
            "urn:ietf:params:scim:schemas:core:2.0:Group:members",
            "",
            true,
        ),
        ("displayName", "", false),
        ("urn:ig:tenant:members", "", false),
        ("", "members", false),
        (
            "",
            "urn:ietf:params:scim:schemas:core:2.0:Group:Members",
            false,
        ),
        ("", "displayName", true),
        // Some of each is still there.
        ("", "members.type", true),
    ];
    for (attributes, excluded, wants) in cases {
        let projection = Projection::new(&names(attributes), &names(excluded)).unwrap();
        let found = projection.wants(ResourceType::Group, "members");
        assert_eq!(found, wants, "{attributes} {excluded}");
    }
}
