//! The audit trail, which the ledger commits to.

use ig_control_plane::{CannotCheck, Checked, Tampered, check_ledger};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{leaves, records, tamper};
use crate::databases::Database;

const SDL: &str = "type Query { me: String }";

fn check(database: &Database) -> Result<Checked, CannotCheck> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(check_ledger(&database.config(), None))
}

/// What an auditor does with a record of the API, by the documentation alone.
fn leaf_of(record: &Value) -> String {
    let committed = json!({
        "action": record["action"], "actor": record["actor"], "after": record["after"],
        "at": record["at"], "before": record["before"], "target": record["target"],
    });
    let salt = hex::decode(record["salt"].as_str().unwrap()).unwrap();
    assert_eq!(salt.len(), 32);
    let hash = Sha256::new()
        .chain_update(salt)
        .chain_update(committed.to_string())
        .finalize();
    let kind = match record["action"].as_str() {
        Some("break-glass.declare") => "break-glass/v1",
        _ => "audit/v1",
    };
    json!({"kind": kind, "sha256": hex::encode(hash)}).to_string()
}

#[test]
fn a_record_is_what_its_leaf_commits_to() {
    for database in Database::each() {
        let control = database.start();
        for (path, body) in [
            ("/schemas/demo/dev", SDL.to_owned()),
            ("/tenants/alpha", json!({"region": "eu"}).to_string()),
            // Characters that JSON writes in several ways.
            (
                "/tenants/alpha",
                json!({"purposes": ["a\u{7f}\u{e9}\u{2028}\"\\/"]}).to_string(),
            ),
        ] {
            control.call("PUT", path, body);
        }
        let records = records(&control);
        let leaves = leaves(control.http);
        for record in &records {
            let index = record["ledgerIndex"].as_u64().unwrap();
            let leaf = String::from_utf8(leaves[index as usize].clone()).unwrap();
            assert_eq!(leaf, leaf_of(record), "{record}");
        }
        control.stop().unwrap();
        let checked = check(&database).unwrap();
        assert_eq!(checked.records as usize, records.len());
        assert_eq!((checked.queued, checked.uncommitted), (0, 0));
    }
}

/// Each as SQL, and what a check says of it.
#[test]
fn what_was_changed_in_the_database_is_found_out() {
    for database in Database::each() {
        let control = database.start();
        for number in 0..6 {
            let path = format!("/schemas/demo/t{number}");
            assert_eq!(control.call("PUT", &path, SDL).0, 201);
        }
        let records = records(&control);
        control.stop().unwrap();
        let good = check(&database).unwrap();
        assert_eq!(good.records as usize, records.len());
        let third = records[2]["number"].as_i64().unwrap();
        let fourth = third + 1;
        let is_third = format!("WHERE number = {third}");
        let copy = "CREATE TABLE kept AS SELECT * FROM";
        // Where it is, how it is changed, and what is said.
        let cases: &[(&str, String, &str)] = &[
            (
                "audit",
                format!("UPDATE audit SET actor = 'somebody' {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET action = 'nothing' {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET target = 'demo/x' {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET at = at + 1 {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET before = '' {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET after = 'x' {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET salt = NULL {is_third}"),
                "record",
            ),
            (
                "audit",
                format!("UPDATE audit SET entry = NULL {is_third}"),
                "unlogged",
            ),
            (
                "audit",
                format!("UPDATE audit SET entry = 1000000 {is_third}"),
                "unlogged",
            ),
            ("audit", format!("DELETE FROM audit {is_third}"), "deleted"),
            (
                "audit",
                format!(
                    "DELETE FROM audit WHERE number >= {}",
                    records.last().unwrap()["number"]
                ),
                "deleted",
            ),
            (
                "audit",
                format!(
                    "UPDATE audit SET target = (SELECT target FROM audit WHERE number = {fourth}) \
                     {is_third}"
                ),
                "record",
            ),
            (
                "ledger_entries",
                "UPDATE ledger_entries SET body = (SELECT body FROM ledger_entries \
                 WHERE leaf = 3) WHERE leaf = 2"
                    .to_owned(),
                "log",
            ),
            (
                "ledger_entries",
                "DELETE FROM ledger_entries WHERE leaf = 2".to_owned(),
                "log",
            ),
            (
                "ledger_entries",
                "DELETE FROM ledger_entries".to_owned(),
                "log",
            ),
            (
                "ledger_tiles",
                "UPDATE ledger_tiles SET hashes = (SELECT body FROM ledger_entries WHERE leaf = 1)"
                    .to_owned(),
                "log",
            ),
            ("ledger_tiles", "DELETE FROM ledger_tiles".to_owned(), "log"),
            (
                "ledger_log",
                "UPDATE ledger_log SET checkpoint = REPLACE(checkpoint, '\n', 'x')".to_owned(),
                "log",
            ),
            ("ledger_log", "DELETE FROM ledger_log".to_owned(), "log"),
        ];
        for (table, change, expected) in cases {
            tamper(&database.url, &format!("{copy} {table}"));
            tamper(&database.url, change);
            let said = match check(&database) {
                Err(CannotCheck::Tampered(tampered)) => tampered,
                other => panic!("{change}: {other:?}"),
            };
            let found = match &said {
                Tampered::Record(number) if *number == third => "record",
                Tampered::Unlogged(_) => "unlogged",
                Tampered::Deleted(_) => "deleted",
                Tampered::Log(_) => "log",
                Tampered::Record(_) => "another record",
            };
            assert_eq!(found, *expected, "{change}: {said}");
            let over = match database.url.starts_with("sqlite") {
                true => "",
                // The column's numbers are its own there.
                false => "OVERRIDING SYSTEM VALUE",
            };
            tamper(
                &database.url,
                &format!(
                    "DELETE FROM {table}; INSERT INTO {table} {over} SELECT * FROM kept; \
                     DROP TABLE kept"
                ),
            );
            assert_eq!(check(&database).unwrap(), good, "{change}: put back");
        }
    }
}

/// Records of a release that had no ledger are told apart; nobody hides a later one
/// among them.
#[test]
fn records_from_before_the_ledger_are_known() {
    for database in Database::each() {
        let control = database.start();
        let token = control.token.clone();
        assert_eq!(control.call("PUT", "/schemas/demo/a", SDL).0, 201);
        let before = records(&control).len();
        control.stop().unwrap();
        // As the migration leaves them.
        tamper(
            &database.url,
            "UPDATE audit SET salt = NULL, entry = NULL; DELETE FROM ledger_entries; \
             DELETE FROM ledger_tiles; DELETE FROM ledger_log",
        );
        let mut control = database.start();
        control.token = token;
        let (_, page) = control.call("GET", "/audit", "");
        assert_eq!(page["items"][0]["salt"], Value::Null);
        assert_eq!(control.call("PUT", "/schemas/demo/b", SDL).0, 201);
        super::wait("the ledger has the new record", || {
            let (_, page) = control.call("GET", "/audit", "");
            page["items"][0]["ledgerIndex"].is_u64().then_some(())
        });
        control.stop().unwrap();
        let checked = check(&database).unwrap();
        assert_eq!(checked.uncommitted as usize, before);
        assert_eq!(checked.records, 1);
    }
}
