//! Builds that are broken on purpose still can be made. That they are noticed is for
//! `cargo xtask chaos --mutations` to show.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use xtask::chaos::mutation::{Patch, all};
use xtask::tools::root;

#[test]
fn each_applies_to_the_code_as_it_is() {
    let all = all(&root()).unwrap();
    assert!(!all.is_empty());
    for mutation in &all {
        let changed = mutation.changed(&root()).unwrap();
        assert!(!changed.is_empty(), "{}", mutation.name);
    }
}

#[test]
fn what_is_not_there_once_is_an_error() {
    let patch = |find: &str, replace: &str| Patch {
        file: "a.rs".into(),
        find: find.into(),
        replace: replace.into(),
    };
    assert_eq!(patch("b", "c").apply("a b").unwrap(), "a c");
    for (find, replace, said) in [
        ("d", "c", "0 times"),
        ("a", "c", "2 times"),
        ("b", "b", "nothing changes"),
    ] {
        let error = patch(find, replace).apply("a b a").unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn nothing_outside_is_changed() {
    let mut mutation = all(&root()).unwrap().remove(0);
    for file in ["../a.rs", "/etc/passwd", "a/../../b"] {
        mutation.patch[0].file = file.into();
        let error = mutation.changed(&root()).unwrap_err();
        assert!(
            error.to_string().contains("not in the workspace"),
            "{error}"
        );
    }
}
