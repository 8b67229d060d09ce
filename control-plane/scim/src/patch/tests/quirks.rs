//! What clients send, beside or against the RFC.

use super::*;

#[test]
fn op_has_no_case() {
    cases! {
        {} {"op": "Add", "path": "title", "value": "a"} => {"title": "a"}
        {} {"op": "REPLACE", "path": "title", "value": "a"} => {"title": "a"}
        {"title": "a"} {"op": "Remove", "path": "title"} => {}
        {} {"Op": "add", "Path": "TITLE", "VALUE": "a"} => {"title": "a"}
        {} {"path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": null, "path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": ["add"], "path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": 1, "path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": "", "path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": "set", "path": "title", "value": "a"} => "invalidSyntax"
        {} {"op": "add ", "path": "title", "value": "a"} => "invalidSyntax"
    }
}

#[test]
fn booleans_come_as_text() {
    cases! {
        {"active": true} {"op": "Replace", "path": "active", "value": "False"} => {"active": false}
        {} {"op": "Add", "path": "active", "value": "TRUE"} => {"active": true}
        {} {"op": "Add", "path": "emails[type eq \"work\"].primary", "value": "true"}
            => {"emails": [{"type": "work", "primary": true}]}
        {"emails": [{"value": "a", "primary": true}]}
            {"op": "Replace", "path": "emails[primary eq \"True\"].value", "value": "b"}
            => {"emails": [{"value": "b", "primary": true}]}
        {} {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "b"}
            => {"roles": [{"value": "b", "primary": true}]}
        {} {"op": "Replace", "path": "active", "value": "no"} => "invalidValue"
        {} {"op": "Replace", "path": "active", "value": ""} => "invalidValue"
        {} {"op": "Replace", "path": "active", "value": 1} => "invalidValue"
        {} {"op": "Replace", "path": "active", "value": [true]} => "invalidValue"
    }
}

#[test]
fn members_of_a_value_without_a_path_are_paths() {
    cases! {
        {"name": {"familyName": "f"}} {"op": "Replace", "value": {
            "name.givenName": "g",
            "displayName": "d",
            "#E:employeeNumber": "1",
            "#E:manager": "m",
            "#U:title": "t",
            "emails[type eq \"work\"].value": "w",
            "active": "False"
        }} => {
            "name": {"familyName": "f", "givenName": "g"},
            "displayName": "d",
            "#E": {"employeeNumber": "1", "manager": {"value": "m"}},
            "title": "t",
            "emails": [{"type": "work", "value": "w"}],
            "active": false
        }
        // Okta.
        {"active": true, "title": "t"} {"op": "replace", "value": {"active": false}}
            => {"active": false, "title": "t"}
        {"active": true} {"op": "replace", "path": "", "value": {"active": false}} => {"active": false}
        {"active": true} {"op": "replace", "path": null, "value": {"active": false}} => {"active": false}
        {} {"op": "add", "value": {"nobody": "a"}} => "invalidPath"
        {} {"op": "add", "value": "a"} => "invalidSyntax"
        {} {"op": "add", "value": [{"title": "a"}]} => "invalidSyntax"
        {} {"op": "add"} => "invalidSyntax"
        // Everything of everyone is no target.
        {} {"op": "remove"} => "noTarget"
        {} {"op": "remove", "value": {"title": "a"}} => "noTarget"
    }
}

#[test]
fn an_extension_s_urn_ends_at_a_colon() {
    cases! {
        {} {"op": "Add", "path": "#E:manager", "value": "m"} => {"#E": {"manager": {"value": "m"}}}
        {} {"op": "Add", "path": "#E:manager", "value": {"value": "m", "displayName": "M", "$ref": null}}
            => {"#E": {"manager": {"value": "m"}}}
        {} {"op": "Add", "path": "#E:manager.value", "value": "m"}
            => {"#E": {"manager": {"value": "m"}}}
        {} {"op": "Add", "path": "urn:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user:DEPARTMENT", "value": "d"}
            => {"#E": {"department": "d"}}
        {} {"op": "Add", "path": "#U:name.givenName", "value": "g"} => {"name": {"givenName": "g"}}
        {"emails": [{"type": "work"}]} {"op": "Add", "path": "#U:emails[type eq \"work\"].value", "value": "w"}
            => {"emails": [{"type": "work", "value": "w"}]}
        // scim2-tester sends an extension as if it was a resource.
        {} {"op": "add", "path": "#E", "value": {"schemas": ["#E"], "department": "d"}}
            => {"#E": {"department": "d"}}
        {} {"op": "add", "path": "#E.department", "value": "d"} => "invalidPath"
        {} {"op": "add", "path": "#E:nobody", "value": "d"} => "invalidPath"
        {} {"op": "add", "path": "#E", "value": {"nobody": "d"}} => "invalidPath"
        {} {"op": "add", "path": "#E", "value": "d"} => "invalidValue"
        {} {"op": "add", "path": "department", "value": "d"} => "invalidPath"
        {} {"op": "add", "path": "#U", "value": {"title": "t"}} => "invalidPath"
        // The name was cut off; that must not take all of it away.
        {"#E": {"department": "d"}} {"op": "remove", "path": "#E:"} => "invalidPath"
    }
}

#[test]
fn remove_may_list_elements() {
    cases! {
        {"emails": [{"value": "a", "type": "work"}, {"value": "b"}]}
            {"op": "Remove", "path": "emails", "value": [{"value": "a"}]}
            => {"emails": [{"value": "b"}]}
        {"emails": [{"value": "a"}, {"value": "b"}]} {"op": "Remove", "path": "emails", "value": {"value": "a"}}
            => {"emails": [{"value": "b"}]}
        {"emails": [{"value": "a"}, {"value": "b"}]} {"op": "Remove", "path": "emails", "value": ["a", "b"]}
            => {}
        {"emails": [{"value": "a"}]}
            {"op": "Remove", "path": "emails", "value": [{"value": "a", "type": "work"}]}
            => {"emails": [{"value": "a"}]}
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails", "value": [{"value": "c"}]}
            => {"emails": [{"value": "a"}]}
        // Nothing is listed, so nothing goes: only no value at all means all.
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails", "value": []}
            => {"emails": [{"value": "a"}]}
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails", "value": [{}]}
            => {"emails": [{"value": "a"}]}
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails", "value": [{"id": "a"}, null]}
            => {"emails": [{"value": "a"}]}
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails", "value": 5} => "invalidValue"
        {"emails": [{"value": "a"}]} {"op": "Remove", "path": "emails"} => {}
        // Entra ID sends a value for everything.
        {"title": "a"} {"op": "Remove", "path": "title", "value": "a"} => {}
        {"#E": {"manager": {"value": "m"}}} {"op": "Remove", "path": "#E:manager", "value": "m"} => {}
    }
}

#[test]
fn members_are_removed_as_listed() {
    let group = json!({"displayName": "g", "members": [
        {"value": "a", "type": "User", "$ref": "https://old/Users/a"},
        {"value": "b", "$ref": "https://old/Users/b"},
    ]});
    let group = group.as_object().unwrap();
    let cases = [
        (json!([{"value": "a"}]), vec!["b"]),
        (
            json!([{"value": "a", "$ref": "https://new/Users/a"}]),
            vec!["b"],
        ),
        (json!([{"value": "a", "$ref": null}]), vec!["b"]),
        (json!([{"$ref": "https://old/Users/b"}]), vec!["a"]),
        (json!([{"$ref": "https://new/Users/b"}]), vec!["a", "b"]),
        (json!([]), vec!["a", "b"]),
    ];
    for (value, left) in cases {
        let body = json!({"Operations": [{"op": "Remove", "path": "members", "value": value}]});
        let found = send(ResourceType::Group, group, &body).unwrap();
        let found = found["members"].as_array().unwrap().iter();
        let found: Vec<_> = found.filter_map(|one| one["value"].as_str()).collect();
        assert_eq!(found, left, "{body}");
    }
}

#[test]
fn nulls_are_no_values() {
    cases! {
        {} {"op": "Add", "path": "emails", "value": [{"value": "a", "type": null, "$ref": null}]}
            => {"emails": [{"value": "a"}]}
        {} {"op": "Add", "path": "emails", "value": [{"value": null}]} => {}
        {} {"op": "Add", "value": {"title": null, "name": null, "emails": null, "#E": null}} => {}
        {} {"op": "Replace", "value": {"emails[type eq \"work\"].value": null}} => {}
    }
}

#[test]
fn an_element_that_is_described_is_made() {
    cases! {
        {} {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "w"}
            => {"emails": [{"type": "work", "value": "w"}]}
        {"emails": [{"type": "home", "value": "h"}]}
            {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "w"}
            => {"emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}]}
        {} [
            {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Ulm"},
            {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "DE"}
        ] => {"addresses": [{"type": "work", "locality": "Ulm", "country": "DE"}]}
        {} {"op": "Add", "path": "emails[type eq \"work\"]", "value": {"value": "w"}}
            => {"emails": [{"type": "work", "value": "w"}]}
        {} {"op": "Add", "path": "emails[type eq \"work\"]", "value": [{"value": "w"}]}
            => {"emails": [{"type": "work", "value": "w"}]}
        {} {"op": "Add", "path": "emails[type eq \"work\" and primary eq true].value", "value": "w"}
            => {"emails": [{"type": "work", "primary": true, "value": "w"}]}
        // Values are kept as sent, also those of a filter that has no case.
        {} {"op": "Add", "path": "emails[type eq \"Work\"].value", "value": "W@X.y"}
            => {"emails": [{"type": "Work", "value": "W@X.y"}]}
        {} {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+49 (0)731/1"}
            => {"phoneNumbers": [{"type": "mobile", "value": "+49 (0)731/1"}]}
        // Nothing in particular is described.
        {} {"op": "Add", "path": "emails[type ne \"work\"].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[type sw \"work\"].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[type pr].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[not (type eq \"work\")].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[type eq \"a\" or type eq \"b\"].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[type eq \"a\" and type eq \"b\"].value", "value": "w"} => "noTarget"
        {} {"op": "Add", "path": "emails[type eq null].value", "value": "w"} => "noTarget"
    }
    // A filter is no way around the limits of values.
    let path = format!("emails[value eq \"{}\"].type", "a".repeat(3000));
    check_cases([(
        json!({}),
        json!({"op": "Add", "path": path, "value": "work"}),
        json!("noTarget"),
    )]);
}

#[test]
fn what_is_the_server_s_is_ignored_or_refused() {
    cases! {
        // Okta sends the id along.
        {} {"op": "replace", "value": {"id": ID, "displayName": "d"}} => {"displayName": "d"}
        {} {"op": "replace", "value": {"id": "other", "displayName": "d"}} => "mutability"
        {} {"op": "replace", "value": {"id": null, "displayName": "d"}} => "mutability"
        {} {"op": "replace", "value": {
            "schemas": ["#U"], "meta": {"version": "x"}, "groups": [{"value": "admins"}],
            "urn:ig:tenant": "beta", "title": "t"
        }} => {"title": "t"}
        {} {"op": "replace", "path": "id", "value": ID} => "mutability"
        {} {"op": "remove", "path": "id"} => "mutability"
        {} {"op": "add", "path": "groups", "value": [{"value": "admins"}]} => "mutability"
        {} {"op": "add", "path": "groups[value eq \"admins\"].display", "value": "a"} => "mutability"
        {} {"op": "remove", "path": "groups"} => "mutability"
        {} {"op": "replace", "path": "meta.version", "value": "a"} => "mutability"
        {} {"op": "replace", "path": "#E:manager.displayName", "value": "a"} => "mutability"
        {} {"op": "replace", "path": "urn:ig:tenant", "value": {"id": "beta"}} => "mutability"
        {} {"op": "replace", "path": "urn:ig:tenant:id", "value": "beta"} => "mutability"
        {} {"op": "remove", "path": "urn:ig:tenant"} => "mutability"
        {} {"op": "add", "value": {"urn:ig:tenant:id": "beta"}} => "mutability"
    }
}

#[test]
fn a_request_has_operations() {
    let user = user(&json!({}));
    let one = json!({"op": "add", "path": "title", "value": "a"});
    let bodies = [
        (json!({"operations": [one]}), Ok(())),
        (
            json!({"Operations": vec![one.clone(); MAX_OPERATIONS]}),
            Ok(()),
        ),
        (
            json!({"Operations": vec![one.clone(); MAX_OPERATIONS + 1]}),
            Err("tooMany"),
        ),
        (json!({}), Err("invalidSyntax")),
        (json!({"Operations": []}), Err("invalidSyntax")),
        (json!({"Operations": null}), Err("invalidSyntax")),
        (json!({"Operations": one}), Err("invalidSyntax")),
        (json!({"Operations": ["add"]}), Err("invalidSyntax")),
        (json!({"Operations": [one, null]}), Err("invalidSyntax")),
        (json!([one]), Err("invalidSyntax")),
        (json!(null), Err("invalidSyntax")),
    ];
    for (body, expected) in bodies {
        let found = send(ResourceType::User, &user, &body);
        let found = found.map_err(|error| error.kind.scim_type().unwrap());
        assert_eq!(found.map(|_| ()), expected, "{body:.100}");
    }
}
