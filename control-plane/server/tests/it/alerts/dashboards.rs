//! Dashboards ask for what there is.

use std::collections::BTreeSet;

use ig_e2e::ControlPlane;
use serde_json::Value;

use super::rules::files;
use super::{Database, workspace};

/// Names that others than the control plane have, and who.
const OTHERS: [(&str, &str); 11] = [
    ("envoy_http_downstream_rq_time_bucket", "Envoy"),
    ("envoy_http_downstream_rq_time_count", "Envoy"),
    ("envoy_http_downstream_rq_completed", "Envoy"),
    ("envoy_http_downstream_rq_xx", "Envoy"),
    ("envoy_cluster_upstream_rq_xx", "Envoy"),
    ("envoy_server_live", "Envoy"),
    ("envoy_wasm_", "Envoy"),
    ("ig_region_breaches", "the guard, in Envoy"),
    ("ig_guard_decisions_total", "the guard, in Envoy"),
    ("litmuschaos_failed_experiments", "Litmus' exporter"),
    ("kube_job_status_failed", "kube-state-metrics"),
];

/// Names of capabilities that a control plane has where they are configured.
const CONFIGURED: [&str; 6] = [
    "ig_api_duration_seconds",
    "ig_cost_budget_used_ratio",
    "ig_cost_budget",
    "ig_cost_spent",
    "ig_cost_unattributed_ratio",
    "ig_cost_route_total",
];

/// The names in a query: words before `{`, `[` or an operator that are of a metric.
fn names(query: &str) -> BTreeSet<String> {
    // What is in quotes is a value.
    let bare: String = query.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let words = bare
        .split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)));
    let is_metric = |word: &&str| {
        ["ig_", "ig:", "envoy_", "litmuschaos_", "kube_"]
            .iter()
            .any(|prefix| word.starts_with(prefix))
            && !word.ends_with("_prefix")
            && !["envoy_response_code_class", "envoy_cluster_name"].contains(word)
    };
    words.filter(is_metric).map(str::to_owned).collect()
}

/// Names of the series that a control plane can have.
fn of_the_control_plane() -> BTreeSet<String> {
    let database = Database::sqlite();
    let control: ControlPlane = database.start();
    let (_, metrics) = control.call("GET", "/metrics", "");
    control.stop().unwrap();
    let mut names = BTreeSet::new();
    for line in metrics.as_str().unwrap().lines() {
        let Some(of) = line.strip_prefix("# TYPE ") else {
            continue;
        };
        let (name, kind) = of.split_once(' ').unwrap();
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        names.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    assert!(names.contains("ig_decisions_total"), "{names:?}");
    names
}

fn recorded() -> BTreeSet<String> {
    let files = files()
        .into_iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let text: String = files.collect();
    let names = text.split("- record: ").skip(1);
    names
        .map(|rest| rest.lines().next().unwrap().to_owned())
        .collect()
}

/// Every query of every panel and variable.
fn queries() -> Vec<(String, String)> {
    let folder = workspace("charts/ig-guard/files/dashboards");
    let mut queries = Vec::new();
    let mut uids = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            uids.insert(dashboard["uid"].as_str().unwrap().to_owned()),
            "{name}"
        );
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{name}: {title}");
            for target in targets {
                let query = target["expr"].as_str().unwrap();
                queries.push((format!("{name}: {title}"), query.to_owned()));
            }
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                let query = variable["query"].as_str().unwrap();
                queries.push((format!("{name}: {}", variable["name"]), query.to_owned()));
            }
        }
    }
    assert!(queries.len() > 25, "{}", queries.len());
    queries
}

#[test]
fn every_query_and_rule_is_of_what_there_is() {
    let known = of_the_control_plane();
    let recorded = recorded();
    let is_known = |name: &str| {
        let is_other = OTHERS
            .iter()
            .any(|(other, _)| match other.strip_suffix('_') {
                Some(_) => name.starts_with(other),
                None => name == *other,
            });
        let base = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending));
        let base = base.unwrap_or(name);
        known.contains(name) || recorded.contains(name) || is_other || CONFIGURED.contains(&base)
    };
    let mut all = queries();
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| {
            ![
                "- name:",
                "#",
                "summary:",
                "description:",
                "runbook_url:",
                "- record:",
            ]
            .iter()
            .any(|start| line.trim_start().starts_with(start))
        });
        let text: Vec<&str> = lines.collect();
        all.push((file.display().to_string(), text.join("\n")));
    }
    for (place, query) in all {
        let names = names(&query);
        assert!(!names.is_empty(), "{place}: {query}");
        for name in names {
            assert!(is_known(&name), "{place}: there is no {name}");
        }
    }
}
