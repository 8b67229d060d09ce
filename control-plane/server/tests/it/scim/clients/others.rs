//! JumpCloud, Rippling, WSO2 and others, and this product's own example.

use super::*;

#[test]
fn the_example_of_the_tenant() {
    play(&rows![
        "POST /Users as ann" {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ig:tenant"],
            "userName": "ann@alpha.example", "urn:ig:tenant": "alpha",
            "groups": [{"value": "e9e30dba", "display": "Physicians"}],
        } => 201 {"userName": "ann@alpha.example", "groups": null, "urn:ig:tenant": null}
        "GET /Users/{ann}?attributes=urn:ig:tenant:id" null => 200 {"urn:ig:tenant": {"id": "alpha"}, "userName": null}
        r#"GET /Users?filter=urn:ig:tenant:id eq "alpha""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=urn:ig:tenant:id eq "bravo""# null => 200 {"totalResults": 0}
        "PUT /Users/{ann}" {"userName": "ann@alpha.example", "urn:ig:tenant": {"id": "alpha"}} => 200 {}
        // Another tenant's token would be needed.
        "PUT /Users/{ann}" {"userName": "ann@alpha.example", "urn:ig:tenant": "bravo"} => 400 {"scimType": "invalidValue"}
        "POST /Users" {"userName": "bob", "urn:ig:tenant": "bravo"} => 400 {"scimType": "invalidValue"}
        "POST /Users" {"userName": "bob", "urn:ig:tenant": {"id": "bravo"}} => 400 {"scimType": "invalidValue"}
        "POST /Users" {"userName": "bob", "URN:IG:TENANT": {"ID": "bravo"}} => 400 {"scimType": "invalidValue"}
        "POST /Groups" {"displayName": "g", "urn:ig:tenant": "bravo"} => 400 {"scimType": "invalidValue"}
        "PATCH /Users/{ann}" [{"op": "replace", "path": "urn:ig:tenant:id", "value": "bravo"}] => 400 {"scimType": "mutability"}
        "GET /Users" null => 200 {"totalResults": 1}
    ]);
}

#[test]
fn jumpcloud_tests_its_connection() {
    play(&rows![
        "GET /ServiceProviderConfig" null => 200 {}
        r#"GET /Users?filter=userName eq "jc-test""# null => 200 {"totalResults": 0}
        "POST /Users as test" {
            "userName": "jc-test", "emails": [{"value": "t@x.example", "type": "work", "primary": true}],
            "name": {"givenName": "JumpCloud", "familyName": "Test"}, "active": true,
        } => 201 {}
        "PUT /Users/{test}" {"userName": "jc-test", "active": true, "title": "x"} => 200 {"title": "x"}
        "POST /Groups as group" {"displayName": "jc-group"} => 201 {}
        "PATCH /Groups/{group}" [{"op": "add", "path": "members", "value": [{"value": "{test}"}]}] => 200 {"members": ["*"]}
        "PATCH /Groups/{group}" [{"op": "remove", "path": "members", "value": [{"value": "{test}"}]}] => 200 {"members": null}
        "PATCH /Groups/{group}" [{"op": "replace", "path": "displayName", "value": "jc-group-2"}] => 200 {}
        "DELETE /Groups/{group}" null => 204 null
        "PUT /Users/{test}" {"userName": "jc-test", "active": false} => 200 {"active": false}
        "DELETE /Users/{test}" null => 204 null
        "GET /Users/{test}" null => 404 {}
    ]);
}

#[test]
fn names_and_types_are_read_as_they_come() {
    play(&rows![
        // Rippling sends again what was answered too late.
        "POST /Users as ann" {"userName": "ann", "externalId": "r1"} => 201 {}
        "POST /Users" {"userName": "ann", "externalId": "r1"} => 409 {"scimType": "uniqueness"}
        // WSO2.
        "GET /Users?startIndex=0" null => 200 {"startIndex": 1, "totalResults": 1}
        "GET /Users?attributes=USERNAME&sortBy=UserName&sortOrder=DESCENDING" null => 200 {"Resources": [{"userName": "ann"}]}
        "POST /Users as bob" {"USERNAME": "bob", "Emails": {"Value": "b@x.example", "PRIMARY": "TRUE"}, "NAME": {"givenname": "B"}}
            => 201 {"userName": "bob", "emails": [{"value": "b@x.example", "primary": true}], "name": {"givenName": "B"}}
        "POST /Users" {"userName": "x", "USERNAME": "y"} => 400 {"scimType": "invalidSyntax"}
        "POST /Users" {"userName": ["x"]} => 400 {"scimType": "invalidValue"}
        "POST /Users" {"userName": "x", "active": 1} => 400 {"scimType": "invalidValue"}
        "POST /Users" {"userName": "x", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}
            => 400 {"scimType": "invalidValue"}
        "POST /Users as odd" {"userName": "Ζεύς Ὀδυσσεύς 🦉 \\ % _ \" '"} => 201 {"userName": "Ζεύς Ὀδυσσεύς 🦉 \\ % _ \" '"}
        r#"GET /Users?filter=userName eq "ΖΕΎΣ ὈΔΥΣΣΕΎΣ 🦉 \\ % _ \" '""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName eq "ζεύς ὀδυσσεύς 🦉 \\ % _ \" '""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName ew "ΎΣ 🦉 \\ % _ \" '""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName co "σεύ""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName sw "Ζεύς ""# null => 200 {"totalResults": 1}
        "POST /Users" {"userName": "ΖΕΎΣ ὈΔΥΣΣΕΎΣ 🦉 \\ % _ \" '"} => 409 {"scimType": "uniqueness"}
        "PATCH /Users/{bob}" {"schemas": [], "operations": [{"OP": "replace", "PATH": "TITLE", "VALUE": "x"}]} => 200 {"title": "x"}
        // Versions.
        "PATCH /Users/{bob}" [{"op": "replace", "path": "title", "value": "x"}] => 200 {"meta": {"version": "W/\"2\""}}
        "PUT /Users/{bob}" {"userName": "bob"} => 200 {"meta": {"version": "W/\"3\""}}
        "GET /Nothing" null => 404 {}
        "POST /Schemas" {} => 405 {}
        "DELETE /Users" null => 405 {}
        "PUT /Groups" {} => 405 {}
        "GET /Users/.search" null => 405 {}
        "PUT /Bulk" {} => 405 {}
    ]);
}

#[test]
fn media_types_and_versions() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let body = crate::scim::user("ann").to_string();
        let post = |media_type: &str| {
            let headers = [("content-type", media_type)];
            scim.send("POST", "/Users", &headers, body.as_bytes())
        };
        assert_eq!(post("text/plain").status, 415);
        assert_eq!(post("application/x-www-form-urlencoded").status, 415);
        let made = post("application/json; charset=utf-8");
        assert_eq!(made.status, 201);
        assert_eq!(post("Application/SCIM+JSON").status, 409);
        let path = format!("/Users/{}", made.id());
        let tag = made.header("etag").unwrap();
        let with = |method: &str, name: &str, value: &str, body: &str| {
            scim.send(method, &path, &[(name, value)], body.as_bytes())
        };
        // Groups are part of a user, but not of its version.
        assert_eq!(with("GET", "if-none-match", tag, "").status, 200);
        let few = scim.send(
            "GET",
            &format!("{path}?excludedAttributes=groups"),
            &[("if-none-match", tag)],
            b"",
        );
        assert_eq!((few.status, few.text.as_str()), (304, ""));
        let new =
            r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "bob"}"#;
        assert_eq!(with("PUT", "if-match", "W/\"7\"", new).status, 412);
        assert_eq!(with("PUT", "if-none-match", "*", new).status, 412);
        let changed = with("PUT", "if-match", tag, new);
        assert_eq!(
            (changed.status, changed.header("etag")),
            (200, Some("W/\"2\""))
        );
        assert_eq!(with("PUT", "if-match", tag, new).status, 412);
        assert_eq!(with("DELETE", "if-match", tag, "").status, 412);
        assert_eq!(with("GET", "if-none-match", tag, "").status, 200);
        assert_eq!(with("DELETE", "if-match", "W/\"1\", \"2\"", "").status, 204);
        assert_eq!(with("DELETE", "if-match", "*", "").status, 404);
        control.stop().unwrap();
    }
}
