use std::process::Command;

use crate::Work;

const COMMANDS: [&str; 13] = [
    "catalogue build",
    "catalogue check",
    "catalogue import",
    "policy bundle",
    "policy check",
    "policy test",
    "snapshot compile",
    "snapshot inspect",
    "snapshot diff",
    "token",
    "token keys",
    "envoy render",
    "completions",
];

/// Commands of the examples in a help text, with continued lines joined.
fn examples(help: &str) -> Vec<String> {
    let (_, examples) = help
        .split_once("Example")
        .expect("every command has examples");
    let joined = examples.replace("\\\n", " ");
    joined
        .lines()
        .filter(|line| line.starts_with("  ig "))
        .map(|line| line.trim().into())
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
    work.write("ig_guard.wasm", "");
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
    for command in COMMANDS {
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
