//! What proxies are told of subjects, and what they are to forget.

use std::sync::atomic::{AtomicBool, Ordering};

use ig_contract::directory::{
    Change, Changes, ChangesRequest, Facts, FactsRequest, MAX_FACTS_BYTES,
};
use ig_e2e::{ControlPlane, RawRequest, Scim, fill, http2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::runtime::Runtime;

use crate::databases::Database;

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

pub(crate) struct Edge {
    pub(crate) control: ControlPlane,
    pub(crate) scim: Scim,
    pub(crate) runtime: Runtime,
}

impl Edge {
    /// A graph that is published, and a tenant whose subjects are linked by the
    /// attribute.
    pub(crate) fn start(database: &Database, attribute: &str) -> Self {
        let control = database.start();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        let scim = control.provisioner("alpha", false).unwrap();
        let this = Self {
            control,
            scim,
            runtime: Runtime::new().unwrap(),
        };
        this.put_tenant(attribute);
        let (status, said) = this.control.call("POST", "/snapshots/demo", "");
        assert_eq!(status, 200, "{said}");
        this
    }

    pub(crate) fn put_tenant(&self, attribute: &str) {
        let tenant = json!({
            "region": "eu-west-1", "purposes": ["investigation"],
            "issuers": {ISSUER: {"claim": "sub", "attribute": attribute}},
        });
        let put = self
            .control
            .call("PUT", "/tenants/alpha", tenant.to_string());
        assert_eq!(put.0, 204, "{}", put.1);
    }

    fn call(&self, path: &str, body: &impl Serialize) -> (u16, Vec<u8>) {
        let body = serde_json::to_vec(body).unwrap();
        let request = RawRequest {
            method: "POST".into(),
            target: format!("/directory/v1/{path}"),
            headers: vec![("content-type".into(), b"application/json".to_vec())],
            chunks: vec![body],
            ..RawRequest::default()
        };
        let answer = self.runtime.block_on(http2(self.control.grpc, &request));
        let answer = answer.unwrap();
        (answer.status, answer.body)
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        let (status, body) = self.call(path, body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) fn facts_of(&self, issuer: &str, subject: &str, link: Option<&str>) -> Facts {
        let request = FactsRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            issuer: issuer.into(),
            subject: subject.into(),
            link: link.map(Into::into),
        };
        self.ask("facts", &request)
    }

    /// Facts of a subject whose claim is its name.
    pub(crate) fn facts(&self, subject: &str) -> Facts {
        self.facts_of(ISSUER, subject, Some(subject))
    }

    fn changes(&self, after: Option<u64>) -> Changes {
        let request = ChangesRequest {
            graph: "demo".into(),
            after,
            wait_ms: 10,
        };
        self.ask("changes", &request)
    }

    pub(crate) fn user(&self, name: &str) -> String {
        let answer = self.scim.post("/Users", &user(name));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    pub(crate) fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        let answer = self.scim.post("/Groups", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }
}

pub(crate) fn user(name: &str) -> Value {
    json!({
        "schemas": [USER], "userName": format!("{name}@alpha.io"), "externalId": name,
        "emails": [{"value": format!("mail-{name}"), "type": "work"}],
    })
}

fn names(of: &Facts) -> Vec<&str> {
    of.groups.iter().map(String::as_str).collect()
}

/// Guards drop longer facts, and would ask for them with each request.
#[test]
fn facts_that_are_too_long_are_of_somebody_who_may_do_nothing() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let [ada, bob] = ["ada", "bob"].map(|name| edge.user(name));
        let long = "x".repeat(1900);
        let groups = (0..40).map(|number| edge.group(&format!("{number}-{long}"), &[&ada]));
        let groups: Vec<_> = groups.collect();
        edge.group("Analysts", &[&ada, &bob]);
        let facts = edge.facts("ada");
        assert_eq!(facts.user.as_deref(), Some(ada.as_str()));
        assert!(!facts.active && facts.groups.is_empty());
        assert!(serde_json::to_vec(&facts).unwrap().len() <= MAX_FACTS_BYTES);
        assert_eq!(names(&edge.facts("bob")), ["Analysts"]);
        // It ends where it is short enough, and the guard is told.
        let at = edge.changes(None).position;
        for group in &groups {
            assert_eq!(edge.scim.delete(&format!("/Groups/{group}")).status, 204);
        }
        assert!(!edge.changes(Some(at)).changes.is_empty());
        let facts = edge.facts("ada");
        assert!(facts.active);
        assert_eq!(names(&facts), ["Analysts"]);
        edge.control.stop().unwrap();
    }
}

#[test]
fn facts_are_what_scim_says() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let ada = edge.user("ada");
        let inner = edge.group("Analysts", &[&ada]);
        let outer = edge.group("Staff", &[&inner]);
        assert_eq!(names(&edge.facts("ada")), ["Analysts", "Staff"]);
        let path = format!("/Users/{ada}");
        let suspend = json!([{"op": "Replace", "path": "active", "value": "False"}]);
        assert_eq!(edge.scim.patch(&path, &suspend).body["active"], false);
        let suspended = edge.facts("ada");
        assert!(!suspended.active && names(&suspended).len() == 2);
        // Okta's way to say it, without `active` before.
        let mut whole = user("ada");
        assert_eq!(edge.scim.put(&path, &whole).status, 200);
        assert!(
            !edge.facts("ada").active,
            "an omission lets nobody in again"
        );
        whole["active"] = json!(true);
        assert_eq!(edge.scim.put(&path, &whole).status, 200);
        assert!(edge.facts("ada").active);
        whole["active"] = json!(false);
        assert_eq!(edge.scim.put(&path, &whole).status, 200);
        assert!(!edge.facts("ada").active);
        let unset = json!([{"op": "remove", "path": "active"}]);
        assert_eq!(edge.scim.patch(&path, &unset).status, 200);
        assert!(!edge.facts("ada").active, "what is not said is not allowed");
        assert_eq!(edge.scim.delete(&format!("/Groups/{outer}")).status, 204);
        assert_eq!(names(&edge.facts("ada")), ["Analysts"]);
        edge.control.stop().unwrap();
    }
}

/// Whatever makes facts others is told, to all whose facts they are.
#[test]
fn every_change_of_facts_is_told() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let [ada, bob] = ["ada", "bob"].map(|name| edge.user(name));
        let group = edge.group("Analysts", &[&ada]);
        let outer = edge.group("Staff", &[]);
        let at = edge.changes(None);
        assert!(!at.reset && at.changes.is_empty());
        let mut after = at.position;
        let mut told = |what: &str, who: &[Option<&str>]| {
            let changes = edge.changes(Some(after));
            let expected: Vec<_> = who
                .iter()
                .map(|user| Change {
                    tenant: "alpha".into(),
                    user: user.map(Into::into),
                })
                .collect();
            assert_eq!(changes.changes, expected, "{what}");
            assert!(!changes.reset, "{what}");
            after = changes.position;
        };
        let user_path = |id: &str| format!("/Users/{id}");
        let group_path = format!("/Groups/{group}");
        let member =
            |op: &str, id: &str| json!([{"op": op, "path": "members", "value": [{"value": id}]}]);
        let set = |value: Value| json!([{"op": "replace", "value": value}]);
        told("nothing", &[]);
        edge.scim
            .patch(&user_path(&ada), &set(json!({"title": "Countess"})));
        told("a title", &[]);
        edge.scim
            .patch(&user_path(&ada), &set(json!({"active": false})));
        told("a suspension", &[Some(&ada)]);
        edge.scim
            .patch(&user_path(&ada), &set(json!({"active": true})));
        told("the end of one", &[Some(&ada)]);
        edge.scim
            .patch(&user_path(&ada), &set(json!({"externalId": "ada"})));
        told("the same again", &[]);
        edge.scim.patch(&group_path, &member("add", &bob));
        told("a member", &[Some(&bob)]);
        edge.scim.patch(&group_path, &member("add", &bob));
        told("a member that was there", &[]);
        edge.scim.patch(&group_path, &member("remove", &bob));
        told("a member less", &[Some(&bob)]);
        edge.scim
            .patch(&group_path, &set(json!({"displayName": "Examiners"})));
        told("a name of a group", &[None]);
        edge.scim
            .patch(&format!("/Groups/{outer}"), &member("add", &group));
        told("a group in a group", &[None]);
        edge.scim
            .patch(&group_path, &json!([{"op": "remove", "path": "members"}]));
        told("no members", &[Some(&ada)]);
        edge.scim.delete(&group_path);
        told("no group", &[None]);
        let carol = edge.user("carol");
        told("a new user", &[Some(&carol)]);
        edge.scim.delete(&user_path(&bob));
        told("a user less", &[Some(&bob)]);
        edge.put_tenant("userName");
        told("another rule", &[None]);
        assert_eq!(edge.control.call("DELETE", "/tenants/alpha", "").0, 204);
        told("no tenant", &[None]);
        assert_eq!(edge.facts("ada").user, None);
        assert!(
            edge.changes(Some(after + 1)).reset,
            "a position that never was"
        );
        edge.control.stop().unwrap();
    }
}

#[test]
fn a_change_ends_the_wait_for_it() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let after = edge.changes(None).position;
        let told: Changes = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let request = ChangesRequest {
                    graph: "demo".into(),
                    after: Some(after),
                    wait_ms: 30_000,
                };
                edge.ask("changes", &request)
            });
            edge.user("ada");
            waiting.join().unwrap()
        });
        assert_eq!(told.changes.len(), 1);
        edge.control.stop().unwrap();
    }
}

/// Whoever polls after a suspension is acknowledged is told of it, with all that
/// others change meanwhile.
#[test]
fn a_burst_of_another_tenant_hides_nobody() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let others = edge.control.provisioner("bravo", false).unwrap();
        let is_over = AtomicBool::new(false);
        let mut after = edge.changes(None).position;
        std::thread::scope(|scope| {
            let bulk = scope.spawn(|| {
                let mut made = 0;
                while !is_over.load(Ordering::Relaxed) {
                    bulk_of(&others, &format!("burst-{made}"));
                    made += 100;
                }
                made
            });
            for number in 0..5 {
                let path = format!("/Users/{}", edge.user(&format!("ada-{number}")));
                let suspend = json!([{"op": "replace", "path": "active", "value": false}]);
                assert_eq!(edge.scim.patch(&path, &suspend).status, 200);
                let changes = edge.changes(Some(after));
                let theirs = changes.changes.iter().filter(|one| one.tenant == "alpha");
                assert!(!changes.reset && theirs.count() == 2, "created, suspended");
                after = changes.position;
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(bulk.join().unwrap() > 0);
        });
        edge.control.stop().unwrap();
    }
}

/// A proxy that was told by another replica knows more than this one does.
#[test]
fn who_is_behind_reads_on_before_answering() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        sqlx::any::install_default_drivers();
        // Nobody tells this replica of it.
        let change = "INSERT INTO directory_changes (at, tenant) VALUES (1, 'bravo') \
                      RETURNING number";
        let after = edge.runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
            let after: i64 = sqlx::query_scalar(change)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            u64::try_from(after).unwrap()
        });
        let changes = edge.changes(Some(after));
        assert_eq!((changes.reset, changes.position), (false, after));
        edge.control.stop().unwrap();
    }
}

/// A hundred users at once.
fn bulk_of(scim: &Scim, name: &str) {
    let operations: Vec<Value> = (0..100)
        .map(|number| {
            json!({
                "method": "POST", "path": "/Users", "bulkId": format!("{number}"),
                "data": user(&format!("{name}-{number}")),
            })
        })
        .collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": operations,
    });
    let answer = scim.post("/Bulk", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// What proxies send is read into types, or refused.
#[test]
fn proxies_of_no_graph_are_told_nothing() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let request = json!({"graph": "other", "after": null, "waitMs": 1});
        assert_eq!(edge.call("changes", &request).0, 404);
        assert_eq!(edge.call("changes", &json!({"graph": "demo"})).0, 422);
        assert_eq!(edge.call("facts", &json!(["demo"])).0, 422);
        edge.control.stop().unwrap();
    }
}
