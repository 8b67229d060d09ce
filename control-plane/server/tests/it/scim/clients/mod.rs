//! What clients send, as tables of requests and what has to come of them.

mod entra;
mod microsoft;
mod okta;
mod others;

use std::collections::BTreeMap;

use ig_e2e::{Scim, ScimAnswer, encoded};
use serde_json::{Value, json};

use super::{ERROR, GROUP, USER};
use crate::databases::Database;

/// A request, its body, the status, and what the answer has at least.
///
/// - `POST /Users as ann` keeps the id of what was made: `{ann}` is it from
///   then on, in paths and bodies.
/// - A query is encoded; it is written as it is meant.
/// - A body that is text is sent as it is, and none is `null`. Where a resource
///   does not say its `schemas`, the usual one is put there; a list is the
///   operations of a PATCH.
/// - In what is expected `null` is nothing, and `"*"` is anything. Lists are as
///   long as expected.
type Row = (&'static str, Value, u16, Value);

macro_rules! rows {
    ($($request:literal $body:tt => $status:literal $expected:tt)*) => {
        [$(($request, json!($body), $status, json!($expected))),*]
    };
}
use rows;

/// Sends all of it, on both databases.
fn play(rows: &[Row]) {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let mut names = BTreeMap::new();
        for row in rows {
            take(&scim, row, &mut names);
        }
        control.stop().unwrap();
    }
}

fn take(scim: &Scim, row: &Row, names: &mut BTreeMap<String, String>) {
    let (request, body, status, expected) = row;
    let fill = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    };
    let (call, made) = match request.split_once(" as ") {
        Some((call, name)) => (call, Some(name)),
        None => (*request, None),
    };
    let (method, path) = call.split_once(' ').unwrap();
    let path = fill(path);
    let sent = match body {
        Value::Null => String::new(),
        Value::String(text) => fill(text),
        body => fill(&with_schemas(method, &path, body.clone()).to_string()),
    };
    let answer = scim.send(method, &encoded_query(&path), &[], sent.as_bytes());
    assert_eq!(answer.status, *status, "{request} {sent}: {}", answer.text);
    judge(scim, method, &answer);
    let expected: Value = serde_json::from_str(&fill(&expected.to_string())).unwrap();
    assert!(
        has(&answer.body, &expected),
        "{request} {sent}\nexpected {expected}\nfound    {}",
        answer.text
    );
    if let Some(name) = made {
        names.insert(name.to_owned(), answer.id());
    }
}

fn with_schemas(method: &str, path: &str, mut body: Value) -> Value {
    if method == "PATCH" && body.is_array() {
        return json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": body,
        });
    }
    let schema = if path.starts_with("/Users") {
        USER
    } else {
        GROUP
    };
    if let Some(parts) = body.as_object_mut()
        && method != "PATCH"
        && !path.ends_with("/.search")
    {
        parts.entry("schemas").or_insert_with(|| json!([schema]));
    }
    body
}

fn encoded_query(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((name, value)) => format!("{name}={}", encoded(value)),
        None => part.to_owned(),
    });
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

/// What holds for every answer.
fn judge(scim: &Scim, method: &str, answer: &ScimAnswer) {
    let text = &answer.text;
    if text.is_empty() {
        assert!([204, 304].contains(&answer.status), "{answer:?}");
        return;
    }
    let media_type = answer.header("content-type");
    assert_eq!(media_type, Some("application/scim+json"), "{text}");
    if answer.status >= 400 {
        assert_eq!(answer.body["schemas"], json!([ERROR]), "{text}");
        assert_eq!(answer.body["status"], answer.status.to_string(), "{text}");
        assert!(answer.body["detail"].is_string(), "{text}");
        return;
    }
    assert!(!text.contains("\"password\""), "{text}");
    // Entra ID takes no `null`.
    assert!(!text.contains(":null"), "{text}");
    if let Some(location) = answer.body.pointer("/meta/location") {
        let location = location.as_str().unwrap();
        assert!(location.starts_with(&scim.base), "{text}");
        let resource_type = answer.body["meta"]["resourceType"].as_str().unwrap();
        if ["User", "Group"].contains(&resource_type) {
            assert_eq!(answer.body["id"].as_str(), location.rsplit('/').next());
            assert_eq!(
                answer.header("etag"),
                answer.body["meta"]["version"].as_str()
            );
            assert_eq!(answer.header("location"), Some(location));
        }
    }
    if answer.status == 201 {
        assert_eq!(method, "POST");
        assert!(answer.header("location").is_some(), "{text}");
    }
}

/// Whether something is what is expected, and maybe more.
fn has(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (_, Value::String(any)) if any == "*" => !found.is_null(),
        (Value::Object(found), Value::Object(expected)) => expected.iter().all(|(name, value)| {
            let nothing = &Value::Null;
            has(found.get(name).unwrap_or(nothing), value)
        }),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(one, other)| has(one, other))
        }
        (found, expected) => found == expected,
    }
}
