use std::process::Command;

use serde_json::Value;

use crate::{Ran, Work};

/// Makes a repository of the folder, with everything in one commit.
pub(crate) fn commit(work: &Work) {
    git(work, &["init", "--quiet"]);
    git(work, &["add", "--all"]);
    git(work, &["commit", "--quiet", "--message", "base"]);
}

fn git(work: &Work, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args([
            "-c",
            "commit.gpgSign=false",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    work.run(&mut git).ok();
}

/// Replaces text of a file.
pub(crate) fn edit(work: &Work, name: &str, from: &str, to: &str) {
    let text = work.read(name);
    assert!(text.contains(from), "{name} has no `{from}`");
    work.write(name, &text.replace(from, to));
}

fn with_old() -> Work {
    let work = Work::new();
    std::fs::copy(work.file("schema.graphql"), work.file("old.graphql")).unwrap();
    work
}

const DIFF: &str = "schema diff old.graphql schema.graphql";

#[test]
fn rules_decide_the_exit_code() {
    let work = with_old();
    work.ig(DIFF).ok().says("0 changes");
    // No operation uses it.
    edit(
        &work,
        "old.graphql",
        "  tenant: String",
        "  tenant: String\n  note: String",
    );
    work.ig(DIFF).exits(1).says("FAIL  Case.note");
    work.ig(&format!("{DIFF} --catalogue operations")).ok();
    work.ig(&format!("{DIFF} --catalogue operations --fail-on breaking"))
        .exits(1);
    work.ig(&format!("{DIFF} --fail-on nothing")).ok();
    // Both operations do use this.
    edit(&work, "schema.graphql", "  title: String\n", "");
    work.ig(&format!("{DIFF} --catalogue operations"))
        .exits(1)
        .says("affects CaseById, CaseTitle")
        .says("CaseTitle.graphql:");
}

#[test]
fn authorisation_decides_whatever_else_does() {
    let work = with_old();
    edit(
        &work,
        "schema.graphql",
        ", \"audit\"",
        ", \"audit\", \"any\"",
    );
    work.ig(&format!("{DIFF} --catalogue operations"))
        .exits(1)
        .says(
            "WEAKENED  Query.case (schema.graphql:4:3)\n  \
             - @authz(purpose: [\"audit\", \"investigation\"], action: \"case:read\")\n  \
             + @authz(purpose: [\"any\", \"audit\", \"investigation\"], action: \"case:read\")\n",
        )
        .says(
            "FAIL  Query.case: callers of `Query.case` need less than before: \
             `@authz(purpose: [\"audit\", \"investigation\"], action: \"case:read\")` became \
             `@authz(purpose: [\"any\", \"audit\", \"investigation\"], action: \"case:read\")` \
             (schema.graphql:4:3)\n",
        );
    let today = "--today 2026-11-27";
    work.write(
        "exceptions.toml",
        "[[exception]]\ntype = \"AUTHZ_WEAKENED\"\npath = \"Query.case\"\nallows = [\"weakened\"]\n\
         reason = \"r\"\nauthor = \"a\"\nreviewer = \"b\"\nexpires = 2026-12-01\n",
    );
    let diff = format!("{DIFF} --catalogue operations --exceptions exceptions.toml");
    work.ig(&format!("{diff} {today}")).ok();
    work.ig(&format!("{diff} --today 2026-12-02"))
        .exits(1)
        .says("has expired");
    edit(&work, "exceptions.toml", "\"b\"", "\"a\"");
    work.ig(&format!("{diff} {today}"))
        .exits(2)
        .says("somebody else");
}

#[test]
fn reports_have_what_graphql_inspector_has() {
    let work = with_old();
    edit(&work, "schema.graphql", "  title: String\n", "");
    let both = format!("{DIFF} --catalogue operations");
    let printed = work.ig(&format!("{both} --format json")).exits(1).json();
    work.ig(&format!(
        "{both} --format github -o reports/schema-diff.json --summary summary.md"
    ))
    .exits(1)
    .says("::error file=schema.graphql,title=Schema%3A CaseById::");
    let report: Value = serde_json::from_str(&work.read("reports/schema-diff.json")).unwrap();
    assert_eq!(printed, report);
    let change = &report["changes"][0];
    assert_eq!(change["type"], "FIELD_REMOVED");
    assert_eq!(change["path"], "Case.title");
    assert_eq!(change["criticality"]["level"], "BREAKING");
    assert_eq!(change["meta"]["removedFieldName"], "title");
    assert_eq!(change["affectedOperations"].as_array().unwrap().len(), 2);
    assert_eq!(report["conclusion"], "failure");
    let summary = work.read("summary.md");
    assert!(summary.starts_with("## Schema: **failed**"), "{summary}");
}

/// A gate that fails does so whether or not somebody reads on.
#[test]
fn a_closed_pipe_is_no_reason_to_pass() {
    let work = with_old();
    let many: String = (0..5_000).map(|n| format!("  f{n}: Int\n")).collect();
    edit(
        &work,
        "old.graphql",
        "  tenant: String\n",
        &format!("  tenant: String\n{many}"),
    );
    let script = format!(
        "set -o pipefail; {} {DIFF} | head -1",
        env!("CARGO_BIN_EXE_ig")
    );
    work.run(Command::new("bash").args(["-c", &script]))
        .exits(1);
}

#[test]
fn a_schema_writes_no_commands_and_no_html() {
    let work = with_old();
    let evil = r#""\u001b[31m" a(x: String = "<script>\n::error::x`|"): Int"#;
    edit(
        &work,
        "schema.graphql",
        "  tenant: String",
        &format!("  tenant: String\n  {evil}"),
    );
    edit(
        &work,
        "old.graphql",
        "  tenant: String",
        "  tenant: String\n  a(x: String = \"y\"): Int",
    );
    let Ran { stdout, .. } = work
        .ig(&format!("{DIFF} --format github --summary summary.md"))
        .ok();
    assert!(
        stdout.lines().all(|line| !line.starts_with("::error")),
        "{stdout}"
    );
    let summary = work.read("summary.md");
    assert!(
        !summary.contains("<script>") && !summary.contains('\u{1b}'),
        "{summary}"
    );
    let Ran { stdout, .. } = work.ig(&format!("{DIFF} -v")).ok();
    assert!(
        stdout.contains("[31m") && !stdout.contains('\u{1b}'),
        "{stdout}"
    );
}

#[test]
fn revisions_are_sources() {
    let work = Work::new();
    commit(&work);
    edit(&work, "schema.graphql", "  title: String\n", "");
    let diff = "schema diff git:HEAD:schema.graphql schema.graphql";
    work.ig(diff).exits(1).says("Case.title");
    work.ig("schema diff git:HEAD:schema.graphql git:HEAD:schema.graphql")
        .ok();
    for (source, says) in [
        ("git:HEAD:none.graphql", "git has no file HEAD:none.graphql"),
        (
            "git:none:schema.graphql",
            "git has no file none:schema.graphql",
        ),
        ("git:--help:x", "write git:REVISION:PATH"),
        ("git:HEAD", "write git:REVISION:PATH"),
        ("registry:demo", "write registry:GRAPH/TAG"),
    ] {
        work.ig(&format!("schema diff {source} schema.graphql"))
            .exits(2)
            .says(says);
    }
}

#[test]
fn bad_input_is_an_error_that_says_where() {
    let work = with_old();
    work.write("bad.graphql", "type Query {\n  a: Int\n  b: !\n}\n");
    work.write("worse.graphql", "type Query { a: Missing }\n");
    work.write("bin.graphql", "");
    std::fs::write(work.file("bin.graphql"), [0xff, 0xfe]).unwrap();
    for (old, new, says) in [
        ("bad.graphql", "schema.graphql", "bad.graphql:3:6:"),
        ("old.graphql", "worse.graphql", "worse.graphql:1:17:"),
        ("operations", "schema.graphql", "cannot read operations"),
        ("bin.graphql", "schema.graphql", "bin.graphql is not UTF-8"),
        ("none.graphql", "schema.graphql", "cannot read none.graphql"),
        (
            "guard.toml",
            "schema.graphql",
            "guard.toml is not a valid schema",
        ),
    ] {
        work.ig(&format!("schema diff {old} {new}"))
            .exits(2)
            .says(says);
    }
    // What is wrong with either is said at once.
    work.ig("schema diff bad.graphql worse.graphql")
        .exits(2)
        .says("bad.graphql:3:6:")
        .says("worse.graphql:1:17:");
    work.write("operations/Bad.graphql", "query Bad {\n  case(id: 1) {\n");
    work.ig(&format!("{DIFF} --catalogue operations"))
        .exits(2)
        .says("Bad.graphql:3:1:");
    work.ig(&format!("{DIFF} --catalogue nowhere"))
        .exits(2)
        .says("nowhere");
    work.write("exceptions.toml", "[[exception]]\ntype = \"FIELD\"\n");
    work.ig(&format!("{DIFF} --exceptions exceptions.toml"))
        .exits(2)
        .says("exceptions.toml is not valid");
}

#[test]
fn an_operation_that_uses_a_removed_directive_breaks() {
    let work = with_old();
    edit(
        &work,
        "old.graphql",
        "type Query",
        "directive @live on QUERY\n\ntype Query",
    );
    work.write(
        "operations/Live.graphql",
        "query Live @live { case(id: 1) { id } }",
    );
    work.ig(&format!("{DIFF} --catalogue operations"))
        .exits(1)
        .says("Live.graphql:1:12:");
}

/// Neither size nor depth of a schema keeps a gate busy.
#[test]
fn large_schemas_are_compared() {
    let work = Work::new();
    let fields: String = (0..130_000)
        .map(|n| format!("  field{n:07}(argument: Int): String # comment\n"))
        .collect();
    let sdl = format!("type Query {{\n{fields}}}\n");
    assert!(sdl.len() > 5 << 20);
    work.write("large.graphql", &sdl);
    work.write(
        "less.graphql",
        &sdl.replace("  field0000001(argument: Int): String # comment\n", ""),
    );
    work.ig("schema diff large.graphql less.graphql")
        .exits(1)
        .says("Query.field0000001");
    let deep = format!(
        "type Query {{ a: {}Int{} }}",
        "[".repeat(9_999),
        "]".repeat(9_999)
    );
    work.write("deep.graphql", &deep);
    work.ig("schema diff deep.graphql deep.graphql")
        .exits(2)
        .says("deep.graphql:1:");
    work.write("huge.graphql", &"#".repeat(17 << 20));
    work.ig("schema diff huge.graphql huge.graphql")
        .exits(2)
        .says("the limit is");
}

#[test]
fn a_schema_is_looked_at() {
    let work = Work::new();
    work.write(
        "lint.graphql",
        "schema { query: Q mutation: Mutation }
type Q { a: Person old: Int @deprecated new: Int @deprecated(reason: \"goes on 2027-01-01\") due: Int @deprecated(reason: \"2026-01-01\") }
type Query { a: Int }
type Ig_Thing { a: Int }
type Person @resource(pii: true) { a: Int @resource(pii: true, retention: \"short\") }
type Mutation { open: Int shut: Int @authz(purpose: [\"a\"]) typed: Safe }
type Safe @authz(stepUp: true, action: \"x\") { a: Int }
",
    );
    let check = "schema check lint.graphql --today 2026-11-27";
    let report = work.ig(&format!("{check} --json")).exits(1).json();
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["rule"].as_str().unwrap(),
                it["place"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "reserved-name Query",
            "reserved-name Ig_Thing",
            "mutation-authz Mutation.open",
            "pii-retention Person",
            "deprecation-date Q.old",
            "deprecation-date Q.due",
        ]
    );
    assert!(
        findings.iter().all(|it| it["line"].is_u64()),
        "{findings:?}"
    );
    let all = "reserved-name,mutation-authz,pii-retention,deprecation-date";
    work.ig(&format!("{check} --allow {all}")).ok();
    work.ig(check)
        .exits(1)
        .says("lint.graphql:6:17: no `@authz` applies to `Mutation.open`");
    work.write("bad.graphql", "type Query { __a: Int }");
    work.ig("schema check bad.graphql --json")
        .exits(2)
        .says("\"valid\": false");
}

#[test]
fn the_demo_is_what_it_should_be() {
    let work = Work::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../persisted-queries");
    // How long an asset is kept is said of each asset, not of all.
    work.ig(&format!(
        "schema check {demo}/schema.graphql --allow pii-retention"
    ))
    .ok();
    work.ig(&format!(
        "catalogue check --schema {demo}/schema.graphql --catalogue {demo}/manifest.json --max-cost 20000"
    ))
    .ok();
}
