//! Lines of policies that tests reached.

use std::collections::BTreeMap;

use regorus::Engine;
use serde::Serialize;

use crate::Bundle;

/// Coverage of all policies, tests and data aside.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Coverage {
    /// By file.
    pub files: BTreeMap<String, FileCoverage>,
    /// Covered lines, of all that can be.
    pub covered_lines: usize,
    /// The others.
    pub not_covered_lines: usize,
    /// Covered lines, in percent.
    pub coverage: f64,
}

/// Coverage of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FileCoverage {
    /// Lines that were evaluated.
    pub covered: Vec<u32>,
    /// Lines that were not.
    pub not_covered: Vec<u32>,
}

pub(super) fn report(engine: &Engine, bundle: &Bundle) -> Coverage {
    let report = engine.get_coverage_report().unwrap_or_default();
    let mut files = BTreeMap::new();
    for (path, text) in &bundle.policies {
        let found = report.files.iter().find(|file| file.path == *path);
        let file = found.map_or_else(
            // The engine does not report what it never came to.
            || FileCoverage {
                covered: Vec::new(),
                not_covered: lines(text),
            },
            |file| FileCoverage {
                covered: file.covered.iter().copied().collect(),
                not_covered: file.not_covered.iter().copied().collect(),
            },
        );
        files.insert(path.clone(), file);
    }
    let covered_lines = files.values().map(|file| file.covered.len()).sum();
    let not_covered_lines = files.values().map(|file| file.not_covered.len()).sum();
    Coverage {
        coverage: percent(covered_lines, not_covered_lines),
        files,
        covered_lines,
        not_covered_lines,
    }
}

fn percent(covered: usize, not_covered: usize) -> f64 {
    let count = |lines| u32::try_from(lines).map_or(f64::MAX, f64::from);
    match covered + not_covered {
        0 => 100.0,
        all => (count(covered) * 1000.0 / count(all)).round() / 10.0,
    }
}

/// Lines with something on them beside a comment.
fn lines(text: &str) -> Vec<u32> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let lines = (1..).zip(text.lines()).filter(|(_, line)| is_code(line));
    lines.map(|(number, _)| number).collect()
}
