//! OPA, built from its source, and the cases that it tests itself with.

use std::fs;
use std::path::{Path, PathBuf};

use super::go::{self, FOLDER};
use super::item::{Context, Extra, Gap, Outcome};
use crate::process::Process;
use crate::tools::version_of;
use crate::version::Version;

/// What the interoperability tests are written for.
const PINNED: &str = "v1.22.4";
const MODULE: &str = "github.com/open-policy-agent/opa";
/// Its cases of Rego v1, below the module.
const CASES: &str = "v1/test/cases/testdata/v1";
/// Where they go; `tests/interop` looks there.
const CASES_FOLDER: &str = ".tools/opa-cases";

/// OPA of the version that is pinned, with its cases.
pub(super) fn opa(context: &Context) -> Result<Outcome, Gap> {
    let program = context.root.join(FOLDER).join("opa");
    let cases = context.root.join(CASES_FOLDER).join(PINNED);
    let found = || version_of(&program, "version").ok();
    let is_pinned = |version: &Version| PINNED == format!("v{version}");
    if let Some(version) = found().filter(is_pinned)
        && cases.is_dir()
    {
        return Ok(Outcome::found(format!("opa {version}")));
    }
    let fix = "cargo xtask setup --with opa";
    if context.check || !context.asked_for(Extra::Opa) {
        return Err(Gap::new(format!("no opa {PINNED} in {FOLDER}"), fix));
    }
    let package = format!("{MODULE}@{PINNED}");
    if found().filter(is_pinned).is_none() {
        go::install(context, &package, fix)?;
    }
    let gap = |what: String| Gap::new(what, fix);
    let source = module_folder(context, &package, fix)?.join(CASES);
    copy_cases(&source, &cases).map_err(|error| gap(format!("OPA's cases: {error}")))?;
    found()
        .map(|version| Outcome::installed(format!("opa {version}")))
        .ok_or_else(|| gap(format!("{FOLDER}/opa does not run")))
}

/// Where Go keeps the source of a module.
fn module_folder(context: &Context, package: &str, fix: &str) -> Result<PathBuf, Gap> {
    let go = go::go(context)?;
    let said = Process::new(&go)
        .args(["mod", "download", "-json", package])
        .current_dir(&context.root)
        .capture()
        .map_err(|error| Gap::new(error.to_string(), fix))?;
    let json: Option<serde_json::Value> = serde_json::from_str(&said.stdout).ok();
    let folder = json.and_then(|json| Some(PathBuf::from(json["Dir"].as_str()?)));
    folder.ok_or_else(|| Gap::new(format!("Go does not say where {package} is"), fix))
}

/// Copies files of YAML, each to a name of its folder and its own. The folder
/// appears as a whole or not at all.
fn copy_cases(from: &Path, to: &Path) -> std::io::Result<()> {
    let next = to.with_file_name("incomplete");
    if next.exists() {
        fs::remove_dir_all(&next)?;
    }
    fs::create_dir_all(&next)?;
    for folder in fs::read_dir(from)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let file = file?.path();
            if let (Some(name), true) = (file.file_name(), file.is_file()) {
                let name = format!("{}.{}", folder.file_name().display(), name.display());
                // Read and written: those of Go's cache are read-only.
                fs::write(next.join(name), fs::read(&file)?)?;
            }
        }
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::rename(next, to)
}
