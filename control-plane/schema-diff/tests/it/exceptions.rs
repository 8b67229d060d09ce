//! Files of exceptions.

use ig_schema_diff::Exceptions;

use crate::today;

fn file(member: &str, value: &str) -> String {
    let mut members = vec![
        ("type", "\"FIELD_REMOVED\""),
        ("path", "\"Query.a\""),
        ("allows", "[\"breaking\"]"),
        ("reason", "\"nobody uses it\""),
        ("author", "\"a@example.com\""),
        ("reviewer", "\"b@example.com\""),
        ("expires", "2026-12-31"),
    ];
    if let Some(found) = members.iter_mut().find(|(name, _)| *name == member) {
        found.1 = value;
    } else if !member.is_empty() {
        members.push((member, value));
    }
    let members = members.into_iter().filter(|(_, value)| !value.is_empty());
    let lines: Vec<_> = members
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    format!("[[exception]]\n{}\n", lines.join("\n"))
}

#[test]
fn files_are_read_or_refused() {
    let cases = [
        ("", "", None),
        ("expires", "\"2026-12-31\"", None),
        ("type", "\"AUTHZ_WEAKENED\"", None),
        ("expires", "2027-11-27", None),
        ("expires", "2027-11-28", Some("more than a year ahead")),
        ("expires", "2026-02-30", Some("expires")),
        ("expires", "\"soon\"", Some("no day")),
        ("expires", "", Some("expires")),
        ("expires", "1", Some("no day")),
        ("reviewer", "\" A@example.com \"", Some("somebody else")),
        ("reviewer", "\"\"", Some("`reviewer` must not be empty")),
        ("reviewer", "", Some("reviewer")),
        ("reason", "\" \"", Some("`reason` must not be empty")),
        ("allows", "[]", Some("`allows` must not be empty")),
        ("allows", "[\"all\"]", Some("all")),
        ("type", "\"FIELD\"", Some("`FIELD` is no kind")),
        ("paths", "\"*\"", Some("unknown field")),
    ];
    for (member, value, error) in cases {
        let read = Exceptions::parse(&file(member, value), today());
        match (read, error) {
            (Ok(_), None) => {}
            (Err(refused), Some(words)) => {
                let said = refused.to_string();
                assert!(said.contains(words), "{member} = {value}: {said}");
            }
            (read, _) => panic!("{member} = {value}: {read:?}"),
        }
    }
    assert!(Exceptions::parse("", today()).is_ok());
    assert!(Exceptions::parse("exception = 1", today()).is_err());
    assert!(Exceptions::parse(&file("", "").repeat(1_001), today()).is_err());
    assert!(Exceptions::parse(&" ".repeat(2 << 20), today()).is_err());
}
