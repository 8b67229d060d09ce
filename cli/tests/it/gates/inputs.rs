//! What each input of the action does.

use super::*;

/// An input, and what it changes.
struct Case {
    name: &'static str,
    value: &'static str,
    /// File, what is replaced in it, and by what.
    edit: [&'static str; 3],
    /// What is given besides.
    with: &'static [(&'static str, &'static str)],
    /// The step that it decides.
    step: &'static str,
    /// Whether the step passes with the input, and does not without; or the
    /// other way.
    passes: bool,
}

const SCHEMA: (&str, &str) = ("schema", "schema.graphql");
const BASE: (&str, &str) = ("base", "HEAD");
const CATALOGUE: (&str, &str) = ("catalogue", "operations");
const CHANGE: &str = "Change of the schema";

const CASES: [Case; 13] = [
    Case {
        name: "allow",
        value: "deprecation-date",
        edit: ["guard.toml", "", ""],
        with: &[SCHEMA],
        step: "Schema",
        passes: true,
    },
    Case {
        name: "catalogue",
        value: "operations",
        edit: ["schema.graphql", "  tenant: String\n}", "}"],
        with: &[SCHEMA],
        step: "Operations",
        passes: false,
    },
    Case {
        name: "exceptions",
        value: "exceptions.toml",
        edit: ["schema.graphql", ", \"audit\"", ", \"audit\", \"x\""],
        with: &[SCHEMA, BASE],
        step: CHANGE,
        passes: true,
    },
    Case {
        name: "fail-on",
        value: "nothing",
        edit: ["schema.graphql", ", \"audit\"", ", \"audit\", \"x\""],
        with: &[SCHEMA, BASE],
        step: CHANGE,
        passes: true,
    },
    Case {
        name: "allow-announced",
        value: "true",
        edit: [
            "schema.graphql",
            "  old: Int @deprecated(reason: \"goes on 2026-01-01\")\n",
            "",
        ],
        with: &[SCHEMA, BASE],
        step: CHANGE,
        passes: true,
    },
    Case {
        name: "allow-invalid-before",
        value: "true",
        edit: ["operations/CaseById.graphql", "title", "nothing"],
        with: &[SCHEMA, BASE, CATALOGUE],
        step: CHANGE,
        passes: true,
    },
    Case {
        name: "catalogue-allow",
        value: "unused-fragment",
        edit: [
            "operations/CaseById.graphql",
            "query",
            "fragment Old on Case { id }\nquery",
        ],
        with: &[SCHEMA, CATALOGUE],
        step: "Operations",
        passes: true,
    },
    Case {
        name: "max-cost",
        value: "0",
        edit: ["guard.toml", "", ""],
        with: &[SCHEMA, CATALOGUE],
        step: "Operations",
        passes: false,
    },
    Case {
        name: "usage",
        value: "usage.json",
        edit: ["guard.toml", "", ""],
        with: &[SCHEMA, CATALOGUE],
        step: "Operations",
        passes: false,
    },
    Case {
        name: "unused-days",
        value: "36500",
        edit: ["guard.toml", "", ""],
        with: &[SCHEMA, CATALOGUE, ("usage", "usage.json")],
        step: "Operations",
        passes: true,
    },
    Case {
        name: "min-coverage",
        value: "0",
        edit: ["policies/decision_test.rego", "\ntest_", "\ntodo_test_"],
        with: &[("policies", "policies")],
        step: "Policies",
        passes: true,
    },
    Case {
        name: "min-decisions",
        value: "100",
        edit: [
            "policies/decision_test.rego",
            "[\"x\"]",
            "[\"case:read\"]}, \"facts\": {\"retention\": [\"long\"]",
        ],
        with: &[("policies", "policies")],
        step: "Policies",
        passes: false,
    },
    Case {
        name: "policies",
        value: "policies",
        edit: ["policies/decision_test.rego", "not data", "data"],
        with: &[SCHEMA],
        step: "Policies",
        passes: false,
    },
];

#[test]
fn every_input_does_something() {
    for case in &CASES {
        let sandbox = sandbox();
        let [file, from, to] = case.edit;
        edit(&sandbox.work, file, from, to);
        let fails = |given: &[(&str, &str)]| {
            let job = sandbox.action(given);
            assert!(
                !job.failed.iter().any(|step| step == "Tools"),
                "{}",
                job.log
            );
            (job.failed.iter().any(|step| step == case.step), job.log)
        };
        let mut given = case.with.to_vec();
        if case.name != "allow" {
            given.push(("allow", "deprecation-date"));
        }
        let (without, log) = fails(&given);
        assert_eq!(without, case.passes, "{} not given\n{log}", case.name);
        given.push((case.name, case.value));
        let (with, log) = fails(&given);
        assert_eq!(with, !case.passes, "{} given\n{log}", case.name);
    }
}

/// Those that name what a gate looks at are in `action`; here is every other.
#[test]
fn every_input_is_tried() {
    let action = yaml(".github/actions/gates/action.yml");
    let mut tried: Vec<_> = CASES.iter().map(|case| case.name).collect();
    tried.extend(["schema", "base", "sbom", "artifact", "bundle", "key"]);
    tried.extend(["tools", "version", "reports", "name"]);
    for name in action["inputs"].as_mapping().unwrap().keys() {
        assert!(tried.contains(&name.as_str().unwrap()), "{name:?}");
    }
}

/// With a field that was deprecated until a day that has come, a file of
/// exceptions, and a list of uses that has one operation, of long ago.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let work = &sandbox.work;
    edit(
        work,
        "schema.graphql",
        "  title: String\n",
        "  title: String\n  old: Int @deprecated(reason: \"goes on 2026-01-01\")\n",
    );
    work.write("exceptions.toml", &exception());
    let build = "catalogue build --schema schema.graphql operations";
    let manifest = work.ig(build).ok().json();
    let hash = &manifest["operations"][0]["id"];
    let usage = serde_json::json!([{"hash": hash, "createdAt": 0, "lastUsedAt": null}]);
    work.write("usage.json", &usage.to_string());
    commit(work);
    sandbox
}

/// For a purpose more at `Query.case`.
pub(super) fn exception() -> String {
    format!(
        "[[exception]]\ntype = \"AUTHZ_WEAKENED\"\npath = \"Query.case\"\n\
         allows = [\"weakened\"]\nreason = \"r\"\nauthor = \"a\"\nreviewer = \"b\"\n\
         expires = {}\n",
        in_a_month()
    )
}

/// An exception may not count for more than a year, so no day is good for ever.
fn in_a_month() -> String {
    let month = std::time::Duration::from_secs(30 * 24 * 60 * 60);
    let day = std::time::SystemTime::now() + month;
    humantime::format_rfc3339(day).to_string()[..10].to_owned()
}
