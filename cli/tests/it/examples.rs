use std::process::Command;

use crate::Work;
use crate::control_plane::Remote;

/// Commands that work on files.
const LOCAL: [&str; 23] = [
    "catalogue build",
    "catalogue check",
    "catalogue import",
    "policy bundle",
    "policy check",
    "policy diff",
    "policy explain",
    "policy test",
    "schema check",
    "schema diff",
    "snapshot compile",
    "snapshot inspect",
    "snapshot diff",
    "export manifest",
    "export sign",
    "export attest",
    "evidence verify",
    "evidence build",
    "token",
    "token keys",
    "envoy module",
    "envoy render",
    "completions",
];

/// Commands that speak to a control plane, in an order that makes sense.
const REMOTE: [&str; 47] = [
    "schema push",
    "schema list",
    "schema get",
    "catalogue push",
    "catalogue list",
    "policy push",
    "policy list",
    "tenant import",
    "tenant put",
    "tenant get",
    "tenant set",
    "tenant list",
    "tenant identity get",
    "tenant identity put",
    "graph put",
    "graph get",
    "graph list",
    "policy activate",
    "policy rollback",
    "snapshot publish",
    "snapshot preview",
    "snapshot list",
    "snapshot get",
    "snapshot rollback",
    "proxies",
    "decisions",
    "audit",
    "cost prices put",
    "cost prices list",
    "cost usage",
    "cost bill put",
    "cost bill list",
    "cost budget put",
    "cost budget list",
    "cost report",
    "access create",
    "access list",
    "access review",
    "step-up rotate",
    "step-up keys",
    "export list",
    "export show",
    "export get",
    "export keys list",
    "export keys get",
    "export keys rotate",
    "export trusted-root",
];

/// Those that take away what others need.
const LAST: [&str; 5] = [
    "access revoke",
    "catalogue retire",
    "cost budget delete",
    "export keys retire",
    "tenant delete",
];

/// Commands that speak to a gateway: `tests/e2e` runs their examples.
const AT_A_GATEWAY: [&str; 1] = ["envoy probe"];

/// Every command that has no commands of its own, as `--help` tells.
fn leaves(work: &Work, command: &str) -> Vec<String> {
    let help = work.ig(&format!("{command} --help")).ok().stdout;
    let mut all = Vec::new();
    // `ig token` does something itself, and has a command.
    let usage = help.lines().find(|line| line.starts_with("Usage:"));
    if !usage.unwrap_or_default().contains("<COMMAND>") {
        all.push(command.trim().to_owned());
    }
    if let Some((_, list)) = help.split_once("Commands:\n") {
        let names = list.lines().take_while(|line| !line.is_empty());
        let names = names.filter(|line| !line.starts_with("   "));
        for name in names.filter_map(|line| line.split_whitespace().next()) {
            if name != "help" {
                all.extend(leaves(work, &format!("{command} {name}")));
            }
        }
    }
    all
}

#[test]
fn every_command_is_tried() {
    let mut tried: Vec<_> = [&LOCAL[..], &REMOTE, &LAST, &AT_A_GATEWAY].concat();
    let work = Work::new();
    let mut there = leaves(&work, "");
    tried.sort_unstable();
    there.sort_unstable();
    assert_eq!(there, tried);
}

/// Commands of the examples in a help text, with continued lines joined.
fn examples(help: &str) -> Vec<String> {
    let (_, examples) = help
        .split_once("Example")
        .expect("every command has examples");
    let mut lines = examples.split("\\\n");
    let first = lines.next().unwrap().to_owned();
    let joined = lines.fold(first, |all, next| all + next.trim_start());
    joined
        .lines()
        .filter(|line| line.starts_with("  ig "))
        // Remarks stand behind four spaces.
        .filter_map(|line| Some(line.trim().split("    ").next()?.to_owned()))
        .collect()
}

#[test]
fn every_example_of_every_help_runs() {
    let work = Work::new();
    for catalogue in ["web", "ios", "queries", "manifest"] {
        let build = "catalogue build --schema schema.graphql operations";
        work.ig(&format!("{build} -o {catalogue}.json")).ok();
    }
    work.ig("policy bundle policies -o bundle.tar.gz").ok();
    work.compile();
    crate::policy::write_inputs(&work);
    crate::envoy::with_regions(&work);
    work.write("ig_guard.wasm", "\0asm");
    crate::export::with_files(&work);
    crate::evidence::with_bundle(&work);
    crate::evidence::with_checkout(&work);
    std::fs::copy(work.file("schema.graphql"), work.file("old.graphql")).unwrap();
    work.write("exceptions.toml", "");
    crate::schema::commit(&work);
    for name in ["before.igsnap", "after.igsnap"] {
        std::fs::copy(work.file("guard.igsnap"), work.file(name)).unwrap();
    }
    for folder in [".zfunc", ".local/share/bash-completion/completions"] {
        std::fs::create_dir_all(work.file(folder)).unwrap();
    }
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_ig"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut ran = 0;
    // Keys exist before `envoy render` wants them.
    work.ig("token keys").ok();
    for command in LOCAL {
        work.compile();
        let help = work.ig(&format!("{command} --help")).ok().stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command}");
        for example in examples {
            let result = work.run(Command::new("sh").args(["-c", &example]).env("PATH", &path));
            assert_eq!(
                result.code, 0,
                "{example}\n{}\n{}",
                result.stdout, result.stderr
            );
            ran += 1;
        }
    }
    assert!(ran >= 20, "{ran}");
}

#[test]
fn every_example_towards_a_control_plane_runs() {
    let remote = Remote::start();
    remote.fill();
    // A bundle and a publication before, so that there is something to go back to.
    remote.work.write(
        "policies/.manifest",
        r#"{"revision": "r0", "roots": ["ig"]}"#,
    );
    remote.ig("policy push policies").ok();
    remote
        .ig("policy bundle policies --tests -o bundle.tar.gz")
        .ok();
    remote.ig("policy activate r0 --graph demo").ok();
    remote.ig("snapshot publish demo").ok();
    remote.ig("tenant put bravo").ok();
    crate::exports::with_exports(&remote, 1);
    crate::cost::with_prices(&remote.work);
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_ig"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    let listed = remote.ig("catalogue list --graph demo --json").ok().json();
    let id = listed[0]["ids"][0].as_str().unwrap().to_owned();
    for command in REMOTE.iter().chain(&LAST) {
        let help = remote.ig(&format!("{command} --help")).ok().stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command}");
        for example in examples {
            let example = example.replace("retire ID", &format!("retire {id}"));
            if example.contains("proxies --exit-code") {
                // No proxy is here, which is what it says: `control_plane.rs`.
                continue;
            }
            let keys = remote.ig("export keys list --json").ok().json();
            let example = example.replace("KEY_ID", keys[0]["keyId"].as_str().unwrap());
            let result = remote.run(Command::new("sh").args(["-c", &example]).env("PATH", &path));
            assert_eq!(
                result.code, 0,
                "{example}\n{}\n{}",
                result.stdout, result.stderr
            );
        }
    }
}
