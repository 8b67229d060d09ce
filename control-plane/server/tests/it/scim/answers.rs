//! What every answer has in common, whatever was asked.

use ig_e2e::{RawRequest, Scim, http1, http2};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::{ERROR, user};
use crate::databases::Database;

fn on_each(test: impl Fn(&Scim)) {
    for database in Database::each() {
        let control = database.start();
        test(&control.provisioner("alpha", false).unwrap());
        control.stop().unwrap();
    }
}

/// Clients read no other errors, and show them to nobody.
#[test]
fn every_refusal_is_a_scim_error() {
    on_each(|scim| {
        let mut calls = vec![
            ("GET", "/Nothing", 404),
            ("GET", "/Nothing/", 404),
            ("GET", "//", 404),
            ("GET", "/Users/x/y", 404),
            ("GET", "/%FF", 404),
            ("POST", "", 405),
            ("POST", "/", 405),
            ("DELETE", "/", 405),
            ("PUT", "/Users", 405),
            ("GET", "/Bulk", 405),
            ("POST", "/Users", 400),
            ("GET", "/Schemas/%FF", 400),
            ("GET", "/ResourceTypes/%C3%28", 400),
            ("GET", "/Users?count=x", 400),
            ("GET", "/Users?filter=%FF", 400),
        ];
        for path in ["/Users/%FF", "/Groups/%C3%28", "/Users/a%80"] {
            calls.extend(["GET", "PUT", "PATCH", "DELETE"].map(|method| (method, path, 400)));
        }
        for (method, path, status) in calls {
            let body = if method == "GET" { "" } else { "{}" };
            let answer = scim.send(method, path, &[], body.as_bytes());
            let text = &answer.text;
            assert_eq!(answer.status, status, "{method} {path}: {text}");
            let media_type = answer.header("content-type");
            assert_eq!(media_type, Some("application/scim+json"), "{method} {path}");
            assert_eq!(answer.body["schemas"], json!([ERROR]), "{method} {path}");
            assert_eq!(answer.body["status"], status.to_string(), "{method} {path}");
        }
    });
}

/// Nobody searches for longer than a statement may take, which only PostgreSQL
/// bounds.
#[test]
fn a_search_that_takes_too_long_is_ended() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let control = database.start();
    let scim = control.provisioner("alpha", false).unwrap();
    assert_eq!(scim.post("/Users", &user("ann")).status, 201);
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let slow = "ALTER TABLE scim_resources RENAME TO kept; \
        CREATE VIEW scim_resources AS SELECT * FROM kept WHERE pg_sleep(600) IS NOT NULL";
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql(slow).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let answer = scim.get("/Users");
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.body["scimType"], "tooMany");
    control.stop().unwrap();
}

#[test]
fn the_address_may_end_with_a_slash() {
    on_each(|scim| {
        assert_eq!(scim.post("/Users", &user("ann")).status, 201);
        let list = scim.get("/");
        assert_eq!((list.status, &list.body["totalResults"]), (200, &json!(1)));
        assert_eq!(list.text, scim.get("").text);
        assert_eq!(scim.get("/?count=0").body["totalResults"], 1);
        let nobody = Scim::new(scim.base.as_str(), "x").get("/");
        assert_eq!(
            (nobody.status, &nobody.body["schemas"]),
            (401, &json!([ERROR]))
        );
    });
}

/// A client that says which tenant it expects is never wrong in silence.
#[test]
fn another_tenant_is_refused_however_it_is_said() {
    on_each(|scim| {
        let made = scim.post("/Users", &user("ann"));
        let path = format!("/Users/{}", made.id());
        let claims = |tenant: &str| {
            [
                json!({"urn:ig:tenant": tenant}),
                json!({"urn:ig:tenant": {"id": tenant}}),
                json!({"URN:IG:Tenant": {"ID": tenant}}),
                json!({"URN:IG:TENANT": "alpha", "urn:ig:tenant": tenant}),
                json!({"Urn:ig:tenant": tenant, "urn:ig:tenant": "alpha"}),
            ]
        };
        let with = |mut body: Value, claim: &Value| {
            let members = claim.as_object().unwrap().clone();
            body.as_object_mut().unwrap().extend(members);
            body
        };
        let calls = |claim: &Value| {
            let whole = with(user("ann"), claim);
            let step = |op: &str| json!({"op": op, "value": with(json!({"title": "t"}), claim)});
            let title = json!({"op": "add", "path": "title", "value": "t"});
            let patch = |operations: Value| json!({"Operations": operations});
            [
                ("POST", "/Users", with(user("bob"), claim)),
                ("PUT", path.as_str(), whole),
                ("PATCH", path.as_str(), patch(json!([step("add")]))),
                ("PATCH", path.as_str(), patch(json!([step("Replace")]))),
                ("PATCH", path.as_str(), patch(json!([title, step("add")]))),
                ("PATCH", path.as_str(), with(patch(json!([title])), claim)),
            ]
        };
        for claim in claims("bravo") {
            for (method, path, body) in calls(&claim) {
                let answer = scim.send(method, path, &[], body.to_string().as_bytes());
                assert_eq!(answer.status, 400, "{method} {body}: {}", answer.text);
                assert_eq!(answer.body["scimType"], "invalidValue", "{method} {body}");
            }
        }
        for target in ["urn:ig:tenant", "urn:ig:tenant:id"] {
            let step = json!([{"op": "replace", "path": target, "value": "bravo"}]);
            assert_eq!(scim.patch(&path, &step).status, 400, "{target}");
        }
        assert_eq!(scim.get(&path).text, made.text);
        assert_eq!(scim.get("/Users").body["totalResults"], 1);
        // Those behind say it twice, which is no resource.
        for claim in claims("alpha").into_iter().take(3) {
            for (method, path, body) in calls(&claim).into_iter().skip(1) {
                let answer = scim.send(method, path, &[], body.to_string().as_bytes());
                assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text);
            }
        }
    });
}

/// Where a resource is, is said by the address that the caller used.
#[test]
fn locations_are_where_the_caller_came() {
    let database = Database::sqlite();
    let control = database.start();
    let scim = control.provisioner("alpha", false).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let request = |name: &str, host: Option<&str>| {
        let authorization = format!("Bearer {}", scim.token).into_bytes();
        let host = host.map(|host| ("host".to_owned(), host.as_bytes().to_vec()));
        RawRequest {
            method: "POST".into(),
            target: "/scim/v2/Users".into(),
            headers: [("authorization".to_owned(), authorization)]
                .into_iter()
                .chain(host)
                .collect(),
            chunks: vec![user(name).to_string().into_bytes()],
            ..RawRequest::default()
        }
    };
    let one = request("one", Some("scim.example:8443"));
    let one = runtime.block_on(http1(control.http, &one)).unwrap();
    let location = one.header("location").unwrap();
    assert!(
        location.starts_with("http://scim.example:8443/scim/v2/Users/"),
        "{location}"
    );
    // HTTP/2 has no `Host`; one beside the authority counts for nothing.
    for (name, host) in [("two", None), ("three", Some("evil.example"))] {
        let two = runtime
            .block_on(http2(control.http, &request(name, host)))
            .unwrap();
        let location = two.header("location").unwrap();
        assert!(
            location.starts_with("http://gateway/scim/v2/Users/"),
            "{location}"
        );
    }
    control.stop().unwrap();
}
