//! `cargo xtask test` and `ci`: every check, in the order in which it fails
//! soonest.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use ig_evidence::Tree;

use crate::evidence::record::Record;
use crate::evidence::runs::{node_tests, write_tests};
use crate::process::Process;
use crate::workspace::{self, PACKAGES};
use crate::{net, setup, stack, tools, wasm};

/// Sets up, builds, and runs all tests
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask test\n  \
    cargo xtask test --tier unit       no Envoy, no Node\n  \
    cargo xtask test --tier interop    the npm clients and servers only\n  \
    IG_CASE=h2-trailers cargo xtask test --tier e2e    one case of the table")]
pub struct TestArgs {
    /// Tiers to run (repeatable, or separated by commas)
    #[arg(
        long = "tier",
        value_enum,
        value_delimiter = ',',
        default_value = "all"
    )]
    tiers: Vec<Tier>,
}

/// What CI runs: formatting, lints, licences, documentation and all tests
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  cargo xtask ci    what .ci/run calls")]
pub struct CiArgs {}

/// A group of tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Tier {
    /// Pure crates, the command line, policies
    Unit,
    /// The real Envoy, and the demo's tour
    E2e,
    /// Clients and servers from npm
    Interop,
    /// All of them
    All,
}

/// Steps with their times.
struct Steps {
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("== {name}");
        let started = Instant::now();
        run().with_context(|| format!("step `{name}` failed"))?;
        self.done.push((name, started.elapsed()));
        Ok(())
    }

    fn print(&self) {
        println!();
        for (name, time) in &self.done {
            println!("ok  {:>7.1} s  {name}", time.as_secs_f32());
        }
    }
}

/// Runs `cargo xtask test`.
///
/// # Errors
/// The first step that fails.
pub fn run_test(args: &TestArgs) -> Result<ExitCode> {
    let mut steps = Steps { done: Vec::new() };
    let mut extras = Vec::new();
    if std::env::var_os("CI").is_some() {
        if runs(&args.tiers, Tier::Interop) {
            extras.push(setup::Extra::Browser);
            extras.push(setup::Extra::Helm);
            extras.push(setup::Extra::Opa);
            extras.push(setup::Extra::Images);
        }
        if runs(&args.tiers, Tier::Unit) {
            extras.extend([
                setup::Extra::Contract,
                setup::Extra::Scim,
                setup::Extra::Evidence,
                setup::Extra::Hsm,
            ]);
        }
        if runs(&args.tiers, Tier::Unit) || runs(&args.tiers, Tier::Interop) {
            extras.extend([setup::Extra::Interop, setup::Extra::Cosign]);
        }
        if runs(&args.tiers, Tier::Unit) || runs(&args.tiers, Tier::E2e) {
            extras.push(setup::Extra::Postgres);
            extras.push(setup::Extra::Redis);
            extras.push(setup::Extra::Prometheus);
        }
    }
    test(&mut steps, &args.tiers, extras)?;
    steps.print();
    Ok(ExitCode::SUCCESS)
}

fn runs(tiers: &[Tier], tier: Tier) -> bool {
    tiers.iter().any(|one| *one == tier || *one == Tier::All)
}

/// Runs them. In CI, what came of each stays as a report, also where a step fails: else the
/// report of an earlier run of the commit, which passed, would be what is known of it.
fn test(steps: &mut Steps, tiers: &[Tier], with: Vec<setup::Extra>) -> Result<()> {
    let root = tools::root();
    // Elsewhere than in CI, a test whose tool is missing passes as well: no report is left.
    let before = std::env::var_os("CI").map(|_| Tree::of(&root));
    let (mut record, mut nodes) = (Record::default(), Record::default());
    let ran = run_tiers(steps, tiers, with, &mut record, &mut nodes);
    let Some(before) = before else {
        return ran;
    };
    let tree = before.and_then(|tree| tree.until_now(&root));
    let tree = tree.map_err(anyhow::Error::new);
    let written = tree.and_then(|tree| write_tests(&record, &nodes, &tree, &root.join("reports")));
    ran.and(written)
}

fn run_tiers(
    steps: &mut Steps,
    tiers: &[Tier],
    with: Vec<setup::Extra>,
    record: &mut Record,
    nodes: &mut Record,
) -> Result<()> {
    let root = tools::root();
    steps.step("set-up", || setup::ensure(with))?;
    if runs(tiers, Tier::Unit) {
        steps.step("unit", || {
            let words = [&PACKAGES[..], &["--exclude", "ig-e2e"]].concat();
            record.cargo(tests(&root, &words))
        })?;
        steps.step("policies", || {
            workspace::build(&root, workspace::Target::Bin, &["ig"])?;
            let words = ["policy", "test", "policies", "--min-coverage", "95"];
            let ig = Process::new(root.join("target/debug/ig")).args(words);
            Ok(ig.current_dir(&root).inherit()?)
        })?;
    }
    if runs(tiers, Tier::E2e) || runs(tiers, Tier::Interop) {
        steps.step("modules", || {
            let all = wasm::Args {
                variants: vec![wasm::Variant::All],
                profile: "release".into(),
                json: false,
            };
            wasm::run(&all).map(drop)
        })?;
    }
    if runs(tiers, Tier::E2e) {
        steps.step("e2e", || {
            let words = [&PACKAGES[..], &["--test", "e2e", "--", "--nocapture"]].concat();
            record.cargo(tests(&root, &words))
        })?;
        steps.step("chaos", || chaos(&root))?;
    }
    if runs(tiers, Tier::Interop) {
        steps.step("interop", || interop(&root, nodes))?;
    }
    Ok(())
}

fn tests(root: &Path, words: &[&str]) -> Process {
    Process::new("cargo")
        .arg("test")
        .args(words)
        .current_dir(root)
}

fn cargo(root: &Path, words: &[&str]) -> Result<()> {
    Ok(Process::new("cargo")
        .args(words)
        .current_dir(root)
        .inherit()?)
}

/// A few scenarios, short, and what once did not hold; `cargo xtask chaos --all` is the
/// whole of it.
fn chaos(root: &Path) -> Result<()> {
    workspace::build(
        root,
        workspace::Target::Bin,
        &["ig-chaos", "ig-control-plane"],
    )?;
    let mut words = Vec::new();
    for scenario in ["control-plane-kill", "upstream-reset", "anything"] {
        words.extend(["--scenario", scenario]);
    }
    words.extend([
        "--regressions",
        "--duration",
        "4",
        "--reports",
        "target/chaos",
    ]);
    let chaos = Process::new(root.join("target/debug/ig-chaos")).args(words);
    Ok(chaos.current_dir(root).inherit()?)
}

fn interop(root: &Path, record: &mut Record) -> Result<()> {
    let npm = match tools::node(root) {
        Ok((_, npm)) => npm,
        Err(missing) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: interop: {missing:#}");
            return Ok(());
        }
        Err(missing) => return Err(missing),
    };
    workspace::build(root, workspace::Target::Bin, &stack::BINARIES)?;
    workspace::build(root, workspace::Target::Example, &["fixtures", "write"])?;
    let folder = root.join("tests/interop");
    Process::new(&npm)
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .inherit()?;
    node_tests(root, |_| true, record)
}

/// Runs `cargo xtask ci`.
///
/// # Errors
/// The first step that fails.
pub fn run_ci(_: &CiArgs) -> Result<ExitCode> {
    let root = tools::root();
    let mut steps = Steps { done: Vec::new() };
    steps.step("formatting", || cargo(&root, &["fmt", "--all", "--check"]))?;
    let extras = vec![
        setup::Extra::Interop,
        setup::Extra::Browser,
        setup::Extra::Helm,
        setup::Extra::Cosign,
        setup::Extra::Images,
        setup::Extra::Opa,
        setup::Extra::Postgres,
        setup::Extra::Redis,
        setup::Extra::Prometheus,
        setup::Extra::Hsm,
        setup::Extra::Contract,
        setup::Extra::Scim,
        setup::Extra::Evidence,
        setup::Extra::Deny,
    ];
    test(&mut steps, &[Tier::All], extras)?;
    steps.step("lints", || {
        let words = [&["clippy"], &PACKAGES[..], &["--all-targets"]];
        cargo(
            &root,
            &[&words.concat()[..], &["--", "-D", "warnings"]].concat(),
        )
    })?;
    steps.step("lints of the module", || lint_module(&root))?;
    // Advisories change without us: `.github/workflows/daily.yml` asks daily.
    steps.step("licences and sources", || {
        cargo(&root, &["deny", "check", "bans", "licenses", "sources"])
    })?;
    steps.step("documentation", || {
        let doc = Process::new("cargo").args(["doc", "--no-deps"]);
        Ok(doc
            .args(PACKAGES)
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(&root)
            .inherit()?)
    })?;
    steps.step("demo", || demo(&root))?;
    steps.print();
    Ok(ExitCode::SUCCESS)
}

/// On free ports: somebody may be at work on the usual ones. Under load, so that every
/// panel of every dashboard is seen to show something.
fn demo(root: &Path) -> Result<()> {
    let mut words: Vec<String> = [
        "run",
        "--quiet",
        "--bin",
        "xtask",
        "--",
        "demo",
        "--json",
        "reports/demo.json",
        "--dashboards",
        "reports/dashboards.html",
    ]
    .map(Into::into)
    .into();
    for option in [
        "--gateway-port",
        "--admin-port",
        "--upstream-port",
        "--control-port",
        "--grpc-port",
    ] {
        words.extend([option.into(), net::free_port()?.to_string()]);
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    cargo(root, &words)
}

/// What the modules are built of, with each set of features. The distribution's
/// compiler for Wasm has no clippy beside it.
fn lint_module(root: &Path) -> Result<()> {
    if wasm::Toolchain::choose(root)? != wasm::Toolchain::Rustup {
        eprintln!("SKIPPED: no clippy for the Wasm target in this toolchain");
        return Ok(());
    }
    let variants: [&[&str]; 3] = [
        &["--lib", "--examples"],
        &[
            "--lib",
            "--no-default-features",
            "--features=persisted-query",
        ],
        &["--lib", "--no-default-features", "--features=policy"],
    ];
    for variant in variants {
        let lint = ["clippy", "--package", "ig-guard-wasm", "--target"];
        let words = lint
            .iter()
            .chain(&[wasm::TARGET, "--target-dir", "target/wasm"]);
        let words: Vec<_> = words
            .chain(variant)
            .chain(&["--", "-D", "warnings"])
            .copied()
            .collect();
        cargo(root, &words)?;
    }
    Ok(())
}
