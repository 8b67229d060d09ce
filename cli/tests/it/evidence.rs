//! `ig evidence verify`, as auditors run it.

use std::path::Path;
use std::process::Command;

use ig_evidence::{Report, names, read};

use crate::Work;
use crate::small::{self, Small, map};

/// What a release hands out: a bundle as folder and file, keys, the ledger's checkpoint, and
/// artefacts.
pub(crate) fn with_bundle(work: &Work) {
    let small = Small::new();
    let mut log = small.log();
    let keys = small.log_keys.keys();
    let parts = || small::files(&small::parts());
    let first = ig_evidence::seal::seal(parts(), &small.key, &mut log, keys, None).unwrap();
    let since = Some(first.checkpoint.as_str());
    let sealed = ig_evidence::seal::seal(parts(), &small.key, &mut log, keys, since).unwrap();
    read::write(&sealed.files, &work.file("evidence/release/v0.2")).unwrap();
    std::fs::write(work.file("evidence.tar"), sealed.files.to_tar().unwrap()).unwrap();
    let root = sealed.files.get(names::TRUSTED_ROOT).unwrap();
    std::fs::write(work.file("root.json"), root).unwrap();
    work.write("last.checkpoint", &first.checkpoint);
    work.write("cosign.pub", &small.key.public().to_pem());
    std::fs::create_dir(work.file("downloads")).unwrap();
    for name in small::ARTEFACTS {
        std::fs::write(work.file("downloads").join(name), small::artefact(name)).unwrap();
    }
}

/// What of a checkout a bundle is made of, but for what is run and built. It is not
/// committed yet.
pub(crate) fn with_checkout(work: &Work) {
    let workspace = format!("[workspace.package]\nversion = \"{}\"\n", small::VERSION);
    work.write("Cargo.toml", &workspace);
    work.write(".gitignore", "/evidence/release\n/reports\n/target\n");
    let dashboards = "charts/ig-guard/files/dashboards";
    for folder in ["evidence", dashboards] {
        std::fs::create_dir_all(work.file(folder)).unwrap();
    }
    for (name, bytes) in small::parts() {
        let path = match name.strip_prefix(names::DASHBOARDS) {
            Some(name) => format!("{dashboards}/{name}"),
            None if name == names::CONTROLS => "evidence/controls.toml".into(),
            None => continue,
        };
        std::fs::write(work.file(&path), bytes).unwrap();
    }
}

const VERIFY: &str = "evidence verify evidence.tar --key cosign.pub";

#[test]
fn a_release_verifies_as_folder_and_as_file() {
    let work = Work::new();
    with_bundle(&work);
    for bundle in ["evidence.tar", "evidence/release/v0.2"] {
        let ran = work
            .ig(&format!("evidence verify {bundle} --key cosign.pub"))
            .ok();
        ran.says("access-reviews     PASS")
            .says("A mapping of controls is no audit.");
    }
    let all = "--trusted-root root.json --checkpoint last.checkpoint --artifacts downloads --json";
    let commit = small::COMMIT;
    let report = work.ig(&format!("{VERIFY} {all} --commit {commit}"));
    let report = report.ok().json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["notChecked"], serde_json::json!([]));
    work.ig(&format!("{VERIFY} --commit {commit}")).ok();
    work.ig(&format!("{VERIFY} --commit {}", commit.replace('0', "f")))
        .exits(1)
        .says("it is of the commit");
}

/// A bundle with something changed.
fn changed(work: &Work, change: impl FnOnce(&mut small::Map)) {
    let files = ig_evidence::Files::from_tar(&std::fs::read(work.file("evidence.tar")).unwrap());
    let mut map = map(&files.unwrap());
    change(&mut map);
    std::fs::write(
        work.file("evidence.tar"),
        small::files(&map).to_tar().unwrap(),
    )
    .unwrap();
}

#[test]
fn what_is_wrong_and_what_is_not_known_end_differently() {
    let work = Work::new();
    with_bundle(&work);
    changed(&work, |map| drop(map.remove(&Report::Load.path())));
    work.ig(VERIFY)
        .exits(1)
        .says("reports/k6-stress.json: there is no such file");
    let work = Work::new();
    let small = Small::new();
    let mut parts = small::parts();
    parts.remove(&Report::Load.path());
    let sealed = small.seal(&parts);
    std::fs::write(work.file("evidence.tar"), sealed.files.to_tar().unwrap()).unwrap();
    work.write("cosign.pub", &small.key.public().to_pem());
    work.ig(VERIFY)
        .exits(2)
        .says("GAP: there is no reports/k6-stress.json");
    work.ig(&format!("{VERIFY} --allow-gaps"))
        .ok()
        .says("not checked");
    let report = work.ig(&format!("{VERIFY} --json")).exits(2).json();
    assert_eq!(report["problems"][0]["kind"], "not-shown");
}

#[test]
fn files_that_make_no_bundle_are_a_finding_and_no_panic() {
    let work = Work::new();
    with_bundle(&work);
    let tar = std::fs::read(work.file("evidence.tar")).unwrap();
    std::fs::write(work.file("evidence.tar"), &tar[..tar.len() / 2]).unwrap();
    work.ig(VERIFY).exits(1).says("cut off");
    std::os::unix::fs::symlink("manifest.json", work.file("evidence/release/v0.2/a.json")).unwrap();
    work.ig("evidence verify evidence/release/v0.2 --key cosign.pub")
        .exits(1)
        .says("a link");
    for usage in [
        "evidence verify nothing --key cosign.pub",
        "evidence verify evidence.tar --key root.json",
        "evidence verify evidence.tar --key cosign.pub --trusted-root cosign.pub",
        "evidence verify evidence.tar",
    ] {
        work.ig(usage).exits(2);
    }
}

/// What docs/auditing.md tells auditors to run, as it stands there.
#[test]
fn documented_commands_verify() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/auditing.md")).unwrap();
    let work = Work::new();
    with_bundle(&work);
    let binary = Path::new(env!("CARGO_BIN_EXE_ig")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let blocks = page.split("```sh\n").skip(1);
    let mut ran = 0;
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        work.run(Command::new("sh").args(["-c", line]).env("PATH", &path))
            .ok();
        ran += 1;
    }
    assert!(ran >= 3, "{ran}");
}
