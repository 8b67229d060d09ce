//! Attestations: what is said about which file. Whoever verifies makes the statement
//! anew, and compares it with the one that was signed.

use ig_signing::Sha256;
use ig_signing::statement::{Error, Statement, Subject};
use serde_json::{Map, Value, json};

use crate::{About, Files, Outcome, Report, names};

/// What came of a test (in-toto attestation, `spec/predicates/test-result.md`).
pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// Where artefacts are from (SLSA 1.2).
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// What is in artefacts (in-toto attestation, `spec/predicates/spdx2.md`).
pub const SBOM: &str = "https://spdx.dev/Document/v2.3";

/// The place of the artefacts' provenance, attested.
pub const PROVENANCE_FILE: &str = "attestations/provenance.sigstore.json";
/// The place of the bill of materials, attested.
pub const SBOM_FILE: &str = "attestations/sbom.sigstore.json";

/// An attestation that a bundle should have.
#[derive(Clone, PartialEq, Debug)]
pub struct Expected {
    /// Its place.
    pub file: String,
    /// What it says.
    pub statement: Statement,
}

/// All that a bundle with these files should have: one of each report that is there, and
/// of what is built.
///
/// # Errors
/// Which file is not what it should be.
pub fn expected(files: &Files, about: &About) -> Result<Vec<Expected>, String> {
    let mut all = Vec::new();
    for report in Report::ALL {
        let (Some(bytes), Some(read)) = (files.get(&report.path()), report.of(files, about)) else {
            continue;
        };
        let (_, outcome) = read.map_err(|why| format!("{}: {why}", report.path()))?;
        let statement = test_result(report, bytes, about, &outcome);
        let statement = statement.map_err(|error| format!("{}: {error}", report.path()))?;
        all.push(Expected {
            file: report.attestation(),
            statement,
        });
    }
    let kinds = [
        (names::PROVENANCE, PROVENANCE, PROVENANCE_FILE),
        (names::SBOM, SBOM, SBOM_FILE),
    ];
    for (name, predicate_type, file) in kinds {
        let (Some(bytes), Some(sums)) = (files.get(name), files.get(names::SUMS)) else {
            continue;
        };
        let said = |error: Error| format!("{name}: {error}");
        let predicate = Statement::read_predicate(bytes).map_err(said)?;
        let subjects = subjects(sums)?;
        let statement = Statement::new(subjects, predicate_type, predicate).map_err(said)?;
        all.push(Expected {
            file: file.to_owned(),
            statement,
        });
    }
    Ok(all)
}

/// The artefacts of `SHA256SUMS`.
///
/// # Errors
/// What is no line of it, or leads elsewhere.
pub fn subjects(sums: &[u8]) -> Result<Vec<Subject>, String> {
    let name = names::SUMS;
    let text = str::from_utf8(sums).map_err(|_| format!("{name} is not UTF-8"))?;
    let subject = |line: &str| {
        let (digest, file) = line.split_once("  ")?;
        let sha256 = Sha256::from_hex(digest)?;
        crate::files::is_safe(file).then(|| Subject {
            name: file.to_owned(),
            sha256,
        })
    };
    let subjects = text.lines().map(|line| {
        subject(line).ok_or_else(|| format!("{name}: a line is not a digest and a name"))
    });
    let subjects: Vec<_> = subjects.collect::<Result<_, _>>()?;
    let mut named: Vec<_> = subjects.iter().map(|one| one.name.as_str()).collect();
    named.sort_unstable();
    named.dedup();
    match named.len() == subjects.len() && !subjects.is_empty() {
        true => Ok(subjects),
        false => Err(format!("{name} names nothing, or one file twice")),
    }
}

fn test_result(
    report: Report,
    bytes: &[u8],
    about: &About,
    outcome: &Outcome,
) -> Result<Statement, Error> {
    let result = match (outcome.failed.is_empty(), outcome.skipped.is_empty()) {
        (false, _) => "FAILED",
        (true, false) => "WARNED",
        (true, true) => "PASSED",
    };
    let mut predicate = Map::new();
    let mut put = |name: &str, value: Value| predicate.insert(name.to_owned(), value);
    put("result", result.into());
    put(
        "configuration",
        json!([{"name": "source", "digest": {"gitCommit": about.commit}}]),
    );
    put("passedTests", json!(outcome.passed));
    put("warnedTests", json!(outcome.skipped));
    put("failedTests", json!(outcome.failed));
    let subjects = vec![Subject::of(report.path(), bytes)];
    Statement::new(subjects, TEST_RESULT, predicate)
}
