//! `cargo xtask bench --websocket`: what WebSockets cost, and how soon a suspension
//! ends them, by the tests that hold them, with more.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::outcome::{Places, measured};
use super::{machine, today};
use crate::tools;

const TESTS: [&str; 2] = [
    "sockets_measured::idle_and_busy_connections_with_and_without_the_guard",
    "sockets_measured::a_suspension_by_scim_ends_a_running_subscription",
];
const IDLE: u32 = 5_000;
const BUSY: u32 = 500;
const SECONDS: u32 = 10;
const RUNS: u32 = 100;

/// Measures, prints, and writes the page and JSON if asked to.
pub(super) fn run(root: &Path, places: &Places) -> Result<()> {
    let variables = [
        ("IG_IDLE", IDLE),
        ("IG_BUSY", BUSY),
        ("IG_SECONDS", SECONDS),
        ("IG_RUNS", RUNS),
    ];
    let figures = json!({
        "date": today(), "machine": machine(), "envoy": tools::envoy(root)?.version.to_string(),
        "measured": measured(root, &TESTS, &variables)?,
    });
    let page = page(&figures)?;
    places.tell(&page, &page, &figures)
}

fn page(figures: &Value) -> Result<String> {
    let text = |name: &str| figures[name].as_str().unwrap_or_default();
    let mut page = format!(
        "# Benchmarks of WebSockets\n\n\
         The last run of `cargo xtask bench --websocket --write`; do not edit by hand.\n\n\
         {}, {}, Envoy {}, one worker.\n\n\
         | arm | idle connections | KiB each | busy connections | messages/s |\n|---|---|---|---|---|\n",
        text("date"),
        text("machine"),
        text("envoy"),
    );
    let all: Vec<_> = figures["measured"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let find = |what: &str| all.iter().copied().find(|one| one["what"] == what);
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap_or(f64::NAN);
    let (guard, bare) = (
        find("guard").context("nothing was measured with the guard")?,
        find("bare").context("nothing was measured without it")?,
    );
    for (name, arm) in [("with the guard", guard), ("without it", bare)] {
        writeln!(
            page,
            "| {name} | {} | {:.1} | {} | {:.0} |",
            arm["idle"],
            number(arm, "bytesPerConnection") / 1024.0,
            arm["busy"],
            number(arm, "messagesPerSecond"),
        )?;
    }
    let ratio = |name: &str| number(guard, name) / number(bare, name);
    writeln!(
        page,
        "\nWith the guard a connection takes {:.2} times the memory, and {:.2} times as many messages pass.",
        ratio("bytesPerConnection"),
        ratio("messagesPerSecond"),
    )?;
    let ended = find("suspension").context("no suspension was measured")?;
    writeln!(
        page,
        "\nFrom `PATCH active: false` by SCIM until a client whose subscription runs is told that it is over, \
         {} runs, two workers: p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms.",
        ended["runs"],
        number(ended, "p50"),
        number(ended, "p99"),
        number(ended, "max"),
    )?;
    page.push_str(METHOD);
    Ok(page)
}

const METHOD: &str = "
## How it is measured

By tests of `tests/e2e`, which hold the same with fewer connections: `sockets_measured`. Each connection has one
subscription by id; memory is what Envoy's resident size grew by, over the number of connections. A busy connection says
the next `ping` of the sub-protocol as soon as the last one was answered; both are counted. Envoy, clients and upstream
share the machine's cores, in both arms alike, so compare arms and not machines.
";
