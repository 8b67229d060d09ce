//! Files that are hashed as they come.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Stage, own, verify};
use crate::databases::Database;
use crate::step_up::Answer;

const BOUNDARY: &str = "b";

/// A part of a body.
fn part(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn body(parts: &[Vec<u8>]) -> Vec<u8> {
    [
        &parts.concat()[..],
        format!("--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

fn first(more: Value) -> Vec<u8> {
    let mut what = json!({
        "action": super::ACTION,
        "facts": {"licenseClass": ["cc-by"], "destination.tos": ["internal"]},
    });
    what.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    part("export", what.to_string().as_bytes())
}

/// Sends a body as multipart; the usual media type would come first otherwise.
fn send(stage: &Stage, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build();
    let mut request = ureq::http::Request::builder()
        .method("POST")
        .uri(format!("http://{}/exports/items", stage.bench.control.http))
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        );
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = agent.new_agent().run(request.body(body).unwrap());
    let mut answer = answer.unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

#[test]
fn files_are_hashed_and_not_kept() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let proof = ada.proof();
        let headers = own(&ada.person.header, &proof, "k");
        // Larger than anything that is kept in memory of a request.
        let large: Vec<u8> = (0_u32..3 << 20).map(|at| (at % 251) as u8).collect();
        let files = [
            ("small", b"abc".to_vec()),
            ("large", large),
            ("empty", Vec::new()),
        ];
        let parts = files.iter().map(|(name, content)| part(name, content));
        let all: Vec<_> = std::iter::once(first(json!({}))).chain(parts).collect();
        let (status, made) = send(&stage, &headers, &body(&all));
        assert_eq!(status, 201, "{made}");
        verify(&stage, &made);
        let items = made["manifest"]["items"].as_array().unwrap();
        let expected = files.iter().map(
            |(name, content)| json!({"id": name, "sha256": hex::encode(Sha256::digest(content))}),
        );
        assert_eq!(*items, expected.collect::<Vec<_>>());
        assert_eq!(send(&stage, &headers, &body(&all)), (201, made));
        let changed = send(&stage, &headers, &body(&all[..3]));
        assert_eq!(changed.0, 422, "{changed:?}");
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn what_is_no_list_of_files_is_refused() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let proof = ada.proof();
    let headers = own(&ada.person.header, &proof, "k");
    let file = part("a", b"abc");
    let many: Vec<_> = std::iter::once(first(json!({})))
        .chain((0..10_001).map(|at| part(&at.to_string(), b"")))
        .collect();
    let items = json!({"items": [{"id": "a", "sha256": super::DIGEST}]});
    let endless = [
        first(json!({})),
        format!("--{BOUNDARY}\r\nx: ").into_bytes(),
        vec![b'x'; 2 << 20],
    ];
    let long = part("export", &vec![b' '; 70_000]);
    let rows: [(Vec<u8>, u16, &str); 11] = [
        (body(&[first(json!({}))]), 422, "1 to 10000"),
        (body(&[file.clone(), first(json!({}))]), 422, "first part"),
        (
            body(&[first(items), file.clone()]),
            422,
            "a part of its own",
        ),
        (
            body(&[first(json!({})), file.clone(), file.clone()]),
            422,
            "items[1]",
        ),
        (body(&[first(json!({})), part("", b"abc")]), 422, "items[0]"),
        (
            body(&[first(json!({})), part(&"a".repeat(1025), b"abc")]),
            422,
            "items[0]",
        ),
        (body(&many), 422, "1 to 10000"),
        (body(&[long, file.clone()]), 413, "65536"),
        (
            body(&[first(json!({"action": "query:a"})), file.clone()]),
            422,
            "export:",
        ),
        // Cut off, and a part whose headers do not end.
        ([first(json!({})), file].concat(), 400, ""),
        (endless.concat(), 400, ""),
    ];
    for (at, (body, status, word)) in rows.into_iter().enumerate() {
        let answer = send(&stage, &headers, &body);
        assert_eq!(answer.0, status, "row {at}: {answer:?}");
        assert!(answer.1.to_string().contains(word), "row {at}: {answer:?}");
    }
    let other = stage
        .bench
        .control
        .call_with(&headers, "POST", "/exports/items", "{}");
    assert_eq!(other.0, 400, "{other:?}");
    assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 0);
    stage.bench.control.stop().unwrap();
}
