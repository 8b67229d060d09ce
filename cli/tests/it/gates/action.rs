//! The composite action.

use super::*;

/// Inputs for every gate there is.
pub(super) const ALL: [(&str, &str); 8] = [
    ("schema", "schema.graphql"),
    ("base", "HEAD"),
    ("catalogue", "operations"),
    ("policies", "policies"),
    ("sbom", "build/sbom.cdx.json"),
    ("artifact", "build/manifest.json"),
    ("bundle", "build/manifest.sigstore.json"),
    ("key", "release.pub"),
];

/// A run of the action: its inputs, and how its steps ended.
struct Run<'a> {
    sandbox: &'a Sandbox,
    inputs: BTreeMap<String, String>,
    job: Job,
    /// Outcomes of steps that have an id.
    outcomes: BTreeMap<String, &'static str>,
}

impl Sandbox {
    /// Runs the action with these inputs, and the defaults of the others; what
    /// it uses is there, unless it says otherwise.
    pub(super) fn action(&self, given: &[(&str, &str)]) -> Job {
        let action = yaml(".github/actions/gates/action.yml");
        let mut inputs: BTreeMap<String, String> = BTreeMap::new();
        for (name, input) in action["inputs"].as_mapping().unwrap() {
            let default = input["default"].as_str().unwrap();
            inputs.insert(name.as_str().unwrap().to_owned(), default.to_owned());
        }
        inputs.insert("tools".to_owned(), self.tools().display().to_string());
        inputs.insert("base".to_owned(), "none".to_owned());
        for (name, value) in given {
            let known = inputs.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "the action has no input {name}");
        }
        // As of a runner that was not used before.
        for name in ["path", "summary.md"] {
            let _ = fs::remove_file(self.runner.path().join(name));
        }
        let mut run = Run {
            sandbox: self,
            inputs,
            job: Job {
                failed: Vec::new(),
                ran: Vec::new(),
                log: String::new(),
                summary: String::new(),
            },
            outcomes: BTreeMap::new(),
        };
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            run.step(step);
        }
        let summary = fs::read_to_string(self.runner.path().join("summary.md"));
        run.job.summary = summary.unwrap_or_default();
        run.job
    }
}

impl Sandbox {
    /// Runs the step that builds tools, for an action in a checkout of the gates.
    pub(super) fn tools_step(&self, gates: &Path, path: &[PathBuf]) -> Ran {
        let action = yaml(".github/actions/gates/action.yml");
        let steps = action["runs"]["steps"].as_sequence().unwrap();
        let step = steps.iter().find(|step| step["id"] == "tools").unwrap();
        let action = gates.join(".github/actions/gates");
        // The script looks from there for the root.
        fs::create_dir_all(&action).unwrap();
        let env = [
            ("ACTION", action.display().to_string()),
            ("TOOLS", String::new()),
            ("VERSION", String::new()),
            ("ARTIFACT", String::new()),
            // The sandbox has a home of its own, and Rust is in that of whoever tests.
            ("RUSTUP_HOME", of_rust("RUSTUP_HOME", ".rustup")),
            ("CARGO_HOME", of_rust("CARGO_HOME", ".cargo")),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        self.bash(step["run"].as_str().unwrap(), path, &env.into())
    }
}

fn of_rust(name: &str, folder: &str) -> String {
    let home = || format!("{}/{folder}", std::env::var("HOME").unwrap());
    std::env::var(name).unwrap_or_else(|_| home())
}

impl Run<'_> {
    fn step(&mut self, step: &Value) {
        let name = step["name"].as_str().unwrap().to_owned();
        let holds = self.holds(step["if"].as_str().unwrap_or("success()"));
        let code = match (holds, step["run"].as_str()) {
            (false, _) => None,
            (true, Some(script)) => Some(self.script(&name, script, &step["env"])),
            (true, None) => Some(self.upload(step)),
        };
        if let Some(id) = step["id"].as_str() {
            let outcome = match code {
                None => "skipped",
                Some(0) => "success",
                Some(_) => "failure",
            };
            self.outcomes.insert(id.to_owned(), outcome);
        }
        if let Some(code) = code {
            self.job.ran.push(name.clone());
            if code != 0 {
                self.job.failed.push(name);
            }
        }
    }

    fn script(&mut self, name: &str, script: &str, env: &Value) -> i32 {
        let env = env.as_mapping().into_iter().flatten();
        let env = env.map(|(name, value)| {
            let name = name.as_str().unwrap().to_owned();
            (name, self.expand(value.as_str().unwrap()))
        });
        let env = env.collect();
        // What earlier steps put on the path.
        let added = fs::read_to_string(self.sandbox.runner.path().join("path"));
        let added = added.unwrap_or_default();
        let folders: Vec<_> = added.lines().rev().map(PathBuf::from).collect();
        let ran = self.sandbox.bash(script, &folders, &env);
        let Ran {
            code,
            stdout,
            stderr,
        } = ran;
        let log = format!("== {name}: {code}\n{stdout}{stderr}");
        self.job.log.push_str(&log);
        code
    }

    /// What actions/upload-artifact does of it: there has to be something.
    fn upload(&self, step: &Value) -> i32 {
        let uses = step["uses"].as_str().unwrap();
        assert!(uses.starts_with("actions/upload-artifact@"), "{uses}");
        assert_eq!(step["with"]["if-no-files-found"], "error");
        let folder = self.expand(step["with"]["path"].as_str().unwrap());
        let files = fs::read_dir(self.sandbox.work.file(&folder)).unwrap();
        i32::from(files.count() == 0)
    }

    /// Whether a condition of a step holds: terms with `&&` between them.
    fn holds(&self, condition: &str) -> bool {
        let mut always = false;
        let terms = condition.split("&&").map(str::trim).all(|term| {
            if let Some((name, "''")) = term.split_once(" != ") {
                return !self.inputs[name.strip_prefix("inputs.").unwrap()].is_empty();
            }
            if let Some((step, "'success'")) = term.split_once(".outcome == ") {
                return self.outcomes[step.strip_prefix("steps.").unwrap()] == "success";
            }
            always |= term == "always()";
            assert!(["always()", "success()"].contains(&term), "unknown: {term}");
            true
        });
        terms && (always || self.job.failed.is_empty())
    }

    fn expand(&self, text: &str) -> String {
        let Some(inside) = text
            .strip_prefix("${{ ")
            .and_then(|it| it.strip_suffix(" }}"))
        else {
            assert!(!text.contains("${{"), "unknown: {text}");
            return text.to_owned();
        };
        match inside.strip_prefix("inputs.") {
            Some(name) => self.inputs[name].clone(),
            None => {
                assert_eq!(inside, "github.action_path");
                format!("{ROOT}/.github/actions/gates")
            }
        }
    }
}

/// Whatever fails, every gate runs, and its report is there to be uploaded.
#[test]
fn a_change_that_breaks_fails_and_leaves_its_report() {
    if !has_verify() {
        return;
    }
    for case in &CASES {
        let (sandbox, name) = (case.sandbox(), case.name);
        let job = sandbox.action(&ALL);
        assert_eq!(job.failed, case.steps, "{name}\n{}", job.log);
        let steps = [
            "Inputs",
            "Tools",
            "Schema",
            "Change of the schema",
            "Operations",
            "Policies",
            "SBOM",
            "Signature",
            "Reports",
        ];
        assert_eq!(job.ran, steps, "{name}");
        let reports = case.reports(REPORTS.to_vec());
        assert_eq!(sandbox.reports(), reports, "{name}\n{}", job.log);
        if reports.contains(&"schema-diff.json") {
            let conclusion = &sandbox.report("schema-diff.json")["conclusion"];
            let fails = case.steps.contains(&"Change of the schema");
            let expected = if fails { "failure" } else { "success" };
            assert_eq!(conclusion, expected, "{name}");
        }
        let is_clean = case.steps.is_empty();
        let has_error = job.log.contains("::error");
        assert_eq!(is_clean, !has_error, "{name}\n{}", job.log);
        assert!(
            job.summary.contains("## Schema: passed") || !is_clean,
            "{name}"
        );
        let told = job.summary.matches("**").count() / 2;
        assert!(told >= case.steps.len(), "{name}\n{}", job.summary);
    }
}

/// A weakened rule is an annotation at its line that quotes what is gone.
#[test]
fn what_is_asked_no_more_is_annotated_where_it_was() {
    let sandbox = Sandbox::new();
    edit(
        &sandbox.work,
        "schema.graphql",
        r#" @authz(purpose: ["investigation", "audit"], action: "case:read")"#,
        "",
    );
    let job = sandbox.action(&ALL[..3]);
    assert_eq!(job.failed, ["Change of the schema"], "{}", job.log);
    let expected = "::error file=schema.graphql,line=4,col=3,title=Schema%3A Query.case::callers \
        of `Query.case` need less than before: `@authz(purpose: [\"audit\", \"investigation\"], \
        action: \"case:read\")` is gone";
    assert!(job.log.lines().any(|line| line == expected), "{}", job.log);
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
    assert_eq!(job.failed, ["Inputs"]);
}

/// A job that is given nothing looks at nothing, and does not pass for it.
#[test]
fn nothing_to_look_at_is_no_success() {
    let job = Sandbox::new().action(&[]);
    assert_eq!(job.ran, ["Inputs", "Tools", "Reports"]);
    assert_eq!(job.failed, ["Reports"]);
}

#[test]
fn sboms_are_complete() {
    for (sbom, passes) in SBOMS {
        let sandbox = Sandbox::new();
        sandbox.work.write("sbom.json", sbom);
        let job = sandbox.action(&[("sbom", "sbom.json")]);
        let failed: &[&str] = if passes { &[] } else { &["SBOM"] };
        assert_eq!(job.failed, failed, "{sbom}\n{}", job.log);
        assert!(!job.log.contains("forged"), "{}", job.log);
    }
}

#[test]
fn a_release_without_its_bundle_fails() {
    let sandbox = Sandbox::new();
    if !has_verify() {
        return;
    }
    fs::remove_file(sandbox.work.file("build/manifest.sigstore.json")).unwrap();
    assert_eq!(sandbox.action(&ALL[5..]).failed, ["Signature"]);
}
