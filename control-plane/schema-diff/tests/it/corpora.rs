//! Real schemas and catalogues: see `corpora` of `ig-schema`.

use std::path::{Path, PathBuf};

use ig_schema::{Limits, catalogue};
use ig_schema_diff::{FailOn, Impact, Report, report};

use crate::{policy, schema};

fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("IG_CORPORA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no corpora at {}", folder.display());
    None
}

fn linear(folder: &Path, old: &str, new: &str, operations: &str, rules: &[FailOn]) -> Report {
    let read = |name: String| std::fs::read_to_string(folder.join("linear").join(name)).unwrap();
    let sdl = |day: &str| schema(&read(format!("{day}.schema.graphql")));
    let operations = crate::catalogue(&read(format!("{operations}.operations.graphql")));
    let rules = policy(rules.iter().copied());
    report(&sdl(old), &sdl(new), &operations, &rules, &mut |_, _| {})
}

const JUNE: &str = "2026-06-10";
const JULY: &str = "2026-07-22";

#[test]
fn linear_forwards_breaks_nobody() {
    let Some(folder) = corpora() else { return };
    let report = linear(
        &folder,
        JUNE,
        JULY,
        JUNE,
        &[FailOn::Operations, FailOn::Weakened],
    );
    let summary = report.summary;
    let levels = (summary.breaking, summary.dangerous, summary.non_breaking);
    assert_eq!(levels, (6, 28, 860));
    assert_eq!((summary.operations, report.operations.len()), (650, 0));
    assert!(report.verdict.passed);
    let strict = linear(&folder, JUNE, JULY, JUNE, &[FailOn::Breaking]);
    assert_eq!(strict.verdict.failures.len(), 6);
}

#[test]
fn linear_backwards_names_who_breaks() {
    let Some(folder) = corpora() else { return };
    let report = linear(&folder, JULY, JUNE, JULY, &[FailOn::Operations]);
    assert_eq!(report.summary.invalid_operations, 60);
    // The importer, which knows nothing of changes, rejects the same ones.
    let read = |name: &str| std::fs::read_to_string(folder.join("linear").join(name)).unwrap();
    let old = schema(&read("2026-06-10.schema.graphql"));
    let all = crate::catalogue(&read("2026-07-22.operations.graphql"));
    let import = catalogue::import(&old, all, Limits::DOCUMENT, &mut |_, _| {});
    let mut rejected: Vec<_> = import
        .rejected
        .iter()
        .filter_map(|it| it.name.clone())
        .collect();
    let broken = report
        .operations
        .iter()
        .filter(|it| it.impact == Impact::Invalid);
    let mut broken: Vec<_> = broken.map(|it| it.operation.name.clone()).collect();
    rejected.sort_unstable();
    broken.sort_unstable();
    assert_eq!(broken, rejected);
    for operation in &report.operations {
        assert!(
            !operation.changes.is_empty(),
            "{}",
            operation.operation.name
        );
    }
}
