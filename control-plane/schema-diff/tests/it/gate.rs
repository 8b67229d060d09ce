//! Rules, exceptions and announcements.

use ig_schema_diff::{Conclusion, Exceptions, FailOn, Policy};

use crate::{compare, policy, today};

const OLD: &str =
    "type Query { a: Int b: Int ab: Int @deprecated(reason: \"goes on 2026-11-01\") }";
const NEW: &str = "type Query { b: Int }";

fn with(exceptions: &str, rules: &[FailOn]) -> Policy {
    Policy {
        exceptions: Exceptions::parse(exceptions, today()).unwrap(),
        ..policy(rules.iter().copied())
    }
}

fn exception(kind: &str, path: &str, allows: &str, expires: &str) -> String {
    format!(
        "[[exception]]\ntype = \"{kind}\"\npath = \"{path}\"\nallows = [\"{allows}\"]\n\
         reason = \"r\"\nauthor = \"a\"\nreviewer = \"b\"\nexpires = {expires}\n"
    )
}

#[test]
fn rules_decide() {
    let query = "query Q { b }";
    for (rules, passes) in [
        (&[FailOn::Breaking][..], false),
        (&[FailOn::Operations], true),
        (&[FailOn::Records], true),
        (&[FailOn::Weakened], true),
        (&[], true),
    ] {
        let report = compare(OLD, NEW, query, &policy(rules.iter().copied()));
        assert_eq!(report.verdict.passed, passes, "{rules:?}");
        assert_eq!(report.conclusion == Conclusion::Success, passes);
    }
}

#[test]
fn an_exception_is_for_one_change_and_one_rule() {
    let rules = [FailOn::Breaking];
    let failing = |exceptions: &str| {
        let report = compare(OLD, NEW, "", &with(exceptions, &rules));
        let failures = report.verdict.failures.into_iter();
        (
            failures.map(|it| it.path).collect::<Vec<_>>(),
            report.verdict.unused.len(),
        )
    };
    let a = exception("FIELD_REMOVED", "Query.a", "breaking", "2026-12-01");
    // `Query.ab` begins like `Query.a`.
    assert_eq!(failing(&a), (vec!["Query.ab".to_owned()], 0));
    let ab = exception("FIELD_REMOVED", "Query.ab", "breaking", "2026-12-01");
    assert_eq!(failing(&(a.clone() + &ab)), (vec![], 0));
    let other = exception("FIELD_REMOVED", "Query.a", "weakened", "2026-12-01");
    assert_eq!(failing(&other).0.len(), 2);
    let kind = exception("FIELD_TYPE_CHANGED", "Query.a", "breaking", "2026-12-01");
    assert_eq!(
        failing(&kind),
        (vec!["Query.a".to_owned(), "Query.ab".to_owned()], 1)
    );
}

#[test]
fn exceptions_expire() {
    for (day, passes) in [("2026-11-26", false), ("2026-11-27", true)] {
        let one = |path| exception("FIELD_REMOVED", path, "breaking", day);
        let rules = with(&(one("Query.a") + &one("Query.ab")), &[FailOn::Breaking]);
        let verdict = compare(OLD, NEW, "", &rules).verdict;
        assert_eq!(verdict.passed, passes, "{day}");
        assert_eq!(verdict.expired.len(), if passes { 0 } else { 2 });
    }
}

#[test]
fn operations_are_excused_by_all_of_their_changes() {
    let query = "query Q { a ab }";
    let one = |path: &str| exception("FIELD_REMOVED", path, "operations", "2026-12-01");
    let rules = [FailOn::Operations];
    let passes = |exceptions: &str| {
        compare(OLD, NEW, query, &with(exceptions, &rules))
            .verdict
            .passed
    };
    assert!(!passes(&one("Query.a")));
    assert!(passes(&(one("Query.a") + &one("Query.ab"))));
}

#[test]
fn weakening_is_excepted_by_its_place() {
    let old = "type Query { a: Int @authz(stepUp: true, action: \"x\") }";
    let new = "type Query { a: Int }";
    let rules = |exceptions: &str| with(exceptions, &[FailOn::Weakened]);
    let query = "query Q { a }";
    assert!(!compare(old, new, query, &rules("")).verdict.passed);
    let one = exception("AUTHZ_WEAKENED", "Query.a", "weakened", "2026-12-01");
    let verdict = compare(old, new, query, &rules(&one)).verdict;
    assert!(verdict.passed, "{:?}", verdict.failures);
}

#[test]
fn what_was_announced_may_go_if_nobody_uses_it() {
    let paths = |query: &str, announced: bool| {
        let rules = Policy {
            announced,
            ..policy([FailOn::Breaking])
        };
        let verdict = compare(OLD, NEW, query, &rules).verdict;
        let failing = verdict.failures.into_iter().map(|it| it.path);
        (failing.collect::<Vec<_>>(), verdict.announced)
    };
    let (a, ab) = ("Query.a".to_owned(), "Query.ab".to_owned());
    assert_eq!(paths("", false), (vec![a.clone(), ab.clone()], vec![]));
    assert_eq!(paths("", true), (vec![a.clone()], vec![ab.clone()]));
    assert_eq!(paths("query Q { ab }", true), (vec![a, ab], vec![]));
}
