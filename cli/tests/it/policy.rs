use crate::Work;

#[test]
fn a_bundle_is_checked() {
    let work = Work::new();
    work.ig("policy check policies")
        .ok()
        .says("revision r1: 1 file");
    work.write("policies/decision.rego", "package ig\nx := time.now_ns()\n");
    work.ig("policy check policies").exits(1);
    // It is of another bundle.
    work.write("policies/decision.rego", "package other\n");
    let json = work.ig("policy check policies --json").exits(2).json();
    assert_eq!(json["valid"], false);
    work.ig("policy check nowhere")
        .exits(2)
        .says("cannot read nowhere");
}

#[test]
fn tests_run() {
    let work = Work::new();
    work.ig("policy test policies -v")
        .ok()
        .says("data.ig_test.test_retention: PASS")
        .says("PASS: 3/3")
        .says("coverage: 100.0% (")
        .says("decisions: 100.0% (");
    let json = work.ig("policy test policies --json").ok().json();
    assert_eq!(json[0]["package"], "data.ig_test");
    assert_eq!(json[0]["location"]["file"], "policies/decision_test.rego");
    assert!(json[0]["fail"].is_null());
    work.ig("policy test policies --run no-such-test")
        .exits(1)
        .says("no test matches");
}

#[test]
fn failures_and_coverage_are_findings() {
    let work = Work::new();
    let only = "policy test policies --run test_other --min-coverage 99 --coverage";
    work.ig(only)
        .exits(1)
        .says("below 99%")
        .says("not reached:");
    let tests = work
        .read("policies/decision_test.rego")
        .replace("not data", "data");
    work.write("policies/decision_test.rego", &tests);
    work.ig("policy test policies")
        .exits(1)
        .says("test_retention: FAIL")
        .says("FAIL: 2/3");
}

#[test]
fn bundles_are_reproducible_and_the_same_as_the_folder() {
    let work = Work::new();
    work.ig("policy bundle policies -o one.tar.gz").ok();
    work.ig("policy bundle policies -o two.tar.gz").ok();
    let bytes = |name| std::fs::read(work.file(name)).unwrap();
    assert_eq!(bytes("one.tar.gz"), bytes("two.tar.gz"));
    let folder = work.compile()["revision"].clone();
    let packed = crate::COMPILE.replace("--policies policies", "--policies one.tar.gz");
    assert_eq!(
        work.ig(&format!("{packed} --json")).ok().json()["revision"],
        folder
    );
}

/// One input that is allowed, two on a line each, and a recorded decision with
/// its actor.
pub(crate) fn write_inputs(work: &Work) {
    write_inputs_of(work);
    write_recorded(work);
}

/// One input that is allowed, and two on a line each.
pub(crate) fn write_inputs_of(work: &Work) {
    let input = |class: &str| {
        format!(
            r#"{{"actor": {{"sub": "a"}}, "operation": {{"actions": ["case:read"]}}, "facts": {{"retention": ["{class}"]}}}}"#
        )
    };
    work.write("input.json", &input("short"));
    work.write(
        "inputs.jsonl",
        &format!("{}\n\n{}\n", input("short"), input("long")),
    );
}

/// A recorded decision with its actor.
fn write_recorded(work: &Work) {
    let inspect = "snapshot inspect guard.igsnap --operation CaseById --json";
    let document = work.ig(inspect).ok().json();
    let id = find(&document, "document");
    let revision = work.ig("snapshot inspect guard.igsnap --json").ok().json()["revision"].clone();
    let record = serde_json::json!({
        "number": 1, "at": 0, "graph": "demo", "node": "one",
        "record": {
            "decisionId": "01a2125f", "tenantId": "alpha", "actor": "a@alpha.io",
            "purpose": "audit", "authority": null, "operation": "CaseById",
            "document": id, "outcome": "allow", "code": null, "rule": "case-read",
            "mode": "enforce", "region": "eu-west-1", "revision": revision,
        },
    });
    work.write("decisions.json", &serde_json::json!([record]).to_string());
    let actor = r#"{"iss": "https://issuer.test", "sub": "a@alpha.io", "tenant": "alpha", "purposes": ["audit"]}"#;
    work.write("actors.jsonl", actor);
}

/// The first text of this name, anywhere in a value.
fn find(value: &serde_json::Value, name: &str) -> Option<String> {
    match value {
        serde_json::Value::Object(members) => members
            .get(name)
            .and_then(|found| Some(found.as_str()?.to_owned()))
            .or_else(|| members.values().find_map(|inner| find(inner, name))),
        serde_json::Value::Array(items) => items.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

#[test]
fn a_report_goes_to_a_file() {
    let work = Work::new();
    let options = "-o reports/tests.json --coverage --min-coverage 85";
    work.ig(&format!("policy test policies {options}"))
        .ok()
        .says("PASS: 3/3");
    let json: serde_json::Value = serde_json::from_str(&work.read("reports/tests.json")).unwrap();
    assert_eq!(json["results"].as_array().unwrap().len(), 3);
    let file = &json["coverage"]["files"]["policies/decision.rego"];
    assert_eq!(file["not_covered_lines"], 0);
    assert_eq!(file["covered"][0]["start"]["row"], 3);
    assert!(json["results"][0]["duration"].as_u64().unwrap() > 0);
}

#[test]
fn too_little_coverage_names_the_lines() {
    let work = Work::new();
    let only = "policy test policies --run test_other";
    for (option, says) in [
        ("--min-coverage 99", "policies/decision.rego: not reached: "),
        (
            "--min-decisions 99 --coverage",
            "never held: \"case:read\" in input.operation.actions",
        ),
        (
            "--min-coverage 99 --format github",
            "::error file=policies/decision.rego,line=10,endLine=10,",
        ),
    ] {
        work.ig(&format!("{only} {option}")).exits(1).says(says);
    }
    work.ig(&format!("{only} --coverage")).ok();
}

#[test]
fn failures_are_annotations() {
    let work = Work::new();
    let tests = work.read("policies/decision_test.rego") + "\ntest_fails if 1 == 2\n";
    work.write("policies/decision_test.rego", &tests);
    work.ig("policy test policies --format github")
        .exits(1)
        .says("::error file=policies/decision_test.rego,line=14,col=1,title=data.ig_test.test_fails::the test failed");
}

/// What is wrong, and what is said: always 2, and where.
#[test]
fn what_cannot_be_tested_is_said_with_its_place() {
    let endless = "package ig_test\ntest_endless if {\n\tmany := numbers.range(1, 3000)\n\
                   \tcount([1 | some a in many; some b in many; a * b == 0]) == 1\n}\n";
    let long = format!("package ig\nx := \"{}\"\n", "y".repeat(5 << 20));
    let cases = [
        (
            "policies/decision.rego",
            "package ig\n\nx := {\n",
            "decision.rego:4:",
        ),
        (
            "policies/more_test.rego",
            "package ig_test\n\ntest_bare\n",
            "more_test.rego:3:",
        ),
        ("policies/more.rego", long.as_str(), "more.rego"),
        (
            "policies/more.rego",
            "package ig\ndefault decision := {}\n",
            "more.rego:2:1: a second default of `data.ig.decision`; the first is at decision.rego:3:1",
        ),
        (
            "policies/more.rego",
            "package ig.decision\n\nx := 1\n",
            "has the name of the package",
        ),
        (
            "policies/more_test.rego",
            endless,
            "policies/more_test.rego:2: data.ig_test.test_endless did not end within 100ms",
        ),
        ("policies/.manifest", "{}", ".manifest"),
    ];
    for (file, text, says) in cases {
        let work = Work::new();
        work.write(file, text);
        work.ig("policy test policies --timeout 100ms")
            .exits(2)
            .says(says);
    }
    let work = Work::new();
    std::fs::create_dir(work.file("empty")).unwrap();
    for (arguments, says) in [
        ("policy test empty", "the bundle has no policy"),
        (
            "policy test empty --engine interpreter",
            "there is no `*.rego`",
        ),
        (
            "policy test schema.graphql",
            "is neither a folder nor a bundle",
        ),
        (
            "policy test policies/decision.rego",
            ".manifest: is missing",
        ),
        ("policy test policies --run (", "no regular expression"),
        ("policy test policies --min-coverage 101", "from 0 to 100"),
        (
            "policy test policies --timeout 0s",
            "has to leave some time",
        ),
        (
            "policy explain --bundle policies --input policies",
            "cannot read policies",
        ),
        (
            "policy explain --bundle policies --input schema.graphql",
            "is no JSON",
        ),
        (
            "policy diff policies policies --decisions schema.graphql",
            "schema.graphql:1: is no line of JSON",
        ),
        (
            "policy diff policies policies --decisions policies/data.json",
            "data.json:1: is neither",
        ),
    ] {
        work.ig(arguments).exits(2).says(says);
    }
}

#[test]
fn any_folder_of_rego_can_be_tested() {
    let work = Work::new();
    std::fs::create_dir(work.file("any")).unwrap();
    work.write(
        "any/x.rego",
        "package any\n\nlimit := 3\n\ntest_limit if limit == 3\n",
    );
    work.ig("policy test any --engine interpreter")
        .ok()
        .says("PASS: 1/1");
    work.ig("policy test any")
        .exits(2)
        .says(".manifest: is missing");
}

#[test]
fn a_decision_is_explained() {
    let work = Work::new();
    work.compile();
    write_inputs(&work);
    work.ig("policy explain --bundle policies --input input.json")
        .ok()
        .says("allow by case-read")
        .says("decision.rego:10  too_long")
        .says("line 12 does not hold: data.ig.retention[class] > 30");
    let long = r#"{"operation": {"actions": ["case:read"]}, "facts": {"retention": ["long"]}}"#;
    work.write("input.json", long);
    for from in ["--bundle policies", "--snapshot guard.igsnap"] {
        let ran = work.ig(&format!("policy explain {from} --input input.json --json"));
        let json = ran.ok().json();
        assert_eq!(json["decision"]["rule"], "default-deny", "{from}");
        let rules = json["rules"].as_array().unwrap();
        let denied = rules.iter().find(|rule| rule["row"] == 5).unwrap();
        assert_eq!(denied["outcome"], "failed", "{from}");
        assert_eq!(denied["line"], 7, "{from}");
        assert_eq!(denied["condition"], "not too_long", "{from}");
        let held = rules.iter().find(|rule| rule["row"] == 10).unwrap();
        assert_eq!(held["outcome"], "held", "{from}");
        let used = &json["inputs"];
        assert!(used.to_string().contains("input.facts.retention"), "{used}");
    }
}

#[test]
fn changes_of_decisions_are_listed() {
    let work = Work::new();
    work.compile();
    write_inputs(&work);
    work.ig("policy diff guard.igsnap policies --decisions inputs.jsonl")
        .ok()
        .says("2 decisions replayed, 0 changed");
    let recorded = "--snapshot guard.igsnap --actors actors.jsonl --strict";
    work.ig(&format!(
        "policy diff policies policies --decisions decisions.json {recorded}"
    ))
    .ok()
    .says("1 decision replayed, 0 changed, 0 not replayed");
    let unknown =
        "policy diff policies policies --decisions decisions.json --snapshot guard.igsnap";
    work.ig(unknown)
        .exits(2)
        .says("0 decisions replayed")
        .says("not replayed: groups and purposes of `a@alpha.io` are not recorded");
    work.ig(&format!("{unknown} --strict")).exits(1);
    std::fs::create_dir(work.file("next")).unwrap();
    for name in [".manifest", "data.json", "decision.rego"] {
        let text = work.read(&format!("policies/{name}"));
        work.write(&format!("next/{name}"), &text.replace("> 30", "> 400"));
    }
    let diff = "policy diff policies next --decisions inputs.jsonl";
    work.ig(diff)
        .exits(1)
        .says("inputs.jsonl:3 \n- deny by default-deny\n+ allow by case-read")
        .says("2 decisions replayed, 1 changed");
    work.ig(&format!("{diff} --allow-changes")).ok();
    let json = work.ig(&format!("{diff} --all --json")).exits(1).json();
    assert_eq!(
        (&json["replayed"], &json["changed"]),
        (&2.into(), &1.into())
    );
    assert_eq!(json["decisions"][0]["changed"], false);
    assert_eq!(json["decisions"][1]["after"]["rule"], "case-read");
}

/// Answers every request with the same JSON.
fn answering(json: String) -> std::net::SocketAddr {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.push(byte[0]);
            }
            let length = json.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn a_recorded_decision_is_explained_by_its_id() {
    let work = Work::new();
    work.compile();
    write_inputs(&work);
    let explain = |page: String, actors: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ig"));
        let arguments = "policy explain --decision 01a2125f --snapshot guard.igsnap --actors";
        command.args(arguments.split(' ')).arg(actors);
        command.env("IG_CONTROL_URL", format!("http://{}", answering(page)));
        work.run(command.env("IG_ADMIN_TOKEN", "token"))
    };
    let page = |items: &str| format!(r#"{{"items": {items}, "next": null}}"#);
    explain(page(&work.read("decisions.json")), "actors.jsonl")
        .ok()
        .says("allow by case-read")
        .says("input.operation.actions = [\"case:read\"]");
    explain(page("[]"), "actors.jsonl")
        .exits(2)
        .says("the control plane has no decision 01a2125f");
    let other = work
        .read("actors.jsonl")
        .replace("a@alpha.io", "b@alpha.io");
    work.write("others.jsonl", &other);
    explain(page(&work.read("decisions.json")), "others.jsonl")
        .exits(2)
        .says("groups and purposes of `a@alpha.io` are not recorded");
}
