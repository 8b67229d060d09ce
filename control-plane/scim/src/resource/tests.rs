//! What becomes of the body of a POST or PUT.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::index;
use crate::schema::ENTERPRISE;

/// Puts the URNs in the place of `#E` and `#U`.
fn fill(value: &Value) -> Value {
    let user = ResourceType::User.schema().id;
    let text = value.to_string().replace("#E", ENTERPRISE.id);
    serde_json::from_str(&text.replace("#U", user)).unwrap()
}

/// Reads a user, with its `schemas`.
fn user(parts: &Value) -> Result<Value, Error> {
    let mut body = fill(parts);
    body["schemas"] = fill(&json!(["#U"]));
    read(ResourceType::User, &body).map(Value::Object)
}

#[test]
fn a_resource_has_the_names_and_types_of_its_schema() {
    let cases = [
        (json!({"userName": "Ann"}), json!({"userName": "Ann"})),
        (
            json!({"USERNAME": "a", "Title": "t"}),
            json!({"userName": "a", "title": "t"}),
        ),
        (
            json!({"userName": "a", "NAME": {"GIVENNAME": "g"}, "Emails": [{"VALUE": "v"}]}),
            json!({"userName": "a", "name": {"givenName": "g"}, "emails": [{"value": "v"}]}),
        ),
        (
            json!({"userName": "a", "active": "True", "emails": [{"value": "v", "primary": "FALSE"}]}),
            json!({"userName": "a", "active": true, "emails": [{"value": "v", "primary": false}]}),
        ),
        // A list of one, and a value of one part.
        (
            json!({"userName": "a", "emails": {"value": "v"}, "roles": "r", "ims": ["i", {"value": "j"}]}),
            json!({
                "userName": "a", "emails": [{"value": "v"}], "roles": [{"value": "r"}],
                "ims": [{"value": "i"}, {"value": "j"}],
            }),
        ),
        (
            json!({"userName": "a", "#E": {"EmployeeNumber": "1", "manager": "m"}}),
            json!({"userName": "a", "#E": {"employeeNumber": "1", "manager": {"value": "m"}}}),
        ),
        // RFC 7643 §2.5: null, an empty list and no value are the same.
        (
            json!({
                "userName": "a", "title": null, "emails": [], "roles": [null, {}], "name": {},
                "ims": [{"value": null}], "#E": {"manager": {"value": null}}, "addresses": null,
            }),
            json!({"userName": "a"}),
        ),
        (
            json!({"userName": "a", "#E": null}),
            json!({"userName": "a"}),
        ),
        // But an empty text is one.
        (
            json!({"userName": "a", "title": ""}),
            json!({"userName": "a", "title": ""}),
        ),
        // What is the server's, and what nobody knows.
        (
            json!({
                "userName": "a", "id": "1", "meta": {"version": "1"}, "password": "secret",
                "groups": [], "nobody": {"a": [1]}, "urn:nobody": {"a": 1},
                "name": {"nobody": 1, "givenName": "g"}, "#E": {"nobody": 1},
            }),
            json!({"userName": "a", "name": {"givenName": "g"}}),
        ),
        (
            json!({"userName": "a", "groups": [{"value": "admins"}], "urn:ig:tenant": "alpha"}),
            json!({"userName": "a"}),
        ),
        (
            json!({"userName": "a", "urn:ig:tenant": {"id": "alpha"}}),
            json!({"userName": "a"}),
        ),
        (
            json!({"userName": "a", "#E": {"manager": {"value": "m", "displayName": "M"}}}),
            json!({"userName": "a", "#E": {"manager": {"value": "m"}}}),
        ),
        // Entra ID: values are kept as sent.
        (
            json!({"userName": " A@X.y ", "phoneNumbers": [{"value": "+49 (0)731/1"}], "locale": "?"}),
            json!({"userName": " A@X.y ", "phoneNumbers": [{"value": "+49 (0)731/1"}], "locale": "?"}),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(user(&body), Ok(fill(&expected)), "{body}");
    }
}

#[test]
fn the_tenant_that_a_client_says_is_no_attribute() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ig:tenant"],
        "userName": "ann@alpha.example",
        "urn:ig:tenant": "alpha",
        "groups": [{"value": "e9e30dba", "display": "Physicians"}],
    });
    let found = read(ResourceType::User, &body).unwrap();
    assert_eq!(
        Value::Object(found),
        json!({"userName": "ann@alpha.example"})
    );
    let cases = [
        (body, Some("alpha")),
        (json!({"urn:ig:tenant": {"id": "alpha"}}), Some("alpha")),
        (json!({"URN:IG:Tenant": {"ID": "alpha"}}), Some("alpha")),
        (json!({"URN:IG:Tenant": "alpha"}), Some("alpha")),
        (json!({"urn:ig:tenant": null}), None),
        (json!({"urn:ig:tenant": {}}), None),
        (json!({"tenant": "alpha"}), None),
        (json!([]), None),
    ];
    let twice = json!({"urn:ig:tenant": "alpha", "URN:IG:TENANT": {"id": "beta", "ID": "gamma"}});
    let mut claimed: Vec<_> = claimed_tenants(&twice).collect();
    claimed.sort_unstable();
    assert_eq!(claimed, ["alpha", "beta", "gamma"]);
    for (body, tenant) in cases {
        let claimed: Vec<_> = claimed_tenants(&body).collect();
        assert_eq!(claimed, Vec::from_iter(tenant), "{body}");
    }
}

#[test]
fn what_is_no_user_is_refused() {
    use ErrorKind::{InvalidSyntax, InvalidValue};
    let long = "a".repeat(MAX_VALUE_BYTES + 1);
    let many = vec![json!({"value": "a"}); MAX_ELEMENTS + 1];
    let cases = [
        (json!({}), InvalidValue),
        (json!({"userName": null}), InvalidValue),
        (json!({"userName": ""}), InvalidValue),
        (json!({"userName": 5}), InvalidValue),
        (json!({"userName": ["a"]}), InvalidValue),
        (json!({"userName": "a", "active": "yes"}), InvalidValue),
        (json!({"userName": "a", "active": 1}), InvalidValue),
        (json!({"userName": "a", "name": "Ann"}), InvalidValue),
        (
            json!({"userName": "a", "name": [{"givenName": "g"}]}),
            InvalidValue,
        ),
        (json!({"userName": "a", "emails": [5]}), InvalidValue),
        (json!({"userName": "a", "emails": [[]]}), InvalidValue),
        (json!({"userName": "a", "addresses": ["Ulm"]}), InvalidValue),
        (json!({"userName": "a", "#E": "a"}), InvalidValue),
        (json!({"userName": "a", "#E": []}), InvalidValue),
        (json!({"userName": long}), InvalidValue),
        (
            json!({"userName": "a", "name": {"givenName": long}}),
            InvalidValue,
        ),
        // In lower case, in which it is indexed, it has half as many bytes more.
        (
            json!({"userName": "Ⱥ".repeat(MAX_VALUE_BYTES / 2)}),
            InvalidValue,
        ),
        (json!({"userName": "a", "emails": many}), InvalidValue),
        (json!({"userName": "a\u{0}"}), InvalidValue),
        (
            json!({"userName": "a", "x509Certificates": ["A\u{0}"]}),
            InvalidValue,
        ),
        (
            json!({"userName": "a", "x509Certificates": ["A".repeat(MAX_BINARY_BYTES + 1)]}),
            InvalidValue,
        ),
        (
            json!({"userName": "a", "emails": [
                {"value": "a", "primary": true}, {"value": "b", "primary": "true"},
            ]}),
            InvalidValue,
        ),
        // Which one?
        (json!({"userName": "a", "USERNAME": "b"}), InvalidSyntax),
        (
            json!({"userName": "a", "nobody": 1, "NOBODY": 2}),
            InvalidSyntax,
        ),
        (
            json!({"userName": "a", "name": {"givenName": "a", "GIVENNAME": "b"}}),
            InvalidSyntax,
        ),
        (
            json!({"userName": "a", "emails": [{"value": "a", "Value": "b"}]}),
            InvalidSyntax,
        ),
        (
            json!({"userName": "a", "#E": {"division": "a", "DIVISION": "b"}}),
            InvalidSyntax,
        ),
    ];
    for (body, kind) in cases {
        let found = user(&body).map_err(|error| error.kind);
        assert_eq!(found, Err(kind), "{body:.100}");
    }
    let limits = [
        json!({"userName": "a".repeat(MAX_VALUE_BYTES)}),
        json!({"userName": "a", "x509Certificates": ["A".repeat(MAX_BINARY_BYTES)]}),
        json!({"userName": "a", "emails": vec!["a"; MAX_ELEMENTS]}),
    ];
    for body in limits {
        assert!(user(&body).is_ok(), "{body:.100}");
    }
}

#[test]
fn schemas_name_the_type() {
    let cases = [
        (json!(["#U"]), true),
        (json!(["URN:ietf:params:scim:schemas:core:2.0:USER"]), true),
        (json!(["#E", "#U"]), true),
        // Entra ID names schemas that nobody has.
        (
            json!([
                "#U",
                "http://schemas.microsoft.com/2006/11/x/ADSCIM/2.0/User"
            ]),
            true,
        ),
        (json!(["#E"]), false),
        (
            json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]),
            false,
        ),
        (json!([]), false),
        (json!([null]), false),
        (json!("#U"), false),
        (json!(null), false),
    ];
    for (schemas, is_user) in cases {
        let body = fill(&json!({"schemas": schemas, "userName": "a"}));
        let found = read(ResourceType::User, &body).map_err(|error| error.kind);
        assert_eq!(found.is_ok(), is_user, "{body}");
        assert_eq!(
            found.err(),
            (!is_user).then_some(ErrorKind::InvalidSyntax),
            "{body}"
        );
    }
    let without = [
        json!({"userName": "a"}),
        json!({"not": "a scim resource"}),
        json!([]),
        json!("a"),
    ];
    for body in without {
        let found = read(ResourceType::User, &body).map_err(|error| error.kind);
        assert_eq!(found, Err(ErrorKind::InvalidSyntax), "{body}");
    }
    let twice =
        json!({"schemas": [ResourceType::User.schema().id], "SCHEMAS": [], "userName": "a"});
    assert!(read(ResourceType::User, &twice).is_err());
}

#[test]
fn a_group_has_more_members_than_a_list_has_elements() {
    let members: Vec<_> = (0..=MAX_ELEMENTS)
        .map(|id| json!({"value": id.to_string()}))
        .collect();
    let schemas = json!([
        ResourceType::Group.schema().id,
        "http://schemas.microsoft.com/x/Group"
    ]);
    let body = json!({"schemas": schemas, "displayName": "g", "members": members});
    let group = read(ResourceType::Group, &body).unwrap();
    assert_eq!(group["members"].as_array().unwrap().len(), MAX_ELEMENTS + 1);
    let member = json!({"value": "a", "type": "User", "display": "A", "$ref": null});
    let body = json!({"schemas": schemas, "displayName": "g", "members": [member]});
    let group = read(ResourceType::Group, &body).unwrap();
    assert_eq!(group["members"], json!([{"value": "a", "type": "User"}]));
    let nameless = json!({"schemas": schemas, "members": []});
    let kind = read(ResourceType::Group, &nameless).map_err(|error| error.kind);
    assert_eq!(kind, Err(ErrorKind::InvalidValue));
}

/// Any JSON under names that mean something.
fn some_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["True", "", "a"]).prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "userName",
        "title",
        "active",
        "name",
        "givenName",
        "GIVENNAME",
        "emails",
        "value",
        "primary",
        "type",
        "x509Certificates",
        "manager",
        "displayName",
        "members",
        "groups",
        "id",
        "meta",
        "nobody",
        "#E",
        "urn:ig:tenant",
    ]);
    let names = names.prop_map(|name| name.replace("#E", ENTERPRISE.id));
    leaf.prop_recursive(4, 24, 6, move |inner| {
        let object = prop::collection::vec((names.clone(), inner.clone()), 0..6);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::from),
            3 => object.prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_read_reads_as_itself(mut body in some_body(), name: String, of in 0..2_usize) {
        let of = ResourceType::ALL[of];
        let _ = read(of, &body);
        if let Value::Object(parts) = &mut body {
            parts.insert("schemas".into(), json!([of.schema().id]));
            parts.entry(of.name_attribute()).or_insert(name.into());
        }
        if let Ok(found) = read(of, &body) {
            prop_assert_eq!(check(of, &found), Ok(()));
            let mut again = found.clone();
            again.insert("schemas".into(), json!([of.schema().id]));
            prop_assert_eq!(read(of, &again.into()), Ok(found.clone()));
            let longest = index::entries(of, &found).iter().map(|entry| entry.value.len()).max();
            prop_assert!(longest <= Some(MAX_VALUE_BYTES));
        }
    }
}
