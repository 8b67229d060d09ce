//! What proxies are told of subjects, and what they are to forget.

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

const ISSUER: &str = "https://login.example";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

struct Edge {
    control: ControlPlane,
    scim: Scim,
    runtime: Runtime,
}

impl Edge {
    /// A graph that is published, and a tenant whose subjects are linked by the
    /// attribute.
    fn start(database: &Database, attribute: &str) -> Self {
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

    fn put_tenant(&self, attribute: &str) {
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

    fn facts_of(&self, issuer: &str, subject: &str, link: Option<&str>) -> Facts {
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
    fn facts(&self, subject: &str) -> Facts {
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

    fn user(&self, name: &str) -> String {
        let answer = self.scim.post("/Users", &user(name));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        let answer = self.scim.post("/Groups", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }
}

fn user(name: &str) -> Value {
    json!({
        "schemas": [USER], "userName": format!("{name}@alpha.io"), "externalId": name,
        "emails": [{"value": format!("mail-{name}"), "type": "work"}],
    })
}

fn names(of: &Facts) -> Vec<&str> {
    of.groups.iter().map(String::as_str).collect()
}

#[test]
fn a_subject_is_linked_once_and_by_the_rule_only() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        let ada = edge.user("ada");
        // Neither an email address nor another attribute is a link.
        for claim in ["mail-ada", "ada@alpha.io", "ADA", "", "nobody"] {
            let stranger = format!("stranger-{claim}");
            let facts = edge.facts_of(ISSUER, &stranger, Some(claim));
            assert_eq!(facts.user, None, "{claim}");
        }
        assert_eq!(edge.facts_of(ISSUER, "ada", None).user, None);
        assert_eq!(
            edge.facts_of("https://other", "ada", Some("ada")).user,
            None
        );
        let facts = edge.facts("ada");
        assert_eq!(
            (facts.user.as_deref(), facts.active),
            (Some(ada.as_str()), true)
        );
        // Another subject with the same claim is another person.
        assert_eq!(edge.facts_of(ISSUER, "twin", Some("ada")).user, None);
        // A new name does not make the user another one, nor free for others.
        let rename = json!([{"op": "replace", "value": {"externalId": "lovelace"}}]);
        assert_eq!(
            edge.scim.patch(&format!("/Users/{ada}"), &rename).status,
            200
        );
        assert_eq!(edge.facts("ada").user.as_deref(), Some(ada.as_str()));
        assert_eq!(edge.facts_of(ISSUER, "thief", Some("lovelace")).user, None);
        let (_, audit) = edge.control.call("GET", "/audit?limit=1000", "");
        let links = audit["items"].as_array().unwrap();
        let links = links.iter().filter(|one| one["action"] == "subject.link");
        assert_eq!(links.count(), 1);
        // Who comes after a deleted user is somebody else.
        assert_eq!(edge.scim.delete(&format!("/Users/{ada}")).status, 204);
        assert_eq!(edge.facts("ada").user, None);
        let second = edge.user("ada");
        assert_ne!(second, ada);
        assert_eq!(edge.facts("ada").user, Some(second));
        edge.control.stop().unwrap();
    }
}

/// Who is nobody's is told so at once, whoever is writing: strangers would make
/// everybody wait.
#[test]
fn strangers_wait_for_nobody() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        edge.user("ada");
        sqlx::any::install_default_drivers();
        let is_sqlite = database.url.starts_with("sqlite:");
        let begin = match is_sqlite {
            true => "BEGIN IMMEDIATE",
            false => "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('scim-link:alpha', 0))",
        };
        let mut writer = edge.runtime.block_on(async {
            let mut writer = sqlx::AnyConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(begin).execute(&mut writer).await.unwrap();
            writer
        });
        let started = std::time::Instant::now();
        for stranger in ["eve", "", "x"] {
            assert_eq!(edge.facts(stranger).user, None);
        }
        assert!(started.elapsed().as_secs() < 4);
        edge.runtime.block_on(async {
            let ended = sqlx::raw_sql("ROLLBACK").execute(&mut writer).await;
            ended.unwrap();
            writer.close().await.unwrap();
        });
        assert!(edge.facts("ada").user.is_some());
        edge.control.stop().unwrap();
    }
}

/// A link that is made while a tenant is deleted would keep the subject from
/// being linked in the next one of the name.
#[test]
fn no_link_outlives_its_tenant() {
    const ROUNDS: usize = 10;
    for database in Database::each() {
        let mut edge = Edge::start(&database, "externalId");
        for _ in 0..ROUNDS {
            edge.user("ada");
            std::thread::scope(|scope| {
                let edge = &edge;
                for number in 0..4 {
                    let subject = format!("ada-{number}");
                    scope.spawn(move || edge.facts_of(ISSUER, &subject, Some("ada")));
                }
                assert_eq!(edge.control.call("DELETE", "/tenants/alpha", "").0, 204);
                edge.put_tenant("externalId");
            });
            edge.scim = edge.control.provisioner("alpha", false).unwrap();
            edge.put_tenant("externalId");
            let ada = edge.user("ada");
            let linked: Vec<_> = (0..4)
                .filter_map(|number| {
                    edge.facts_of(ISSUER, &format!("ada-{number}"), Some("ada"))
                        .user
                })
                .collect();
            assert_eq!(linked, std::slice::from_ref(&ada));
            assert_eq!(edge.scim.delete(&format!("/Users/{ada}")).status, 204);
        }
        edge.control.stop().unwrap();
    }
}

/// As many changes wait for others on PostgreSQL.
async fn until_waiting(connection: &mut sqlx::AnyConnection, count: i64) {
    let started = std::time::Instant::now();
    while started.elapsed().as_secs() < 30 {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if waiting == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("there are never {count} that wait");
}

/// The same as races do by chance, with writers that are held just before they
/// commit.
#[test]
fn a_deletion_waits_for_what_is_being_written() {
    const LOCK_OF_AUDIT: i64 = 0x6967_6175_6469_7401;
    let Some(database) = Database::postgres() else {
        return;
    };
    let mut edge = Edge::start(&database, "externalId");
    edge.user("ada");
    sqlx::any::install_default_drivers();
    let mut holder = edge.runtime.block_on(async {
        let mut holder = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(LOCK_OF_AUDIT)
            .execute(&mut holder)
            .await
            .unwrap();
        holder
    });
    std::thread::scope(|scope| {
        let edge = &edge;
        let writers = [
            scope.spawn(|| u16::from(edge.facts("ada").user.is_some())),
            scope.spawn(|| edge.scim.post("/Users", &user("bob")).status),
            scope.spawn(|| {
                let group = json!({"schemas": [GROUP], "displayName": "Analysts"});
                edge.scim.post("/Groups", &group).status
            }),
        ];
        edge.runtime.block_on(until_waiting(&mut holder, 3));
        let deletion = scope.spawn(|| edge.control.call("DELETE", "/tenants/alpha", "").0);
        edge.runtime.block_on(async {
            until_waiting(&mut holder, 4).await;
            holder.close().await.unwrap();
        });
        let [linked, user, group] = writers.map(|writer| writer.join().unwrap());
        assert_eq!((user, group), (201, 201));
        assert!(linked <= 1);
        assert_eq!(deletion.join().unwrap(), 204);
    });
    edge.scim = edge.control.provisioner("alpha", false).unwrap();
    edge.put_tenant("externalId");
    for path in ["/Users", "/Groups"] {
        let list = edge.scim.get(path);
        assert_eq!(list.body["totalResults"], 0, "{path}: {}", list.text);
    }
    let ada = edge.user("ada");
    assert_eq!(edge.facts("ada").user, Some(ada));
    edge.control.stop().unwrap();
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

/// Whatever it is linked by, it is nothing that is given to somebody else.
#[test]
fn a_claim_that_changes_is_no_link() {
    for database in Database::each() {
        let edge = Edge::start(&database, "externalId");
        for claim in ["email", "phone_number", "preferred_username", "", "a b"] {
            for attribute in ["externalId", "userName"] {
                let issuers = json!({ISSUER: {"claim": claim, "attribute": attribute}});
                let tenant = json!({"issuers": issuers}).to_string();
                let (status, said) = edge.control.call("PUT", "/tenants/alpha", tenant);
                assert_eq!(status, 422, "{claim}");
                let problem = said["problems"][0].as_str().unwrap();
                assert!(problem.contains(ISSUER), "{problem}");
                let says = if claim.contains('_') || claim == "email" {
                    "neither stable nor unique"
                } else {
                    "visible"
                };
                assert!(problem.contains(says), "{problem}");
            }
        }
        let (_, tenant) = edge.control.call("GET", "/tenants/alpha", "");
        assert_eq!(tenant["issuers"][ISSUER]["claim"], "sub");
        edge.control.stop().unwrap();
    }
}

#[test]
fn names_of_users_are_links_without_their_case() {
    for database in Database::each() {
        let edge = Edge::start(&database, "userName");
        let ada = edge.user("ada");
        assert_eq!(
            edge.facts_of(ISSUER, "s", Some("ADA@Alpha.io")).user,
            Some(ada)
        );
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
