//! A small bundle with real keys and a real ledger: its reports are made up, in the form
//! that the programs write, and name exactly what the controls ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use ig_evidence::seal::{Sealed, seal};
use ig_evidence::{About, Check, Controls, Files, Report, names, rfc3339, seen};
use ig_ledger::Log;
use ig_ledger::sign::LogSigner;
use ig_ledger::storage::Memory;
use ig_signing::{PrivateKey, Sha256};
use serde_json::{Value, json};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const VERSION: &str = "0.1.0";
/// 2026-11-28T12:00:00Z.
pub const NOW: u64 = 1_795_867_200;
/// Programs and module.
pub const ARTEFACTS: [&str; 2] = ["ig", "ig_guard.wasm"];
const CONTROLS: &[u8] = include_bytes!("../../controls.toml");

/// Who signs, and where it is told.
pub struct Small {
    pub key: PrivateKey,
    pub log_keys: Arc<LogSigner>,
}

/// Files by name, to be changed.
pub type Map = BTreeMap<String, Vec<u8>>;

pub fn files(map: &Map) -> Files {
    let mut files = Files::new();
    for (name, bytes) in map {
        files.insert(name, bytes.clone()).unwrap();
    }
    files
}

pub fn map(files: &Files) -> Map {
    files
        .iter()
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        .collect()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap()
}

/// A program that names the crates that are linked into it.
pub fn artefact(name: &str) -> Vec<u8> {
    format!(
        "\u{7f}ELF {name}\0/cargo/registry/src/index-1/serde-1.0.228/src/lib.rs\0\
         /cargo/registry/src/index-1/serde_json-1.0.145/src/de.rs\0"
    )
    .into_bytes()
}

impl Small {
    pub fn new() -> Self {
        let origin = "ledger.example".parse().unwrap();
        let log_keys = LogSigner::from_bytes(origin, &[7; 32], &[9; 32]).unwrap();
        Self {
            key: PrivateKey::generate().unwrap(),
            log_keys: Arc::new(log_keys),
        }
    }

    pub fn log(&self) -> Log<Memory> {
        Log::create(Memory::new(), Arc::clone(&self.log_keys)).unwrap()
    }

    /// Makes a bundle of files, in a ledger that begins.
    pub fn seal(&self, map: &Map) -> Sealed {
        let mut log = self.log();
        seal(files(map), &self.key, &mut log, self.log_keys.keys(), None).unwrap()
    }
}

/// What the run would have left.
pub fn parts() -> Map {
    let mut map = Map::new();
    let about = About::new(VERSION, COMMIT, false, NOW).unwrap();
    map.insert(names::ABOUT.into(), about.to_bytes());
    map.insert(names::CONTROLS.into(), CONTROLS.to_vec());
    for report in Report::ALL {
        map.insert(report.path(), bytes(&report_of(report)));
    }
    let sums: String = ARTEFACTS
        .iter()
        .map(|name| format!("{}  {name}\n", Sha256::of(&artefact(name))))
        .collect();
    map.insert(names::SUMS.into(), sums.into_bytes());
    let seen: seen::Seen = ARTEFACTS
        .iter()
        .map(|name| ((*name).to_owned(), seen::crates(&artefact(name))))
        .collect();
    map.insert(names::SEEN.into(), seen::to_bytes(&seen));
    map.insert(names::SBOM.into(), bytes(&sbom()));
    map.insert(names::PROVENANCE.into(), bytes(&provenance(COMMIT)));
    for uid in named(Check::Dashboards) {
        let dashboard = json!({
            "uid": uid, "title": uid,
            "panels": [{"title": "Requests", "targets": [{"expr": "rate(ig_x_total[5m])"}]}],
        });
        map.insert(
            format!("{}{uid}.json", names::DASHBOARDS),
            bytes(&dashboard),
        );
    }
    map
}

/// What the controls ask a check for.
fn named(check: Check) -> Vec<String> {
    let controls = Controls::parse(CONTROLS).unwrap();
    let claims = controls
        .controls
        .into_iter()
        .flat_map(|control| control.claims);
    let mut names: Vec<_> = claims
        .filter(|claim| claim.check == check)
        .flat_map(|claim| claim.names)
        .collect();
    names.sort();
    names.dedup();
    names
}

pub fn run() -> Value {
    json!({"commit": COMMIT, "dirty": false, "date": rfc3339(NOW - 3600)})
}

/// As `ig-chaos` and `ig-load` say it.
fn versions() -> Value {
    json!({
        "version": VERSION, "commit": COMMIT, "isDirty": false, "date": rfc3339(NOW - 60),
        "machine": "2 cores",
    })
}

fn report_of(report: Report) -> Value {
    let tests = |check| {
        json!({
            "run": run(), "suites": [{"command": "cargo test", "exit": 0}],
            "passed": named(check), "failed": [], "skipped": [],
        })
    };
    match report {
        Report::AccessReview => json!({
            "run": run(),
            "tokens": [{
                "name": "ci", "role": "publisher", "tenant": null, "mayConfer": false,
                "createdAt": 1_790_000_000_000_u64, "expiresAt": null, "revokedAt": null,
            }],
            "roles": {"issuer": null, "roles": {}, "tenantAdmins": {}},
            "tenants": [{
                "tenant": "alpha",
                "users": [
                    {"userName": "a", "active": true, "admin": true, "groups": ["admins"]},
                    {"userName": "b", "active": false, "admin": false, "groups": []},
                ],
            }],
        }),
        Report::SchemaDiff => json!({"run": run(), "base": "f".repeat(40), "result": {
            "conclusion": "success", "summary": {"operations": 13},
            "authz": [{"path": "Query.own", "effect": "strengthened"}], "operations": [],
            "verdict": {"passed": true, "undecided": 0, "failOn": ["operations", "weakened"], "failures": [], "excepted": []},
        }}),
        Report::PolicyTests => json!({"run": run(), "result": {
            "results": [{"package": "data.ig.tenancy_test", "name": "test_own", "compared": 4}],
            "coverage": {"coverage": 98.0, "files": {
                "policies/ig/tenancy.rego": {"covered_lines": 49, "not_covered_lines": 1},
            }},
        }}),
        Report::Chaos => {
            let verdict = |name: &str| json!({"invariant": name, "holds": true, "lookedAt": 9, "violations": []});
            let verdicts = ["nothing-undecided", "in-region", "nothing-lost"].map(verdict);
            let scenario = |name: String| {
                json!({
                    "name": name, "scenario": name, "holds": true, "figures": {"requests": 1200},
                    "verdicts": &verdicts,
                })
            };
            let scenarios: Vec<_> = named(Check::Chaos).into_iter().map(scenario).collect();
            json!({"versions": versions(), "holds": true, "scenarios": scenarios})
        }
        Report::Load => json!({
            "engine": {"name": "ig-load", "versions": versions()},
            "metrics": {
                "http_reqs": {"type": "counter", "values": {"count": 6000, "rate": 100.0}},
                "http_req_duration": {
                    "type": "trend", "values": {"p(95)": 41.5, "p(99)": 88.0},
                    "thresholds": {"p(95)<350": {"ok": true}, "p(99)<900": {"ok": true}},
                },
                "http_req_failed": {
                    "type": "rate", "values": {"rate": 0.0, "passes": 0, "fails": 6000},
                    "thresholds": {"rate<0.001": {"ok": true}},
                },
            },
        }),
        Report::Tests => tests(Check::Tests),
        Report::Conformance => tests(Check::Conformance),
        Report::Browser => tests(Check::Browser),
    }
}

pub fn provenance(commit: &str) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://github.com/intelgraph/guard/builds/dist/v1",
            "externalParameters": {"command": "cargo xtask dist", "changedFiles": 0},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/intelgraph/guard", "digest": {"gitCommit": commit}},
            ],
        },
        "runDetails": {
            "builder": {"id": "https://github.com/intelgraph/guard/builders/own-machine/v1"},
            "metadata": {"invocationId": "by hand"},
        },
    })
}

/// In the form of `cargo xtask dist`.
pub fn sbom() -> Value {
    let mut packages = Vec::new();
    let mut relations = Vec::new();
    let mut relate = |from: &str, kind: &str, to: &str| {
        relations.push(json!({
            "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to,
        }));
    };
    let package = |id: &str, name: &str, version: &str| {
        json!({
            "SPDXID": id, "name": name, "versionInfo": version,
            "supplier": "Organization: IntelGraph", "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "MIT OR Apache-2.0", "copyrightText": "NOASSERTION",
        })
    };
    let crates = [
        ("SPDXRef-Crate-serde-1.0.228", "serde", "1.0.228"),
        (
            "SPDXRef-Crate-serde-us-json-1.0.145",
            "serde_json",
            "1.0.145",
        ),
    ];
    for (id, name, version) in crates {
        packages.push(package(id, name, version));
    }
    for name in ARTEFACTS {
        let id = format!("SPDXRef-Artifact-{}", name.replace(['_', '.'], "-"));
        let mut described = package(&id, name, VERSION);
        let sum = Sha256::of(&artefact(name)).to_string();
        described["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": sum}]);
        packages.push(described);
        relate("SPDXRef-DOCUMENT", "DESCRIBES", &id);
        for (crate_id, _, _) in crates {
            relate(&id, "STATIC_LINK", crate_id);
        }
    }
    relate(crates[1].0, "DEPENDS_ON", crates[0].0);
    json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": "intelgraph-guard-0.1.0",
        "documentNamespace": format!("https://github.com/intelgraph/guard/sbom/{COMMIT}/1"),
        "creationInfo": {
            "created": "2026-11-28T11:00:00Z",
            "creators": ["Organization: IntelGraph", "Tool: xtask-0.1.0"],
        },
        "packages": packages, "relationships": relations,
    })
}
