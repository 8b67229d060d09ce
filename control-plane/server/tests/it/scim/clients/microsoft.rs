//! Microsoft's collection for its SCIM reference code: endpoints, users,
//! groups, filters on complex attributes, and garbage.

use super::*;

#[test]
fn endpoints() {
    play(&rows![
        "GET /Users" null => 200 {"totalResults": 0, "Resources": []}
        "GET /Groups" null => 200 {"totalResults": 0, "Resources": []}
        "GET /ResourceTypes" null => 200 {"Resources": [
            {"endpoint": "/Users", "schema": "urn:ietf:params:scim:schemas:core:2.0:User"},
            {"endpoint": "/Groups"},
        ]}
        "GET /ServiceProviderConfig" null => 200 {"patch": {"supported": true}}
        "GET /Schemas" null => 200 {"Resources": [{"description": "User Account"}, "*", "*", "*"]}
        "GET /Schemas?filter=id pr" null => 403 {}
        "GET /Me" null => 404 {}
    ]);
}

#[test]
fn users() {
    play(&rows![
        "POST /Users as one" {
            "userName": "UserName123", "active": true, "displayName": "BobIsAmazing",
            "externalId": "22fbc523", "name": {"formatted": "Ryan Leenay", "familyName": "Leenay", "givenName": "Ryan"},
            "emails": [
                {"Primary": true, "type": "work", "value": "testing@bob.com"},
                {"Primary": false, "type": "home", "value": "testinghome@bob.com"},
            ],
        } => 201 {"emails": [{"primary": true}, {"primary": false}]}
        "POST /Users as two" {
            "schemas": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "UserName222", "active": true, "displayName": "lennay", "externalId": "e2",
            "name": {"formatted": "Adrew Ryan", "familyName": "Ryan", "givenName": "Andrew"},
            "emails": [{"Primary": true, "type": "work", "value": "testing@bob2.com"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "Department": "bob", "Manager": {"Value": "SuzzyQ"},
            },
        } => 201 {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "bob", "manager": {"value": "SuzzyQ"},
        }}
        "GET /Users/{one}" null => 200 {"id": "{one}"}
        "GET /Users/{two}" null => 200 {"id": "{two}"}
        "GET /Users?attributes=userName,emails" null => 200 {"Resources": [
            {"id": "{one}", "userName": "UserName123", "emails": ["*", "*"], "name": null, "meta": null},
            {"id": "{two}"},
        ]}
        r#"GET /Users/?filter=DisplayName eq "BobIsAmazing""# null => 200 {"totalResults": 1, "Resources": [{"id": "{one}"}]}
        "PATCH /Users/{one}" [{"op": "replace", "path": "userName", "value": "ryan3"}] => 200 {"userName": "ryan3"}
        "PUT /Users/{two}" {
            "id": "{two}", "userName": "UserNameReplace2", "active": true, "displayName": "BobIsAmazing",
            "externalId": "e2", "name": {"familyName": "Leenay", "givenName": "Ryan"},
        } => 200 {
            "userName": "UserNameReplace2", "emails": null,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": null,
        }
        "DELETE /Users/{one}" null => 204 null
        "GET /Users/{one}" null => 404 {}
        "DELETE /Users/{one}" null => 404 {}
        "PATCH /Users/{one}" [{"op": "replace", "path": "active", "value": true}] => 404 {}
        // The name is free.
        "POST /Users as again" {"userName": "RYAN3"} => 201 {"id": "*"}
        "GET /Users" null => 200 {"totalResults": 2}
    ]);
}

#[test]
fn groups() {
    play(&rows![
        "POST /Users as ann" {"userName": "ann"} => 201 {}
        "POST /Users as bob" {"userName": "bob"} => 201 {}
        "POST /Groups as one" {"displayName": "Group1DisplayName", "externalId": "g1"} => 201 {"externalId": "g1"}
        "POST /Groups as two" {"displayName": "Group2DisplayName", "members": [{"value": "{ann}"}]}
            => 201 {"members": [{"value": "{ann}", "type": "User", "$ref": "*"}]}
        "GET /Groups/{one}" null => 200 {"displayName": "Group1DisplayName", "members": null}
        r#"GET /Groups?filter=displayName eq "group1displayname""# null => 200 {"totalResults": 1}
        "PATCH /Groups/{one}" [{"op": "replace", "path": "displayName", "value": "Group1New"}]
            => 200 {"displayName": "Group1New"}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [{"value": "{ann}"}]}]
            => 200 {"members": [{"value": "{ann}"}]}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [{"value": "{ann}"}, {"value": "{bob}"}]}]
            => 200 {"members": ["*", "*"]}
        "PATCH /Groups/{one}" [{"op": "remove", "path": "members", "value": [{"value": "{ann}"}]}]
            => 200 {"members": [{"value": "{bob}"}]}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [{"value": "{ann}"}]}]
            => 200 {"members": ["*", "*"]}
        // Patch remove all users.
        "PATCH /Groups/{one}" [{"op": "remove", "path": "members"}] => 200 {"members": null}
        "PATCH /Groups/{one}" [{"op": "remove", "path": "members"}] => 200 {"members": null}
        "GET /Groups/{one}?excludedAttributes=members" null => 200 {"displayName": "Group1New"}
        "PUT /Groups/{two}" {"displayName": "putName"} => 200 {"displayName": "putName", "members": null}
        // A member that nobody is.
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": "junk-user"}]
            => 200 {"members": [{"value": "junk-user"}]}
        "DELETE /Groups/{one}" null => 204 null
        "GET /Groups/{one}" null => 404 {}
    ]);
}

#[test]
fn filters_on_complex_attributes() {
    let all = "e1 e2 e3";
    let cases = [
        (
            r#"userName eq "e1" and (title eq "CEO" or title eq "CFO")"#,
            "e1",
        ),
        (
            r#"userName eq "e3" and (title eq "CEO" or title eq "CFO")"#,
            "",
        ),
        (
            r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
            "e1 e2",
        ),
        (
            r#"(title eq "CEO" or title eq "CFO") and userType eq "Employee""#,
            "e1 e2",
        ),
        (
            r#"emails[type eq "work" and value co "@example.com"]"#,
            "e1 e3",
        ),
        (r#"emails[type eq "work"].value eq "e2@example.org""#, "e2"),
        (r#"emails[type eq "home"].value eq "e2@example.org""#, ""),
        (r#"phoneNumbers[type eq "work"].value eq "+1 5""#, "e1"),
        (
            r#"addresses[type eq "work" and country eq "Bermuda"]"#,
            "e3",
        ),
        (r#"name.familyName sw "O'""#, "e2"),
        (r#"userName sw "e""#, all),
        (r#"userName gt "e1""#, "e2 e3"),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, all),
        (
            r#"meta.created ge "2011-05-13T04:42:34Z" and not (title pr)"#,
            "e3",
        ),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "BOB""#,
            "e1",
        ),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m1""#,
            "e1",
        ),
    ];
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let users = [
            json!({
                "userName": "e1", "title": "CEO", "userType": "Employee",
                "emails": [{"type": "work", "value": "e1@example.com"}, {"type": "home", "value": "e1@x.example"}],
                "phoneNumbers": [{"type": "work", "value": "+1 5"}],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                    "department": "bob", "manager": {"value": "m1"},
                },
            }),
            json!({
                "userName": "e2", "title": "CFO", "userType": "employee", "name": {"familyName": "O'Malley"},
                "emails": [{"type": "work", "value": "e2@example.org"}, {"type": "home", "value": "e2@example.com"}],
            }),
            json!({
                "userName": "e3", "emails": [{"type": "work", "value": "e3@example.com"}],
                "addresses": [{"type": "work", "country": "Bermuda"}],
            }),
        ];
        for user in users {
            let answer = scim.post("/Users", &with_schemas("POST", "/Users", user));
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        for (filter, names) in cases {
            let answer = scim.list("/Users", &[("filter", filter)]);
            assert_eq!(
                answer.each("/userName").join(" "),
                names,
                "{filter}: {}",
                answer.text
            );
            let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
            let same = scim.post("/Users/.search", &body);
            assert_eq!(same.body["Resources"], answer.body["Resources"], "{filter}");
        }
        control.stop().unwrap();
    }
}

#[test]
fn garbage() {
    play(&rows![
        "POST /Users as omalley" {
            "userName": "O'Malley", "active": true, "name": {"familyName": "O'Malley", "honorificPrefix": null},
            "addresses": [{"country": "Bermuda", "type": "work"}, {"country": null, "type": "other", "locality": null}],
            "roles": [], "meta": {"created": "2019-09-18T18:15:26.5788954+00:00", "resourceType": "User"},
        } => 201 {"userName": "O'Malley", "roles": null, "addresses": ["*", {"type": "other", "country": null}]}
        r#"GET /Users?filter=userName eq "O'MALLEY""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=name.familyName co "'""# null => 200 {"totalResults": 1}
        "GET /Users?filter=userName eq 'O'" null => 400 {"scimType": "invalidFilter"}
        "PATCH /Users/{omalley}" [{"op": "replace", "path": "active", "value": "False"}] => 200 {"active": false}
        "PATCH /Users/{omalley}" [{"op": "replace", "path": "active", "value": "True"}] => 200 {"active": true}
        "PATCH /Users/{omalley}" [{"op": "replace", "path": "active", "value": "maybe"}] => 400 {"scimType": "invalidValue"}
        "POST /Users as text" {"userName": "text", "active": "True"} => 201 {"active": true}
        "POST /Users" {"displayName": "no name"} => 400 {"scimType": "invalidValue"}
        "POST /Users" r#"{"acve": tre, "adadfdresses": [{"coudftry""# => 400 {"scimType": "invalidSyntax"}
        "POST /Users" "" => 400 {"scimType": "invalidSyntax"}
        "POST /Users" "[]" => 400 {"scimType": "invalidSyntax"}
        "POST /Users" {"schemas": null, "userName": "x"} => 400 {"scimType": "invalidSyntax"}
        // Twice.
        "POST /Users" {"userName": "O'Malley"} => 409 {"scimType": "uniqueness"}
        "POST /Users" {"userName": "o'malley"} => 409 {"scimType": "uniqueness"}
        "PATCH /Users/{text}" [{"op": "replace", "path": "userName", "value": "O'MALLEY"}] => 409 {"scimType": "uniqueness"}
        "PUT /Users/{text}" {"userName": "O'MALLEY"} => 409 {"scimType": "uniqueness"}
        "GET /Users/{text}" null => 200 {"userName": "text"}
        "POST /Groups as one" {"displayName": "Group 1"} => 201 {}
        "POST /Groups" {"displayName": "GROUP 1"} => 409 {"scimType": "uniqueness"}
        // A PUT without what is required, and with what nobody knows.
        "PUT /Users/{omalley}" {"active": false} => 400 {"scimType": "invalidValue"}
        "GET /Users/{omalley}" null => 200 {"userName": "O'Malley", "active": true}
        "PUT /Users/{omalley}" {"userName": "O'Malley", "active": false, "adreses": [{"country": "Germany"}]}
            => 200 {"active": false, "addresses": null, "adreses": null}
        "PUT /Groups/{one}" {"displayName": "Group 1", "dismembers": []} => 200 {"dismembers": null}
        "PUT /Users/unknown" {"userName": "unknown"} => 404 {}
        // Pages.
        "GET /Users?startIndex=1&count=1" null => 200 {"totalResults": 2, "itemsPerPage": 1, "Resources": [{"id": "{omalley}"}]}
        "GET /Users?startIndex=2&count=1" null => 200 {"totalResults": 2, "itemsPerPage": 1, "startIndex": 2, "Resources": [{"id": "{text}"}]}
        "GET /Users?startIndex=3&count=1" null => 200 {"totalResults": 2, "itemsPerPage": 0, "Resources": []}
        "GET /Users?startIndex=0&count=-3" null => 200 {"totalResults": 2, "startIndex": 1, "itemsPerPage": 0, "Resources": []}
        "GET /Users?startIndex=-5&count=1" null => 200 {"startIndex": 1, "Resources": [{"id": "{omalley}"}]}
        "GET /Users?count=many" null => 400 {"scimType": "invalidValue"}
        r#"GET /Users?filter=userName eq "text" and (active eq true or active eq false)"# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName eq "text" and (active eq false or title pr)"# null => 200 {"totalResults": 0}
        r#"GET /Users?filter=userName sw "O'""# null => 200 {"totalResults": 1}
        r#"GET /Users?filter=userName gt "p""# null => 200 {"totalResults": 1, "Resources": [{"id": "{text}"}]}
        r#"GET /Users?filter=meta.lastModified gt "2019-01-01T00:00:00Z""# null => 200 {"totalResults": 2}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [{"value": "{text}"}]}] => 200 {"members": ["*"]}
        "GET /Groups?excludedAttributes=members" null => 200 {"Resources": [{"displayName": "Group 1", "members": null}]}
        "GET /Groups?excludedAttributes=members&attributes=members" null => 400 {"scimType": "invalidValue"}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members"}] => 400 {"scimType": "invalidSyntax"}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [{"display": "x"}]}] => 400 {"scimType": "invalidValue"}
        "PATCH /Groups/{one}" [{"op": "add", "path": "members", "value": [5]}] => 400 {"scimType": "invalidValue"}
        "PATCH /Groups/{one}" [{"op": "replace", "path": "members[value eq \"{text}\"]", "value": [{"value": "x"}]}] => 400 {"scimType": "mutability"}
        "GET /Groups/{one}" null => 200 {"members": [{"value": "{text}"}]}
    ]);
}
