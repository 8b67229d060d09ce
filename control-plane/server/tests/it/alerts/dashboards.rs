//! Dashboards ask for what there is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::files;
use super::workspace;

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

/// The names in a query: words before `{`, `[` or an operator that are of a metric.
fn names(query: &str) -> BTreeSet<String> {
    // What is in quotes is a value.
    let bare: String = query.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    // A name that is itself matched is one of Envoy's, whose modules are in it.
    if query.contains("__name__=~\"envoy_wasm_") {
        return ["envoy_wasm_".to_owned()].into();
    }
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

/// Names of the series that a control plane can have: those of the page, which lists
/// every metric (`metrics::tests`).
fn of_the_control_plane() -> BTreeSet<String> {
    let page = std::fs::read_to_string(workspace("docs/telemetry.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `ig_"));
    let mut names = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        match cells[2] {
            "histogram" => {
                let endings = ["_bucket", "_count", "_sum"];
                names.extend(endings.map(|ending| format!("{name}{ending}")));
            }
            _ => drop(names.insert(name.to_owned())),
        }
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
        known.contains(name) || recorded.contains(name) || is_other
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
