//! `cargo xtask bench --limits`: regions and limits under load, by the tests that
//! hold them, for longer.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::outcome::{Places, measured};
use super::{machine, today};
use crate::tools;

/// Tests that say what they measured, and the seconds or requests of each load.
const TESTS: [&str; 4] = [
    "rate_limit::under_load_a_caller_gets_its_rate_and_no_more",
    "fleet::a_fleet_gets_its_rate_and_no_more",
    "rate_limit::who_asks_for_too_much_is_alone_with_it",
    "regions::no_answer_comes_from_another_region_and_no_replica_writes",
];
const SECONDS: u32 = 15;
const REQUESTS: u32 = 100_000;

/// Measures, prints, and writes the page and JSON if asked to; whether the others
/// were left in peace.
pub(super) fn run(root: &Path, places: &Places) -> Result<bool> {
    let variables = [("IG_SECONDS", SECONDS), ("IG_REQUESTS", REQUESTS)];
    let figures = json!({
        "date": today(), "machine": machine(), "envoy": tools::envoy(root)?.version.to_string(),
        "measured": measured(root, &TESTS, &variables)?,
    });
    let (page, is_fair) = page(&figures)?;
    places.tell(&page, &page, &figures)?;
    Ok(is_fair)
}

/// Most that others may wait for longer: their p99 over that of a quiet run.
const FAIR: f64 = 1.5;

fn page(figures: &Value) -> Result<(String, bool)> {
    let text = |name: &str| figures[name].as_str().unwrap_or_default().to_owned();
    let mut page = format!(
        "# Benchmarks of regions and limits\n\n\
         The last run of `cargo xtask bench --limits --write`; do not edit by hand.\n\n\
         {}, {}, Envoy {}.\n\n\
         ## Accuracy of limits\n\n\
         One caller asks for as much as there can be for {SECONDS} seconds, over kept connections. Requests:\n\n\
         | where | offered | admitted | configured | of configured |\n|---|---|---|---|---|\n",
        text("date"),
        text("machine"),
        text("envoy"),
    );
    let all = figures["measured"].as_array().into_iter().flatten();
    let number = |of: &Value| of.as_f64().unwrap_or(f64::NAN);
    let (mut rest, mut is_fair) = (String::new(), true);
    for one in all {
        if one["configured"].is_number() {
            let (admitted, configured) = (number(&one["admitted"]), number(&one["configured"]));
            writeln!(
                page,
                "| {} | {} | {} | {configured:.1} | {:.1} % |",
                one["what"].as_str().unwrap_or_default(),
                one["offered"],
                one["admitted"],
                100.0 * admitted / configured,
            )?;
        } else if one["beside"].is_object() {
            let ratio = number(&one["beside"]["p99"]) / number(&one["alone"]["p99"]);
            is_fair &= ratio <= FAIR;
            write!(
                rest,
                "\n## One tenant at fifty times its limit\n\n\
                 Another tenant sends 200 requests a second at a pace, alone and beside one that offered {} and got \
                 {}. Its p99 was {} µs alone and {} µs beside it: {ratio:.2} times ({FAIR} is the target); p50 {} and \
                 {} µs.\n",
                one["noise"]["offered"],
                one["noise"]["admitted"],
                one["alone"]["p99"],
                one["beside"]["p99"],
                one["alone"]["p50"],
                one["beside"]["p50"],
            )?;
        } else {
            write!(
                rest,
                "\n## Two regions whose hosts come and go\n\n\
                 {} requests of {} tenants at both gateways in {:.1} s, while hosts were killed {} times: {} served, each \
                 signed by its tenant's region; {} answered 503; none from another region, no write on a replica.\n",
                one["requests"],
                one["tenants"],
                number(&one["seconds"]),
                one["kills"],
                one["served"],
                one["unavailable"],
            )?;
        }
    }
    page.push_str(&rest);
    page.push_str(METHOD);
    Ok((page, is_fair))
}

const METHOD: &str = "
## How it is measured

By tests of `tests/e2e`, which hold the same with fewer requests: `rate_limit`, `fleet` and `regions`; Envoys, clients,
upstreams, control planes and Redis share the machine's cores. Configured is the rate times the time that passed, and the
burst. Paced requests are timed from when they were due, so a slow answer delays nobody's clock. The upstreams of regions
sign their answers with a secret of their region, and clients check it. Clients that are told 503 ask again at once, so
times without a host count for more requests than others.
";
