//! What must hold of every step, by parsers that share nothing with the guard.

use std::collections::BTreeMap;

use ig_contract::snapshot::OperationKind;
use ig_contract::{DecisionRecord, Outcome};
use ig_guard::{Forward, Reply, Step};
use serde_json::Value;

use crate::fixture::{DECISION_ID, Fixture};
use crate::input::Input;

fn records(records: &str) -> Vec<Value> {
    let Value::Array(records) = serde_json::from_str(&format!("[{records}]")).expect("JSON") else {
        panic!("the records are a list");
    };
    assert!(!records.is_empty(), "no step without a decision record");
    for record in &records {
        let record = record.to_string();
        let record: DecisionRecord<'_> = serde_json::from_str(&record).expect("a decision record");
        assert_eq!(record.decision_id, DECISION_ID);
        assert!(record.revision.is_some());
        assert_eq!(record.code.is_none(), record.outcome == Outcome::Allow);
    }
    records
}

fn is_header_value(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

/// Whether the store of texts did not have the right one.
pub(crate) fn lacks_text(step: &Step) -> bool {
    matches!(step, Step::Reply(reply) if reply.records.contains("\"text-unavailable\""))
}

/// Holds in every mode.
pub(crate) fn check_forward(forward: &Forward) {
    records(&forward.records);
    for (name, value) in &forward.set {
        assert!(is_header_value(value), "{name} is a header: {value:?}");
    }
    let length = forward
        .set
        .iter()
        .find(|(name, _)| *name == "content-length");
    let body = forward.body.as_ref().map(|body| body.len().to_string());
    assert_eq!(length.map(|(_, value)| value), body.as_ref());
}

/// Holds of an answer.
pub(crate) fn check_reply(reply: &Reply) {
    assert!((400..600).contains(&reply.status));
    let records = records(&reply.records);
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let responses = match &body {
        Value::Array(items) => items.iter().collect(),
        single => vec![single],
    };
    assert_eq!(responses.len(), records.len());
    for response in responses {
        let extensions = &response["errors"][0]["extensions"];
        assert_eq!(extensions["decisionId"], DECISION_ID);
        assert!(extensions["code"].is_string());
    }
    assert!(
        reply
            .headers
            .iter()
            .all(|(_, value)| is_header_value(value))
    );
}

/// Holds where both guards enforce.
pub(crate) fn check_enforced(fixture: &Fixture, input: &Input, forward: &Forward) {
    check_forward(forward);
    for record in records(&forward.records) {
        assert_eq!(record["outcome"], "allow");
        let purpose = record["purpose"]
            .as_str()
            .expect("nothing passes without a purpose");
        assert!(input.claims.holds(purpose), "{purpose} is not granted");
    }
    let client = input.headers(fixture);
    for (name, _) in &client {
        let spelling: Vec<_> = name
            .iter()
            .map(|byte| if *byte == b'_' { b'-' } else { *byte })
            .collect();
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let is_kept = matches!(name, "x-ig-purpose" | "x-ig-authority");
        let is_set = forward.set.iter().any(|(set, _)| *set == name);
        let is_removed = forward.remove.iter().any(|removed| removed == name);
        if spelling.starts_with(b"x-ig-") && !is_kept {
            assert!(
                is_removed || is_set,
                "the upstream must not see the client's {name}"
            );
        }
    }
    let header = |wanted: &str| {
        forward
            .set
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("x-ig-tenant"), Some("alpha"));
    let target = String::from_utf8(input.target(fixture)).expect("a target is text");
    let parameters = target.split_once('?').map_or("", |(_, query)| query);
    let mut parameters = form_urlencoded::parse(parameters.as_bytes());
    assert!(
        !parameters.any(|(name, value)| name == "query" && !value.is_empty()),
        "a text went on"
    );
    if input.method() == b"GET" {
        let target = header(":path").expect("a canonical target");
        let (path, query) = target.split_once('?').expect("parameters");
        assert_eq!(path, "/graphql");
        let mut request = serde_json::Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match &*name {
                "variables" => serde_json::from_str(&value).expect("variables are JSON"),
                _ => Value::String(value.into_owned()),
            };
            assert!(
                request.insert(name.into_owned(), value).is_none(),
                "a parameter twice"
            );
        }
        check_canonical(fixture, input, &Value::Object(request), true);
    } else {
        let body = forward.body.as_ref().expect("never the client's bytes");
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(
            header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert!(target == "/graphql" || header(":path") == Some("/graphql"));
        let canonical: Value = serde_json::from_slice(body).expect("canonical JSON");
        match &canonical {
            Value::Array(items) => {
                assert!((1..=3).contains(&items.len()));
                items
                    .iter()
                    .for_each(|item| check_canonical(fixture, input, item, false));
            }
            single => check_canonical(fixture, input, single, false),
        }
        check_body(&input.body(fixture), &canonical);
    }
}

fn check_canonical(fixture: &Fixture, input: &Input, request: &Value, is_get: bool) {
    let request = request.as_object().expect("an object");
    let text = request["query"].as_str().expect("a text");
    let (names, kind) = fixture.operations(text).expect("a text of the catalogue");
    match request.get("operationName") {
        Some(name) => {
            assert!(names.iter().any(|known| name == known && !known.is_empty()));
            assert!(
                name != "B" || input.claims.is_app(),
                "an operation of another client"
            );
        }
        None => assert_eq!(names, [""]),
    }
    assert!(
        !(is_get && kind == OperationKind::Mutation),
        "no mutation by GET"
    );
    for key in request.keys() {
        assert!(
            ["query", "operationName", "variables"].contains(&key.as_str()),
            "{key}"
        );
    }
    let Some(variables) = request.get("variables") else {
        return;
    };
    let declared = if names == ["CreateAsset"] {
        "input"
    } else {
        "id"
    };
    assert!(
        variables
            .as_object()
            .expect("an object")
            .keys()
            .all(|name| name == declared)
    );
    let inputs = match &variables["input"] {
        Value::Array(items) => items.iter().collect(),
        single => vec![single],
    };
    assert!(
        inputs.iter().all(|input| input["retention"] != "forever"),
        "policy forbids this"
    );
}

/// The members that count; serde makes a member twice an error.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    query: Option<String>,
    variables: Option<BTreeMap<String, Value>>,
}

/// What went on against what was sent: never a text, values unchanged.
fn check_body(sent: &[u8], canonical: &Value) {
    let (sent, canonical) = match canonical {
        Value::Array(items) => (serde_json::from_slice(sent), items.iter().collect()),
        single => (
            serde_json::from_slice(sent).map(|sent: Sent| vec![sent]),
            vec![single],
        ),
    };
    let sent = sent.expect("JSON was sent");
    assert_eq!(sent.len(), canonical.len());
    for (sent, canonical) in sent.iter().zip(canonical) {
        assert!(
            sent.query.as_ref().is_none_or(String::is_empty),
            "a text went on"
        );
        let variables = canonical["variables"].as_object().expect("an object");
        let Some(sent) = &sent.variables else {
            continue;
        };
        for (name, value) in variables {
            assert_eq!(sent.get(name), Some(value), "a value is what was sent");
        }
    }
}
