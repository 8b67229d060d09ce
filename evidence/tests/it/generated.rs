//! What is generated from `controls.toml` is what is in the tree.

use std::path::{Path, PathBuf};

use ig_evidence::{Controls, component_definition, page};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn controls() -> Controls {
    let bytes = std::fs::read(folder().join("controls.toml")).unwrap();
    Controls::parse(&bytes).unwrap()
}

/// Compares with a file, or writes it anew.
fn is_in_the_tree(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    if std::env::var_os("IG_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    let found = std::fs::read(&path).unwrap_or_default();
    assert!(
        found == bytes,
        "{name} is not what controls.toml gives: IG_BLESS=1"
    );
}

#[test]
fn the_page_is_that_of_the_controls() {
    let page = page(&controls(), None);
    assert!(page.contains("A mapping is no audit"));
    is_in_the_tree("controls.md", page.as_bytes());
}

#[test]
fn the_component_definition_is_that_of_the_controls() {
    is_in_the_tree(
        "oscal/component-definition.json",
        &component_definition(&controls(), env!("CARGO_PKG_VERSION")),
    );
}

/// Tests that controls name are tests of this workspace.
#[test]
fn tests_that_controls_name_exist() {
    let controls = controls();
    let root = folder().join("..");
    let mut sources = String::new();
    let mut work = vec![root.clone()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy().into_owned();
            let is_code = ["rs", "js"]
                .iter()
                .any(|end| path.extension().is_some_and(|e| e == *end));
            let is_kept = !name.starts_with('.') && name != "target" && name != "node_modules";
            if entry.file_type().unwrap().is_dir() && is_kept {
                work.push(path);
            } else if is_code && !path.ends_with("evidence/tests/it/small.rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    for claim in controls.controls.iter().flat_map(|control| &control.claims) {
        use ig_evidence::Check;
        for name in &claim.names {
            let wanted = match claim.check {
                Check::Tests | Check::Conformance => format!("fn {name}("),
                Check::Browser => format!("'{name}'"),
                Check::Chaos => format!("\"{name}\""),
                _ => continue,
            };
            assert!(sources.contains(&wanted), "there is no {name}");
        }
    }
}
