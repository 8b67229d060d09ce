//! What is printed of tests.

use anyhow::Result;
use ig_snapshot::{
    Coverage, FileCoverage, Location, SubResult, TestReport, TestResult, TestStatus,
};

use crate::github::{Annotation, Level};
use crate::output;

/// For people.
pub(super) fn text(report: &TestReport, is_verbose: bool, shows_lines: bool) -> String {
    let mut text = String::new();
    let mut file = "";
    for result in &report.results {
        if result.status == TestStatus::Pass && !is_verbose {
            continue;
        }
        if file != result.location.file {
            file = &result.location.file;
            add(&mut text, format!("{file}:"));
        }
        one(&mut text, result, is_verbose);
    }
    summary(&mut text, report);
    coverage(&mut text, &report.coverage, shows_lines);
    text
}

fn add(text: &mut String, line: impl AsRef<str>) {
    text.push_str(line.as_ref());
    text.push('\n');
}

fn summary(text: &mut String, report: &TestReport) {
    let all = report.results.len();
    let many = |is: fn(&TestStatus) -> bool| {
        let results = report.results.iter();
        results.filter(|result| is(&result.status)).count()
    };
    add(text, "-".repeat(80));
    let counts = [
        ("PASS", many(|status| *status == TestStatus::Pass)),
        (
            "FAIL",
            many(|status| matches!(status, TestStatus::Fail | TestStatus::Disagree(_))),
        ),
        (
            "ERROR",
            many(|status| matches!(status, TestStatus::Error(_) | TestStatus::TimedOut(_))),
        ),
        ("SKIPPED", many(|status| *status == TestStatus::Skip)),
    ];
    for (name, many) in counts {
        if many > 0 || name == "PASS" {
            add(text, format!("{name}: {many}/{all}"));
        }
    }
    let took = report.results.iter().map(|result| result.duration).sum();
    let took: std::time::Duration = took;
    let compared: usize = report.results.iter().map(|result| result.compared).sum();
    add(text, format!("time: {took:.1?}"));
    add(
        text,
        format!("decisions compared on both engines: {compared}"),
    );
}

fn one(text: &mut String, result: &TestResult, is_verbose: bool) {
    let word = match &result.status {
        TestStatus::Pass => "PASS",
        TestStatus::Skip => "SKIPPED",
        TestStatus::Fail => "FAIL",
        TestStatus::Error(_) => "ERROR",
        TestStatus::TimedOut(_) => "ERROR: did not end in time",
        TestStatus::Disagree(_) => "FAIL: the engines disagree",
    };
    let TestResult {
        package,
        name,
        duration,
        location,
        ..
    } = result;
    let row = location.row;
    add(
        text,
        format!("{package}.{name}: {word} ({duration:.1?}, line {row})"),
    );
    for case in result.sub_results.values() {
        sub_result(text, case, is_verbose, 1);
    }
    match &result.status {
        TestStatus::Error(error) => add(text, format!("  {error}")),
        TestStatus::Disagree(disagreements) => {
            // One is enough to look into; the rest is in the JSON.
            for one in disagreements.iter().take(1) {
                let input = one
                    .input
                    .as_ref()
                    .map_or("none".into(), ToString::to_string);
                add(text, format!("  rule         {}", one.rule));
                add(text, format!("  input        {input}"));
                add(text, format!("  interpreter  {}", one.interpreter));
                add(text, format!("  guard        {}", one.guard));
            }
        }
        TestStatus::Pass | TestStatus::Skip | TestStatus::Fail | TestStatus::TimedOut(_) => {}
    }
}

fn sub_result(text: &mut String, case: &SubResult, is_verbose: bool, depth: usize) {
    if !case.fail && !is_verbose {
        return;
    }
    let word = if case.fail { "FAIL" } else { "PASS" };
    add(text, format!("{}{}: {word}", "  ".repeat(depth), case.name));
    for case in case.sub_results.values() {
        sub_result(text, case, is_verbose, depth + 1);
    }
}

fn coverage(text: &mut String, coverage: &Coverage, shows_lines: bool) {
    let Coverage {
        covered_lines,
        not_covered_lines,
        ..
    } = coverage;
    add(
        text,
        format!(
            "coverage: {:.1}% ({covered_lines} of {} lines)",
            coverage.coverage,
            covered_lines + not_covered_lines
        ),
    );
    let uncovered = coverage
        .files
        .iter()
        .filter(|(_, file)| !file.not_covered.is_empty());
    for (path, file) in uncovered.filter(|_| shows_lines) {
        add(text, format!("  {path}: not reached: {}", lines(file)));
    }
    let Some(decisions) = &coverage.decisions else {
        return;
    };
    let all = decisions.covered + decisions.not_covered;
    add(
        text,
        format!(
            "decisions: {:.1}% ({} of {all} outcomes of conditions)",
            decisions.coverage, decisions.covered
        ),
    );
    for one in decisions.missing.iter().filter(|_| shows_lines) {
        let what = match (one.held, one.failed) {
            (false, false) => "not evaluated",
            (false, true) => "never held",
            (true, _) => "never failed",
        };
        let Location { file, row, col } = &one.location;
        add(text, format!("  {file}:{row}:{col}: {what}: {}", one.text));
    }
}

/// Lines that were not reached, those that follow each other as one.
fn uncovered(file: &FileCoverage) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for row in file.uncovered_rows() {
        match runs.last_mut().filter(|(_, last)| last + 1 == row) {
            Some((_, last)) => *last = row,
            None => runs.push((row, row)),
        }
    }
    runs
}

fn lines(file: &FileCoverage) -> String {
    let run = |(first, last): (u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let runs: Vec<_> = uncovered(file).into_iter().map(run).collect();
    runs.join(", ")
}

/// Annotations of what did not pass and, where too little is covered, of the
/// lines.
pub(super) fn github(report: &TestReport, is_short: bool) -> Result<()> {
    for result in &report.results {
        let title = format!("{}.{}", result.package, result.name);
        let message = match &result.status {
            TestStatus::Pass | TestStatus::Skip => continue,
            TestStatus::Fail => "the test failed".to_owned(),
            TestStatus::Error(error) => error.clone(),
            TestStatus::TimedOut(limit) => format!("did not end within {limit:?}"),
            TestStatus::Disagree(_) => "the engines disagree".to_owned(),
        };
        let Location { file, row, col } = &result.location;
        let annotation = Annotation::new(Level::Error, &title, &message).file(file);
        output::annotation(&annotation.at(*row as usize, *col as usize))?;
    }
    for (path, file) in report.coverage.files.iter().filter(|_| is_short) {
        for (first, last) in uncovered(file) {
            let annotation =
                Annotation::new(Level::Error, "not covered", "no test reaches this").file(path);
            output::annotation(&annotation.lines(first as usize, last as usize))?;
        }
    }
    Ok(())
}
