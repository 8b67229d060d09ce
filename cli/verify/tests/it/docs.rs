//! Commands of the page for auditors, as they stand there.

use std::path::Path;
use std::process::Command;

use crate::support::Logged;

#[test]
fn documented_commands_verify() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/verifying.md")).unwrap();
    let logged = Logged::new();
    let program = Path::new(env!("CARGO_BIN_EXE_ig-verify"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut ran = 0;
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        // `ig` has its own test of its examples.
        for line in block.lines().filter(|line| line.starts_with("ig-verify ")) {
            let out = Command::new("sh")
                .args(["-c", line])
                .env("PATH", &path)
                .current_dir(logged.export.path())
                .output()
                .unwrap();
            assert!(out.status.success(), "{line}: {out:?}");
            ran += 1;
        }
    }
    assert!(ran >= 8, "{ran}");
}
