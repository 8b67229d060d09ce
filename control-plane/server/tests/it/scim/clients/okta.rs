//! Okta: its SCIM 2.0 specification test, then what its applications send.

use super::*;

#[test]
fn the_specification_test() {
    play(&rows![
        "POST /Users as first" {
            "userName": "first@okta.example",
            "name": {"givenName": "First", "familyName": "User"},
            "emails": [{"primary": true, "value": "first@okta.example", "type": "work"}],
            "active": true,
        } => 201 {"active": true}
        "GET /Users?count=1&startIndex=1" null => 200 {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "itemsPerPage": 1, "startIndex": 1, "totalResults": 1,
            "Resources": [{
                "id": "{first}", "userName": "first@okta.example", "active": true,
                "name": {"givenName": "First", "familyName": "User"},
                "emails": [{"value": "first@okta.example"}],
            }],
        }
        "GET /Users/{first}" null => 200 {"id": "{first}", "userName": "first@okta.example"}
        r#"GET /Users?filter=userName eq "abcdefgh@atko.com""# null => 200 {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 0, "Resources": [],
        }
        "GET /Users/010101001010101011001010101011" null => 404 {"status": "404"}
        r#"GET /Users?filter=userName eq "runscope300abc@atko.com""# null => 200 {"totalResults": 0}
        "POST /Users as runscope" {
            "userName": "Runscope300abc@atko.com", "active": true,
            "name": {"givenName": "Runscope", "familyName": "300abc"},
            "emails": [{"primary": true, "value": "runscope300abc@atko.com", "type": "work"}],
            "password": "1mz050nq", "groups": [], "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
            "displayName": "Runscope 300abc",
        } => 201 {
            "userName": "Runscope300abc@atko.com", "active": true, "id": "*",
            "name": {"givenName": "Runscope", "familyName": "300abc"},
            "externalId": "00ujl29u0le5T6Aj10h7", "password": null, "groups": null,
        }
        "GET /Users/{runscope}" null => 200 {"userName": "Runscope300abc@atko.com"}
        "POST /Users" {"userName": "Runscope300abc@atko.com"} => 409 {"scimType": "uniqueness"}
        "POST /Users" {"userName": "RUNSCOPE300ABC@ATKO.COM"} => 409 {"scimType": "uniqueness"}
        r#"GET /Users?filter=userName eq "RUNSCOPE300ABC@ATKO.COM""# null => 200 {
            "totalResults": 1, "Resources": [{"userName": "Runscope300abc@atko.com"}],
        }
        "GET /Groups" null => 200 {"totalResults": 0}
        "GET /Users/00919288221112222" null => 404 {"status": "404", "detail": "*"}
    ]);
}

#[test]
fn a_token_that_is_none_is_answered_as_scim() {
    for database in Database::each() {
        let control = database.start();
        for header in [Some("non-token"), Some("Bearer x"), None] {
            let (status, body) = control.call_as(header, "GET", "/scim/v2/Users", "");
            assert_eq!(status, 401);
            assert_eq!(body["schemas"], json!([ERROR]));
            assert_eq!(body["status"], "401");
            assert!(body["detail"].is_string());
        }
        control.stop().unwrap();
    }
}

/// Integrations of its app wizard: every update is a PUT, nobody is deleted.
#[test]
fn applications_that_put() {
    play(&rows![
        "POST /Users as ann" {
            "userName": "ann", "name": {"givenName": "Ann", "familyName": "A"},
            "emails": [{"primary": true, "value": "ann@x.example", "type": "work"}],
            "displayName": "Ann A", "locale": "en-US", "externalId": "00u1", "groups": [],
            "password": "x", "active": true,
        } => 201 {"active": true}
        "PUT /Users/{ann}" {
            "id": "{ann}", "userName": "ann", "name": {"givenName": "Another", "familyName": "A"},
            "emails": [{"primary": true, "value": "ann@x.example", "type": "work"}],
            "active": true, "groups": [], "meta": {"resourceType": "User"},
        } => 200 {"name": {"givenName": "Another"}, "displayName": null, "active": true}
        // Deactivated, and back; not said is not changed.
        "PUT /Users/{ann}" {"userName": "ann", "active": false} => 200 {"active": false}
        "PUT /Users/{ann}" {"userName": "ann", "title": "x"} => 200 {"active": false}
        "GET /Users/{ann}" null => 200 {"active": false, "title": "x"}
        r#"GET /Users?filter=userName eq "ann""# null => 200 {"totalResults": 1, "Resources": [{"active": false}]}
        "PUT /Users/{ann}" {"userName": "ann", "active": true} => 200 {"active": true}
        "PUT /Users/{ann}" {"userName": "ann"} => 200 {"active": true}
        "POST /Groups as team" {"displayName": "Team", "members": []} => 201 {"members": null}
        "PUT /Groups/{team}" {"displayName": "Team", "members": [{"value": "{ann}", "display": "ann"}]}
            => 200 {"members": [{"value": "{ann}", "type": "User"}]}
        "GET /Users/{ann}" null => 200 {"groups": [{"value": "{team}", "display": "Team", "type": "direct"}]}
        "PUT /Groups/{team}" {"displayName": "Team", "members": []} => 200 {"members": null}
        "GET /Users/{ann}" null => 200 {"groups": null}
    ]);
}

/// Integrations of its network: PATCH, without a path.
#[test]
fn applications_that_patch() {
    play(&rows![
        "POST /Users as ann" {"userName": "ann"} => 201 {"active": true}
        "POST /Users as bob" {"userName": "bob"} => 201 {}
        "PATCH /Users/{ann}" [{"op": "replace", "value": {"active": false}}] => 200 {"active": false}
        "PATCH /Users/{ann}" [{"op": "replace", "value": {"active": true}}] => 200 {"active": true}
        // Users log in elsewhere: what is sent is neither kept nor refused.
        "PATCH /Users/{ann}" [{"op": "replace", "value": {"password": "x"}}] => 200 {"password": null, "meta": {"version": "W/\"3\""}}
        "POST /Groups as team" {"displayName": "Test SCIMv2", "members": []} => 201 {}
        "PATCH /Groups/{team}" [
            {"op": "replace", "value": {"id": "{team}", "displayName": "Test SCIMv2.0"}},
        ] => 200 {"id": "{team}", "displayName": "Test SCIMv2.0"}
        "PATCH /Groups/{team}" [
            {"op": "replace", "value": {"id": "another", "displayName": "x"}},
        ] => 400 {"scimType": "mutability"}
        "PATCH /Groups/{team}" [
            {"op": "add", "path": "members", "value": [{"value": "{ann}", "display": "ann"}]},
        ] => 200 {"members": [{"value": "{ann}"}]}
        "PATCH /Groups/{team}" [
            {"op": "remove", "path": "members[value eq \"{ann}\"]"},
            {"op": "add", "path": "members", "value": [{"value": "{bob}", "display": "bob"}]},
        ] => 200 {"members": [{"value": "{bob}"}]}
        // Somebody who is not in it.
        "PATCH /Groups/{team}" [{"op": "remove", "path": "members[value eq \"{ann}\"]"}]
            => 200 {"members": [{"value": "{bob}"}]}
        "PATCH /Groups/{team}" [
            {"op": "replace", "path": "members", "value": [{"value": "{ann}"}, {"value": "{bob}"}]},
        ] => 200 {"members": ["*", "*"]}
        // Push now, of an empty one.
        "PATCH /Groups/{team}" [{"op": "replace", "path": "members", "value": []}] => 200 {"members": null}
        "GET /Groups?startIndex=1&count=100" null => 200 {"totalResults": 1, "itemsPerPage": 1}
        "GET /Groups?startIndex=101&count=100" null => 200 {"totalResults": 1, "itemsPerPage": 0, "Resources": []}
        "DELETE /Groups/{team}" null => 204 null
        "GET /Groups/{team}" null => 404 {}
    ]);
}
