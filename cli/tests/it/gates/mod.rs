//! The gates that other repositories run: each step of the action and of the
//! documented GitLab jobs, as it stands, in a repository where something is
//! changed.

mod action;
mod docs;
mod gitlab;
mod inputs;
mod trust;
mod workflows;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ig_signing::{Bundle, PrivateKey, Sha256};
use yaml_serde::Value;

use crate::schema::{commit, edit};
use crate::{Ran, Work};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    yaml_serde::from_str(&read(path)).unwrap()
}

/// Built by whoever tests the workspace.
fn verify() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_ig")).with_file_name("ig-verify")
}

/// Whether signatures can be verified; in CI they have to be.
fn has_verify() -> bool {
    let has = verify().exists();
    if !has {
        assert!(std::env::var_os("CI").is_none(), "cargo build -p ig-verify");
        println!("SKIPPED: no ig-verify; cargo build -p ig-verify");
    }
    has
}

/// A repository with a commit, and programs beside it.
struct Sandbox {
    work: Work,
    /// What a runner has beside the repository, where nothing is committed.
    runner: tempfile::TempDir,
}

/// What became of steps, or of jobs.
struct Job {
    /// Those that failed.
    failed: Vec<String>,
    /// Those that ran.
    ran: Vec<String>,
    /// What they printed.
    log: String,
    summary: String,
}

impl Sandbox {
    /// With everything that a gate is for.
    fn new() -> Self {
        let work = Work::new();
        fs::create_dir(work.file("build")).unwrap();
        work.write("build/sbom.cdx.json", SBOM);
        work.write("build/manifest.json", "{\"rows\": 3}\n");
        let key = PrivateKey::generate().unwrap();
        let digest = Sha256::of(work.read("build/manifest.json").as_bytes());
        let bundle = Bundle::sign(&key, digest).unwrap().to_bytes();
        fs::write(work.file("build/manifest.sigstore.json"), bundle).unwrap();
        work.write("release.pub", &key.public().to_pem());
        commit(&work);
        let runner = tempfile::tempdir().unwrap();
        fs::create_dir(runner.path().join("tools")).unwrap();
        let sandbox = Self { work, runner };
        let ig = env!("CARGO_BIN_EXE_ig");
        symlink(ig, sandbox.tools().join("ig")).unwrap();
        if verify().exists() {
            symlink(verify(), sandbox.tools().join("ig-verify")).unwrap();
        }
        sandbox
    }

    /// A folder with `ig` and `ig-verify`.
    fn tools(&self) -> PathBuf {
        self.runner.path().join("tools")
    }

    /// Runs a script as GitHub's and GitLab's runners do, with these folders
    /// first on the path.
    fn bash(&self, script: &str, folders: &[PathBuf], env: &BTreeMap<String, String>) -> Ran {
        let mut path: Vec<_> = folders.iter().map(|it| it.display().to_string()).collect();
        path.push(std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env("PATH", path.join(":"))
            .env("RUNNER_TEMP", self.runner.path())
            .env("GITHUB_PATH", self.runner.path().join("path"))
            .env("GITHUB_STEP_SUMMARY", self.runner.path().join("summary.md"))
            .envs(env);
        self.work.run(&mut bash)
    }

    fn report(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.work.read(&format!("reports/{name}"))).unwrap()
    }

    /// Names of reports, in order.
    fn reports(&self) -> Vec<String> {
        names(&self.work.file("reports"))
    }
}

/// Names of files in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

const SBOM: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a", "version": "1"}]}"#;

/// A change of the repository, and the steps and jobs that fail for it.
struct Case {
    name: &'static str,
    /// File, what is replaced in it, and by what.
    edit: [&'static str; 3],
    /// Steps of the action.
    steps: &'static [&'static str],
    /// Jobs on GitLab.
    jobs: &'static [&'static str],
}

const CASES: [Case; 11] = [
    Case {
        name: "nothing",
        edit: ["guard.toml", "", ""],
        steps: &[],
        jobs: &[],
    },
    Case {
        name: "a field that nobody asks for",
        edit: [
            "schema.graphql",
            "  tenant: String\n}",
            "  tenant: String\n  new: Int\n}",
        ],
        steps: &[],
        jobs: &[],
    },
    Case {
        name: "a field that operations ask for",
        edit: ["schema.graphql", "  title: String\n", ""],
        steps: &["Change of the schema", "Operations"],
        jobs: &["schema-change", "operations"],
    },
    Case {
        name: "a purpose more",
        edit: ["schema.graphql", ", \"audit\"", ", \"audit\", \"x\""],
        steps: &["Change of the schema"],
        jobs: &["schema-change"],
    },
    Case {
        name: "no schema",
        edit: ["schema.graphql", "type Case", "type"],
        steps: &["Schema", "Change of the schema", "Operations"],
        jobs: &["schema", "schema-change", "operations"],
    },
    Case {
        name: "an operation that is not valid",
        edit: ["operations/CaseById.graphql", "title", "nothing"],
        steps: &["Change of the schema", "Operations"],
        jobs: &["schema-change", "operations"],
    },
    Case {
        name: "a test of policies that fails",
        edit: ["policies/decision_test.rego", "not data", "data"],
        steps: &["Policies"],
        jobs: &["policy-tests"],
    },
    Case {
        name: "a policy that looks at a clock",
        edit: ["policies/decision.rego", "> 30", "> time.now_ns()"],
        steps: &["Policies"],
        jobs: &["policies", "policy-tests"],
    },
    Case {
        name: "no policy",
        edit: ["policies/decision.rego", "too_long if {", "too_long if"],
        steps: &["Policies"],
        jobs: &["policies", "policy-tests"],
    },
    Case {
        name: "a component without a version",
        edit: ["build/sbom.cdx.json", "\"version\"", "\"other\""],
        steps: &["SBOM"],
        jobs: &["sbom"],
    },
    Case {
        name: "a release that was changed",
        edit: ["build/manifest.json", "3", "4"],
        steps: &["Signature"],
        jobs: &["signature"],
    },
];

impl Case {
    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        let [file, from, to] = self.edit;
        edit(&sandbox.work, file, from, to);
        sandbox
    }

    /// Reports that there are, whatever fails: of what could not be read there
    /// is none.
    fn reports(&self, mut all: Vec<&'static str>) -> Vec<&'static str> {
        all.retain(|report| match self.name {
            "no schema" => !["schema-diff.json", "catalogue-check.json"].contains(report),
            "a policy that looks at a clock" | "no policy" => *report != "policy-test.json",
            _ => true,
        });
        all
    }
}

const REPORTS: [&str; 7] = [
    "catalogue-check.json",
    "policy-check.json",
    "policy-test.json",
    "sbom-check.json",
    "schema-check.json",
    "schema-diff.json",
    "signature.txt",
];

/// SBOMs, and whether they are complete.
const SBOMS: [(&str, bool); 12] = [
    (SBOM, true),
    (
        r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a", "versionInfo": "1"}]}"#,
        true,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.10", "components": [{"name": "a", "version": "1"}]}"#,
        true,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.3", "components": [{"name": "a", "version": "1"}]}"#,
        false,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a"}]}"#,
        false,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": []}"#,
        false,
    ),
    (
        r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a"}]}"#,
        false,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "\n::error::forged", "components": [{"name": "a", "version": "1"}]}"#,
        false,
    ),
    (
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": "\n::error::forged"}"#,
        false,
    ),
    ("{}", false),
    ("not JSON", false),
    ("", false),
];
