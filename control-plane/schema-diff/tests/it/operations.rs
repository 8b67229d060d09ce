//! What becomes of the operations of a catalogue.

use ig_schema_diff::{Effect, FailOn, Impact, Policy};

use crate::{compare, policy};

const OLD: &str = "
directive @live on QUERY
interface Node { id: ID! }
type Query { case(id: ID!, kind: Kind = OPEN): Case node: Node search(filter: Filter): [Hit] }
type Case implements Node { id: ID! title: String note: String @deprecated(reason: \"2026-01-01\") }
type Person implements Node { id: ID! }
union Hit = Case | Person
enum Kind { OPEN SHUT }
input Filter { text: String kind: Kind nested: Filter }
";

/// Operations, and the changes of the schema that concern them.
#[test]
fn each_change_names_whom_it_concerns() {
    let query = "query Q($f: Filter) { case(id: 1, kind: OPEN) { id title } search(filter: $f) { ... on Person { id } } }";
    let cases: [(&str, &str, &str, &str, Option<Impact>); 10] = [
        (
            "a field is gone",
            "title: String ",
            "",
            "Case.title",
            Some(Impact::Invalid),
        ),
        (
            "a value is gone",
            "OPEN SHUT",
            "SHUT",
            "Kind.OPEN",
            Some(Impact::Invalid),
        ),
        (
            "a value is gone that is not named",
            "OPEN SHUT",
            "OPEN",
            "Kind.SHUT",
            None,
        ),
        (
            "an argument is gone",
            ", kind: Kind = OPEN",
            "",
            "Query.case.kind",
            Some(Impact::Invalid),
        ),
        (
            "an argument must be given",
            "(id: ID!, ",
            "(id: ID!, new: Int!, ",
            "Query.case.new",
            Some(Impact::Invalid),
        ),
        (
            "a member is gone",
            "Case | Person",
            "Case",
            "Hit",
            Some(Impact::Invalid),
        ),
        (
            "a field is gone that nobody uses",
            " note: String @deprecated(reason: \"2026-01-01\")",
            "",
            "Case.note",
            None,
        ),
        (
            "a type changes",
            "title: String",
            "title: String @authz(stepUp: true, action: \"x\")",
            "Case.title.@authz",
            Some(Impact::Record),
        ),
        (
            "a default changes",
            "= OPEN)",
            "= SHUT)",
            "Query.case.kind",
            None,
        ),
        (
            "an input field must be given",
            "text: String",
            "text: String new: Int!",
            "Filter.new",
            None,
        ),
    ];
    for (name, from, to, path, impact) in cases {
        let old = OLD
            .replace("= OPEN)", "= SHUT)")
            .replace("= SHUT)", "= OPEN)");
        let new = old.replace(from, to);
        // Defaults have to be values.
        let new = match path {
            "Kind.OPEN" => new.replace(" = OPEN", ""),
            _ => new,
        };
        let report = compare(&old, &new, query, &policy([FailOn::Operations]));
        let change = report
            .changes
            .iter()
            .find(|it| it.change.path.as_deref() == Some(path));
        let change = change.unwrap_or_else(|| panic!("{name}: {:?}", report.changes));
        let impacts: Vec<_> = change
            .affected_operations
            .iter()
            .map(|it| it.impact)
            .collect();
        assert_eq!(impacts, impact.into_iter().collect::<Vec<_>>(), "{name}");
        let is_invalid = impact == Some(Impact::Invalid);
        assert_eq!(report.verdict.passed, !is_invalid, "{name}");
        if is_invalid {
            let reasons = &report.operations[0].reasons;
            assert!(
                reasons.iter().all(|it| it.position.is_some()),
                "{name}: {reasons:?}"
            );
        }
    }
}

/// Variables may have what the schema does not take any more, and answers what
/// clients do not know.
#[test]
fn who_uses_what_changed_is_named() {
    let query = "query Q($f: Filter) { search(filter: $f) { __typename } node { id } }";
    let exposed = |from: &str, to: &str, path: &str| {
        let report = compare(
            OLD,
            &OLD.replace(from, to),
            query,
            &policy([FailOn::Operations]),
        );
        assert!(report.verdict.passed, "{path}");
        let change = report
            .changes
            .into_iter()
            .find(|it| it.change.path.as_deref() == Some(path));
        change.unwrap().exposed_operations.len()
    };
    assert_eq!(
        exposed(
            "input Filter { text: String ",
            "input Filter { ",
            "Filter.text"
        ),
        1
    );
    assert_eq!(exposed("OPEN SHUT", "OPEN SHUT LOST", "Kind.LOST"), 1);
    assert_eq!(
        exposed(
            "type Person implements Node { id: ID! }",
            "type Person { id: ID! }",
            "Person"
        ),
        1
    );
    assert_eq!(exposed("title: String ", "", "Case.title"), 0);
}

#[test]
fn an_operation_may_use_a_removed_directive() {
    let new = OLD.replace("directive @live on QUERY", "");
    let report = compare(
        OLD,
        &new,
        "query Q @live { node { id } }",
        &policy([FailOn::Operations]),
    );
    assert!(!report.verdict.passed);
    let removed = report
        .changes
        .iter()
        .find(|it| it.change.path.as_deref() == Some("@live"));
    assert_eq!(removed.unwrap().affected_operations.len(), 1);
    let failure = &report.verdict.failures[0];
    assert!(failure.message.contains("1:9"), "{}", failure.message);
}

#[test]
fn records_tell_what_places_do_not() {
    // The input types have the same fields, but policies see one of them only.
    let sdl = |of: &str| {
        format!(
            "type Query {{ a(i: {of}): Int }} input A {{ x: Int @fact(name: \"x\") }} input B {{ x: Int }}"
        )
    };
    let query = "query Q($x: Int) { a(i: {x: $x}) }";
    let rules = policy([FailOn::Weakened, FailOn::Records]);
    let report = compare(&sdl("A"), &sdl("B"), query, &rules);
    let operation = &report.operations[0];
    assert_eq!(operation.authz, Effect::Weakened);
    assert_eq!(operation.members, ["facts"]);
    assert_eq!(
        report.verdict.failures.len(),
        3,
        "{:?}",
        report.verdict.failures
    );
}

/// Of what is valid on neither schema nothing can be told, so no rule about
/// operations holds for it.
#[test]
fn what_was_not_valid_before_is_told() {
    let query = "query Bad {\n  nothing\n}";
    let cases = [
        (&[FailOn::Operations][..], false, 1),
        (&[FailOn::Records], false, 1),
        (&[FailOn::Operations], true, 0),
        (&[FailOn::Breaking, FailOn::Weakened], false, 0),
        (&[], false, 0),
    ];
    for (rules, invalid_before, undecided) in cases {
        let rules = Policy {
            invalid_before,
            ..policy(rules.iter().copied())
        };
        let report = compare(OLD, OLD, query, &rules);
        assert_eq!(report.verdict.undecided, undecided, "{rules:?}");
        assert_eq!(report.verdict.passed, undecided == 0, "{rules:?}");
        assert!(report.verdict.failures.is_empty());
        let [bad] = report.invalid_before.as_slice() else {
            panic!("{:?}", report.invalid_before);
        };
        assert_eq!(bad.operation.name, "Bad");
        let place = bad.reasons[0].position.unwrap();
        assert_eq!((place.line, place.column), (2, 3));
        assert_eq!(report.summary.invalid_before, 1);
    }
}
