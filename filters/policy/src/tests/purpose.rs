//! Purposes.

use ig_contract::snapshot::Action;

use super::*;
use crate::purpose::check;

/// Purposes of each action, the purpose given, the rule.
type Case = (
    &'static [&'static [&'static str]],
    Option<&'static str>,
    &'static str,
);

#[test]
fn given_held_and_allowed() {
    let table: &[Case] = &[
        (&[&["a"]], None, "purpose-required"),
        (&[&["a"]], Some("a"), ""),
        (&[&["b", "a"]], Some("a"), ""),
        (&[&["b"]], Some("a"), "purpose-not-allowed"),
        // None means any that the actor holds.
        (&[&[]], Some("a"), ""),
        (&[], Some("a"), ""),
        (&[&[]], Some("root"), "purpose-not-granted"),
        (&[&["root"]], Some("root"), "purpose-not-granted"),
        (&[&["a"]], Some(""), "purpose-not-granted"),
        (&[&["a"]], Some("A"), "purpose-not-granted"),
        (&[&["a"]], Some("a,b"), "purpose-not-granted"),
        // Every action has to allow it.
        (&[&["a"], &["a", "b"]], Some("a"), ""),
        (&[&["a"], &["b"]], Some("a"), "purpose-not-allowed"),
        (&[&["a"], &["b"]], Some("b"), "purpose-not-allowed"),
        (&[&[], &["b"]], Some("a"), "purpose-not-allowed"),
    ];
    for (actions, given, rule) in table {
        let mut operation = operation("A");
        operation.actions = actions
            .iter()
            .map(|purposes| Action {
                name: "x".into(),
                purposes: strings(purposes),
            })
            .collect();
        let outcome = check(*given, &actor(), &operation);
        let found = outcome.as_ref().err().map_or("", |deny| &deny.rule);
        assert_eq!(found, *rule, "{actions:?} {given:?}");
        assert_eq!(outcome.ok(), given.filter(|_| rule.is_empty()));
    }
}
