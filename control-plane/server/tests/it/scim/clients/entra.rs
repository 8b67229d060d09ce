//! Microsoft Entra ID: its documentation's examples, and what it does beside.

use super::*;

#[test]
fn users() {
    play(&rows![
        // Test Connection asks for somebody who is not there.
        r#"GET /Users?filter=userName eq "5c3b2c2c-54a7-4b5c-9ae7-c31e23a8b2a7""# null
            => 200 {"totalResults": 0, "Resources": []}
        "POST /Users as ann" {
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            ],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee-1e48-479e-a20b-2d77186b5dd1", "active": true,
            "emails": [{"primary": true, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
            "roles": [],
        } => 201 {"externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "active": true}
        r#"GET /Users?filter=externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=externalId eq "0A21F0F2-8d2a-4f8e-bf98-7363c4aed4ef""# null => 200 {"totalResults": 0}
        r#"GET /Users?filter=emails[type eq "work"].value eq "test_user_fd0ea19b@testuser.com""# null => 200 {"totalResults": 1}
        // Its example has no quotes.
        "GET /Users?filter=externalId eq jyoung" null => 400 {"scimType": "invalidFilter"}
        "PATCH /Users/{ann}" [
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "updatedEmail@microsoft.com"},
            {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        ] => 200 {"emails": [{"type": "work", "primary": true, "value": "updatedEmail@microsoft.com"}], "name": {"familyName": "updatedFamilyName"}}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "userName", "value": "5b50642d"}] => 200 {"userName": "5b50642d"}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "active", "value": "False"}] => 200 {"active": false}
        // Suspended is not gone.
        "GET /Users/{ann}" null => 200 {"active": false}
        r#"GET /Users?filter=userName eq "5B50642D""# null => 200 {"Resources": [{"active": false}]}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "active", "value": "True"}] => 200 {"active": true}
        // With its flag: whole paths as names, in one value.
        "PATCH /Users/{ann}" [{"op": "replace", "value": {
            "displayName": "Bjfe", "name.givenName": "Kwo", "name.familyName": "Aim", "active": "true",
            "emails[type eq \"work\"].value": "kwo@x.example", "emails[type eq \"other\"].value": "aim@x.example",
            "phoneNumbers[type eq \"mobile\"].value": "+49 1",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "7",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager": "m1",
        }}] => 200 {
            "displayName": "Bjfe", "name": {"givenName": "Kwo", "familyName": "Aim"},
            "emails": [{"value": "kwo@x.example"}, {"type": "other", "value": "aim@x.example"}],
            "phoneNumbers": [{"type": "mobile", "value": "+49 1"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7", "manager": {"value": "m1"}},
        }
        "PATCH /Users/{ann}" [
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "m2"},
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "IT"},
        ] => 200 {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7", "manager": {"value": "m2"}, "department": "IT"}}
        "PATCH /Users/{ann}" [{"op": "Remove", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}]
            => 200 {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7", "manager": null}}
        // An address of a kind that she has none of.
        "PATCH /Users/{ann}" [{"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Ulm"}]
            => 200 {"addresses": [{"type": "work", "locality": "Ulm"}]}
        "PATCH /Users/{ann}" [{"op": "Add", "path": "roles", "value": [{"$ref": null, "value": "r", "primary": "True"}]}]
            => 200 {"roles": [{"value": "r", "primary": true}]}
        // What is no operation.
        "PATCH /Users/{ann}" [] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" {} => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" [{"op": null, "path": "title", "value": "x"}] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" [{"path": "title", "value": "x"}] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" [{"op": 5, "path": "title", "value": "x"}] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" [{"op": "move", "path": "title", "value": "x"}] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Users/{ann}" [{"op": "Remove"}] => 400 {"scimType": "noTarget"}
        "PATCH /Users/{ann}" [{"op": "Add", "path": "title", "value": "x"}, {"op": "Add", "path": "nobody", "value": "x"}]
            => 400 {"scimType": "invalidPath"}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "id", "value": "x"}] => 400 {"scimType": "mutability"}
        "GET /Users/{ann}" null => 200 {"title": null}
        "DELETE /Users/{ann}" null => 204 null
        "GET /Users/{ann}" null => 404 {}
        r#"GET /Users?filter=userName eq "5b50642d""# null => 200 {"totalResults": 0}
    ]);
}

#[test]
fn groups() {
    play(&rows![
        "POST /Users as ann" {"userName": "ann"} => 201 {}
        "POST /Users as bob" {"userName": "bob"} => 201 {}
        "POST /Groups as team" {
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:Group",
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
            ],
            "externalId": "8aa1a0c0", "displayName": "displayName", "meta": {"resourceType": "Group"},
        } => 201 {"externalId": "8aa1a0c0", "members": null}
        "GET /Groups/{team}?excludedAttributes=members" null => 200 {"displayName": "displayName"}
        r#"GET /Groups?excludedAttributes=members&filter=displayName eq "displayName""# null => 200 {"totalResults": 1}
        "PATCH /Groups/{team}" [{"op": "Replace", "path": "displayName", "value": "1879db59"}] => 200 {}
        "PATCH /Groups/{team}" [{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "{ann}"}]}]
            => 200 {"members": [{"value": "{ann}"}]}
        "PATCH /Groups/{team}" [{"op": "Add", "path": "members", "value": [{"value": "{bob}"}]}] => 200 {"members": ["*", "*"]}
        // Removes who is named, not everybody.
        "PATCH /Groups/{team}" [{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "{ann}"}]}]
            => 200 {"members": [{"value": "{bob}"}]}
        "PATCH /Groups/{team}" [{"op": "Remove", "path": "members", "value": []}] => 200 {"members": [{"value": "{bob}"}]}
        "PATCH /Groups/{team}" [{"op": "Remove", "path": "members[value eq \"{bob}\"]"}] => 200 {"members": null}
        "PATCH /Groups/{team}" [{"op": "Add", "value": {"members": [{"value": "{ann}"}, {"value": "{bob}"}]}}]
            => 200 {"members": ["*", "*"]}
        "PATCH /Groups/{team}" [
            {"op": "Remove", "path": "members[value eq \"{ann}\" or value eq \"{bob}\"]"},
        ] => 200 {"members": null}
        // Who was suspended is still in it.
        "PATCH /Groups/{team}" [{"op": "Add", "path": "members", "value": [{"value": "{ann}"}]}] => 200 {}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "active", "value": "False"}] => 200 {}
        "GET /Groups/{team}" null => 200 {"members": [{"value": "{ann}"}]}
        "PATCH /Users/{ann}" [{"op": "Replace", "path": "active", "value": "True"}] => 200 {"groups": [{"value": "{team}", "display": "1879db59"}]}
        // Who was deleted is not.
        "DELETE /Users/{ann}" null => 204 null
        "GET /Groups/{team}" null => 200 {"members": null}
        r#"GET /Groups?filter=members eq "{ann}""# null => 200 {"totalResults": 0}
    ]);
}

/// The answer to a change of a large group has no members.
#[test]
fn a_large_group_is_not_answered() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let made = scim.post("/Groups", &crate::scim::group("large", []));
        let path = format!("/Groups/{}", made.id());
        let ids = |from: usize, to: usize| -> Vec<Value> {
            (from..to)
                .map(|id| json!({"value": format!("m{id:05}")}))
                .collect()
        };
        let add = |from, to| {
            scim.patch(
                &path,
                &json!([{"op": "Add", "path": "members", "value": ids(from, to)}]),
            )
        };
        let answer = add(0, 200);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = add(200, 201);
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert_eq!(answer.header("etag"), Some("W/\"3\""));
        assert_eq!(add(201, 3000).status, 204);
        let members = |of: &Value| of["members"].as_array().unwrap().len();
        assert_eq!(members(&scim.get(&path).body), 3000);
        let with = scim.patch(
            &format!("{path}?attributes=displayName"),
            &json!([{"op": "Add", "path": "members", "value": ids(3000, 3001)}]),
        );
        assert_eq!((with.status, with.body.get("members")), (200, None));
        let all = json!([{"op": "Remove", "path": "members"}]);
        let answer = scim.patch(&path, &all);
        assert_eq!((answer.status, answer.body.get("members")), (200, None));
        control.stop().unwrap();
    }
}
