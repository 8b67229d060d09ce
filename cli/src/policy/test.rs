//! `ig policy test`

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use ig_snapshot::{Coverage, TestReport, TestResult, TestStatus, run_tests};

use crate::Outcome;
use crate::output;

/// Run the `test_*` rules of `*_test.rego`. Every input that a test uses is
/// also given to the engine of the guard, whole and without each of its
/// members; a different decision is a failure.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy test policies/
  ig policy test policies/ --run retention -v
  ig policy test policies/ --min-coverage 90 --json")]
pub(crate) struct Args {
    /// The bundle: a folder, or a .tar.gz.
    #[arg(value_name = "PATH")]
    bundle: PathBuf,
    /// Run tests whose `package.name` contains this.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    run: String,
    /// Show every test, not just those that did not pass.
    #[arg(short, long)]
    verbose: bool,
    /// Fail below this coverage of policy lines, in percent.
    #[arg(long, value_name = "PERCENT")]
    min_coverage: Option<f64>,
    /// Show the lines that no test reached.
    #[arg(long)]
    coverage: bool,
    /// Print JSON, as `opa test --format=json` does; with --coverage, an
    /// object that has the coverage too.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bundle = super::read(&args.bundle)?;
    let start = Instant::now();
    let report = match run_tests(&bundle, &args.run, &mut || start.elapsed()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{:#}", anyhow::Error::new(error));
            return Ok(Outcome::Findings);
        }
    };
    match (args.json, args.coverage) {
        (true, true) => output::json(&report)?,
        (true, false) => output::json(&report.results)?,
        (false, _) => text(args, &report)?,
    }
    if report.results.is_empty() {
        eprintln!("no test matches `{}`", args.run);
    }
    let covered = args
        .min_coverage
        .is_none_or(|least| report.coverage.coverage >= least);
    if !covered {
        let least = args.min_coverage.unwrap_or_default();
        eprintln!(
            "coverage is {}%, below {least}%; see --coverage",
            report.coverage.coverage
        );
    }
    Ok(Outcome::clean_if(
        report.passed() && covered && !report.results.is_empty(),
    ))
}

fn text(args: &Args, report: &TestReport) -> Result<()> {
    let mut file = "";
    for result in &report.results {
        if result.status == TestStatus::Pass && !args.verbose {
            continue;
        }
        if file != result.location.file {
            file = &result.location.file;
            output::line(format!("{file}:"))?;
        }
        one(result)?;
    }
    let many = |is: fn(&TestStatus) -> bool| {
        report
            .results
            .iter()
            .filter(|result| is(&result.status))
            .count()
    };
    let all = report.results.len();
    output::line("-".repeat(80))?;
    output::line(format!(
        "PASS: {}/{all}",
        many(|status| *status == TestStatus::Pass)
    ))?;
    let other = [
        (
            "FAIL",
            many(|status| matches!(status, TestStatus::Fail | TestStatus::Disagree(_))),
        ),
        (
            "ERROR",
            many(|status| matches!(status, TestStatus::Error(_))),
        ),
        ("SKIPPED", many(|status| *status == TestStatus::Skip)),
    ];
    for (name, many) in other.into_iter().filter(|(_, many)| *many > 0) {
        output::line(format!("{name}: {many}/{all}"))?;
    }
    let compared: usize = report.results.iter().map(|result| result.compared).sum();
    output::line(format!("decisions compared on both engines: {compared}"))?;
    coverage(args, &report.coverage)
}

fn one(result: &TestResult) -> Result<()> {
    let word = match &result.status {
        TestStatus::Pass => "PASS",
        TestStatus::Skip => "SKIPPED",
        TestStatus::Fail => "FAIL",
        TestStatus::Error(_) => "ERROR",
        TestStatus::Disagree(_) => "FAIL: the engines disagree",
    };
    let TestResult {
        package,
        name,
        duration,
        ..
    } = result;
    output::line(format!("{package}.{name}: {word} ({duration:?})"))?;
    match &result.status {
        TestStatus::Error(error) => output::line(format!("  {error}"))?,
        TestStatus::Disagree(disagreements) => {
            // One is enough to look into; the rest is in the JSON.
            for one in disagreements.iter().take(1) {
                let input = one
                    .input
                    .as_ref()
                    .map_or("none".into(), ToString::to_string);
                output::line(format!("  rule         {}", one.rule))?;
                output::line(format!("  input        {input}"))?;
                output::line(format!("  interpreter  {}", one.interpreter))?;
                output::line(format!("  guard        {}", one.guard))?;
            }
        }
        TestStatus::Pass | TestStatus::Skip | TestStatus::Fail => {}
    }
    Ok(())
}

fn coverage(args: &Args, coverage: &Coverage) -> Result<()> {
    output::line(format!("coverage: {}%", coverage.coverage))?;
    for (path, file) in coverage.files.iter().filter(|_| args.coverage) {
        if !file.not_covered.is_empty() {
            let lines: Vec<_> = file.not_covered.iter().map(ToString::to_string).collect();
            output::line(format!("  {path}: not reached: {}", lines.join(", ")))?;
        }
    }
    Ok(())
}
