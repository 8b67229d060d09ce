//! `ig policy test`

mod load;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use ig_snapshot::{TestEngines, TestOptions, TestReport, run_tests_with};
use regex::Regex;

use crate::Outcome;
use crate::output::{self, ReportArgs};
use load::{Loaded, load};
use report::{github, text};

/// Run the `test_*` rules of a bundle, as `opa test` does. Every input that a
/// test uses is also given to the engine of the guard, whole and without each
/// of its members; a different decision is a failure.
#[derive(clap::Args)]
#[command(
    after_help = "The report, as JSON, is that of `opa test --format=json`; with --coverage an object that has
the coverage too. -c, -f, -r, -v and --threshold are as those of opa test.

Examples:
  ig policy test policies/
  ig policy test policies/ --run 'retention|other' -v
  ig policy test policies --format json -o reports/policy-tests.json --coverage --min-coverage 85
  ig policy test policies --format github
  ig policy test policies/decision.rego policies/decision_test.rego policies/data.json \\
      --engine interpreter    any files of Rego, as opa test

Exit codes: 0 all passed; 1 a test failed, none matched, or too little is covered; 2 a file
that is not valid, or a test that did not end. (opa test: 2 failed, 1 not valid.)"
)]
pub(crate) struct Args {
    /// What is tested, together: a folder, a .tar.gz, or files of a bundle.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Run tests whose `package.name` matches.
    #[arg(short, long, value_name = "REGEX", default_value = "")]
    run: String,
    /// Show every test, not just those that did not pass.
    #[arg(short, long)]
    verbose: bool,
    /// The longest that a test may run.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Fail below this coverage of policy lines, in percent.
    #[arg(long, visible_alias = "threshold", value_name = "PERCENT", value_parser = percent)]
    min_coverage: Option<f64>,
    /// Fail where tests saw fewer outcomes of conditions, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_decisions: Option<f64>,
    /// Show lines that no test reached, and conditions that no test saw both to
    /// hold and to fail.
    #[arg(short, long)]
    coverage: bool,
    /// Which engines run tests.
    #[arg(long, value_enum, default_value_t = Engine::Both)]
    engine: Engine,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The interpreter, and the guard's engine beside it.
    Both,
    /// The interpreter alone, on any Rego.
    Interpreter,
}

fn percent(text: &str) -> Result<f64> {
    let percent: f64 = text.parse()?;
    ensure!((0.0..=100.0).contains(&percent), "it is from 0 to 100");
    Ok(percent)
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let pattern = Regex::new(&args.run).context("--run is no regular expression")?;
    ensure!(!args.timeout.is_zero(), "--timeout has to leave some time");
    let loaded = load(&args.paths, args.engine)?;
    let options = TestOptions {
        picks: &|test| pattern.is_match(test),
        time_limit: args.timeout,
        engines: match args.engine {
            Engine::Both => TestEngines::Both,
            Engine::Interpreter => TestEngines::Interpreter,
        },
        ..TestOptions::default()
    };
    let start = Instant::now();
    let mut report = run_tests_with(&loaded.bundle, &options, &mut || start.elapsed())
        .with_context(|| format!("{} cannot be tested", loaded.name))?;
    place(&mut report, &loaded);
    write(args, &report)?;
    if report.results.is_empty() {
        output::remark(format_args!("no test matches `{}`", args.run));
    }
    if let Some(endless) = report.endless() {
        let location = &endless.location;
        bail!(
            "{}:{}: {}.{} did not end within {:?}; a larger --timeout gives it more",
            location.file,
            location.row,
            endless.package,
            endless.name,
            args.timeout
        );
    }
    let is_covered = covers(args, &report);
    Ok(Outcome::clean_if(
        report.passed() && is_covered && !report.results.is_empty(),
    ))
}

/// Files by where they are from here, as OPA names them.
fn place(report: &mut TestReport, loaded: &Loaded) {
    let placed = |file: &str| loaded.place(file);
    for result in &mut report.results {
        result.location.file = placed(&result.location.file);
    }
    let coverage = &mut report.coverage;
    let files = std::mem::take(&mut coverage.files).into_iter();
    coverage.files = files.map(|(file, of)| (placed(&file), of)).collect();
    for one in coverage
        .decisions
        .iter_mut()
        .flat_map(|all| &mut all.missing)
    {
        one.location.file = placed(&one.location.file);
    }
}

fn write(args: &Args, report: &TestReport) -> Result<()> {
    let is_short = args
        .min_coverage
        .is_some_and(|least| report.coverage.coverage < least);
    let shows_lines = args.coverage || is_short;
    let plain = || output::line(text(report, args.verbose, shows_lines).trim_end());
    let annotated = || {
        github(report, is_short)?;
        plain()
    };
    match args.coverage {
        true => args.report.report(report, plain, annotated),
        false => args.report.report(&report.results, plain, annotated),
    }
}

fn covers(args: &Args, report: &TestReport) -> bool {
    let coverage = &report.coverage;
    let decisions = coverage.decisions.as_ref();
    let minima = [
        ("coverage", args.min_coverage, Some(coverage.coverage)),
        (
            "coverage of decisions",
            args.min_decisions,
            decisions.map(|one| one.coverage),
        ),
    ];
    let mut is_enough = true;
    for (what, least, found) in minima {
        let Some(least) = least else { continue };
        match found {
            Some(found) if found >= least => continue,
            Some(found) => output::remark(format_args!(
                "{what} is {found:.1}%, below {least}%; see --coverage"
            )),
            None => output::remark(format_args!("{what} cannot be told for this bundle")),
        }
        is_enough = false;
    }
    is_enough
}
