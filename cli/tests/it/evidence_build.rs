//! `ig evidence build`, of a small checkout.

use std::path::Path;
use std::process::Command;

use ig_evidence::{Report, names, now, rfc3339};

use crate::small::{self, Map};
use crate::{Ran, Work};

/// A checkout without changes; what is run, built and made in it is none of its files.
fn checkout() -> Work {
    let work = Work::new();
    crate::evidence::with_checkout(&work);
    crate::schema::commit(&work);
    work
}

fn commit(work: &Work) -> String {
    let mut git = Command::new("git");
    let said = work.run(git.args(["rev-parse", "HEAD"])).ok().stdout;
    said.trim().to_owned()
}

/// What a run of the checkout would have left, made up, a minute ago.
fn parts(work: &Work) -> Map {
    let commit = commit(work);
    let at = rfc3339(now() - 60);
    let theirs = [small::NOW - 3600, small::NOW - 60].map(rfc3339);
    let of_now = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.replace(small::COMMIT, &commit);
            let text = theirs
                .iter()
                .fold(text, |text, time| text.replace(time, &at));
            text.into_bytes()
        }
        Err(error) => error.into_bytes(),
    };
    let parts = small::parts().into_iter();
    parts.map(|(name, bytes)| (name, of_now(bytes))).collect()
}

/// Puts them where programs leave them.
fn ran(work: &Work, parts: &Map) {
    for folder in ["reports", "target/dist"] {
        std::fs::create_dir_all(work.file(folder)).unwrap();
    }
    for report in Report::ALL {
        let Some(bytes) = parts.get(&report.path()) else {
            continue;
        };
        std::fs::write(work.file(&report.path()), bytes).unwrap();
    }
    for name in [names::SUMS, names::SBOM, names::PROVENANCE] {
        std::fs::write(work.file("target/dist").join(name), &parts[name]).unwrap();
    }
    for name in small::ARTEFACTS {
        std::fs::write(work.file("target/dist").join(name), small::artefact(name)).unwrap();
    }
}

const BUNDLE: &str = "evidence/release/v0.2";

fn verify(work: &Work, options: &str) -> Ran {
    let key = "evidence/release/cosign.pub";
    work.ig(&format!(
        "evidence verify {BUNDLE}.tar --key {key} {options}"
    ))
}

#[test]
fn what_is_missing_is_a_gap_and_what_is_there_verifies() {
    let work = checkout();
    let built = work.ig("evidence build").ok();
    let built = built.says("reports/tests.json: it is not there");
    let built = built.says("target/dist/SHA256SUMS: it is not there");
    built
        .says("evidence/release/v0.2: 0 PASS, ")
        .says(" 0 FAIL");
    verify(&work, "")
        .exits(2)
        .says("GAP: there is no reports/tests.json");
    let allowed = format!("--allow-gaps --commit {} --json", commit(&work));
    let report = verify(&work, &allowed).ok().json();
    assert_eq!(report["ok"], true);
    // As a folder, with what is beside it.
    let folder = format!("evidence verify {BUNDLE} --key evidence/release/cosign.pub");
    work.ig(&format!("{folder} --allow-gaps")).ok();
    // Its own checkpoint is no earlier release's.
    let checkpoint = format!("--checkpoint {BUNDLE}.checkpoint --allow-gaps");
    work.ig(&format!("{folder} {checkpoint}"))
        .exits(1)
        .says("it is this bundle's own");
    // Keys are nobody else's.
    #[cfg(unix)]
    for key in ["ledger-p256", "ledger-ed25519", "evidence"] {
        let key = work.file(&format!("target/evidence/keys/{key}.pem"));
        let mode = std::os::unix::fs::PermissionsExt::mode(&key.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
}

#[test]
fn where_everything_was_run_every_control_passes() {
    let work = checkout();
    ran(&work, &parts(&work));
    let said = work.ig("evidence build --json").ok().json();
    assert_eq!(said["notTaken"], serde_json::json!([]));
    assert_eq!(said["dirty"], false);
    let verdicts = &said["verdicts"];
    assert_eq!(verdicts["version"], small::VERSION);
    assert_eq!(verdicts["commit"], commit(&work).as_str());
    let controls = verdicts["controls"].as_array().unwrap();
    assert!(controls.len() > 3, "{controls:?}");
    for control in controls {
        assert_eq!(control["verdict"], "PASS", "{control}");
    }
    for name in ["bundle", "tar", "publicKey", "checkpoint"] {
        assert!(Path::new(said[name].as_str().unwrap()).exists(), "{name}");
    }
    verify(&work, "--artifacts target/dist").ok();
}

#[test]
fn a_control_that_fails_is_said_and_the_bundle_is_there() {
    let work = checkout();
    let mut parts = parts(&work);
    let report = String::from_utf8(parts[&Report::Load.path()].clone()).unwrap();
    let failed = report.replace("\"ok\": true", "\"ok\": false");
    assert_ne!(failed, report);
    parts.insert(Report::Load.path(), failed.into_bytes());
    ran(&work, &parts);
    work.ig("evidence build").exits(1).says("FAIL load");
    verify(&work, "").exits(1).says("FAILED");
}

#[test]
fn what_is_of_another_tree_is_not_taken() {
    let work = checkout();
    let parts = parts(&work);
    ran(&work, &parts);
    // Of another commit; of another day; not what the sums say.
    let path = Report::Browser.path();
    let report = String::from_utf8(parts[&path].clone()).unwrap();
    work.write(&path, &report.replace(&commit(&work), small::COMMIT));
    let path = Report::Chaos.path();
    let mut report: serde_json::Value = serde_json::from_slice(&parts[&path]).unwrap();
    report["versions"]["date"] = rfc3339(now() - 2 * 86_400).into();
    work.write(&path, &report.to_string());
    work.write("target/dist/ig", "another");
    let built = work.ig("evidence build").ok();
    let built = built.says("reports/browser.json: not taken: it is of the commit");
    let built = built.says("reports/chaos-results.json: not taken: it is of another day");
    built.says("target/dist/ig: not taken: it is not SHA256SUMS's");
    verify(&work, "").exits(2).says("GAP");
    // Names in the list of sums lead nowhere else.
    let sums = work.read("target/dist/SHA256SUMS");
    work.write(
        "target/dist/SHA256SUMS",
        &sums.replace("  ig\n", "  ../ig\n"),
    );
    work.ig("evidence build")
        .exits(2)
        .says("a line is not a digest");
    // With changes, nothing speaks for the commit.
    let work = checkout();
    ran(&work, &self::parts(&work));
    work.write(
        "Cargo.toml",
        &format!("{}# changed\n", work.read("Cargo.toml")),
    );
    let built = work.ig("evidence build").ok();
    built.says("with changes").says(": 0 PASS, ");
}

#[test]
fn a_ledger_goes_on_from_the_last_release() {
    let work = checkout();
    work.ig("evidence build").ok();
    let last = format!("{BUNDLE}.checkpoint");
    std::fs::copy(work.file(&last), work.file("target/last")).unwrap();
    work.ig("evidence build --since target/last").ok();
    verify(&work, "--checkpoint target/last --allow-gaps").ok();
    // Another ledger did not grow from it, and nothing is written of that.
    let before = work.read(&last);
    work.ig("evidence build --since target/last --ledger target/other --keys target/others")
        .exits(2)
        .says("how the ledger grew cannot be shown");
    assert_eq!(work.read(&last), before);
    // Nor does one whose keys are others'.
    work.ig("evidence build --keys target/third").exits(2);
    assert_eq!(work.read(&last), before);
}

#[test]
fn what_cannot_be_built_changes_nothing() {
    let work = checkout();
    work.write("target.txt", "mine\n");
    std::fs::create_dir_all(work.file("mine")).unwrap();
    work.write("mine/file", "mine\n");
    for (options, why) in [
        ("--out mine", "is no bundle: it is not replaced"),
        ("--out ..", "has no name"),
        ("--origin a+b", "--origin"),
        ("--key nowhere.pem", "nowhere.pem"),
        ("--key target.txt", "is no private key"),
        ("--since nowhere", "nowhere"),
        ("--controls nowhere", "nowhere"),
        ("--controls target.txt", "controls.toml maps nothing"),
        ("--checkout nowhere", "nowhere"),
        ("--password-file target.txt", "--key"),
    ] {
        let ran = work.ig(&format!("evidence build {options}")).exits(2);
        ran.says(why);
        assert!(!work.file(BUNDLE).exists(), "{options}");
    }
    assert_eq!(work.read("mine/file"), "mine\n");
    // No version; then one that is said.
    work.write("Cargo.toml", "[workspace]\n");
    work.ig("evidence build").exits(2).says("give --release");
    work.ig("evidence build --release 9.9.9")
        .ok()
        .says("this is ig");
    verify(&work, "--allow-gaps").ok();
}

#[test]
fn no_checkout_is_said() {
    let work = Work::new();
    // So that a checkout above it is none of its own.
    work.write(".git", "");
    work.ig("evidence build").exits(2).says("git rev-parse");
}

/// What docs/releasing.md tells to run, as it stands there.
#[test]
fn documented_commands_build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/releasing.md")).unwrap();
    let work = checkout();
    crate::export::with_files(&work);
    let mut ran = 0;
    for line in page.lines() {
        if let Some(words) = line.strip_prefix("ig evidence build") {
            work.ig(&format!("evidence build{words}")).ok();
            ran += 1;
        }
    }
    assert!(ran >= 2, "{ran}");
}
