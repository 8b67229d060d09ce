//! Prometheus' rules and Alertmanager's configuration, by their own tools.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::workspace;

/// Cases, for `promtool`.
const TESTS: [&str; 2] = [
    "charts/ig-guard/testdata/rules/alerts.yaml",
    "charts/ig-guard/testdata/rules/slo.yaml",
];

/// A program of Debian's packages. `None`, loudly, where it is not; in CI that fails.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        let missing = format!("no {name}: run `cargo xtask setup --with prometheus`");
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
    }
    found
}

/// The files with rules.
pub(super) fn files() -> Vec<PathBuf> {
    let folder = workspace("charts/ig-guard/files/rules");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

fn run(program: &Path, arguments: &[&str], files: &[PathBuf]) -> String {
    let ran = Command::new(program)
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn rules_are_good_and_each_alert_fires_when_it_should_only() {
    let Some(promtool) = program("promtool") else {
        return;
    };
    run(
        &promtool,
        &["check", "rules", "--lint=all", "--lint-fatal"],
        &files(),
    );
    run(&promtool, &["test", "rules"], &TESTS.map(workspace));
}

fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let values = text
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key));
    values.map(str::trim).collect()
}

#[test]
fn each_alert_is_tested_and_has_a_runbook_that_names_it() {
    let tests = TESTS.map(|tests| std::fs::read_to_string(workspace(tests)).unwrap());
    let tests = tests.concat();
    let mut seen = BTreeSet::new();
    for file in files() {
        let rules = std::fs::read_to_string(file).unwrap();
        for rule in rules.split("- alert: ").skip(1) {
            let name = rule.lines().next().unwrap();
            assert!(seen.insert(name.to_owned()), "{name} is there twice");
            for (case, fires) in [("fires", true), ("does not fire", false)] {
                let case = format!("- name: {name} {case}\n");
                let (_, case) = tests.split_once(&case).expect(&case);
                let case = case.split("- name: ").next().unwrap();
                assert_eq!(case.contains("exp_labels"), fires, "{name}");
                assert!(fires || case.contains("exp_alerts: []"), "{name}");
            }
            let url = values(rule, "runbook_url:");
            let (_, page) = url[0].split_once("/blob/main/").expect(name);
            let page = std::fs::read_to_string(workspace(page)).expect(page);
            assert!(
                page.contains(&format!("`{name}`")),
                "{name} is not in its runbook"
            );
            let severity = values(rule, "labels: {severity:");
            assert!(
                ["critical}", "warning}"].contains(&severity[0]),
                "{name}: {severity:?}"
            );
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn the_configuration_of_alertmanager_is_good() {
    let Some(amtool) = program("amtool") else {
        return;
    };
    let file = workspace("charts/ig-guard/files/alertmanager.yaml");
    run(&amtool, &["check-config"], std::slice::from_ref(&file));
    let config = format!("--config.file={}", file.display());
    let route = [
        "config",
        "routes",
        "test",
        &config,
        "--verify.receivers=ig-issues",
    ];
    run(
        &amtool,
        &[&route[..], &["alertname=IgBudget80", "budget=alpha"]].concat(),
        &[],
    );
}
