//! A policy bundle, in the layout of OPA: `.manifest`, `**/*.rego`, and data
//! in `**/data.json` or `**/data.yaml`, filed under its folder.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Problems;

/// Name of the manifest.
pub const MANIFEST: &str = ".manifest";

/// How files of tests end; they are not enforced.
pub const TEST_SUFFIX: &str = "_test.rego";

/// A bundle's manifest.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Revision of the bundle.
    pub revision: String,
    /// Packages the bundle may define, as paths (`ig`, `ig/retention`).
    #[serde(default = "default_roots")]
    pub roots: Vec<String>,
    /// Version of Rego; only 1 is read.
    #[serde(default)]
    pub rego_version: Option<u8>,
    /// Free for the bundle's authors.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

fn default_roots() -> Vec<String> {
    vec![ig_contract::policy::ROOT.to_owned()]
}

/// A bundle: what its files say, not yet compiled.
#[derive(Clone, PartialEq, Debug)]
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// Policies by path.
    pub policies: BTreeMap<String, String>,
    /// Files of tests by path.
    pub tests: BTreeMap<String, String>,
    /// Data.
    pub data: Map<String, Value>,
}

impl Bundle {
    /// Whether a file of this path is part of a bundle.
    pub fn reads(path: &str) -> bool {
        path == MANIFEST || path.ends_with(".rego") || data_folder(path).is_some()
    }

    /// Reads the files of a bundle, by their path below its folder, with `/`.
    ///
    /// # Errors
    /// [`Problems`], with the paths of files.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Problems> {
        let mut problems = Problems::none();
        let mut bundle = Self::empty();
        if !files.contains_key(MANIFEST) {
            problems.add(
                MANIFEST,
                r#"is missing; write one: {"revision": "1", "roots": ["ig"]}"#,
            );
        }
        bundle.add_all(files, &mut problems);
        if bundle.policies.is_empty() {
            problems.add("", "the bundle has no policy: no `*.rego` beside tests");
        }
        problems.or(bundle)
    }

    /// Reads any folder of Rego, as `opa test` does: a manifest may be missing,
    /// and so may a policy beside the tests. It is no bundle for a guard.
    ///
    /// # Errors
    /// [`Problems`], with the paths of files.
    pub fn from_any_files(mut files: BTreeMap<String, Vec<u8>>) -> Result<Self, Problems> {
        files.remove(MANIFEST);
        let mut problems = Problems::none();
        let mut bundle = Self::empty();
        bundle.add_all(files, &mut problems);
        if bundle.policies.is_empty() && bundle.tests.is_empty() {
            problems.add("", "there is no `*.rego`");
        }
        problems.or(bundle)
    }

    fn add_all(&mut self, files: BTreeMap<String, Vec<u8>>, problems: &mut Problems) {
        for (path, bytes) in files.into_iter().filter(|(path, _)| Self::reads(path)) {
            match String::from_utf8(bytes) {
                Ok(text) => self.add(path, text, problems),
                Err(_) => problems.add(path, "is not UTF-8"),
            }
        }
    }

    fn empty() -> Self {
        Self {
            manifest: Manifest {
                revision: String::new(),
                roots: Vec::new(),
                rego_version: None,
                metadata: Map::new(),
            },
            policies: BTreeMap::new(),
            tests: BTreeMap::new(),
            data: Map::new(),
        }
    }

    fn add(&mut self, path: String, text: String, problems: &mut Problems) {
        if path == MANIFEST {
            match serde_json::from_str::<Manifest>(&text) {
                Ok(manifest) => {
                    check(&manifest, problems);
                    self.manifest = manifest;
                }
                Err(error) => problems.add(path, error),
            }
        } else if path.ends_with(TEST_SUFFIX) {
            self.tests.insert(path, text);
        } else if path.ends_with(".rego") {
            self.policies.insert(path, text);
        } else if let Some(folder) = data_folder(&path) {
            let value = match path.ends_with(".json") {
                true => serde_json::from_str(&text).map_err(|error| error.to_string()),
                false => yaml_serde::from_str(&text).map_err(|error| error.to_string()),
            };
            let merged = value.and_then(|value: Map<String, Value>| {
                merge(&mut self.data, nest(folder, value), "")
            });
            if let Err(message) = merged {
                problems.add(path, message);
            }
        }
    }
}

fn check(manifest: &Manifest, problems: &mut Problems) {
    let revision = &manifest.revision;
    problems.check(
        (1..=128).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_graphic()),
        MANIFEST,
        "`revision` has 1 to 128 visible ASCII characters",
    );
    problems.check(
        manifest.rego_version.is_none_or(|version| version == 1),
        MANIFEST,
        "`rego_version` is not 1: policies are written in Rego v1",
    );
    problems.check(
        !manifest.roots.is_empty() && manifest.roots.iter().all(|root| !root.is_empty()),
        MANIFEST,
        "`roots` names the packages that the bundle defines, e.g. [\"ig\"]",
    );
}

/// Folder of a file of data.
fn data_folder(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    matches!(name, "data.json" | "data.yaml" | "data.yml").then_some(folder)
}

fn nest(folder: &str, value: Map<String, Value>) -> Map<String, Value> {
    let names = folder.rsplit('/').filter(|name| !name.is_empty());
    names.fold(value, |inner, name| {
        Map::from_iter([(name.to_owned(), Value::Object(inner))])
    })
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>, at: &str) -> Result<(), String> {
    for (key, value) in from {
        let path = format!("{at}/{key}");
        match (into.get_mut(&key), value) {
            (None, value) => {
                into.insert(key, value);
            }
            (Some(Value::Object(known)), Value::Object(more)) => merge(known, more, &path)?,
            (Some(_), _) => return Err(format!("`{path}` is in another file of data too")),
        }
    }
    Ok(())
}
