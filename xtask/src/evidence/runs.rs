//! What is run for a bundle. Each leaves a report with its commit and time, whatever came
//! of it: a test that fails is evidence too.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use ig_evidence::{Report, Tree, names};
use serde_json::{Value, json};

use super::record::{self, Record};
use crate::process::{Captured, Process};
use crate::workspace::PACKAGES;
use crate::{setup, stack, tools, wasm};

/// Something to run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Run {
    /// Tests of policies
    Policy,
    /// The schema against that of the last release
    Schema,
    /// Tests of the workspace, and those of conformance among them (long)
    Tests,
    /// Tests of the console in a browser
    Browser,
    /// A few scenarios of faults, short
    Chaos,
    /// The load test, for a minute
    Load,
    /// Who holds what, of a control plane that runs, or of the demo's
    Access,
    /// Programs, module, bill of materials and provenance (long)
    Dist,
}

/// In an order in which what is short fails first; each once.
pub(super) fn ordered(runs: &[Run]) -> Vec<Run> {
    let mut runs = runs.to_vec();
    runs.sort_unstable();
    runs.dedup();
    runs
}

impl Run {
    /// What it leaves.
    fn leaves(self, reports: &Path, dist: &Path) -> Vec<PathBuf> {
        let report = match self {
            Self::Dist => {
                let files = [names::SUMS, names::SBOM, names::PROVENANCE];
                return files.map(|name| dist.join(name)).into();
            }
            Self::Tests => {
                let both = [Report::Tests, Report::Conformance];
                return both.map(|one| reports.join(one.file_name())).into();
            }
            Self::Policy => Report::PolicyTests,
            Self::Schema => Report::SchemaDiff,
            Self::Browser => Report::Browser,
            Self::Chaos => Report::Chaos,
            Self::Load => Report::Load,
            Self::Access => Report::AccessReview,
        };
        vec![reports.join(report.file_name())]
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it cannot be run. What it finds is in its report.
    pub(super) fn run(
        self,
        root: &Path,
        reports: &Path,
        dist: &Path,
        schema_base: Option<&str>,
    ) -> Result<()> {
        eprintln!(
            "== {}",
            self.to_possible_value()
                .map_or_else(String::new, |name| name.get_name().to_owned())
        );
        // A run that leaves nothing has shown nothing, whatever an earlier one has left.
        for path in self.leaves(reports, dist) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        let report = |report: Report| reports.join(report.file_name());
        match self {
            Self::Policy => policy(root, &report(Report::PolicyTests)),
            Self::Schema => schema(root, &report(Report::SchemaDiff), schema_base),
            Self::Tests => tests(root, reports),
            Self::Browser => browser(root, &report(Report::Browser)),
            Self::Chaos => {
                let reports = reports.to_string_lossy();
                let mut words = vec!["chaos"];
                for scenario in ["control-plane-kill", "upstream-reset"] {
                    words.extend(["--scenario", scenario]);
                }
                words.extend(["--duration", "4", "--reports", &*reports]);
                xtask(root, &words)
            }
            Self::Load => {
                let reports = reports.to_string_lossy();
                let words = [
                    "load",
                    "--duration",
                    "60",
                    "--rate",
                    "100",
                    "--reports",
                    &*reports,
                ];
                xtask(root, &words)
            }
            Self::Access => access(root, &report(Report::AccessReview)),
            Self::Dist => xtask(root, &["dist", "--out", &dist.to_string_lossy()]),
        }
    }
}

/// Another subcommand. What it judges is in its report, so that its exit code ends nothing.
fn xtask(root: &Path, words: &[&str]) -> Result<()> {
    // Not by this program's path: tests of the workspace put another file there.
    let status = Process::new("cargo")
        .args(["run", "--quiet", "--bin", "xtask", "--"])
        .args(words)
        .current_dir(root)
        .into_command()
        .status()?;
    ensure!(
        matches!(status.code(), Some(0 | 1)),
        "cargo xtask {}: {status}",
        words.join(" ")
    );
    Ok(())
}

/// `ig`, of this tree.
pub(super) fn ig(root: &Path, words: &[impl AsRef<OsStr>]) -> Process {
    Process::new("cargo")
        .args(["run", "--quiet", "--bin", "ig", "--"])
        .args(words)
        .current_dir(root)
}

/// Runs `ig` with a report in a file, and puts the report into ours with its stamp. An exit
/// code of 1 is a finding, which the report has.
fn reported(root: &Path, words: &[&str], path: &Path, base: Option<&str>) -> Result<()> {
    let before = Tree::of(root)?;
    let folder = tempfile::tempdir()?;
    let said = folder.path().join("report.json");
    let text = said.to_string_lossy().into_owned();
    let words = [words, &["--output", text.as_str()]].concat();
    let command = format!("ig {}", words[..words.len() - 2].join(" "));
    let mut process = ig(root, &words).into_command();
    let status = process.stdout(std::process::Stdio::null()).status()?;
    ensure!(matches!(status.code(), Some(0 | 1)), "{command}: {status}");
    let bytes = fs::read(&said).with_context(|| format!("{command} left no report"))?;
    let result: Value = serde_json::from_slice(&bytes)?;
    let run = before.until_now(root)?.stamp(&command);
    let mut report = json!({"run": run, "result": result});
    if let Some(base) = base {
        report["base"] = base.into();
    }
    record::write(path, &report)
}

fn policy(root: &Path, path: &Path) -> Result<()> {
    let words = ["policy", "test", "policies", "--coverage"];
    reported(root, &words, path, None)
}

const SCHEMA: &str = "persisted-queries/schema.graphql";

fn schema(root: &Path, path: &Path, base: Option<&str>) -> Result<()> {
    let base = match base {
        Some(base) => base.to_owned(),
        None => last_release(root)?,
    };
    // A name may move: the report says which commit it was.
    let found = Process::new("git")
        .args(["rev-parse", "--verify"])
        .arg(format!("{base}^{{commit}}"))
        .current_dir(root)
        .capture()?;
    let base = found.stdout.trim();
    let old = format!("git:{base}:{SCHEMA}");
    let catalogue = "persisted-queries/manifest.json";
    let words = [
        "schema",
        "diff",
        old.as_str(),
        SCHEMA,
        "--catalogue",
        catalogue,
    ];
    let rules = ["--fail-on", "operations,weakened"];
    reported(root, &[&words[..], &rules].concat(), path, Some(base))
}

/// The last tag of a release before this one; before the first, the commit that brought the
/// schema.
fn last_release(root: &Path) -> Result<String> {
    let git = |words: &[&str]| -> Result<Captured> {
        Ok(Process::new("git")
            .args(words)
            .current_dir(root)
            .capture()?)
    };
    let tag = git(&["describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"]);
    if let Ok(tag) = tag {
        return Ok(tag.stdout.trim().to_owned());
    }
    let log = git(&["log", "--diff-filter=A", "--format=%H", "--", SCHEMA])?;
    let first = log
        .stdout
        .lines()
        .last()
        .context("no commit has the schema")?;
    Ok(first.to_owned())
}

/// All tests that cargo runs. Those of conformance are among them; they are a report of
/// their own.
fn tests(root: &Path, reports: &Path) -> Result<()> {
    let before = Tree::of(root)?;
    setup::ensure(vec![
        setup::Extra::Interop,
        setup::Extra::Cosign,
        setup::Extra::Postgres,
        setup::Extra::Redis,
        setup::Extra::Prometheus,
        setup::Extra::Hsm,
        setup::Extra::Contract,
        setup::Extra::Scim,
        setup::Extra::Evidence,
    ])?;
    wasm::run(&wasm::Args {
        variants: vec![wasm::Variant::All],
        profile: "release".into(),
        json: false,
    })?;
    let mut record = Record::default();
    let unit = [
        &["test", "--no-fail-fast", "--exclude", "ig-e2e"][..],
        &PACKAGES,
    ]
    .concat();
    let e2e = [&["test", "--no-fail-fast", "--test", "e2e"][..], &PACKAGES].concat();
    for words in [&unit[..], &e2e] {
        // Where a tool is missing, nothing is shown: that is no pass.
        let process = Process::new("cargo")
            .args(words)
            .env("CI", "1")
            .current_dir(root);
        if let Err(error) = record.cargo(process) {
            eprintln!("{error:#}");
        }
    }
    let tree = before.until_now(root)?;
    write_tests(&record, &Record::default(), &tree, reports)
}

/// Whether a test compares with what others say is right.
fn is_conformance(name: &str) -> bool {
    ["conformance::", "contract::", "interop::"]
        .iter()
        .any(|part| name.contains(part))
}

/// The suite of the console, in a browser.
const BROWSER: &str = "the console in a browser";

/// The reports of tests of cargo, and of those of Node.
///
/// # Errors
/// When they cannot be written.
pub fn write_tests(cargo: &Record, node: &Record, tree: &Tree, reports: &Path) -> Result<()> {
    let path = |report: Report| reports.join(report.file_name());
    let is_browser = |name: &str| name.starts_with(BROWSER);
    let mut conformance = cargo.of(is_conformance);
    conformance.add(node.of(|name| !is_browser(name)));
    conformance.write(tree, &path(Report::Conformance))?;
    node.of(is_browser).write(tree, &path(Report::Browser))?;
    cargo.write(tree, &path(Report::Tests))
}

/// Runs tests by Node, which says more to a file than to the screen.
///
/// # Errors
/// When they do not run, or one of them fails: that is kept as well.
pub fn node_tests(root: &Path, is: impl Fn(&str) -> bool, record: &mut Record) -> Result<()> {
    let (node, _) = tools::node(root)?;
    let folder = root.join("tests/interop");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.join("test"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.js") && is(&name) {
            files.push(format!("test/{name}"));
        }
    }
    files.sort();
    let said = tempfile::tempdir()?;
    let tap = said.path().join("tap");
    let mut destination = std::ffi::OsString::from("--test-reporter-destination=");
    destination.push(&tap);
    let process = Process::new(&node.path)
        .args(["--test", "--test-concurrency=1"])
        .args(["--test-reporter=spec", "--test-reporter-destination=stdout"])
        .arg("--test-reporter=tap")
        .arg(destination)
        .args(&files)
        .current_dir(&folder);
    let line = format!("node --test {}", files.join(" "));
    let status = process.into_command().status()?;
    let text = fs::read_to_string(&tap);
    record.tap(&text.with_context(|| format!("{line} left no report"))?);
    record.ended(&line, status.code());
    ensure!(status.success(), "{line}: {status}");
    Ok(())
}

/// The console's tests alone.
fn browser(root: &Path, path: &Path) -> Result<()> {
    let before = Tree::of(root)?;
    setup::ensure(vec![setup::Extra::Interop, setup::Extra::Browser])?;
    let mut record = Record::default();
    if let Err(error) = node_tests(root, |name| name == "console.test.js", &mut record) {
        eprintln!("{error:#}");
    }
    record.write(&before.until_now(root)?, path)
}

/// Of the control plane that the environment names; else the demo's, for as long as it
/// takes.
fn access(root: &Path, path: &Path) -> Result<()> {
    let before = Tree::of(root)?;
    if std::env::var_os("IG_CONTROL_URL").is_some() {
        return review(root, &before, path, &[]);
    }
    let port = || crate::net::free_port();
    let stack = stack::Stack::start(&stack::UpArgs {
        detach: false,
        workers: 1,
        shadow: false,
        gateway_port: port()?,
        admin_port: port()?,
        upstream_port: port()?,
        control_port: port()?,
        grpc_port: port()?,
        upstream: None,
    })?;
    let said = review(
        root,
        &before,
        path,
        &[
            ("IG_CONTROL_URL", stack.control.url.as_str()),
            ("IG_ADMIN_TOKEN", stack.control.token.as_str()),
        ],
    );
    stack.stop();
    said
}

fn review(root: &Path, before: &Tree, path: &Path, variables: &[(&str, &str)]) -> Result<()> {
    let mut process = ig(root, &["access", "review", "--json"]);
    for (name, value) in variables {
        process = process.env(name, value);
    }
    let said: Value = serde_json::from_str(&process.capture()?.stdout)?;
    let mut report = said
        .as_object()
        .cloned()
        .context("ig access review: no object")?;
    let run = before.until_now(root)?.stamp("ig access review --json");
    report.insert("run".into(), run);
    record::write(path, &Value::Object(report))
}
