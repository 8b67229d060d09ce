//! Nobody sees another tenant's exports, nor what others of the tenant exported.

use ig_contract::step_up::Spent;
use serde_json::json;

use super::{Stage, one, own};
use crate::databases::Database;

#[test]
fn each_sees_what_is_theirs() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let control = &stage.bench.control;
        let mut ada = stage.analyst("ada", 3);
        let mut eve = stage.analyst("eve", 4);
        let mut bob = stage.stranger("bob", 5);
        let mut made = Vec::new();
        for analyst in [&mut ada, &mut eve, &mut bob] {
            let proof = analyst.proof();
            // The same key: keys are each caller's own.
            let (status, one) = stage.post(&own(&analyst.person.header, &proof, "k"), &one());
            assert_eq!(status, 201, "{one}");
            made.push(one["exportId"].as_str().unwrap().to_owned());
        }
        let number = ada.number();
        let used_for = stage.used_for("ada", "decision-1");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let (status, relayed) = stage.relay("decision-1", &[]);
        assert_eq!(status, 201, "{relayed}");
        made.push(relayed["exportId"].as_str().unwrap().to_owned());
        let token = |role: &str, more: serde_json::Value| {
            format!("Bearer {}", control.make_token(role, &more).unwrap())
        };
        let alpha = token("tenant-admin", json!({"tenant": "alpha"}));
        let bravo = token("tenant-admin", json!({"tenant": "bravo"}));
        let viewer = token("viewer", json!({}));
        let elsewhere = token("exporter", json!({"tenants": ["alpha", "bravo"]}));
        let rows: [(&str, &[usize]); 8] = [
            (&ada.person.header, &[0, 3]),
            (&eve.person.header, &[1]),
            (&bob.person.header, &[2]),
            (&alpha, &[0, 1, 3]),
            (&bravo, &[2]),
            (&viewer, &[0, 1, 2, 3]),
            (&stage.service, &[3]),
            (&elsewhere, &[]),
        ];
        for (who, seen) in rows {
            let mut expected: Vec<_> = seen.iter().map(|at| made[*at].as_str()).collect();
            expected.reverse();
            let (status, page) = stage.get(who, "/exports");
            assert_eq!(status, 200, "{page}");
            let listed = page["items"].as_array().unwrap().iter();
            let listed: Vec<_> = listed
                .map(|one| one["exportId"].as_str().unwrap())
                .collect();
            assert_eq!(listed, expected);
            for (at, id) in made.iter().enumerate() {
                let status = if seen.contains(&at) { 200 } else { 404 };
                for path in ["", "/manifest", "/bundle"] {
                    let got = stage.get(who, &format!("/exports/{id}{path}")).0;
                    assert_eq!(got, status, "{at} {path}");
                }
            }
        }
        assert_eq!(stage.get(&alpha, "/exports?tenant=bravo").0, 404);
        assert_eq!(
            stage.get(&ada.person.header, "/exports?tenant=bravo").0,
            404
        );
        let (_, page) = stage.get(&viewer, "/exports?tenant=bravo&limit=1");
        assert_eq!(page["items"][0]["exportId"], made[2].as_str());
        // A page goes on where the one before ended.
        let (_, first) = stage.get(&alpha, "/exports?limit=2");
        let path = format!(
            "/exports?limit=2&cursor={}",
            first["next"].as_str().unwrap()
        );
        let (_, second) = stage.get(&alpha, &path);
        assert_eq!(second["items"][0]["exportId"], made[0].as_str());
        // A tenant of the same name is another.
        assert_eq!(control.call("DELETE", "/tenants/alpha", "").0, 204);
        let again = control.call("PUT", "/tenants/alpha", r#"{"region": "eu"}"#);
        assert_eq!(again.0, 204);
        let (_, page) = stage.get(&viewer, "/exports");
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert_eq!(stage.relay("decision-1", &[]).0, 403);
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn an_exporter_is_bound_to_tenants_that_are_there() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let make = |body: serde_json::Value| {
            let control = &stage.bench.control;
            control.call("POST", "/tokens", body.to_string()).0
        };
        for (body, status) in [
            (json!({"name": "a", "role": "exporter"}), 422),
            (json!({"name": "a", "role": "exporter", "tenants": []}), 422),
            (
                json!({"name": "a", "role": "exporter", "tenant": "alpha"}),
                422,
            ),
            (
                json!({"name": "a", "role": "exporter", "tenants": ["none"]}),
                422,
            ),
            (
                json!({"name": "a", "role": "exporter", "tenants": ["alpha"], "mayConfer": true}),
                422,
            ),
            (
                json!({"name": "a", "role": "viewer", "tenants": ["alpha"]}),
                422,
            ),
            (
                json!({"name": "a", "role": "exporter", "tenants": ["alpha", "bravo"]}),
                201,
            ),
        ] {
            assert_eq!(make(body.clone()), status, "{body}");
        }
        let (_, listed) = stage.bench.control.call("GET", "/tokens", "");
        let mut listed = listed.as_array().unwrap().iter();
        let made = listed.find(|one| one["name"] == "a").unwrap();
        assert_eq!(made["tenants"], json!(["alpha", "bravo"]));
        stage.bench.control.stop().unwrap();
    }
}
