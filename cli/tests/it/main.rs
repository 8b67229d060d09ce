//! `ig`, run as its users do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests, helpers included"
)]

mod bad_input;
mod catalogue;
mod completions;
mod control_plane;
mod cost;
mod envoy;
mod evidence;
mod evidence_build;
mod examples;
mod export;
mod exports;
mod gates;
mod hsm;
mod policy;
mod policy_docs;
mod policy_gates;
mod reports;
mod schema;
#[path = "../../../evidence/tests/it/small.rs"]
mod small;
mod snapshot;
mod token;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with one of every input.
pub(crate) struct Work(tempfile::TempDir);

/// What a run of `ig` gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Work {
    pub(crate) fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"),
            work.path(),
        );
        work
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// Runs `ig` with arguments that have no spaces.
    pub(crate) fn ig(&self, arguments: &str) -> Ran {
        self.run(Command::new(env!("CARGO_BIN_EXE_ig")).args(arguments.split_whitespace()))
    }

    pub(crate) fn run(&self, command: &mut Command) -> Ran {
        let output = command
            .current_dir(self.path())
            .env("HOME", self.path())
            .env_remove("IG_ISSUER")
            .env_remove("IG_AUDIENCE")
            .env_remove("IG_KEYS")
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Compiles the snapshot of the test data to `guard.igsnap`.
    pub(crate) fn compile(&self) -> serde_json::Value {
        self.ig(&format!("{COMPILE} --json")).ok().json()
    }
}

pub(crate) const COMPILE: &str = "snapshot compile --schema schema.graphql --catalogue operations \
     --policies policies --config guard.toml -o guard.igsnap";

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(text), "no `{text}` in\n{all}");
        self
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
