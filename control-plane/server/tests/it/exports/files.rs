//! Files that are hashed as they come.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Stage, own, verify};
use crate::databases::Database;
use crate::step_up::Answer;

const BOUNDARY: &str = "b";

/// A part of a body.
pub(super) fn part(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

pub(super) fn body(parts: &[Vec<u8>]) -> Vec<u8> {
    [
        &parts.concat()[..],
        format!("--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

pub(super) fn first(more: Value) -> Vec<u8> {
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

/// A request whose body is on its way.
pub(super) struct Upload {
    stream: TcpStream,
    /// What is said of it before the body is sent.
    said: String,
    body: Vec<u8>,
}

impl Upload {
    /// Sends the head, and waits until the body is asked for, or refused.
    pub(super) fn begin(stage: &Stage, headers: &[(&str, &str)], body: Vec<u8>) -> Self {
        let http = stage.bench.control.http;
        let mut head = format!(
            "POST /exports/items HTTP/1.1\r\nhost: {http}\r\nexpect: 100-continue\r\n\
             connection: close\r\ncontent-length: {}\r\n\
             content-type: multipart/form-data; boundary={BOUNDARY}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let mut stream = TcpStream::connect(http).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"\r\n\r\n") {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended");
            said.push(byte[0]);
        }
        let said = String::from_utf8(said).unwrap();
        Self { stream, said, body }
    }

    /// Whether the body is asked for: whoever reads it has begun to.
    pub(super) fn is_awaited(&self) -> bool {
        self.said.starts_with("HTTP/1.1 100 ")
    }

    /// Sends the body, and what is answered.
    pub(super) fn end(mut self) -> Answer {
        assert!(self.is_awaited(), "{}", self.said);
        self.stream.write_all(&self.body).unwrap();
        self.said.clear();
        self.answer().0
    }

    /// What is answered, and its head.
    pub(super) fn answer(mut self) -> (Answer, String) {
        let mut rest = String::new();
        self.stream.read_to_string(&mut rest).unwrap();
        let all = self.said + &rest;
        let (head, body) = all.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        ((status, body), format!("{head}\r\n"))
    }
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
