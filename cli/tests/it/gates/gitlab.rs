//! The jobs in docs/schema-gates.md, as they stand.

use super::*;

fn jobs() -> yaml_serde::Mapping {
    let page = read("docs/schema-gates.md");
    let mut blocks = page.split("```yaml\n");
    let block = blocks.find(|it| it.starts_with("# .gitlab-ci.yml"));
    let block = block.unwrap().split("```").next().unwrap();
    yaml_serde::from_str(block).unwrap()
}

fn lines(job: &Value, name: &str) -> Vec<String> {
    let lines = job[name].as_sequence().unwrap().iter();
    lines.map(|it| it.as_str().unwrap().to_owned()).collect()
}

impl Sandbox {
    /// Where the reports of all jobs are.
    fn collected(&self) -> PathBuf {
        self.runner.path().join("collected")
    }

    /// Runs every job, or the one that is named.
    fn gitlab(&self, only: &str) -> Job {
        fs::create_dir_all(self.collected()).unwrap();
        let jobs = jobs();
        let base = &jobs[".gate"];
        let env = BTreeMap::from([(
            "CI_MERGE_REQUEST_DIFF_BASE_SHA".to_owned(),
            "HEAD".to_owned(),
        )]);
        let mut all = Job {
            failed: Vec::new(),
            ran: Vec::new(),
            log: String::new(),
            summary: String::new(),
        };
        for (name, job) in &jobs {
            let name = name.as_str().unwrap();
            if name.starts_with('.') || !(only.is_empty() || only == name) {
                continue;
            }
            // None waits for another, and whatever becomes of it there is its report.
            assert_eq!(job["extends"], ".gate", "{name}");
            assert!(job["needs"].is_null() && job["artifacts"].is_null());
            let script = [lines(base, "before_script"), lines(job, "script")].concat();
            let ran = self.bash(&script.join("\n"), &[self.tools()], &env);
            all.ran.push(name.to_owned());
            // Each has a checkout of its own; and what it has in `reports` is its own.
            for report in self.reports() {
                let from = self.work.file("reports").join(&report);
                fs::copy(from, self.collected().join(report)).unwrap();
            }
            if ran.code != 0 {
                all.failed.push(name.to_owned());
            }
            let log = format!("== {name}: {}\n{}{}", ran.code, ran.stdout, ran.stderr);
            all.log.push_str(&log);
        }
        all
    }
}

#[test]
fn the_gitlab_jobs_do_the_same() {
    if !has_verify() {
        return;
    }
    for case in &CASES {
        let (sandbox, name) = (case.sandbox(), case.name);
        let job = sandbox.gitlab("");
        assert_eq!(job.failed, case.jobs, "{name}\n{}", job.log);
        assert_eq!(job.ran.len(), 7, "{name}");
        let mut reports = case.reports(REPORTS.to_vec());
        if reports.contains(&"schema-diff.json") {
            reports.push("summary.md");
        }
        let collected = names(&sandbox.collected());
        assert_eq!(collected, reports, "{name}\n{}", job.log);
    }
    let base = &jobs()[".gate"];
    assert_eq!(base["artifacts"]["when"], "always");
    assert_eq!(lines(&base["artifacts"], "paths"), ["reports"]);
    assert_eq!(base["needs"].as_sequence().map(Vec::len), Some(0));
}

#[test]
fn sboms_are_complete() {
    for (sbom, passes) in SBOMS {
        let sandbox = Sandbox::new();
        sandbox.work.write("build/sbom.cdx.json", sbom);
        let job = sandbox.gitlab("sbom");
        assert_eq!(job.failed.is_empty(), passes, "{sbom}\n{}", job.log);
    }
}
