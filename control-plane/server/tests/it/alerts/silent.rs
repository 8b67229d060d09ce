//! Groups that nobody tells of any more: they are given up, and their issues say so.

use ig_control_plane::TrackerKind;
use serde_json::Value;
use sqlx::Connection as _;
use tokio::runtime::Runtime;

use super::{Bench, message, wait};
use crate::databases::Database;

/// A database that time is changed in.
struct Rows<'a> {
    url: &'a str,
    runtime: Runtime,
}

impl<'a> Rows<'a> {
    fn of(database: &'a Database) -> Self {
        sqlx::any::install_default_drivers();
        Self {
            url: &database.url,
            runtime: Runtime::new().unwrap(),
        }
    }

    fn change(&self, sql: &'static str) {
        self.runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    fn count(&self, sql: &'static str) -> i64 {
        self.runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(self.url).await.unwrap();
            let counted: Result<i64, sqlx::Error> =
                sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            connection.close().await.unwrap();
            counted.unwrap()
        })
    }
}

/// 91 days; and 89, of a group whose text is older than that.
const SILENT: &str =
    "UPDATE alert_groups SET told_at = told_at - 7862400000 WHERE title LIKE '%graph=silent%'";
const REPEATED: &str = "UPDATE alert_groups SET told_at = told_at - 7689600000, changed_at = 1 \
                        WHERE title LIKE '%graph=repeated%'";
const TOLD_SINCE: &str = "SELECT count(*) FROM alert_groups WHERE told_at >= started_at \
                          AND title LIKE '%graph=repeated%'";

fn number(bench: &Bench, key: &str) -> i64 {
    let groups = bench.settled();
    let is_of = |group: &&Value| {
        let title = group["title"].as_str().unwrap();
        title.contains(&format!("graph={key}:"))
    };
    let group = groups.iter().find(is_of).unwrap();
    group["issue"].as_i64().unwrap()
}

#[test]
fn a_group_that_nobody_tells_of_any_more_is_given_up() {
    for database in Database::each() {
        let bench = Bench::start(&database, TrackerKind::Github);
        let rows = Rows::of(&database);
        for key in ["silent", "repeated"] {
            bench.tell(&message(key, "firing", "one"));
        }
        let (silent, repeated) = (number(&bench, "silent"), number(&bench, "repeated"));
        let state = |number: i64| bench.stub.issue(number)["state"].clone();
        let until_given_up = || {
            rows.change(SILENT);
            wait(|| (state(silent) == "closed").then_some(()));
            bench.settled();
            bench.stub.issue(silent)["body"]
                .as_str()
                .unwrap()
                .to_owned()
        };

        // What Alertmanager repeats goes on, though it says nothing new.
        rows.change(REPEATED);
        assert_eq!(rows.count(TOLD_SINCE), 0);
        bench.tell(&message("repeated", "firing", "one"));
        assert_eq!(rows.count(TOLD_SINCE), 1);

        let body = until_given_up();
        assert!(
            body.contains("Nobody has told of this for 90 days."),
            "{body}"
        );
        assert!(body.contains("One alert fires."), "{body}");
        assert_eq!(state(repeated), "open");

        // It goes on after all, with its old beginning: at once, and in the same issue.
        bench.tell(&message("silent", "firing", "one"));
        assert_eq!(number(&bench, "silent"), silent);
        assert_eq!(state(silent), "open");
        let body = bench.stub.issue(silent)["body"].clone();
        assert!(
            !body.as_str().unwrap().contains("Nobody has told"),
            "{body}"
        );

        // Or it is over after all.
        until_given_up();
        bench.tell(&message("silent", "resolved", "one"));
        bench.settled();
        assert_eq!(state(silent), "closed");
        let body = bench.stub.issue(silent)["body"].clone();
        assert!(
            body.as_str().unwrap().contains("Nothing of this fires"),
            "{body}"
        );

        assert_eq!(bench.stub.own().len(), 2);
        bench.control.stop().unwrap();
    }
}

/// Rows that a release before wrote say nothing of when they were told of.
#[test]
fn what_was_there_before_is_not_given_up_at_once() {
    for database in Database::each() {
        let bench = Bench::start(&database, TrackerKind::Github);
        let rows = Rows::of(&database);
        for key in ["old", "silent"] {
            bench.tell(&message(key, "firing", "one"));
        }
        let (old, silent) = (number(&bench, "old"), number(&bench, "silent"));
        rows.change(
            "UPDATE alert_groups SET told_at = NULL, started_at = 1, changed_at = 1 \
             WHERE title LIKE '%graph=old%'",
        );
        wait(|| {
            let looked = "SELECT count(*) FROM alert_groups WHERE told_at > started_at \
                          AND title LIKE '%graph=old%'";
            (rows.count(looked) == 1).then_some(())
        });
        // Whatever closes the one would have closed the other.
        rows.change(SILENT);
        wait(|| (bench.stub.issue(silent)["state"] == "closed").then_some(()));
        bench.settled();
        assert_eq!(bench.stub.issue(old)["state"], "open");
        bench.control.stop().unwrap();
    }
}
