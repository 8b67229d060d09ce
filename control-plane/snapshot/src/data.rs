//! Data as policy.
//!
//! The guard runs a program and knows no data beside its input, so a bundle's
//! data becomes rules with constant values. The compiler folds them into
//! literals: reading one costs an instruction.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Problems;

/// Writes data as modules, by name. A member becomes a rule of the deepest
/// package that has policies on its path, or of the package of its root.
pub(crate) fn modules(
    data: &Map<String, Value>,
    packages: &BTreeSet<Vec<String>>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    for (root, value) in sorted(data) {
        match value {
            Value::Object(members) => {
                module(
                    vec![root.clone()],
                    members,
                    packages,
                    &mut modules,
                    problems,
                );
            }
            _ => problems.add(root, "data at the top level has to be an object"),
        }
    }
    modules
}

fn module(
    path: Vec<String>,
    members: &Map<String, Value>,
    packages: &BTreeSet<Vec<String>>,
    modules: &mut BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let name = path.join(".");
    if path.iter().any(|part| !is_identifier(part)) {
        problems.add(name, "data in a package whose name is not an identifier");
        return;
    }
    let mut rules = String::new();
    for (key, value) in sorted(members) {
        let mut below = path.clone();
        below.push(key.clone());
        match value {
            Value::Object(members)
                if packages.iter().any(|package| package.starts_with(&below)) =>
            {
                module(below, members, packages, modules, problems);
            }
            _ if !is_identifier(key) => problems.add(
                below.join("."),
                "is not an identifier; put it one level deeper, under a name that is one",
            ),
            // One value a line: the parser limits the length of lines.
            _ => rules += &format!("\n{key} := {value:#}\n"),
        }
    }
    if !rules.is_empty() {
        modules.insert(
            format!("data of {name}"),
            format!("package {name}\n{rules}"),
        );
    }
}

/// Whether a map keeps the order of its source depends on what else is in a
/// build; the program does not.
fn sorted(members: &Map<String, Value>) -> BTreeMap<&String, &Value> {
    members.iter().collect()
}

fn is_identifier(name: &str) -> bool {
    const KEYWORDS: [&str; 17] = [
        "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in",
        "input", "not", "null", "package", "some", "true", "with",
    ];
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !KEYWORDS.contains(&name)
}
