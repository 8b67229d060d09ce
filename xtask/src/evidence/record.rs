//! Tests by name, as they are printed while they run: libtest's lines, and TAP of Node.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use ig_evidence::Tree;
use serde_json::{Value, json};

use crate::process::Process;

/// What came of tests.
#[derive(Clone, Default, Debug)]
pub struct Record {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
    skipped: BTreeSet<String>,
    /// Command lines, and how they ended.
    suites: Vec<Value>,
}

impl Record {
    /// Runs tests of cargo, shows what they print, and keeps what came of each.
    ///
    /// A test whose tool is missing passes, loudly, unless `CI` is set: only a run with it
    /// says what passed.
    ///
    /// # Errors
    /// When they do not run, or one of them fails: that is kept as well.
    pub fn cargo(&mut self, process: Process) -> Result<()> {
        let line = process.command_line();
        let mut child = process
            .into_command()
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {line}"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        for text in BufReader::new(stdout).lines() {
            let text = text?;
            println!("{text}");
            self.libtest(&text);
        }
        let status = child.wait()?;
        self.ended(&line, status.code());
        match status.success() {
            true => Ok(()),
            false => bail!("{line}: {status}"),
        }
    }

    /// Keeps how a command line ended.
    pub fn ended(&mut self, line: &str, code: Option<i32>) {
        // Killed by a signal, it did not end well.
        self.suites
            .push(json!({"command": line, "exit": code.unwrap_or(-1)}));
    }

    /// A line of libtest: `test a::b ... ok`.
    pub fn libtest(&mut self, line: &str) {
        let Some((name, ended)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        let name = name.trim_end_matches(" - should panic").to_owned();
        match ended.split(|c: char| !c.is_ascii_alphabetic()).next() {
            Some("ok") => self.passed.insert(name),
            Some("FAILED") => self.failed.insert(name),
            Some("ignored") => self.skipped.insert(name),
            _ => false,
        };
    }

    /// TAP 13 as Node writes it: a test in a test stands before it, four spaces further in.
    pub fn tap(&mut self, text: &str) {
        let mut path: Vec<&str> = Vec::new();
        for line in text.lines() {
            let inner = line.trim_start();
            let depth = (line.len() - inner.len()) / 4;
            if let Some(name) = inner.strip_prefix("# Subtest: ") {
                path.truncate(depth);
                path.push(name);
                continue;
            }
            let (good, rest) = match (inner.strip_prefix("ok "), inner.strip_prefix("not ok ")) {
                (Some(rest), _) => (true, rest),
                (None, Some(rest)) => (false, rest),
                (None, None) => continue,
            };
            let Some((_, said)) = rest.split_once(" - ") else {
                continue;
            };
            let is_skipped = said.contains(" # SKIP") || said.contains(" # TODO");
            let name = path.get(..=depth).map(|names| names.join(" > "));
            let name = name.unwrap_or_else(|| said.to_owned());
            path.truncate(depth + 1);
            match (is_skipped, good) {
                (true, _) => self.skipped.insert(name),
                (false, true) => self.passed.insert(name),
                (false, false) => self.failed.insert(name),
            };
        }
    }

    /// Those whose names fulfil something, with all command lines.
    #[must_use]
    pub fn of(&self, is: impl Fn(&str) -> bool) -> Self {
        let only =
            |names: &BTreeSet<String>| names.iter().filter(|name| is(name)).cloned().collect();
        Self {
            passed: only(&self.passed),
            failed: only(&self.failed),
            skipped: only(&self.skipped),
            suites: self.suites.clone(),
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.passed.extend(other.passed);
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.suites.extend(other.suites);
    }

    /// Writes the report of a run, unless there was nothing to run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, tree: &Tree, path: &Path) -> Result<()> {
        // What did not compile has no tests, and did not end well.
        let ended_well = self.suites.iter().all(|suite| suite["exit"] == 0);
        if self.passed.is_empty() && self.failed.is_empty() && ended_well {
            return Ok(());
        }
        let commands = self
            .suites
            .iter()
            .filter_map(|suite| suite["command"].as_str());
        let commands: Vec<_> = commands.collect();
        // One name in two places failed where it failed in one.
        let passed: Vec<_> = self.passed.difference(&self.failed).collect();
        let report = json!({
            "run": tree.stamp(&commands.join("; ")),
            "suites": self.suites,
            "passed": passed,
            "failed": self.failed,
            "skipped": self.skipped.difference(&self.passed).collect::<Vec<_>>(),
        });
        write(path, &report)
    }
}

/// Writes a report, with its folder.
pub(super) fn write(path: &Path, report: &Value) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, serde_json::to_string_pretty(report)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_libtest_are_read() {
        let mut record = Record::default();
        for line in [
            "running 4 tests",
            "test a::good ... ok",
            "test a::bad ... FAILED",
            "test a::slow ... ignored, takes long",
            "test a::panics - should panic ... ok",
            "test result: FAILED. 2 passed; 1 failed; 1 ignored",
            "    test ours ... ok",
        ] {
            record.libtest(line);
        }
        assert_eq!(record.passed, ["a::good".into(), "a::panics".into()].into());
        assert_eq!(record.failed, ["a::bad".into()].into());
        assert_eq!(record.skipped, ["a::slow".into()].into());
    }

    #[test]
    fn tap_is_read_with_the_tests_around() {
        let mut record = Record::default();
        record.tap(
            "TAP version 13\n# Subtest: the console\n    # Subtest: logs in\n    ok 1 - logs in\n      \
             ---\n      duration_ms: 3\n      ...\n    # Subtest: later\n    ok 2 - later # SKIP no browser\n    \
             # Subtest: fails\n    not ok 3 - fails\n    1..3\nnot ok 1 - the console\n  ---\n  ...\n# tests 3\n",
        );
        assert_eq!(record.passed, ["the console > logs in".into()].into());
        assert_eq!(record.skipped, ["the console > later".into()].into());
        let failed = ["the console".into(), "the console > fails".into()];
        assert_eq!(record.failed, failed.into());
    }
}
