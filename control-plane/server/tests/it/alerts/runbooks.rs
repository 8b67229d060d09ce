//! What runbooks tell readers to run, run as it stands.

use std::process::Command;

use ig_e2e::{ControlPlane, as_from_a_shell, built, fill};
use serde_json::json;

use super::{Database, workspace};

/// A control plane in which what runbooks are about has happened: three publications,
/// two schemas, two tenants.
fn control(database: &Database) -> ControlPlane {
    let control = database.start();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let expect = |method: &str, path: &str, body: &str| {
        let (status, said) = control.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {said}");
    };
    expect("POST", "/snapshots/demo", "");
    let region = json!({"region": "us-east-1", "purposes": ["investigation"]});
    expect("PUT", "/tenants/bravo", &region.to_string());
    expect("POST", "/snapshots/demo", "");
    let sdl = std::fs::read_to_string(workspace("persisted-queries/schema.graphql")).unwrap();
    let next = format!("{sdl}\ntype Next {{ id: ID }}\n");
    expect("PUT", "/schemas/demo/next", &next);
    control
}

#[test]
fn the_commands_of_every_runbook_work() {
    let ig = built("ig").unwrap();
    let server = built("ig-control-plane").unwrap();
    let folders = [&ig, &server].map(|binary| binary.parent().unwrap().to_owned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = folders.into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();
    let mut pages = 0;
    for entry in std::fs::read_dir(workspace("docs/runbooks")).unwrap() {
        let page = entry.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        let blocks: Vec<&str> = text.split("```sh\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{} has no command", page.display());
        let blocks = blocks
            .iter()
            .map(|block| block.split("```").next().unwrap());
        let script = format!("set -euxo pipefail\n{}", blocks.collect::<String>());
        // Each from the same state: readers begin with any of them.
        let database = Database::sqlite();
        let control = control(&database);
        let folder = tempfile::tempdir().unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(folder.path());
        as_from_a_shell(&mut bash)
            .env("PATH", &path)
            .env("IG_CONTROL_URL", format!("http://{}", control.http))
            .env("IG_ADMIN_TOKEN", control.token.as_deref().unwrap())
            .env("IG_DATABASE", &database.url);
        let ran = bash.output().unwrap();
        let (said, out) = (
            String::from_utf8_lossy(&ran.stderr),
            String::from_utf8_lossy(&ran.stdout),
        );
        assert!(ran.status.success(), "{}: {said}\n{out}", page.display());
        control.stop().unwrap();
        pages += 1;
    }
    assert_eq!(pages, 9);
}
