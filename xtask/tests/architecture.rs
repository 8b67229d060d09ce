//! What ARCHITECTURE.md promises about the code's own shape.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xtask::tools::root;

/// Which crates of the workspace a crate may need, tests and builds aside.
const ALLOWED: [(&str, &[&str]); 26] = [
    ("ig-contract", &[]),
    ("ig-persisted-query", &["ig-contract"]),
    ("ig-policy", &["ig-contract"]),
    ("ig-step-up", &["ig-contract"]),
    ("ig-residency", &["ig-contract"]),
    ("ig-rate-limit", &["ig-contract"]),
    ("ig-websocket", &[]),
    (
        "ig-guard",
        &[
            "ig-contract",
            "ig-persisted-query",
            "ig-policy",
            "ig-step-up",
            "ig-residency",
            "ig-rate-limit",
            "ig-websocket",
        ],
    ),
    (
        "ig-guard-wasm",
        &["ig-contract", "ig-guard", "ig-websocket"],
    ),
    ("ig-schema", &["ig-contract"]),
    ("ig-schema-diff", &["ig-contract", "ig-schema"]),
    (
        "ig-snapshot",
        &["ig-contract", "ig-schema", "ig-policy", "ig-step-up"],
    ),
    ("ig-scim", &[]),
    ("ig-cost", &[]),
    (
        "ig-control-plane",
        &[
            "ig-contract",
            "ig-schema",
            "ig-snapshot",
            "ig-scim",
            "ig-step-up",
            "ig-rate-limit",
            "ig-policy",
            "ig-signing",
            "ig-ledger",
            "ig-cost",
        ],
    ),
    ("ig-signing", &[]),
    ("ig-ledger", &[]),
    ("ig-verify", &["ig-ledger", "ig-signing"]),
    ("ig-envoy", &["ig-contract"]),
    ("ig-evidence", &["ig-ledger", "ig-signing"]),
    (
        "ig-cli",
        &[
            "ig-contract",
            "ig-envoy",
            "ig-evidence",
            "ig-ledger",
            "ig-schema",
            "ig-signing",
            "ig-schema-diff",
            "ig-snapshot",
        ],
    ),
    ("ig-demo-upstream", &[]),
    ("ig-authenticator", &[]),
    (
        "xtask",
        &[
            "ig-authenticator",
            "ig-contract",
            "ig-envoy",
            "ig-evidence",
            "ig-schema",
            "ig-snapshot",
        ],
    ),
    ("ig-e2e", &[]),
    ("ig-chaos", &["ig-contract", "ig-e2e", "ig-envoy"]),
];

fn packages() -> Vec<Value> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn dependencies_point_one_way() {
    let allowed = BTreeMap::from(ALLOWED);
    let packages = packages();
    assert_eq!(packages.len(), ALLOWED.len(), "a crate without a rule");
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("no rule for {name}"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let is_normal = dependency["kind"].is_null();
            let is_ours = on == "xtask" || on.starts_with("ig-");
            let is_test = name == "ig-e2e";
            assert!(
                !is_ours || !is_normal || is_test || may.contains(&on),
                "{name} must not need {on}"
            );
        }
    }
}

#[test]
fn unsafe_code_is_in_the_wasm_edge_only() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let inherits = manifest.contains("[lints]\nworkspace = true");
        assert_eq!(inherits, name != "ig-guard-wasm", "{name}");
    }
    let mut folders = vec![root().join("filters/wasm/src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let (inner, here): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(here);
    }
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_host = path.ends_with("host.rs");
        assert!(is_host || !text.contains("unsafe {"), "{}", path.display());
    }
}

/// Every test that the page names exists, and every path.
#[test]
fn invariants_name_tests_that_exist() {
    let root = root();
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let sources = rust_sources(&root);
    let rows = page.lines().skip_while(|line| *line != "## Invariants");
    let rows: Vec<_> = rows.filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 10);
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test holds: {row}");
        for name in names {
            let is_path = name.contains('/') && !name.contains('*');
            let is_function = name.contains('_')
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && !name.starts_with("unwrap_")
                && !name.starts_with("indexing_")
                && name != "snapshot_decode";
            assert!(
                !is_path || root.join(name).exists(),
                "{name} does not exist: {row}"
            );
            let definition = format!("fn {name}(");
            assert!(
                !is_function || sources.iter().any(|text| text.contains(&definition)),
                "there is no test {name}: {row}"
            );
        }
    }
}

fn rust_sources(root: &Path) -> Vec<String> {
    let out = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(root)
        .output()
        .unwrap();
    let files = String::from_utf8(out.stdout).unwrap();
    files
        .lines()
        .filter_map(|file| std::fs::read_to_string(root.join(file)).ok())
        .collect()
}
