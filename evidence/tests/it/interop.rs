//! Programs that are not ours take what a bundle has: `pyspdxtools` and
//! `ntia-conformance-checker` the bill of materials, `compliance-trestle` OSCAL, Cosign
//! attestations and the manifest.

use std::path::{Path, PathBuf};
use std::process::Command;

use ig_evidence::{Report, attest, names, read};

use crate::small::{self, Small};

/// `None`, loudly, where a program is not there; in CI that fails.
fn found(path: PathBuf, setup: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let missing = format!("no {}: `cargo xtask setup --with {setup}`", path.display());
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

fn tool(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match name {
        "cosign" => match std::env::var_os("IG_COSIGN") {
            Some(path) => found(path.into(), "cosign"),
            None => found(root.join(".tools/bin/cosign"), "cosign"),
        },
        _ => {
            let bin = std::env::var_os("IG_EVIDENCE_TOOLS").map(PathBuf::from);
            let bin = bin.unwrap_or_else(|| root.join(".tools/venv/bin"));
            found(bin.join(name), "evidence")
        }
    }
}

/// A bundle on the disk, and the key that signed it.
struct Made {
    folder: tempfile::TempDir,
    small: Small,
}

impl Made {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let small = Small::new();
        let sealed = small.seal(&small::parts());
        read::write(&sealed.files, &folder.path().join("v0.2")).unwrap();
        std::fs::write(
            folder.path().join("cosign.pub"),
            small.key.public().to_pem(),
        )
        .unwrap();
        Self { folder, small }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("v0.2").join(name)
    }
}

/// What a program says, and whether it is content.
fn run(command: &mut Command) -> (bool, String) {
    let ran = command.output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn spdx_tools_take_the_bill_of_materials() {
    let Some(program) = tool("pyspdxtools") else {
        return;
    };
    let made = Made::new();
    let (good, said) = run(Command::new(&program).arg("-i").arg(made.path(names::SBOM)));
    assert!(good, "{said}");
    // And refuse one that is none: it does look.
    let text = std::fs::read_to_string(made.path(names::SBOM)).unwrap();
    let broken = made.folder.path().join("broken.spdx.json");
    std::fs::write(&broken, text.replace("MIT OR Apache-2.0", "MIT/Apache-2.0")).unwrap();
    let (good, said) = run(Command::new(&program).arg("-i").arg(&broken));
    assert!(!good, "{said}");
}

#[test]
fn ntia_asks_for_nothing_more() {
    let Some(program) = tool("ntia-checker") else {
        return;
    };
    let made = Made::new();
    let (good, said) = run(Command::new(&program).arg(made.path(names::SBOM)));
    assert!(good, "{said}");
    let text = std::fs::read_to_string(made.path(names::SBOM)).unwrap();
    let broken = made.folder.path().join("broken.spdx.json");
    std::fs::write(
        &broken,
        text.replace("\"supplier\": \"Organization: IntelGraph\",", ""),
    )
    .unwrap();
    let (good, said) = run(Command::new(&program).arg(&broken));
    assert!(!good, "{said}");
}

#[test]
fn trestle_takes_oscal() {
    let Some(program) = tool("trestle") else {
        return;
    };
    let made = Made::new();
    let workspace = made.folder.path().join("trestle");
    std::fs::create_dir(&workspace).unwrap();
    let trestle = |arguments: &[&str]| {
        run(Command::new(&program)
            .args(arguments)
            .current_dir(&workspace))
    };
    let (good, said) = trestle(&["init", "--local"]);
    assert!(good, "{said}");
    for (kind, name) in [
        ("component-definitions", names::COMPONENT),
        ("assessment-results", names::RESULTS),
    ] {
        let path = made.path(name);
        let path = path.to_str().unwrap();
        // Reading is validating: what is not of the model's form is not imported.
        let (good, said) = trestle(&["import", "-f", path, "-o", "guard"]);
        assert!(good, "{name}: {said}");
        let file = kind
            .trim_end_matches('s')
            .replace("assessment-result", "assessment-results");
        let (good, said) = trestle(&["validate", "-f", &format!("{kind}/guard/{file}.json")]);
        assert!(good, "{name}: {said}");
        let broken = made.folder.path().join(format!("broken-{kind}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(&broken, text.replace("oscal-version", "version-of-oscal")).unwrap();
        let (good, said) = trestle(&["import", "-f", broken.to_str().unwrap(), "-o", "broken"]);
        assert!(!good, "{name}: {said}");
    }
}

#[test]
fn cosign_verifies_attestations_and_manifest() {
    let Some(program) = tool("cosign") else {
        return;
    };
    let made = Made::new();
    let key = made.folder.path().join("cosign.pub");
    let root = made.path(names::TRUSTED_ROOT);
    // The sandbox of a test needs no state of Cosign's.
    let cosign = |words: &[&str], bundle: &str, file: &Path| {
        let mut command = Command::new(&program);
        command
            .args(words)
            .arg("--key")
            .arg(&key)
            .arg("--trusted-root")
            .arg(&root);
        command.arg("--bundle").arg(made.path(bundle)).arg(file);
        run(command.env("HOME", made.folder.path()))
    };
    let (good, said) = cosign(
        &["verify-blob"],
        names::SIGNATURE,
        &made.path(names::MANIFEST),
    );
    assert!(good, "{said}");
    for report in Report::ALL {
        let words = ["verify-blob-attestation", "--type", attest::TEST_RESULT];
        let (good, said) = cosign(&words, &report.attestation(), &made.path(&report.path()));
        assert!(good, "{report:?}: {said}");
        // Of another report it is not.
        let other = made.path(names::ABOUT);
        let (good, said) = cosign(&words, &report.attestation(), &other);
        assert!(!good, "{report:?}: {said}");
    }
    let artefact = made.folder.path().join("ig");
    std::fs::write(&artefact, small::artefact("ig")).unwrap();
    for (kind, bundle) in [
        (attest::PROVENANCE, attest::PROVENANCE_FILE),
        (attest::SBOM, attest::SBOM_FILE),
    ] {
        let words = ["verify-blob-attestation", "--type", kind];
        let (good, said) = cosign(&words, bundle, &artefact);
        assert!(good, "{kind}: {said}");
    }
    assert!(
        made.small
            .key
            .public()
            .to_pem()
            .starts_with("-----BEGIN PUBLIC KEY")
    );
}
