//! What others wrote to judge SCIM servers by.

use std::path::Path;
use std::process::{Command, Stdio};

use ig_e2e::Scim;
use serde_json::Value;

use super::tool;
use crate::databases::Database;

/// A program that asks the server, and nobody between.
fn run(binary: &Path, scim: &Scim, arguments: &[&str]) -> (bool, String) {
    let ran = Command::new(binary)
        .args(arguments)
        .env(
            "SCIM_CLI_HEADERS",
            format!("Authorization: Bearer {}", scim.token),
        )
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout).into_owned(),
        String::from_utf8_lossy(&ran.stderr),
    );
    let is_success = ran.status.success();
    (is_success, if is_success { out } else { out + &err })
}

#[test]
fn scim2_tester_finds_nothing() {
    let Some(binary) = tool("scim2") else { return };
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let (is_success, said) = run(&binary, &scim, &["--url", &scim.base, "test"]);
        assert!(is_success, "{said}");
        // A line for each check, after one that says what is checked; reasons are
        // indented.
        let checks = said.lines().skip(1).filter(|line| !line.starts_with(' '));
        let statuses: Vec<_> = checks
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(statuses.len() >= 20, "{said}");
        for status in statuses {
            assert_eq!(status, "SUCCESS", "{said}");
        }
        control.stop().unwrap();
    }
}

#[test]
fn scim_sanity_finds_nothing() {
    let Some(binary) = tool("scim-sanity") else {
        return;
    };
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let arguments = [
            "probe",
            &scim.base,
            "--token",
            &scim.token,
            "--strict",
            "--json-output",
            "--i-accept-side-effects",
        ];
        let (is_success, said) = run(&binary, &scim, &arguments);
        assert!(is_success, "{said}");
        let report: Value = serde_json::from_str(&said).unwrap();
        let results = report["results"].as_array().unwrap();
        let with = |status: &str| results.iter().filter(|one| one["status"] == status).count();
        assert!(with("pass") >= 20, "{said}");
        for status in ["fail", "error", "warn"] {
            assert_eq!(with(status), 0, "{said}");
        }
        control.stop().unwrap();
    }
}
