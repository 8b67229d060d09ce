//! What docs/policy-tests.md tells readers to run, run as it stands on this
//! project's policies.

use std::path::Path;
use std::process::Command;

use crate::Work;

#[test]
fn documented_commands_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/policy-tests.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let blocks: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    let work = Work::new();
    std::fs::remove_dir_all(work.file("policies")).unwrap();
    crate::copy(&root.join("policies"), &work.file("policies"));
    std::fs::create_dir(work.file("target")).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_ig")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let script = format!("set -eu\n{}", blocks.concat());
    let ran = work.run(Command::new("bash").args(["-c", &script]).env("PATH", path));
    let ran = ran.ok();
    assert!(
        ran.stdout.contains("deny by cross-tenant"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("1 decision replayed, 0 changed"),
        "{}",
        ran.stdout
    );
}

/// What the project asks of others it does itself.
#[test]
fn this_projects_policies_are_covered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let work = Work::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ig"));
    command.args([
        "policy",
        "test",
        "--min-coverage",
        "95",
        "--min-decisions",
        "95",
    ]);
    work.run(command.arg(root.join("policies"))).ok();
}
