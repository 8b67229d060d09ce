//! A bundle as it was made verifies, and says what it cannot show.

use ig_evidence::seal::seal;
use ig_evidence::{Asked, Check, Kind, Report, Verdict, names, verify};

use crate::small::{self, Small, files, map};

#[test]
fn a_bundle_verifies_with_a_key_and_nothing_else() {
    let small = Small::new();
    let sealed = small.seal(&small::parts());
    let report = verify(&sealed.files, &Asked::by(small.key.public()));
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(report.ok);
    assert_eq!(report.exit_code(), 0);
    assert!(
        report
            .controls
            .iter()
            .all(|control| control.verdict == Verdict::Pass)
    );
    assert_eq!(report.controls, sealed.verdicts.controls);
    // What it did not look at, it says.
    for option in ["--trusted-root", "--checkpoint", "--artifacts", "--commit"] {
        assert!(
            report.not_checked.iter().any(|what| what.contains(option)),
            "{option}"
        );
    }
}

#[test]
fn everything_that_can_be_asked_for_verifies() {
    let small = Small::new();
    let mut log = small.log();
    let mut seal = |since: Option<&str>| {
        let keys = small.log_keys.keys();
        seal(files(&small::parts()), &small.key, &mut log, keys, since).unwrap()
    };
    let before = seal(None);
    let sealed = seal(Some(&before.checkpoint));
    let root = sealed.files.get(names::TRUSTED_ROOT).unwrap();
    let root = ig_signing::TrustedRoot::parse(root).unwrap();
    let artefacts = small::ARTEFACTS.map(|name| (name.to_owned(), small::artefact(name)));
    let report = verify(
        &sealed.files,
        &Asked {
            trusted_root: Some(&root),
            checkpoint: Some(before.checkpoint.as_bytes()),
            commit: Some(small::COMMIT),
            artefacts: artefacts.into(),
            ..Asked::by(small.key.public())
        },
    );
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.not_checked, [""; 0]);
}

#[test]
fn what_is_missing_is_a_gap_and_no_success() {
    let small = Small::new();
    for report in Report::ALL {
        let mut parts = small::parts();
        parts.remove(&report.path());
        let sealed = small.seal(&parts);
        let found = verify(&sealed.files, &Asked::by(small.key.public()));
        assert_eq!(found.exit_code(), 2, "{report:?}: {:?}", found.problems);
        let gaps = found
            .problems
            .iter()
            .filter(|one| one.kind == Kind::NotShown);
        assert!(gaps.count() > 0);
        let of_it = |claim: &&ig_evidence::JudgedClaim| claim.check.report() == Some(report);
        let claims = found.controls.iter().flat_map(|control| &control.claims);
        for claim in claims {
            let expected = if of_it(&claim) {
                Verdict::Gap
            } else {
                Verdict::Pass
            };
            assert_eq!(claim.verdict, expected, "{report:?}: {claim:?}");
        }
        let allowed = Asked {
            allow_gaps: true,
            ..Asked::by(small.key.public())
        };
        let allowed = verify(&sealed.files, &allowed);
        assert_eq!(allowed.exit_code(), 0, "{:?}", allowed.problems);
        assert!(allowed.not_checked.iter().any(|what| what.contains("GAP")));
    }
}

/// What a report leaves out did not pass.
#[test]
fn what_was_not_looked_at_is_not_shown() {
    let small = Small::new();
    for (from, to) in [
        ("in-region", "in-time"),
        ("\"lookedAt\": 9", "\"lookedAt\": 0"),
    ] {
        let mut parts = small::parts();
        changed(&mut parts, Report::Chaos, from, to);
        let found = verify(&small.seal(&parts).files, &Asked::by(small.key.public()));
        assert_eq!(found.exit_code(), 2, "{from}: {:?}", found.problems);
    }
    // A test that was put off, and a catalogue without operations.
    let skipped = "\"results\": [{\"package\": \"data.a\", \"name\": \"todo_b\", \"skip\": true},";
    for (report, from, to) in [
        (Report::PolicyTests, "\"results\": [", skipped),
        (
            Report::SchemaDiff,
            "\"operations\": 13",
            "\"operations\": 0",
        ),
        // Operations that are valid on neither schema, let go by an option of the gate.
        (
            Report::SchemaDiff,
            "\"authz\"",
            "\"invalidBefore\": [{\"name\": \"Own\", \"reasons\": []}], \"authz\"",
        ),
        (
            Report::SchemaDiff,
            "\"operations\": 13",
            "\"invalidBefore\": 13, \"operations\": 13",
        ),
    ] {
        let mut parts = small::parts();
        changed(&mut parts, report, from, to);
        let found = verify(&small.seal(&parts).files, &Asked::by(small.key.public()));
        assert_eq!(found.exit_code(), 2, "{from}: {:?}", found.problems);
    }
    // Without these it is no report, and no bundle is made of it.
    for (report, from) in [
        (Report::PolicyTests, "\"not_covered_lines\""),
        (Report::SchemaDiff, "\"summary\""),
        (Report::SchemaDiff, "\"authz\""),
        (Report::Tests, "\"suites\""),
        (Report::AccessReview, "\"roles\""),
        (Report::AccessReview, "\"admin\""),
        (Report::AccessReview, "\"groups\""),
    ] {
        let mut parts = small::parts();
        changed(&mut parts, report, from, "\"others\"");
        let about = ig_evidence::About::parse(&parts[names::ABOUT]).unwrap();
        assert!(
            report.read(&parts[&report.path()], &about).is_err(),
            "{from}"
        );
    }
}

/// A name is said before each of what it is of: of one that is long, and anybody's, nobody
/// has the memory.
#[test]
fn names_that_are_said_again_and_again_are_short() {
    let about = ig_evidence::About::parse(&small::parts()[names::ABOUT]).unwrap();
    for (report, member, name) in [
        (Report::Chaos, "", "upstream-reset"),
        (Report::AccessReview, "\"tenant\": ", "alpha"),
        (Report::Load, "", "http_req_failed"),
    ] {
        for (length, good) in [(256, true), (257, false)] {
            let mut parts = small::parts();
            let long = "a".repeat(length);
            let (from, to) = (format!("{member}\"{name}\""), format!("{member}\"{long}\""));
            changed(&mut parts, report, &from, &to);
            let read = report.read(&parts[&report.path()], &about);
            assert_eq!(read.is_ok(), good, "{report:?}: {length}");
            let is_why = |why: String| why.contains("too long");
            assert!(read.err().is_none_or(is_why), "{report:?}");
        }
    }
}

fn changed(parts: &mut small::Map, report: Report, from: &str, to: &str) {
    let text = String::from_utf8(parts[&report.path()].clone()).unwrap();
    assert!(text.contains(from), "{from}");
    parts.insert(report.path(), text.replace(from, to).into_bytes());
}

#[test]
fn a_tree_with_changes_speaks_for_no_commit() {
    let small = Small::new();
    let mut parts = small::parts();
    let about = ig_evidence::About::new(small::VERSION, small::COMMIT, true, small::NOW).unwrap();
    parts.insert(names::ABOUT.into(), about.to_bytes());
    let found = verify(&small.seal(&parts).files, &Asked::by(small.key.public()));
    assert_eq!(found.exit_code(), 2);
    assert!(
        found
            .controls
            .iter()
            .all(|control| control.verdict == Verdict::Gap)
    );
}

#[test]
fn the_next_release_goes_on_where_the_last_one_ended() {
    let small = Small::new();
    let mut log = small.log();
    let keys = small.log_keys.keys();
    let seal = |log: &mut _, since: Option<&str>| {
        seal(files(&small::parts()), &small.key, log, keys, since).unwrap()
    };
    let first = seal(&mut log, None);
    let second = seal(&mut log, Some(&first.checkpoint));
    let asked = |kept: &[u8]| {
        let asked = Asked {
            checkpoint: Some(kept),
            ..Asked::by(small.key.public())
        };
        verify(&second.files, &asked)
    };
    let report = asked(first.checkpoint.as_bytes());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(
        report
            .verified
            .iter()
            .any(|what| what.contains("the ledger grew from"))
    );
    // The release before, for this one: its checkpoint is what the auditor kept.
    let asked_of_first = Asked {
        checkpoint: Some(first.checkpoint.as_bytes()),
        allow_gaps: true,
        ..Asked::by(small.key.public())
    };
    let replayed = verify(&first.files, &asked_of_first);
    assert_eq!(replayed.exit_code(), 1, "{:?}", replayed.verified);
    assert_eq!(replayed.problems[0].kind, Kind::OtherRelease);
    // Of another log with the same keys, as long as the first.
    let other = Small {
        key: ig_signing::PrivateKey::generate().unwrap(),
        log_keys: small.log_keys.clone(),
    };
    let fork = other.seal(&small::parts()).checkpoint;
    assert_eq!(asked(fork.as_bytes()).problems[0].kind, Kind::Consistency);
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    let small = Small::new();
    let one = map(&small.seal(&small::parts()).files);
    assert_eq!(one, map(&small.seal(&small::parts()).files));
    assert!(one.len() > 25);
}

#[test]
fn every_check_is_asked_for_and_every_report_decides() {
    let controls = ig_evidence::Controls::parse(&small::parts()[names::CONTROLS]).unwrap();
    let claims: Vec<_> = controls
        .controls
        .iter()
        .flat_map(|control| &control.claims)
        .collect();
    let asked = |check: &Check| claims.iter().any(|claim| claim.check == *check);
    for report in Report::ALL {
        assert!(
            claims
                .iter()
                .any(|claim| claim.check.report() == Some(report)),
            "{report:?}"
        );
    }
    for check in [
        Check::Sbom,
        Check::Provenance,
        Check::LedgerDelta,
        Check::Dashboards,
        Check::Attestations,
    ] {
        assert!(asked(&check), "{check:?}");
    }
}

#[test]
fn a_schema_is_not_compared_with_itself() {
    let parts = small::parts();
    let about = ig_evidence::About::parse(&parts[names::ABOUT]).unwrap();
    let text = String::from_utf8(parts[&Report::SchemaDiff.path()].clone()).unwrap();
    assert!(Report::SchemaDiff.read(text.as_bytes(), &about).is_ok());
    for (base, why) in [
        (small::COMMIT, "with itself"),
        ("v0.1.0", "does not say the commit"),
    ] {
        let other = text.replace(&"f".repeat(40), base);
        let error = Report::SchemaDiff.read(other.as_bytes(), &about);
        assert!(error.unwrap_err().contains(why), "{base}");
    }
}

/// An empty list of failures is a word as `passed` is.
#[test]
fn what_weakens_a_schema_fails_whatever_its_gate_says() {
    let parts = small::parts();
    let about = ig_evidence::About::parse(&parts[names::ABOUT]).unwrap();
    let text = String::from_utf8(parts[&Report::SchemaDiff.path()].clone()).unwrap();
    let failed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let other = text.replace(from, to);
        let (_, outcome) = Report::SchemaDiff.read(other.as_bytes(), &about).unwrap();
        outcome.failed.into_iter().collect::<Vec<_>>()
    };
    let weakened = failed("\"strengthened\"", "\"weakened\"");
    assert_eq!(weakened, ["callers of \"Query.own\" need no less"]);
    for operation in [
        "{\"name\": \"Own\", \"impact\": \"invalid\", \"authz\": \"neutral\"}",
        "{\"name\": \"Own\", \"impact\": \"record\", \"authz\": \"weakened\"}",
    ] {
        let broken = failed(
            "\"operations\": []",
            &format!("\"operations\": [{operation}]"),
        );
        assert_eq!(broken, ["the operation \"Own\" goes on"]);
    }
    // An exception of one change excuses no operation that another one breaks.
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    report["result"]["changes"] = serde_json::json!([
        {"type": "FIELD_REMOVED", "path": "Query.old"},
        {"type": "FIELD_REMOVED", "path": "Query.own"},
        {"type": "DIRECTIVE_USAGE_FIELD_DEFINITION_REMOVED", "path": "Query.case.@requires"},
    ]);
    report["result"]["verdict"]["excepted"] = serde_json::json!([
        {
            "type": "FIELD_REMOVED", "path": "Query.old", "allows": ["operations"],
            "author": "a@x", "reviewer": "b@x", "reason": "r", "expires": "2026-12-31",
        },
        {
            "type": "AUTHZ_WEAKENED", "path": "Query.case", "allows": ["weakened"],
            "author": "a@x", "reviewer": "b@x", "reason": "r", "expires": "2026-12-31",
        },
    ]);
    for (impact, authz, changes, good) in [
        ("invalid", "neutral", vec![0], true),
        ("invalid", "neutral", vec![0, 1], false),
        ("invalid", "neutral", vec![9], false),
        ("invalid", "neutral", vec![], false),
        ("record", "weakened", vec![2], true),
        ("record", "weakened", vec![0], false),
        ("invalid", "weakened", vec![2], false),
    ] {
        report["result"]["operations"] = serde_json::json!([
            {"name": "Own", "impact": impact, "authz": authz, "changes": changes},
        ]);
        let read = Report::SchemaDiff.read(&small::bytes(&report), &about);
        let (_, outcome) = read.unwrap();
        assert_eq!(
            outcome.failed.is_empty(),
            good,
            "{impact} {authz} {changes:?}"
        );
    }
    // By somebody's leave.
    let excepted = "\"excepted\": [{\"type\": \"AUTHZ_WEAKENED\", \"path\": \"Query.own\", \
         \"author\": \"a@x\", \"reviewer\": \"b@x\", \"reason\": \"r\", \"expires\": \"2026-12-31\"}]";
    let other = text.replace("\"strengthened\"", "\"weakened\"");
    let other = other.replace("\"excepted\": []", excepted);
    let (_, outcome) = Report::SchemaDiff.read(other.as_bytes(), &about).unwrap();
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert_eq!(outcome.excepted.len(), 1);
}

/// Whoever has no key makes nobody compare each of many with each of many.
#[test]
fn many_exceptions_of_many_changes_take_no_hours() {
    let parts = small::parts();
    let about = ig_evidence::About::parse(&parts[names::ABOUT]).unwrap();
    let path = Report::SchemaDiff.path();
    let mut report: serde_json::Value = serde_json::from_slice(&parts[&path]).unwrap();
    // As many as a file may have: to compare each with each takes minutes.
    let all = 0..50_000;
    let change = |at| serde_json::json!({"path": format!("Query.a{at}"), "effect": "weakened"});
    let exception = |at| {
        serde_json::json!({
            "type": "AUTHZ_WEAKENED", "path": format!("Query.b{at}"), "author": "a@x",
            "reviewer": "b@x", "reason": "r", "expires": "2026-12-31",
        })
    };
    report["result"]["authz"] = all.clone().map(change).collect();
    report["result"]["verdict"]["excepted"] = all.map(exception).collect();
    let (_, outcome) = Report::SchemaDiff
        .read(&small::bytes(&report), &about)
        .unwrap();
    assert_eq!(outcome.failed.len(), 50_000);
}

#[test]
fn what_passes_by_an_exception_is_shown_in_its_row() {
    let small = Small::new();
    let exception = r#"[{"type": "FIELD_REMOVED", "path": "Query.old", "allows": ["operations"],
        "reason": "nobody asks", "author": "a@x", "reviewer": "b@x", "expires": "2026-12-31"}]"#;
    let path = Report::SchemaDiff.path();
    let with = |excepted: &str| {
        let mut parts = small::parts();
        let mut report: serde_json::Value = serde_json::from_slice(&parts[&path]).unwrap();
        report["result"]["verdict"]["excepted"] = serde_json::from_str(excepted).unwrap();
        parts.insert(path.clone(), small::bytes(&report));
        parts
    };
    let found = verify(
        &small.seal(&with(exception)).files,
        &Asked::by(small.key.public()),
    );
    assert_eq!(found.exit_code(), 0, "{:?}", found.problems);
    let claims = found.controls.iter().flat_map(|control| &control.claims);
    let mut rows = claims.filter(|claim| claim.check.report() == Some(Report::SchemaDiff));
    let why = &rows.next().unwrap().why;
    let expected = "with EXCEPTIONS (1): FIELD_REMOVED Query.old until 2026-12-31, asked for by \
                    a@x, agreed by b@x: \"nobody asks\"";
    assert!(why.contains(expected), "{why}");
    // Of which the day was over, whatever day the gate was told.
    let over = exception.replace("2026-12-31", "2026-11-26");
    let found = verify(
        &small.seal(&with(&over)).files,
        &Asked::by(small.key.public()),
    );
    assert_eq!(found.exit_code(), 1, "{:?}", found.problems);
    let is_it = |one: &ig_evidence::Problem| one.why.contains("still counts");
    assert!(found.problems.iter().any(is_it), "{:?}", found.problems);
    // One that does not say whose it is makes the report none.
    let about = ig_evidence::About::parse(&small::parts()[names::ABOUT]).unwrap();
    for (excepted, said) in [
        ("null", "excepted is not a list"),
        (r#"[{"type": "FIELD_REMOVED"}]"#, "has no path"),
    ] {
        let error = Report::SchemaDiff.read(&with(excepted)[&path], &about);
        assert!(error.unwrap_err().contains(said), "{excepted}");
    }
}
