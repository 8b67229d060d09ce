//! The page says what there is, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ig_contract::{DecisionRecord, Mode};

use super::*;

/// Something of everything.
fn filled() -> Metrics {
    let metrics = Metrics::new();
    let of = RouteLabels {
        method: "GET",
        route: "/tenants".into(),
    };
    metrics
        .durations
        .get_or_create(&of)
        .observe(0.1, None, None);
    metrics.scim.get_or_create(&of).observe(0.1);
    let labels = RequestLabels {
        method: of.method,
        route: of.route,
        status: 200,
    };
    metrics.requests.get_or_create(&labels).inc();
    metrics.proxy_call(ProxyCall::Facts, Duration::from_millis(1), None);
    let record = format!(
        r#"{{"decisionId":"1","tenantId":null,"actor":null,"purpose":null,"authority":null,
        "operation":null,"document":null,"outcome":"deny","code":"GUARD_UNAVAILABLE",
        "rule":"{BREACH_RULE}","mode":"enforce","region":null,"revision":null}}"#
    );
    let record: DecisionRecord<'_> = serde_json::from_str(&record).unwrap();
    metrics.decision("demo", &record);
    metrics.schema_break("demo");
    metrics.rate_limit.asked("demo", Duration::from_millis(1));
    metrics.rate_limit.over("demo", Mode::Enforce);
    metrics.rate_limit.degraded("demo");
    metrics.exports.not_made(&ApiError::Timeout);
    metrics.alerts.turn(alerts::Outcome::Opened);
    metrics.cost.show_something();
    metrics
}

fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    encode(&mut text, &metrics.registry).unwrap();
    text
}

/// Labels by name and type, as Prometheus has them.
fn printed(text: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let sample = match kind {
            "counter" => format!("{name}_total"),
            "histogram" => format!("{name}_bucket"),
            _ => name.to_owned(),
        };
        let series = text.lines().filter_map(|line| line.strip_prefix(&*sample));
        let labels = series.filter_map(|rest| rest.strip_prefix('{')?.split_once('}'));
        let labels = labels.flat_map(|(labels, _)| labels.split("\","));
        let labels = labels.filter_map(|label| label.split_once('='));
        let labels = labels.map(|(name, _)| name.to_owned());
        let name = match kind {
            "counter" => sample.clone(),
            _ => name.to_owned(),
        };
        all.insert(
            (name, kind.to_owned()),
            labels.filter(|name| name != "le").collect(),
        );
    }
    all
}

/// The same of the page's table.
fn documented() -> BTreeMap<(String, String), BTreeSet<String>> {
    let page = include_str!("../../../../docs/telemetry.md");
    let (_, table) = page.split_once("## Metrics of the control plane").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let words = |cell: &str| -> Vec<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(ToOwned::to_owned).collect()
    };
    let rows = table.lines().filter(|line| line.starts_with("| `ig_"));
    let parsed = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = words(cells[1]).remove(0);
        (
            (name, cells[2].to_owned()),
            words(cells[3]).into_iter().collect(),
        )
    });
    parsed.collect()
}

#[test]
fn the_page_lists_every_metric_with_its_labels() {
    let text = text(&filled());
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(documented(), printed(&text));
}

/// The share of requests that were answered in time is counted, not guessed.
#[test]
fn every_histogram_has_the_bounds_of_the_objectives() {
    let metrics = filled();
    metrics.rate_limit.asked("demo", Duration::from_millis(1));
    let text = text(&metrics);
    let histograms = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        (kind == "histogram").then_some(name)
    });
    let histograms: Vec<_> = histograms.collect();
    assert!(histograms.len() >= 5, "{histograms:?}");
    for name in histograms {
        for bound in ["0.35", "0.9"] {
            let is_it = |line: &str| {
                line.starts_with(&format!("{name}_bucket{{"))
                    && line.contains(&format!("le=\"{bound}\""))
            };
            assert!(text.lines().any(is_it), "{name} has no bucket of {bound} s");
        }
    }
}
