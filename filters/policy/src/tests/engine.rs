//! Bundles that decide, that do not, and bytes that are none.

use ig_contract::policy::DEFAULT_INSTRUCTION_LIMIT;
use proptest::prelude::*;
use regorus::Value;

use super::{compile, compile_to, strings};
use crate::{Engine, InvalidProgram, Undecided, Verdict};

fn decide(rules: &str) -> Result<Verdict, Undecided> {
    Engine::load(&compile(rules), DEFAULT_INSTRUCTION_LIMIT)
        .unwrap()
        .decide(Value::new_object())
}

#[test]
fn results() {
    let rule = |bytes| {
        format!(
            r##"{{"allow":true,"rule":"{}","obligations":[]}}"##,
            "r".repeat(bytes)
        )
    };
    let obligations = |count| {
        let names: Vec<_> = (0..count).map(|name| format!("\"o{name}\"")).collect();
        format!(
            r##"{{"allow":true,"rule":"r","obligations":[{}]}}"##,
            names.join(",")
        )
    };
    let table: Vec<(String, Result<usize, &str>)> = vec![
        (
            r##"{"allow":true,"rule":"a-B_c.d:1","obligations":[]}"##.into(),
            Ok(0),
        ),
        (
            r##"{"allow":false,"rule":"r","obligations":["x","y"]}"##.into(),
            Ok(2),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":{"x","y"}}"##.into(),
            Ok(2),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":[],"more":1}"##.into(),
            Ok(0),
        ),
        (rule(64), Ok(0)),
        (obligations(16), Ok(16)),
        // Not the object.
        ("true".into(), Err("object")),
        ("1".into(), Err("object")),
        ("\"allow\"".into(), Err("object")),
        ("null".into(), Err("object")),
        ("[true]".into(), Err("object")),
        (r##"{"allow","rule"}"##.into(), Err("object")),
        // Members that are missing or of another type.
        ("{}".into(), Err("allow")),
        (r##"{"rule":"r","obligations":[]}"##.into(), Err("allow")),
        (
            r##"{"allow":"true","rule":"r","obligations":[]}"##.into(),
            Err("allow"),
        ),
        (
            r##"{"allow":1,"rule":"r","obligations":[]}"##.into(),
            Err("allow"),
        ),
        (
            r##"{"allow":null,"rule":"r","obligations":[]}"##.into(),
            Err("allow"),
        ),
        (r##"{"allow":true,"obligations":[]}"##.into(), Err("rule")),
        (
            r##"{"allow":true,"rule":1,"obligations":[]}"##.into(),
            Err("rule"),
        ),
        (
            r##"{"allow":true,"rule":["r"],"obligations":[]}"##.into(),
            Err("rule"),
        ),
        (r##"{"allow":true,"rule":"r"}"##.into(), Err("obligations")),
        (
            r##"{"allow":true,"rule":"r","obligations":null}"##.into(),
            Err("obligations"),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":"x"}"##.into(),
            Err("obligations"),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":{"x":1}}"##.into(),
            Err("obligations"),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":["x",1]}"##.into(),
            Err("obligations"),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":["x",""]}"##.into(),
            Err("obligations"),
        ),
        (obligations(17), Err("obligations")),
        // Names that could carry a caller's input.
        (rule(0), Err("rule")),
        (rule(65), Err("rule")),
        (
            r##"{"allow":true,"rule":"a b","obligations":[]}"##.into(),
            Err("rule"),
        ),
        (
            r##"{"allow":true,"rule":"a\nb","obligations":[]}"##.into(),
            Err("rule"),
        ),
        (
            r##"{"allow":true,"rule":"a,b","obligations":[]}"##.into(),
            Err("rule"),
        ),
        (
            r##"{"allow":true,"rule":"caf\u00e9","obligations":[]}"##.into(),
            Err("rule"),
        ),
        (
            r##"{"allow":true,"rule":"r","obligations":["a b"]}"##.into(),
            Err("obligations"),
        ),
    ];
    for (result, expected) in table {
        match (decide(&format!("decision := {result}")), expected) {
            (Ok(verdict), Ok(count)) => assert_eq!(verdict.obligations.len(), count, "{result}"),
            (Err(Undecided::Shape(found)), Err(expected)) => {
                assert_eq!(found, expected, "{result}")
            }
            (outcome, _) => panic!("{result}: {outcome:?}"),
        }
    }
    let undefined = decide("decision := {\"allow\": true} if input.never == 1");
    assert!(
        matches!(undefined, Err(Undecided::Shape("object"))),
        "{undefined:?}"
    );
}

#[test]
fn a_verdict_is_what_the_bundle_says() {
    let verdict = decide(r##"decision := {"allow":false,"rule":"no","obligations":["b","a"]}"##);
    let verdict = verdict.unwrap();
    assert_eq!((verdict.allow, &*verdict.rule), (false, "no"));
    assert_eq!(*verdict.obligations, strings(&["b", "a"]));
}

/// Goes through all pairs of `input.items`, then allows.
const SLOW: &str = r##"
decision := {"allow": true, "rule": "counted", "obligations": []} if {
    count([1 | some x in input.items; some y in input.items; x + y >= 0]) >= 0
}
"##;

fn items(count: i64) -> Value {
    let items: Vec<_> = (0..count).map(Value::from).collect();
    Value::from(std::collections::BTreeMap::from([(
        Value::from("items"),
        Value::from(items),
    )]))
}

#[test]
fn an_evaluation_ends_at_its_limit_and_leaves_nothing_behind() {
    let engine = Engine::load(&compile(SLOW), 2_000).unwrap();
    for round in 0..3 {
        let verdict = engine.decide(items(3)).unwrap();
        assert_eq!(&*verdict.rule, "counted", "round {round}");
        let undecided = engine.decide(items(500)).unwrap_err();
        assert!(matches!(undecided, Undecided::Evaluation(_)), "{undecided}");
    }
    // The limit is one of each evaluation, not of all together.
    for _ in 0..100 {
        engine.decide(items(3)).unwrap();
    }
}

#[test]
fn programs_of_something_else() {
    let another = compile_to("decision := 1\nother := 2", "data.ig.other");
    let table: [(&[u8], &str); 4] = [
        (b"", "does not load"),
        (b"REGO", "does not load"),
        (b"\0asm\x01\0\0\0", "does not load"),
        (&another, "no entry point"),
    ];
    for (bytes, expected) in table {
        let error = Engine::load(bytes, 1).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let good = compile("decision := {\"allow\": true, \"rule\": \"r\", \"obligations\": []}");
    for length in 0..good.len() {
        let is_error = matches!(
            Engine::load(&good[..length], 1),
            Err(InvalidProgram::Load(_) | InvalidProgram::Stale | InvalidProgram::EntryPoint)
        );
        assert!(is_error, "{length} bytes");
    }
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Engine::load(&bytes, 1_000);
    }

    /// Bytes of a program, some of them changed. Such a program may call itself,
    /// which no compiled one does; the machine bounds that by instructions
    /// alone, so few are given here: with thousands a native stack overflows
    /// (in a Wasm module that is a trap, which hosts answer with 503).
    #[test]
    fn spoilt_programs_never_panic(
        spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = compile(SLOW);
        for (at, byte) in spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(engine) = Engine::load(&bytes, 100) {
            let _ = engine.decide(items(3));
        }
    }
}
