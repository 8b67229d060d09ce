//! The bill of materials of a release: SPDX 2.3 as JSON
//! (<https://spdx.github.io/spdx-spec/v2.3/>), of what is linked into each artefact.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::dist::hex;
use super::{MODULE, PROGRAMS};
use crate::process::Process;
use crate::wasm::TARGET;

/// A crate by name and version: two of one name are two.
type Name = (String, String);

/// What is linked into one artefact.
#[derive(Debug, Default)]
struct Linked {
    crates: BTreeSet<Name>,
    /// Who uses whom, with the features that this artefact has of them.
    uses: BTreeSet<(Name, Name)>,
}

/// What `cargo metadata` says of a crate.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    authors: Vec<String>,
    license: Option<String>,
    /// Where the text is, of those that name none.
    license_file: Option<String>,
    repository: Option<String>,
    /// `None` for those of the workspace.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// An artefact: its file, the crate that it is built from, and for what.
struct Artifact {
    file: &'static str,
    package: &'static str,
    target: Option<&'static str>,
}

fn artifacts() -> impl Iterator<Item = Artifact> {
    let programs = PROGRAMS.iter().map(|(package, file)| Artifact {
        file,
        package,
        target: None,
    });
    programs.chain([Artifact {
        file: MODULE,
        package: "ig-guard-wasm",
        target: Some(TARGET),
    }])
}

/// The document, given the artefacts' digests by file name, the commit, and when that
/// was made (RFC 3339).
///
/// # Errors
/// When cargo fails, or says of a crate what SPDX has no place for.
pub(super) fn sbom(
    root: &Path,
    sums: &BTreeMap<&str, String>,
    commit: &str,
    created: &str,
) -> Result<Value> {
    let known = packages(root)?;
    let checksums = checksums(root)?;
    let mut crates = BTreeSet::new();
    let mut uses = BTreeSet::new();
    let mut described = Vec::new();
    let mut relations = Vec::new();
    let std = standard_library(root)?;
    for artifact in artifacts() {
        let id = format!(
            "SPDXRef-Artifact-{}",
            artifact.file.replace(['_', '.'], "-")
        );
        let sum = sums
            .get(artifact.file)
            .with_context(|| format!("no digest of {}", artifact.file))?;
        relations.push(relation("SPDXRef-DOCUMENT", "DESCRIBES", &id));
        relations.push(relation(&id, "STATIC_LINK", "SPDXRef-Rust-std"));
        let linked = linked(root, &artifact)?;
        for name in &linked.crates {
            relations.push(relation(&id, "STATIC_LINK", &reference(name)));
        }
        described.push(json!({
            "SPDXID": id, "name": artifact.file, "packageFileName": artifact.file,
            "versionInfo": env!("CARGO_PKG_VERSION"),
            "supplier": "Organization: IntelGraph",
            "downloadLocation": concat!("git+", env!("CARGO_PKG_REPOSITORY")),
            "filesAnalyzed": false,
            "checksums": [{"algorithm": "SHA256", "checksumValue": sum}],
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": env!("CARGO_PKG_LICENSE"),
            "copyrightText": "NOASSERTION",
            "primaryPackagePurpose": "APPLICATION",
        }));
        crates.extend(linked.crates);
        uses.extend(linked.uses);
    }
    described.push(std);
    for name in &crates {
        let package = known
            .get(name)
            .with_context(|| format!("cargo metadata has no {} {}", name.0, name.1))?;
        described.push(describe(package, checksums.get(name).map(String::as_str))?);
    }
    relations.extend(
        uses.iter()
            .map(|(user, used)| relation(&reference(user), "DEPENDS_ON", &reference(used))),
    );
    let contents = json!([described, relations]).to_string();
    let unique = hex(&Sha256::digest(contents.as_bytes()));
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": concat!("intelgraph-guard-", env!("CARGO_PKG_VERSION")),
        "documentNamespace": format!(
            "{}/sbom/{commit}/{unique}", env!("CARGO_PKG_REPOSITORY")
        ),
        "creationInfo": {
            "created": created,
            "creators": ["Organization: IntelGraph", concat!("Tool: xtask-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": described,
        "relationships": relations,
    }))
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// Letters, digits, `.` and `-` are all that a reference may have.
fn reference((name, version): &Name) -> String {
    let text = format!("SPDXRef-Crate-{name}-{version}");
    text.replace('_', "-us-").replace('+', "-plus-")
}

/// As SPDX has it: older crates write a slash for `OR`.
fn license(text: &str) -> String {
    text.split('/')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" OR ")
}

/// The first author, or who owns the repository.
fn supplier(package: &Package) -> String {
    if package.source.is_none() {
        return "Organization: IntelGraph".into();
    }
    if let Some(author) = package.authors.first() {
        return format!("Person: {}", author.replace('<', "(").replace('>', ")"));
    }
    let repository = package.repository.as_deref().unwrap_or_default();
    repository.split('/').nth(3).map_or_else(
        || "NOASSERTION".into(),
        |owner| format!("Organization: {owner}"),
    )
}

fn describe(package: &Package, checksum: Option<&str>) -> Result<Value> {
    let (name, version) = (&package.name, &package.version);
    let declared = match (&package.license, &package.license_file) {
        (Some(declared), _) => license(declared),
        // `cargo deny` has read it.
        (None, Some(_)) => "NOASSERTION".into(),
        (None, None) => bail!("{name} {version} names no licence"),
    };
    let mut said = json!({
        "SPDXID": reference(&(name.clone(), version.clone())),
        "name": name,
        "versionInfo": version,
        "supplier": supplier(package),
        "downloadLocation": package.repository.as_deref().unwrap_or("NOASSERTION"),
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": declared,
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "LIBRARY",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")),
        }],
    });
    if let (None, Some(file)) = (&package.license, &package.license_file) {
        said["licenseComments"] = json!(format!("the text is the crate's {file}"));
    }
    if let Some(checksum) = checksum {
        said["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": checksum}]);
    }
    Ok(said)
}

fn standard_library(root: &Path) -> Result<Value> {
    let said = Process::new("rustc")
        .arg("--version")
        .current_dir(root)
        .capture()?;
    Ok(json!({
        "SPDXID": "SPDXRef-Rust-std",
        "name": "rust-std",
        "versionInfo": said.stdout.trim().trim_start_matches("rustc "),
        "supplier": "Organization: The Rust Project",
        "downloadLocation": "https://github.com/rust-lang/rust",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "MIT OR Apache-2.0",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "LIBRARY",
    }))
}

fn packages(root: &Path) -> Result<BTreeMap<Name, Package>> {
    let said = Process::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .capture()?;
    let said: Metadata = serde_json::from_str(&said.stdout).context("cargo metadata")?;
    let named = |package: Package| ((package.name.clone(), package.version.clone()), package);
    Ok(said.packages.into_iter().map(named).collect())
}

/// Digests of the crates' archives, as Cargo.lock has them: three lines, in this order.
fn checksums(root: &Path) -> Result<BTreeMap<Name, String>> {
    let text = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let mut found = BTreeMap::new();
    for package in text.split("[[package]]") {
        let field = |name: &str| {
            let mut lines = package.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (field("name"), field("version"), field("checksum"))
        {
            found.insert((name, version), checksum);
        }
    }
    ensure!(!found.is_empty(), "Cargo.lock has no checksums");
    Ok(found)
}

/// As the linker gets them: no build scripts' dependencies, no macros, no tests'.
///
/// Programs are built in one go, and so with the features that any of them asks for: what
/// one would link by itself is less. So all are asked for, and each has what its own
/// dependencies lead to.
fn linked(root: &Path, artifact: &Artifact) -> Result<Linked> {
    let mut tree = Process::new("cargo")
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "depth", "--format", "\t{p}"]);
    tree = match artifact.target {
        Some(target) => tree.args(["--target", target, "--package", artifact.package]),
        None => PROGRAMS.iter().fold(tree, |tree, (package, _)| {
            tree.args(["--package", *package])
        }),
    };
    let said = tree.current_dir(root).capture()?;
    let mut all = BTreeSet::new();
    let mut first = None;
    let mut path: Vec<Name> = Vec::new();
    for line in said.stdout.lines().filter(|line| !line.is_empty()) {
        let (depth, package) = line.split_once('\t').context("a line of cargo tree")?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            bail!("cargo tree: {package}");
        };
        let name = (name.to_owned(), version.trim_start_matches('v').to_owned());
        path.truncate(depth.parse().context("a depth of cargo tree")?);
        match path.last() {
            Some(user) => drop(all.insert((user.clone(), name.clone()))),
            None if name.0 == artifact.package => first = Some(name.clone()),
            None => {}
        }
        path.push(name);
    }
    let first = first.with_context(|| format!("cargo tree has no {}", artifact.package))?;
    Ok(reached(first, &all))
}

/// What is reached from a crate.
fn reached(first: Name, all: &BTreeSet<(Name, Name)>) -> Linked {
    let mut linked = Linked::default();
    let mut work = vec![first];
    while let Some(user) = work.pop() {
        if !linked.crates.insert(user.clone()) {
            continue;
        }
        for (_, used) in all.iter().filter(|(one, _)| *one == user) {
            linked.uses.insert((user.clone(), used.clone()));
            work.push(used.clone());
        }
    }
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_expressions() {
        for (said, meant) in [
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
            ("Apache-2.0 / MIT", "Apache-2.0 OR MIT"),
            (
                "(MIT OR Apache-2.0) AND Unicode-3.0",
                "(MIT OR Apache-2.0) AND Unicode-3.0",
            ),
        ] {
            assert_eq!(license(said), meant);
        }
    }

    #[test]
    fn each_artefact_has_what_is_linked_into_it() {
        let root = crate::tools::root();
        let of = |file: &str| {
            let artifact = artifacts().find(|one| one.file == file).unwrap();
            let linked = linked(&root, &artifact).unwrap();
            linked
                .crates
                .into_iter()
                .map(|(name, _)| name)
                .collect::<BTreeSet<_>>()
        };
        let (module, server, verify) = (of(MODULE), of("ig-control-plane"), of("ig-verify"));
        for (crates, has, lacks) in [
            (
                &module,
                ["proxy-wasm", "regorus"],
                ["tokio", "serde_derive"],
            ),
            (&server, ["tokio", "sqlx"], ["proxy-wasm", "proptest"]),
            (&verify, ["p256", "ig-ledger"], ["sqlx", "tokio"]),
            // Of a feature that only another program of the same build asks for.
            (&of("ig"), ["regorus", "spin"], ["sqlx", "proptest"]),
        ] {
            for name in has {
                assert!(crates.contains(name), "{name}");
            }
            for name in lacks {
                assert!(!crates.contains(name), "{name}");
            }
        }
    }
}
