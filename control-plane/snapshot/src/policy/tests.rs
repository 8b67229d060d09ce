use std::collections::BTreeMap;

use super::*;

const MANIFEST: &str = r#"{"revision": "r1", "roots": ["ig"]}"#;

const POLICY: &str = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {"allow": true, "rule": "export", "obligations": ["log"]} if {
	input.purpose == "export"
	input.classes != []
	every class in input.classes {
		short(class)
	}
}

short(class) if data.ig.retention.classes[class] <= 30
"#;

const DATA: &str = r#"{"ig": {"retention": {"classes": {"short": 1, "long": 300}}}}"#;

fn bundle(files: &[(&str, &str)]) -> Result<Bundle, Problems> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    Bundle::from_files(files.collect())
}

fn compile(policy: &str) -> Result<Vec<u8>, InvalidPolicy> {
    compile_policy(&bundle(&[(".manifest", MANIFEST), ("ig.rego", policy)]).unwrap())
}

fn decide(program: &[u8], input: &str) -> (bool, String) {
    let engine = ig_policy::Engine::load(program, DEFAULT_INSTRUCTION_LIMIT).unwrap();
    let verdict = engine
        .decide(regorus::Value::from_json_str(input).unwrap())
        .unwrap();
    (verdict.allow, verdict.rule.to_string())
}

#[test]
fn a_bundle_with_data_decides() {
    let bundle = bundle(&[
        (".manifest", MANIFEST),
        ("ig.rego", POLICY),
        ("data.json", DATA),
    ])
    .unwrap();
    let program = compile_policy(&bundle).unwrap();
    let export = |class: &str| {
        let input = format!(r#"{{"purpose": "export", "classes": ["{class}"]}}"#);
        decide(&program, &input).0
    };
    assert!(export("short"));
    assert!(!export("long"));
    assert!(!export("unknown"));
    assert_eq!(decide(&program, "{}"), (false, "default".into()));
}

#[test]
fn data_can_lie_in_folders_and_in_yaml() {
    let yaml = "classes:\n  short: 1\n  long: 300\n";
    let files = [
        (".manifest", MANIFEST),
        ("ig.rego", POLICY),
        ("ig/retention/data.yaml", yaml),
        ("ig/data.json", r#"{"other": [1, 2]}"#),
        ("README.md", "ignored"),
    ];
    let bundle = bundle(&files).unwrap();
    assert_eq!(bundle.data["ig"]["retention"]["classes"]["long"], 300);
    let program = compile_policy(&bundle).unwrap();
    assert!(decide(&program, r#"{"purpose": "export", "classes": ["short"]}"#).0);
}

#[test]
fn the_same_bundle_gives_the_same_bytes() {
    assert_eq!(compile(POLICY).unwrap(), compile(POLICY).unwrap());
}

#[test]
fn tests_are_not_enforced() {
    let test = "package ig_test\ntest_x if { data.ig.decision.allow with input as {} }\n";
    let with = bundle(&[
        (".manifest", MANIFEST),
        ("ig.rego", POLICY),
        ("ig_test.rego", test),
    ]);
    assert_eq!(
        compile_policy(&with.unwrap()).unwrap(),
        compile(POLICY).unwrap()
    );
}

#[test]
fn impure_policies_do_not_compile() {
    for call in [
        "time.now_ns() > 0",
        "http.send({\"method\": \"get\", \"url\": \"http://x\"}).status_code == 200",
        "rand.intn(\"x\", 2) == 1",
        "uuid.rfc4122(\"x\") != \"\"",
        "opa.runtime().env != {}",
    ] {
        let policy = format!(
            "{POLICY}\ndecision := {{\"allow\": true, \"rule\": \"x\", \"obligations\": []}} if {{ {call} }}\n"
        );
        let error = compile(&policy).unwrap_err().to_string();
        let name = call.split('(').next().unwrap();
        assert!(error.contains(name), "{call}: {error}");
    }
}

#[test]
fn what_is_no_decision_does_not_compile() {
    let cases = [
        ("package ig\nother := 1\n", "no rule `data.ig.decision`"),
        (
            "package ig\ndecision := {\"allow\": false} if { input.x }\n",
            "gives no decision",
        ),
        (
            "package ig\ndefault decision := {\"allow\": false, \"rule\": \"x\"}\n",
            "gives no decision",
        ),
        (
            "package ig\ndecision := {\"allow\": true, \"rule\": \"open\", \"obligations\": []}\n",
            "allows an empty input (rule `open`)",
        ),
        ("package ig\ndecision = { syntax", "ig.rego"),
        // Rego v0.
        ("package ig\ndecision = x { x := 1 }\n", "ig.rego"),
    ];
    for (policy, expected) in cases {
        let error = compile(policy).unwrap_err().to_string();
        assert!(error.contains(expected), "{policy}\n{error}");
    }
}

#[test]
fn roots_are_respected() {
    let files = [
        (".manifest", MANIFEST),
        ("ig.rego", POLICY),
        ("other.rego", "package igloo\nx := 1\n"),
        ("data.json", r#"{"elsewhere": {"x": 1}}"#),
    ];
    let error = compile_policy(&bundle(&files).unwrap())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "other.rego: package `igloo` is outside the roots of the bundle\n\
         elsewhere: data outside the roots of the bundle"
    );
}

#[test]
fn bundles_say_everything_that_is_wrong() {
    let error = Bundle::from_files(BTreeMap::from([
        (
            ".manifest".into(),
            br#"{"revision": "", "roots": [], "rego_version": 0}"#.to_vec(),
        ),
        ("a.rego".into(), vec![0xff]),
        ("data.json".into(), b"[]".to_vec()),
    ]));
    let problems = error.unwrap_err();
    let paths: Vec<_> = problems
        .0
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            ".manifest",
            ".manifest",
            ".manifest",
            "a.rego",
            "data.json",
            ""
        ]
    );
}

/// Where the engines of regorus differ, and what is done about it.
#[test]
fn undefined_values_deny() {
    let mended = [
        "level := input.missing\n\tnot level == 3",
        "some item in input.items\n\tlevel := item.missing\n\tnot level > 3",
        "every item in input.items { level := item.missing; not level > 3 }",
        "count([1 | some item in input.items; level := item.missing; not level > 3]) == 1",
    ];
    let policy = |body: &str| {
        format!(
            "package ig\ndefault decision := {{\"allow\": false, \"rule\": \"default\", \"obligations\": []}}\n\
             decision := {{\"allow\": true, \"rule\": \"x\", \"obligations\": []}} if {{\n\tinput.é != 1\n\t{body}\n}}\n"
        )
        .replace("input.é", "input[\"é\"]")
    };
    for body in mended {
        let program = compile(&policy(body)).unwrap();
        let (allow, _) = decide(&program, r#"{"é": 2, "items": [{"a": 1}]}"#);
        assert!(!allow, "{body}");
    }
    let refused = [
        (
            "every x in input.xs { input.map[x] <= 3 }",
            "a look-up by a variable",
        ),
        (
            "[x.y | some x in input.xs] == [1]",
            "bind this to a variable",
        ),
        (
            "{x.y | some x in input.xs} == {1}",
            "bind this to a variable",
        ),
        (
            "{x: y.z | some x, y in input.xs} == {1}",
            "bind this to a variable",
        ),
    ];
    for (body, expected) in refused {
        let error = compile(&policy(body)).unwrap_err().to_string();
        assert!(
            error.starts_with("ig.rego:5:") && error.contains(expected),
            "{body}: {error}"
        );
    }
    for body in [
        "every x in input.xs { x[\"y\"] <= 3 }",
        "[x | some x in input.xs] == [1]",
    ] {
        compile(&policy(body)).unwrap();
    }
}

/// What is written into a policy stands behind a string's last quote.
#[test]
fn mending_does_not_change_strings() {
    for (value, expected) in [("\"high\"", "high"), ("`high`", "high")] {
        let policy = format!(
            "package ig\ndefault decision := {{\"allow\": false, \"rule\": \"default\", \"obligations\": []}}\n\
             decision := {{\"allow\": true, \"rule\": level, \"obligations\": []}} if {{\n\tinput.x\n\tlevel := {value}\n}}\n"
        );
        let program = compile(&policy).unwrap();
        assert_eq!(decide(&program, r#"{"x": true}"#), (true, expected.into()));
    }
}
