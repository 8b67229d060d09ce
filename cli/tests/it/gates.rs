//! The gates that other repositories run: each step of the action and of the
//! documented GitLab job, as it stands, in a repository where something is
//! changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ig_signing::{Bundle, PrivateKey, Sha256};
use yaml_serde::Value;

use crate::schema::{commit, edit};
use crate::{Ran, Work};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    yaml_serde::from_str(&text).unwrap()
}

/// Built by whoever tests the workspace.
fn verify() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_ig")).with_file_name("ig-verify")
}

/// A repository with a commit, and programs beside it.
struct Sandbox {
    work: Work,
    /// Folder of programs; beside the repository, where nothing is committed.
    tools: tempfile::TempDir,
}

/// What became of a job.
struct Job {
    /// Steps that failed.
    failed: Vec<String>,
    /// Steps that ran.
    ran: Vec<String>,
    /// What the steps printed.
    log: String,
    summary: String,
}

impl Sandbox {
    fn new() -> Self {
        let work = Work::new();
        commit(&work);
        let tools = tempfile::tempdir().unwrap();
        let ig = env!("CARGO_BIN_EXE_ig");
        std::os::unix::fs::symlink(ig, tools.path().join("ig")).unwrap();
        // No other gate needs it.
        let verify = if verify().exists() {
            verify()
        } else {
            "/bin/false".into()
        };
        std::os::unix::fs::symlink(verify, tools.path().join("ig-verify")).unwrap();
        Self { work, tools }
    }

    fn bash(&self, script: &str, env: &BTreeMap<String, String>) -> Ran {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.tools.path().display());
        let mut bash = Command::new("bash");
        // As GitHub's runner does for `shell: bash`.
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env("PATH", path)
            .env("RUNNER_TEMP", self.tools.path())
            .env("GITHUB_PATH", self.tools.path().join("path"))
            .env("GITHUB_STEP_SUMMARY", self.summary())
            .envs(env);
        self.work.run(&mut bash)
    }

    fn summary(&self) -> PathBuf {
        self.tools.path().join("summary.md")
    }

    /// Runs the action with these inputs, and the defaults of the others.
    fn action(&self, given: &[(&str, &str)]) -> Job {
        let action = yaml(".github/actions/gates/action.yml");
        let mut inputs: BTreeMap<String, String> = BTreeMap::new();
        for (name, input) in action["inputs"].as_mapping().unwrap() {
            let default = input["default"].as_str().unwrap();
            inputs.insert(name.as_str().unwrap().to_owned(), default.to_owned());
        }
        for (name, value) in given {
            let known = inputs.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "the action has no input {name}");
        }
        let mut job = Job {
            failed: Vec::new(),
            ran: Vec::new(),
            log: String::new(),
            summary: String::new(),
        };
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            let name = step["name"].as_str().unwrap().to_owned();
            let condition = step["if"].as_str().unwrap_or("success()");
            if step["uses"].is_null() && holds(condition, &inputs, job.failed.is_empty()) {
                let env = step["env"].as_mapping().into_iter().flatten();
                let env = env.map(|(name, value)| {
                    let name = name.as_str().unwrap().to_owned();
                    (name, expand(value.as_str().unwrap(), &inputs))
                });
                let Ran {
                    code,
                    stdout,
                    stderr,
                } = self.bash(step["run"].as_str().unwrap(), &env.collect());
                job.log
                    .push_str(&format!("== {name}: {code}\n{stdout}{stderr}"));
                job.ran.push(name.clone());
                if code != 0 {
                    job.failed.push(name);
                }
            }
        }
        job.summary = fs::read_to_string(self.summary()).unwrap_or_default();
        job
    }

    fn report(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.work.read(&format!("reports/{name}"))).unwrap()
    }
}

/// Whether a condition of a step holds: terms with `&&` between them.
fn holds(condition: &str, inputs: &BTreeMap<String, String>, succeeds: bool) -> bool {
    let mut always = false;
    let terms = condition.split("&&").map(str::trim).all(|term| {
        if let Some((name, "''")) = term.split_once(" != ") {
            return !inputs[name.strip_prefix("inputs.").unwrap()].is_empty();
        }
        always |= term == "always()";
        assert!(["always()", "success()"].contains(&term), "unknown: {term}");
        true
    });
    terms && (always || succeeds)
}

fn expand(text: &str, inputs: &BTreeMap<String, String>) -> String {
    let Some(inside) = text
        .strip_prefix("${{ ")
        .and_then(|it| it.strip_suffix(" }}"))
    else {
        assert!(!text.contains("${{"), "unknown: {text}");
        return text.to_owned();
    };
    match inside.strip_prefix("inputs.") {
        Some(name) => inputs[name].clone(),
        None => {
            assert_eq!(inside, "github.action_path");
            format!("{ROOT}/.github/actions/gates")
        }
    }
}

const SCHEMA: [(&str, &str); 3] = [
    ("schema", "schema.graphql"),
    ("base", "HEAD"),
    ("catalogue", "operations"),
];

/// A runner that lacks the tools builds them from the revision of the action,
/// with its toolchain and its lock file.
#[test]
fn tools_are_built_from_the_pinned_revision() {
    let sandbox = Sandbox::new();
    let bare = sandbox.tools.path().join("bare");
    fs::create_dir(&bare).unwrap();
    let cargo = "#!/bin/sh\necho \"$PWD $*\" >>\"$RUNNER_TEMP/cargo.log\"\n";
    fs::write(bare.join("cargo"), cargo).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bare.join("cargo"), executable).unwrap();
    let action = yaml(".github/actions/gates/action.yml");
    let env = [
        ("PATH", format!("{}:/usr/bin:/bin", bare.display())),
        ("ACTION", format!("{ROOT}/.github/actions/gates")),
        ("REPORTS", "reports".to_owned()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value));
    let script = action["runs"]["steps"][0]["run"].as_str().unwrap();
    sandbox.bash(script, &env.into()).ok();
    let log = fs::read_to_string(sandbox.tools.path().join("cargo.log")).unwrap();
    let root = fs::canonicalize(ROOT).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, path) in lines.iter().zip(["cli", "cli/verify"]) {
        assert!(
            line.starts_with(&format!("{} install --locked", root.display())),
            "{log}"
        );
        assert!(line.ends_with(&format!(" --path {path}")), "{log}");
    }
    let path = fs::read_to_string(sandbox.tools.path().join("path")).unwrap();
    assert!(path.trim_end().ends_with("/ig/bin"), "{path}");
}

/// Changes of the repository, and the step that fails.
#[test]
fn a_change_that_breaks_fails_and_leaves_its_report() {
    let cases: [(&str, [&str; 3], &str); 6] = [
        ("nothing", ["guard.toml", "", ""], ""),
        (
            "a field that nobody asks for",
            [
                "schema.graphql",
                "  tenant: String\n}",
                "  tenant: String\n  new: Int\n}",
            ],
            "",
        ),
        (
            "a field that operations ask for",
            ["schema.graphql", "  title: String\n", ""],
            "Change of the schema, Operations",
        ),
        (
            "a purpose more",
            ["schema.graphql", ", \"audit\"", ", \"audit\", \"x\""],
            "Change of the schema",
        ),
        (
            "no schema",
            ["schema.graphql", "type Case", "type"],
            "Schema, Change of the schema, Operations",
        ),
        (
            "an operation that is not valid",
            ["operations/CaseById.graphql", "title", "nothing"],
            "Operations",
        ),
    ];
    for (name, [file, from, to], failed) in cases {
        let sandbox = Sandbox::new();
        edit(&sandbox.work, file, from, to);
        let job = sandbox.action(&SCHEMA);
        assert_eq!(job.failed.join(", "), failed, "{name}\n{}", job.log);
        assert_eq!(job.ran.len(), 4, "{name}");
        if name != "no schema" {
            let conclusion = &sandbox.report("schema-diff.json")["conclusion"];
            let fails = failed.contains("Change of the schema");
            assert_eq!(
                conclusion,
                if fails { "failure" } else { "success" },
                "{name}"
            );
        }
        let words = if failed.is_empty() {
            "## Schema: passed"
        } else {
            "**"
        };
        assert!(job.summary.contains(words), "{name}\n{}", job.summary);
        assert_eq!(
            failed.is_empty(),
            !job.log.contains("::error"),
            "{name}\n{}",
            job.log
        );
    }
}

#[test]
fn what_there_is_no_base_for_passes() {
    let sandbox = Sandbox::new();
    fs::copy(
        sandbox.work.file("schema.graphql"),
        sandbox.work.file("new.graphql"),
    )
    .unwrap();
    for (schema, base) in [
        ("new.graphql", "HEAD"),
        ("schema.graphql", &*"0".repeat(40)),
    ] {
        let job = sandbox.action(&[("schema", schema), ("base", base)]);
        assert_eq!(job.failed, [""; 0], "{}", job.log);
        assert!(job.log.contains("::notice"), "{}", job.log);
    }
    let job = sandbox.action(&[("schema", "schema.graphql"), ("base", "nowhere")]);
    assert_eq!(job.failed, ["Change of the schema"]);
}

#[test]
fn policies_are_tested() {
    let sandbox = Sandbox::new();
    let policies = [("policies", "policies")];
    let job = sandbox.action(&policies);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
    sandbox.report("policy-test.json");
    edit(
        &sandbox.work,
        "policies/decision_test.rego",
        "not data",
        "data",
    );
    let job = sandbox.action(&policies);
    assert_eq!(job.failed, ["Policies"], "{}", job.log);
    sandbox.report("policy-test.json");
}

#[test]
fn sboms_are_complete() {
    let cases = [
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a", "version": "1"}]}"#,
            true,
        ),
        (
            r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a", "versionInfo": "1"}]}"#,
            true,
        ),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.10", "components": [{"name": "a", "version": "1"}]}"#,
            true,
        ),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.3", "components": [{"name": "a", "version": "1"}]}"#,
            false,
        ),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a"}]}"#,
            false,
        ),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": []}"#,
            false,
        ),
        (
            r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a"}]}"#,
            false,
        ),
        ("{}", false),
        ("not JSON", false),
        ("", false),
    ];
    for (sbom, passes) in cases {
        let sandbox = Sandbox::new();
        sandbox.work.write("sbom.json", sbom);
        let job = sandbox.action(&[("sbom", "sbom.json")]);
        let failed: &[&str] = if passes { &[] } else { &["SBOM"] };
        assert_eq!(job.failed, failed, "{sbom}\n{}", job.log);
    }
}

#[test]
fn what_is_signed_passes_until_it_changes() {
    let sandbox = Sandbox::new();
    if !verify().exists() {
        assert!(std::env::var_os("CI").is_none(), "cargo build -p ig-verify");
        println!("SKIPPED: no ig-verify; cargo build -p ig-verify");
        return;
    }
    let bytes = fs::read(sandbox.work.file("guard.toml")).unwrap();
    let key = PrivateKey::generate().unwrap();
    let bundle = Bundle::sign(&key, Sha256::of(&bytes)).unwrap();
    fs::write(sandbox.work.file("guard.sigstore.json"), bundle.to_bytes()).unwrap();
    sandbox.work.write("key.pub", &key.public().to_pem());
    let signed = [
        ("artifact", "guard.toml"),
        ("bundle", "guard.sigstore.json"),
        ("key", "key.pub"),
    ];
    let job = sandbox.action(&signed);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
    sandbox.work.write("guard.toml", "# changed");
    assert_eq!(sandbox.action(&signed).failed, ["Signature"]);
    fs::remove_file(sandbox.work.file("guard.sigstore.json")).unwrap();
    assert_eq!(sandbox.action(&signed).failed, ["Signature"]);
}

/// The job in docs/schema-gates.md, as it stands.
#[test]
fn the_gitlab_job_does_the_same() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/schema-gates.md")).unwrap();
    let block = page
        .split("```yaml\n")
        .find(|it| it.starts_with("# .gitlab-ci.yml"));
    let block = block.unwrap().split("```").next().unwrap();
    let jobs: Value = yaml_serde::from_str(block).unwrap();
    let job = &jobs["gates"];
    let script: Vec<_> = job["script"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    let base = BTreeMap::from([(
        "CI_MERGE_REQUEST_DIFF_BASE_SHA".to_owned(),
        "HEAD".to_owned(),
    )]);
    for (from, to, code) in [("", "", 0), ("  title: String\n", "", 1)] {
        let sandbox = Sandbox::new();
        edit(&sandbox.work, "schema.graphql", from, to);
        let lines = script.iter();
        let lines: Vec<_> = lines.copied().collect();
        let ran = sandbox.bash(&lines.join("\n"), &base);
        ran.exits(code);
        let conclusion = &sandbox.report("schema-diff.json")["conclusion"];
        assert_eq!(conclusion, if code == 0 { "success" } else { "failure" });
    }
    assert_eq!(job["artifacts"]["when"], "always");
}

#[test]
fn documented_commands_run() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/schema-gates.md")).unwrap();
    let blocks: Vec<_> = page.split("```sh\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    let sandbox = Sandbox::new();
    for block in blocks {
        let script = block.split("```").next().unwrap();
        sandbox.bash(script, &BTreeMap::new()).ok();
    }
}

/// The exception of the documentation is one.
#[test]
fn documented_exceptions_are_read() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/schema-gates.md")).unwrap();
    let block = page.split("```toml\n").nth(1).unwrap();
    let work = Work::new();
    work.write("exceptions.toml", block.split("```").next().unwrap());
    work.ig(
        "schema diff schema.graphql schema.graphql --exceptions exceptions.toml --today 2026-11-27",
    )
    .ok()
    .says("the exception for Query.legacyCases is for nothing");
}

/// What runs in other repositories is what was reviewed, and gives nobody's
/// text to a shell.
#[test]
fn actions_are_pinned_and_scripts_have_no_expressions() {
    let action = yaml(".github/actions/gates/action.yml");
    let workflow = yaml(".github/workflows/gates.yml");
    let steps = [
        &action["runs"]["steps"],
        &workflow["jobs"]["gates"]["steps"],
    ];
    let mut pinned = 0;
    for step in steps
        .into_iter()
        .flat_map(|steps| steps.as_sequence().unwrap())
    {
        if let Some(script) = step["run"].as_str() {
            assert!(!script.contains("${{"), "{script}");
        }
        let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("./")) else {
            continue;
        };
        let (_, version) = uses.split_once('@').unwrap();
        let is_commit = version.len() == 40 && version.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(is_commit, "{uses}");
        pinned += 1;
    }
    assert_eq!(pinned, 3);
    assert_eq!(workflow["permissions"]["contents"], "read");
}

/// The workflow hands on every input of the action but for its names.
#[test]
fn the_workflow_gives_the_action_what_it_takes() {
    let action = yaml(".github/actions/gates/action.yml");
    let workflow = yaml(".github/workflows/gates.yml");
    let names = |value: &Value| -> Vec<String> {
        let names = value.as_mapping().unwrap().keys();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let steps = workflow["jobs"]["gates"]["steps"].as_sequence().unwrap();
    let given = names(&steps.last().unwrap()["with"]);
    let mut taken = names(&action["inputs"]);
    taken.retain(|name| !["reports", "name"].contains(&name.as_str()));
    assert_eq!(given, taken);
    let on = &workflow["on"]["workflow_call"]["inputs"];
    let mut inputs = names(on);
    inputs.retain(|name| name != "guard");
    assert_eq!(inputs, taken);
    // A tag may move.
    let check = steps.iter().find(|step| step["run"].is_string()).unwrap();
    let sandbox = Sandbox::new();
    for (guard, code) in [("v1", 2), ("main", 2), (&*"a".repeat(40), 0)] {
        let env = BTreeMap::from([("GUARD".to_owned(), guard.to_owned())]);
        sandbox
            .bash(check["run"].as_str().unwrap(), &env)
            .exits(code);
    }
}
