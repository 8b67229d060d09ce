//! Pairs of versions of whole schemas with their catalogues: one of this
//! repository, and real ones where they are (`tests/corpora.rs`).

use std::path::{Path, PathBuf};

use ig_schema::{Limits, catalogue};
use ig_schema_diff::{FailOn, Impact, Report, report};

use crate::folder::corpora;
use crate::{policy, schema};

/// Two versions of a schema, and the catalogue of each.
struct Pair {
    before: Version,
    after: Version,
}

struct Version {
    schema: String,
    operations: String,
}

impl Pair {
    fn read(folder: &Path, before: &str, after: &str) -> Self {
        let version = |name: &str| {
            let read = |what| {
                let file = folder.join(format!("{name}.{what}.graphql"));
                std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"))
            };
            Version {
                schema: read("schema"),
                operations: read("operations"),
            }
        };
        Self {
            before: version(before),
            after: version(after),
        }
    }

    /// An archive's, written for these tests.
    fn archive() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        Self::read(&folder, "before", "after")
    }

    fn linear(folder: PathBuf) -> Self {
        Self::read(&folder.join("linear"), "2026-06-10", "2026-07-22")
    }

    fn reversed(self) -> Self {
        Self {
            before: self.after,
            after: self.before,
        }
    }

    /// From before to after, with the catalogue of before.
    fn compare(&self, rules: &[FailOn]) -> Report {
        report(
            &schema(&self.before.schema),
            &schema(&self.after.schema),
            &crate::catalogue(&self.before.operations),
            &policy(rules.iter().copied()),
            &mut |_, _| {},
        )
    }

    /// Whatever breaks breaks nobody: the gate passes with the catalogue, and
    /// without it fails.
    fn breaks_nobody(&self, levels: (usize, usize, usize), operations: usize) {
        let report = self.compare(&[FailOn::Operations, FailOn::Weakened]);
        let summary = report.summary;
        let found = (summary.breaking, summary.dangerous, summary.non_breaking);
        assert_eq!(found, levels);
        assert_eq!(
            (summary.operations, report.operations.len()),
            (operations, 0)
        );
        assert!(report.verdict.passed);
        let strict = self.compare(&[FailOn::Breaking]);
        assert_eq!(strict.verdict.failures.len(), levels.0);
    }

    /// Just those break that the importer, which knows nothing of changes,
    /// rejects.
    fn names_who_breaks(&self, many: usize) {
        let report = self.compare(&[FailOn::Operations]);
        assert_eq!(report.summary.invalid_operations, many);
        let all = crate::catalogue(&self.before.operations);
        let after = schema(&self.after.schema);
        let import = catalogue::import(&after, all, Limits::DOCUMENT, &mut |_, _| {});
        let rejected = import.rejected.iter().filter_map(|it| it.name.clone());
        let mut rejected: Vec<_> = rejected.collect();
        let broken = report.operations.iter();
        let broken = broken.filter(|it| it.impact == Impact::Invalid);
        let mut broken: Vec<_> = broken.map(|it| it.operation.name.clone()).collect();
        rejected.sort_unstable();
        broken.sort_unstable();
        assert_eq!(broken, rejected);
        for operation in &report.operations {
            let name = &operation.operation.name;
            assert!(!operation.changes.is_empty(), "{name}");
        }
    }
}

#[test]
fn an_archive_forwards_breaks_nobody() {
    Pair::archive().breaks_nobody((4, 5, 16), 4);
}

#[test]
fn an_archive_backwards_names_who_breaks() {
    Pair::archive().reversed().names_who_breaks(5);
}

#[test]
fn linear_forwards_breaks_nobody() {
    let Some(folder) = corpora("linear_forwards_breaks_nobody") else {
        return;
    };
    Pair::linear(folder).breaks_nobody((6, 28, 860), 650);
}

#[test]
fn linear_backwards_names_who_breaks() {
    let Some(folder) = corpora("linear_backwards_names_who_breaks") else {
        return;
    };
    Pair::linear(folder).reversed().names_who_breaks(60);
}
