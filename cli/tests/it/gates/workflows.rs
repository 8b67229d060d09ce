//! What runs, and for whom.

use super::*;

/// Files of GitHub, by their paths.
fn github() -> Vec<String> {
    let mut files = vec![".github/actions/gates/action.yml".to_owned()];
    for entry in fs::read_dir(Path::new(ROOT).join(".github/workflows")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.push(format!(".github/workflows/{name}"));
    }
    files
}

/// Steps of an action, or of all jobs of a workflow; and the jobs that are
/// other workflows.
fn steps(file: &Value) -> Vec<Value> {
    let of = |value: &Value| value["steps"].as_sequence().cloned().unwrap_or_default();
    let mut all = of(&file["runs"]);
    for job in file["jobs"].as_mapping().into_iter().flatten() {
        all.extend(of(job.1));
        if job.1["uses"].is_string() {
            all.push(job.1.clone());
        }
    }
    all
}

/// What runs is what was reviewed, and the comment says which release that is.
#[test]
fn actions_are_pinned() {
    let mut pinned = 0;
    for file in github() {
        let text = read(&file);
        let uses = text.lines().filter_map(|line| line.split_once("uses: "));
        // A comment may show how the workflow is used.
        let uses = uses.filter(|(before, _)| !before.contains('#'));
        let mut found = 0;
        for (_, uses) in uses {
            found += 1;
            if uses.starts_with("./") {
                continue;
            }
            let (_, version) = uses.split_once('@').unwrap();
            let (commit, tag) = version.split_once(" # v").unwrap_or((version, ""));
            let is_commit = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
            assert!(is_commit, "{file}: {uses}: pin the commit");
            assert_eq!(tag.split('.').count(), 3, "{file}: {uses}: say its tag");
            pinned += 1;
        }
        // Whatever way it is written.
        let file = yaml(&file);
        let all = steps(&file);
        assert_eq!(
            found,
            all.iter().filter(|it| it["uses"].is_string()).count()
        );
    }
    assert!(pinned >= 8, "{pinned}");
}

/// One action is one version everywhere.
#[test]
fn an_action_has_one_version() {
    let mut versions = BTreeMap::new();
    for file in github() {
        for step in steps(&yaml(&file)) {
            let uses = step["uses"].as_str().unwrap_or("./");
            let Some((action, version)) = uses.split_once('@') else {
                continue;
            };
            let version = version.to_owned();
            let known = versions.entry(action.to_owned()).or_insert(version.clone());
            assert_eq!(*known, version, "{file}: {action}");
        }
    }
}

/// Nobody's text is given to a shell.
#[test]
fn scripts_have_no_expressions() {
    for file in github() {
        for step in steps(&yaml(&file)) {
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "{file}: {script}");
        }
    }
    for file in github().iter().skip(1) {
        assert_eq!(yaml(file)["permissions"]["contents"], "read", "{file}");
    }
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
    let with = &steps.last().unwrap()["with"];
    let mut taken = names(&action["inputs"]);
    taken.retain(|name| !["reports", "name"].contains(&name.as_str()));
    assert_eq!(names(with), taken);
    let on = &workflow["on"]["workflow_call"]["inputs"];
    let mut inputs = names(on);
    inputs.retain(|name| name != "guard");
    assert_eq!(inputs, taken);
    for name in taken {
        let given = with[name.as_str()].as_str().unwrap();
        assert!(
            given.starts_with(&format!("${{{{ inputs.{name} ")),
            "{given}"
        );
        let defaults = [&action["inputs"], on].map(|it| it[name.as_str()]["default"].clone());
        assert_eq!(defaults[0], defaults[1], "{name}");
    }
    // Each event that has a base says it.
    for event in ["pull_request.base.sha", "merge_group.base_sha", "before"] {
        let base = with["base"].as_str().unwrap();
        assert!(base.contains(&format!("github.event.{event}")), "{event}");
    }
    // A tag may move.
    let check = steps.iter().find(|step| step["run"].is_string()).unwrap();
    let sandbox = Sandbox::new();
    for (guard, code) in [("v1", 2), ("main", 2), (&*"a".repeat(40), 0)] {
        let env = BTreeMap::from([("GUARD".to_owned(), guard.to_owned())]);
        sandbox
            .bash(check["run"].as_str().unwrap(), &[], &env)
            .exits(code);
    }
    let env = BTreeMap::from([("GUARD".to_owned(), "a".repeat(40))]);
    symlink(sandbox.runner.path(), sandbox.work.file(".gates")).unwrap();
    sandbox
        .bash(check["run"].as_str().unwrap(), &[], &env)
        .exits(2);
}

/// What CI asks of this repository's own schema, operations and policies holds,
/// and a rule that is loosened there fails.
#[test]
fn our_own_gates_pass() {
    let workflow = yaml(".github/workflows/ci.yml");
    let job = &workflow["jobs"]["gates"];
    assert_eq!(job["uses"], "./.github/workflows/gates.yml");
    let given = job["with"].as_mapping().unwrap().iter();
    let given = given.map(|(name, value)| (name.as_str().unwrap(), value.as_str().unwrap()));
    let mut given: Vec<_> = given.filter(|(name, _)| *name != "guard").collect();
    given.push(("base", "HEAD"));
    let sandbox = Sandbox::new();
    for folder in ["policies", "persisted-queries"] {
        let to = sandbox.work.file(folder);
        let _ = fs::remove_dir_all(&to);
        crate::copy(&Path::new(ROOT).join(folder), &to);
    }
    commit(&sandbox.work);
    let job = sandbox.action(&given);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
    assert_eq!(job.ran.len(), 7, "{:?}", job.ran);
    edit(
        &sandbox.work,
        "persisted-queries/schema.graphql",
        "@authz(crossTenant: true, ",
        "@authz(",
    );
    let job = sandbox.action(&given);
    assert_eq!(job.failed, ["Change of the schema"], "{}", job.log);
    assert!(job.log.contains("need less than before"), "{}", job.log);
}

/// Tests on real schemas run where these are, and where they are not the run
/// says so at its end, whatever became of it.
#[test]
fn ci_says_whether_it_had_real_schemas() {
    for (has_corpora, code) in [(true, 0), (true, 3), (false, 0), (false, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        for name in ["repository/.ci", "bin"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        if has_corpora {
            fs::create_dir_all(folder.path().join("shared/corpora")).unwrap();
        }
        let run = folder.path().join("repository/.ci/run");
        fs::copy(Path::new(ROOT).join(".ci/run"), &run).unwrap();
        let cargo = format!("#!/bin/sh\necho \"$CI $* ${{IG_CORPORA-none}}\"\nexit {code}\n");
        fs::write(bin.join("cargo"), cargo).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bin.join("cargo"), executable).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.arg(&run).env("PATH", path).env_remove("IG_CORPORA");
        let ran = Work::new().run(&mut bash).exits(code);
        let corpora = match has_corpora {
            true => fs::canonicalize(folder.path().join("shared/corpora")).unwrap(),
            false => "none".into(),
        };
        let expected = format!("1 xtask ci {}\n", corpora.display());
        assert_eq!(ran.stdout, expected);
        let is_told = ran.stderr.contains("SKIPPED: tests on real schemas");
        assert_eq!(is_told, !has_corpora, "{}", ran.stderr);
    }
}

/// One place says where real schemas are: the environment.
#[test]
fn no_test_looks_for_schemas_outside() {
    let mut git = Command::new("git");
    git.args([
        "grep",
        "--untracked",
        "-l",
        "-e",
        "shared/corpora",
        "-e",
        "IG_CORPORA",
    ])
    .args(["--", "*.rs", "*.js", "*.yml", ".ci"])
    .current_dir(ROOT);
    let out = git.output().unwrap();
    let found = String::from_utf8(out.stdout).unwrap();
    let known = [
        ".ci/run",
        "cli/tests/it/gates/workflows.rs",
        "tests/corpora.rs",
        "tests/interop/bench/schema-diff.js",
        "tests/interop/lib/corpora.js",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), known);
}
