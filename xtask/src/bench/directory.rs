//! `cargo xtask bench --directory`: SCIM on a million users, and how long a
//! change takes to the edge.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::outcome::Places;
use super::{machine, today};
use crate::process::Process;
use crate::{tools, workspace};

/// Runs of each measurement at the edge.
const RUNS: u32 = 100;

/// What is measured, by its name in the example's answer, and its target: p99,
/// in milliseconds.
const ROWS: [(&str, &str, Option<f64>); 10] = [
    ("userNameEq", "`userName eq`, 1 of 1,000,000", Some(10.0)),
    (
        "emailsContain",
        "`emails[type eq \"work\"].value co` a part of an address",
        Some(100.0),
    ),
    (
        "emailsContainOneLetter",
        "the same with one letter that everybody has",
        None,
    ),
    (
        "emailsContainSmallTenant",
        "the same in a tenant of 100",
        None,
    ),
    (
        "sortedPage",
        "page 1,000 of 100, sorted by userName",
        Some(100.0),
    ),
    ("sortedPageWhole", "the same, with all attributes", None),
    (
        "sortedPageByFamilyName",
        "page 1,000 of 100, sorted by name.familyName",
        None,
    ),
    (
        "patchMember",
        "PATCH of one member in a group of 100,000",
        Some(50.0),
    ),
    ("create", "POST of a user to the large tenant", None),
    (
        "createSmallTenant",
        "POST of a user to a small tenant",
        None,
    ),
];

/// Measures, prints, and writes the page and JSON if asked to.
pub(super) fn run(root: &Path, places: &Places) -> Result<()> {
    workspace::build(
        root,
        workspace::Target::Bin,
        &["ig-control-plane", "ig", "ig-demo-upstream"],
    )?;
    Process::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "ig-control-plane",
        ])
        .args(["--example", "directory"])
        .current_dir(root)
        .inherit_as_log()?;
    let example = root.join("target/release/examples/directory");
    let measure = |database: &str| -> Result<Value> {
        eprintln!("{database}: a million users take minutes to write");
        let said = Process::new(&example)
            .args(["--database", database])
            .current_dir(root)
            .capture()?
            .stdout;
        serde_json::from_str(&said).with_context(|| format!("{database}: {said}"))
    };
    let figures = json!({
        "date": today(),
        "machine": machine(),
        "sqlite": measure("sqlite")?,
        "postgres": measure("postgres")?,
        "edge": edge(root)?,
    });
    let page = page(&figures)?;
    places.tell(&page, &page, &figures)
}

/// The interoperability test of identities, with more runs.
fn edge(root: &Path) -> Result<Vec<Value>> {
    let (node, npm) = tools::node(root)?;
    let folder = root.join("tests/interop");
    Process::new(&npm)
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .inherit_as_log()?;
    let said = Process::new(&node.path)
        .args(["--test", "test/identity.test.js"])
        .env("IG_RUNS", RUNS.to_string())
        .env("CI", "1")
        .current_dir(&folder)
        .capture()?
        .stdout;
    let lines = said.lines().filter_map(|line| line.split_once("measured "));
    lines
        .map(|(_, figures)| Ok(serde_json::from_str(figures)?))
        .collect()
}

fn page(figures: &Value) -> Result<String> {
    let mut page = format!(
        "# Benchmarks of the directory\n\n\
         The last run of `cargo xtask bench --directory --write`; do not edit by hand.\n\n\
         {}, {}.\n\n\
         ## SCIM\n\n\
         One tenant of {} users, {} of {} each, in one database. One client, one call after the \
         other, over loopback; milliseconds.\n\n\
         | call | SQLite p50 | p99 | PostgreSQL p50 | p99 | target p99 |\n\
         |---|---|---|---|---|---|\n",
        text(&figures["date"]),
        text(&figures["machine"]),
        figures["sqlite"]["users"],
        figures["sqlite"]["tenants"],
        figures["sqlite"]["each"],
    );
    for (name, what, target) in ROWS {
        write!(page, "| {what} |")?;
        for database in ["sqlite", "postgres"] {
            let of = &figures[database][name];
            let millis = |part: &str| of[part].as_f64().unwrap_or(f64::NAN);
            write!(page, " {:.1} | {:.1} |", millis("p50"), millis("p99"))?;
        }
        match target {
            Some(target) => writeln!(page, " {target:.0} |")?,
            None => writeln!(page, " |")?,
        }
    }
    let per_second = |database: &str| figures[database]["createsPerSecond"].as_f64();
    writeln!(
        page,
        "\nEight clients create {:.0} users/s on SQLite, {:.0} on PostgreSQL: each is a transaction \
         that is on the disk before it is answered, with its line in the audit trail.\n\n\
         ## At the edge\n\n\
         From the call of SCIM until every worker of Envoy (two) denies; a real identity provider's \
         access token that is good for an hour; milliseconds. Here the control plane is not optimised.\n\n\
         | change | runs | p50 | p99 | longest |\n|---|---|---|---|---|",
        per_second("sqlite").unwrap_or(f64::NAN),
        per_second("postgres").unwrap_or(f64::NAN),
    )?;
    for one in figures["edge"].as_array().into_iter().flatten() {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            text(&one["what"]),
            one["runs"],
            text(&one["p50_ms"]),
            text(&one["p99_ms"]),
            text(&one["max_ms"])
        )?;
    }
    page.push_str(METHOD);
    Ok(page)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

const METHOD: &str = "
## How it is measured

`control-plane/server/examples/directory.rs` writes the rows by SQL, compares one user's with those
that the API writes, starts the control plane on the database, and calls it. What is searched for
differs from call to call. PostgreSQL is Debian's with its defaults, after `VACUUM ANALYZE`; SQLite
knows no statistics. The last part is `tests/interop/test/identity.test.js` with `IG_RUNS=100`: a
change counts as enforced once ten requests in a row, each on a connection of its own, are denied,
and the time is that of the first of these ten.
";
