//! Which user a subject is: by the rule, once, whoever else is writing.

use serde_json::json;
use sqlx::Connection as _;

use crate::databases::Database;
use crate::directory::{Edge, GROUP, ISSUER, user};

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
