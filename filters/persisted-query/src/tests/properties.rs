//! What holds of every request.

use ig_contract::snapshot::Limits;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::random::{Writer, value, variables};
use super::*;
use crate::{Prepared, Request, canonical_body, canonical_target};

/// Wide enough that only what a test is about can be denied.
fn wide() -> Limits {
    Limits {
        max_depth: 100,
        max_values: u32::MAX,
        max_batch: u16::MAX,
        ..Limits::default()
    }
}

fn parts<'a>(
    method: Method,
    target: &'a str,
    body: &'a [u8],
    limits: &'a Limits,
) -> RequestParts<'a> {
    RequestParts {
        method,
        target,
        body,
        endpoint: ENDPOINT,
        limits,
    }
}

fn canonical(body: &[u8], operation: &Operation, text: &str) -> Result<Vec<u8>, String> {
    let limits = wide();
    let prepared = Prepared::new(operation, text);
    let outcome = decode(
        parts(Method::Post, ENDPOINT, body, &limits),
        |is_batch, items| {
            let requests: Result<Vec<&Request<'_>>, _> = items.iter().map(Result::as_ref).collect();
            let requests = requests.map_err(|deny| deny.rule.to_string())?;
            Ok(canonical_body(
                is_batch,
                requests
                    .into_iter()
                    .map(|request| (&prepared, operation, request)),
            ))
        },
    );
    outcome.map_err(|deny| deny.rule.to_string())?
}

/// The variables as a parser that shares nothing with the guard has them.
fn declared(operation: &Operation, sent: &Map<String, Value>) -> Map<String, Value> {
    let mut kept = sent.clone();
    kept.retain(|name, _| operation.variables.contains(name));
    kept
}

fn some_operation() -> impl Strategy<Value = Operation> {
    let names = prop::collection::vec("[a-d]{1,2}", 0..6);
    (prop_oneof![Just(String::new()), "[A-Z]{1,3}"], names).prop_map(|(name, variables)| {
        let variables: Vec<_> = variables.iter().map(String::as_str).collect();
        operation(&name, &variables)
    })
}

/// A request with an id, and whatever else is dropped.
fn request(variables: Map<String, Value>, other: Value) -> Value {
    let hash = TextHash::of(H.as_bytes()).to_string();
    json!({ "documentId": hash, "variables": variables, "Query": other, "extensions": { "x": 1 } })
}

proptest! {
    #[test]
    fn any_bytes_never_panic(target: String, rest: String, body: Vec<u8>, is_get: bool) {
        let method = if is_get { Method::Get } else { Method::Post };
        for target in [target, format!("{ENDPOINT}?{rest}"), format!("{ENDPOINT}/sha256:{rest}")] {
            let _ = read(method, &target, &body, &batches());
        }
    }

    #[test]
    fn spoilt_requests_never_panic(
        sent in variables(),
        noise in prop::collection::vec(any::<u8>(), 1..20),
        spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut body = Writer::new(&noise).write(&json!([request(sent, Value::Null)])).into_bytes();
        for (at, byte) in spoil {
            let at = at.index(body.len());
            body[at] = byte;
        }
        // If what is left is accepted, it is what another parser reads.
        if let Ok(canonical) = canonical(&body, &operation("A", &["a", "b"]), H) {
            let canonical: Value = serde_json::from_slice(&canonical).unwrap();
            let body = String::from_utf8(body).unwrap();
            if let Ok(sent) = serde_json::from_str::<Value>(&body) {
                let sent = sent[0]["variables"].as_object().cloned().unwrap_or_default();
                let expected = declared(&operation("A", &["a", "b"]), &sent);
                prop_assert_eq!(&canonical[0]["variables"], &Value::from(expected));
            }
        }
    }

    #[test]
    fn what_goes_on_is_the_catalogue_s_text_and_declared_variables(
        operation in some_operation(),
        text: String,
        sent in variables(),
        other in value(),
        noise in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let body = Writer::new(&noise).write(&request(sent, other));
        let canonical = canonical(body.as_bytes(), &operation, &text).unwrap();
        let Value::Object(mut canonical) = serde_json::from_slice(&canonical).unwrap() else {
            panic!("an object");
        };
        // Read again from the bytes: the writer is not trusted either.
        let sent: Value = serde_json::from_str(&body).unwrap();
        let expected = declared(&operation, sent["variables"].as_object().unwrap());
        prop_assert_eq!(canonical.remove("query"), Some(Value::from(text)));
        prop_assert_eq!(canonical.remove("variables"), Some(Value::from(expected)));
        let name = canonical.remove("operationName").unwrap_or(Value::from(""));
        prop_assert_eq!(name, Value::from(operation.name));
        prop_assert!(canonical.is_empty());
    }

    #[test]
    fn a_get_goes_on_with_the_same(
        operation in some_operation(),
        text: String,
        sent in variables(),
        noise in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let variables = Writer::new(&noise).write(&Value::from(sent));
        // Read again: serde_json rounds some numbers to a neighbour.
        let sent: Map<String, Value> = serde_json::from_str(&variables).unwrap();
        let mut target = ::form_urlencoded::Serializer::for_suffix(format!("{ENDPOINT}?"), ENDPOINT.len() + 1);
        let hash = TextHash::of(H.as_bytes()).to_string();
        let target = target.append_pair("id", &hash).append_pair("variables", &variables).finish();
        let prepared = Prepared::new(&operation, &text);
        let limits = wide();
        let canonical = decode(parts(Method::Get, &target, b"", &limits), |_, items| {
            canonical_target(&prepared, &operation, items[0].as_ref().unwrap(), ENDPOINT, u32::MAX).unwrap()
        });
        let canonical = canonical.unwrap();
        let query = canonical.strip_prefix("/graphql?").unwrap();
        prop_assert!(query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
        let mut read: Vec<_> = ::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if !sent.is_empty() {
            let (name, variables) = read.pop().unwrap();
            prop_assert_eq!(name, "variables");
            let variables: Value = serde_json::from_str(&variables).unwrap();
            prop_assert_eq!(variables, Value::from(declared(&operation, &sent)));
        }
        let mut expected = vec![("query".to_owned(), text)];
        if !operation.name.is_empty() {
            expected.push(("operationName".to_owned(), operation.name.clone()));
        }
        prop_assert_eq!(read, expected);
    }

    /// A guard behind the allow-list reads what the allow-list wrote.
    #[test]
    fn what_goes_on_reads_as_the_same(
        operation in some_operation(),
        text in ".{1,40}",
        sent in variables(),
        noise in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let body = Writer::new(&noise).write(&request(sent, Value::Null));
        let first = canonical(body.as_bytes(), &operation, &text).unwrap();
        let limits = wide();
        decode(parts(Method::Post, ENDPOINT, &first, &limits), |_, items| {
            let request = items[0].as_ref().unwrap();
            prop_assert_eq!(&request.content, &Content::Text(text.as_str().into()));
            prop_assert_eq!(request.operation_name.as_deref().unwrap_or_default(), &operation.name);
            Ok(())
        }).unwrap()?;
        let second = canonical(&first, &operation, &text).unwrap();
        prop_assert_eq!(String::from_utf8(second), String::from_utf8(first));
    }

    #[test]
    fn a_key_twice_at_any_level_is_an_error(
        sent in value(),
        noise in prop::collection::vec(any::<u8>(), 1..20),
        pick: prop::sample::Index,
    ) {
        let Some(sent) = Writer::new(&noise).twice(&json!({ "a": sent }), pick) else {
            return Err(TestCaseError::reject("no object"));
        };
        for member in ["variables", "extensions"] {
            let body = fill(&format!(r##"{{"id":"#H","{member}":{sent}}}"##));
            prop_assert_eq!(read(Method::Post, ENDPOINT, body.as_bytes(), &wide()), "!json");
            let batch = format!("[{body}]");
            prop_assert_eq!(read(Method::Post, ENDPOINT, batch.as_bytes(), &wide()), "!json");
        }
    }

    #[test]
    fn a_batch_keeps_its_order_and_length(ids in prop::collection::vec(("x-[a-z]{1,5}", any::<i32>()), 1..20)) {
        let items: Vec<_> =
            ids.iter().map(|(id, value)| json!({ "id": id, "variables": { "a": value } })).collect();
        let body = serde_json::to_vec(&items).unwrap();
        let line = read(Method::Post, ENDPOINT, &body, &wide());
        let expected: Vec<_> = ids.iter().map(|(id, value)| format!("alias {id} {{a: {value}}}")).collect();
        prop_assert_eq!(line, format!("[{}]", expected.join(" | ")));
        let canonical: Value =
            serde_json::from_slice(&canonical(&body, &operation("A", &["a"]), H).unwrap()).unwrap();
        let values: Vec<_> = ids.iter().map(|(_, value)| json!({ "a": value })).collect();
        let written: Vec<_> = canonical.as_array().unwrap().iter().map(|item| item["variables"].clone()).collect();
        prop_assert_eq!(written, values);
    }
}
