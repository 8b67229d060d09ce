//! Documentation does not rot: links lead somewhere, and commands are ones
//! that exist. What stands in `sh` blocks is executed by `tests/e2e`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::tools::root;

fn pages() -> Vec<(PathBuf, String)> {
    let out = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let files = String::from_utf8(out.stdout).unwrap();
    let pages: Vec<_> = files
        .lines()
        .map(|file| root().join(file))
        .filter_map(|file| Some((file.clone(), std::fs::read_to_string(file).ok()?)))
        .collect();
    assert!(pages.len() > 8, "{}", pages.len());
    pages
}

/// GitHub's name of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.starts_with("http") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let has_anchor = || {
                let text = std::fs::read_to_string(&target).unwrap();
                text.lines()
                    .any(|line| line.starts_with('#') && anchor(line) == fragment)
            };
            assert!(
                fragment.is_empty() || has_anchor(),
                "{}: no heading for {link}",
                page.display()
            );
        }
    }
}

/// What auditors are told to fetch is the release of this version.
#[test]
fn pages_name_the_version_of_the_workspace() {
    let mut seen = 0;
    for (page, text) in pages() {
        for before in ["gh release download v", "/release.yml@refs/tags/v"] {
            for rest in text.split(before).skip(1) {
                let version: String = rest
                    .chars()
                    .take_while(|c| c.is_ascii_digit() || *c == '.')
                    .collect();
                assert_eq!(version, env!("CARGO_PKG_VERSION"), "{}", page.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 3, "{seen}");
}

/// Commands in `console` blocks: tasks that CI runs or that take long.
#[test]
fn tasks_exist_with_their_options() {
    let mut seen = 0;
    for (page, text) in pages() {
        for block in text.split("```console\n").skip(1) {
            for line in block.split("```").next().unwrap().lines() {
                let command = line.split('#').next().unwrap().trim();
                check_task(&page, command);
                seen += 1;
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

fn check_task(page: &Path, command: &str) {
    let words: Vec<_> = command.split_whitespace().collect();
    let ["cargo", "xtask", task, options @ ..] = words.as_slice() else {
        panic!(
            "{}: `{command}` is not executed by any test",
            page.display()
        );
    };
    let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([task, "--help"])
        .output()
        .unwrap();
    assert!(help.status.success(), "{}: `{command}`", page.display());
    let help = String::from_utf8(help.stdout).unwrap();
    for option in options.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{}: `{command}`", page.display());
    }
}
