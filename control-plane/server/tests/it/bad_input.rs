//! What is refused, and what the answer says.

use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ig_e2e::policy_bundle;
use serde_json::json;

use crate::databases::Database;

const SDL: &str = "type Query { me: String  cases(first: Int): [String] }";

/// Method, path, body, status, a word of the answer.
type Row = (&'static str, &'static str, Vec<u8>, u16, &'static str);

fn row(
    method: &'static str,
    path: &'static str,
    body: &str,
    status: u16,
    word: &'static str,
) -> Row {
    (method, path, body.as_bytes().to_vec(), status, word)
}

/// In this order: later rows see what earlier ones did.
fn rows() -> Vec<Row> {
    const CATALOGUE: &str = "/catalogue/demo?tag=dev";
    let one = r#"{"app-1": "query Me { me }"}"#;
    let other = r#"{"app-1": "query Other { me }"}"#;
    let graph = |bundle| json!({"settings": "", "schemaTag": "dev", "bundle": bundle}).to_string();
    let said = json!({"settings": "graph = \"x\"", "schemaTag": "dev", "bundle": "1"}).to_string();
    vec![
        row("PUT", "/schemas/demo/dev", "type Query {", 422, "problems"),
        row(
            "PUT",
            "/schemas/demo/dev",
            "type Query { a: Nothing }",
            422,
            "Nothing",
        ),
        row("PUT", "/schemas/demo/dev", SDL, 201, ""),
        row("PUT", "/schemas/demo/dev", SDL, 200, ""),
        row(
            "PUT",
            "/schemas/demo/dev",
            "type Query { a: Int }",
            409,
            "new tag",
        ),
        row("PUT", "/schemas/.demo/dev", SDL, 422, "letters"),
        ("PUT", "/schemas/demo/next", vec![0xff, 0xfe], 400, "UTF-8"),
        row("GET", "/schemas/demo/none", "", 404, "not here"),
        row("POST", "/catalogue/demo?tag=none", one, 404, "not here"),
        row("POST", "/catalogue/demo", one, 400, "tag"),
        row("POST", CATALOGUE, one, 200, "\"added\":1"),
        row("POST", CATALOGUE, one, 200, "\"added\":0"),
        // An id means one text for ever.
        row("POST", CATALOGUE, other, 409, "app-1"),
        row(
            "POST",
            CATALOGUE,
            r#"{"app-2": "query Wrong { nothing }"}"#,
            422,
            "Wrong",
        ),
        row(
            "POST",
            CATALOGUE,
            r#"{"app-3": "query Round { ...A } fragment A on Query { ...B } fragment B on Query { ...A }"}"#,
            422,
            "Round",
        ),
        row("POST", CATALOGUE, "{", 422, "problems"),
        row("DELETE", "/catalogue/demo/app-1", "", 204, ""),
        row("DELETE", "/catalogue/demo/app-1", "", 404, "app-1"),
        // Retired under every id, and still taken.
        row("POST", CATALOGUE, one, 200, "\"retired\":[\""),
        row("POST", CATALOGUE, other, 409, "app-1"),
        row("POST", "/policies/bundles", "no archive", 422, "tar.gz"),
        ("POST", "/policies/bundles", truncated(), 422, "bundle"),
        ("POST", "/policies/bundles", outside(), 422, "bundle"),
        ("POST", "/policies/bundles", link(), 422, "bundle"),
        ("POST", "/policies/bundles", untested(), 422, "no test"),
        row("PUT", "/graphs/demo", &graph("none"), 404, "none"),
        row("PUT", "/graphs/demo", "{}", 422, "settings"),
        row("PUT", "/graphs/demo", "{", 400, ""),
        row("PUT", "/graphs/demo", &said, 422, "settings.graph"),
        row("PUT", "/graphs/demo/bundle", "{}", 404, "demo"),
        row("POST", "/snapshots/demo", "", 404, "demo"),
        row("POST", "/snapshots/demo/none", "", 404, "none"),
        row("PUT", "/tenants/alpha", r#"{"regoin": "x"}"#, 422, "regoin"),
        row("PUT", "/tenants/alpha", r#"{"region": "eu"}"#, 204, ""),
        row("DELETE", "/tenants/bravo", "", 404, "bravo"),
        row("GET", "/audit?cursor=x", "", 422, "cursor"),
        row("GET", "/audit?limit=0", "", 422, "limit"),
        row("GET", "/audit?limit=-1", "", 400, "limit"),
        row("GET", "/nothing", "", 404, "openapi.json"),
        row("PATCH", "/graphs/demo", "", 405, "method"),
    ]
}

fn truncated() -> Vec<u8> {
    let mut archive = policy_bundle(None).unwrap();
    archive.truncate(archive.len() / 2);
    archive
}

fn archive(header: impl FnOnce(&mut tar::Header), name: &[u8]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let text = b"package ig\n";
    let mut entry = tar::Header::new_gnu();
    entry.set_size(text.len() as u64);
    entry.set_mode(0o644);
    header(&mut entry);
    // As bytes: the library refuses to write what we must refuse to read.
    entry.as_old_mut().name[..name.len()].copy_from_slice(name);
    entry.set_cksum();
    tar.append(&entry, &text[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn outside() -> Vec<u8> {
    archive(|_| (), b"../outside.rego")
}

fn link() -> Vec<u8> {
    let symlink = |header: &mut tar::Header| {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_size(0);
    };
    archive(symlink, b"data.json")
}

fn untested() -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let files = [
        (".manifest", r#"{"revision": "untested", "roots": ["ig"]}"#),
        (
            "policy.rego",
            "package ig\n\ndecision := {\"allow\": false, \"rule\": \"none\", \"obligations\": []}\n",
        ),
    ];
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn what_is_wrong_is_refused_and_said() {
    for database in Database::each() {
        let control = database.start();
        for (method, path, body, status, word) in rows() {
            let (got, answer) = control.call(method, path, &body);
            let shown = String::from_utf8_lossy(&body);
            assert_eq!(got, status, "{method} {path} {shown}: {answer}");
            assert!(
                answer.to_string().contains(word),
                "{method} {path}: {word}: {answer}"
            );
        }
        let (_, audit) = control.call("GET", "/audit", "");
        let entries = audit["items"].as_array().unwrap().iter();
        let actions: Vec<_> = entries.map(|one| &one["action"]).collect();
        // What was refused changed nothing, so it is no change.
        assert_eq!(
            actions,
            [
                "tenant.put",
                "catalogue.push",
                "catalogue.retire",
                "catalogue.push",
                "catalogue.push",
                "schema.push"
            ]
        );
        control.stop().unwrap();
    }
}

#[test]
fn a_body_without_end_is_refused_as_it_comes() {
    let database = Database::sqlite();
    let control = database.start();
    // 100 MB of SDL.
    let mut sdl = String::from("type Query { a: Int }\n");
    while sdl.len() < 100_000_000 {
        sdl.push_str("# nothing but comments, line after line after line after line\n");
    }
    let (status, answer) = control.call("PUT", "/schemas/demo/big", &sdl);
    // The server may close before all is sent, which a client sees as it likes.
    assert!(status == 413 || status == 0, "{status} {answer}");
    // Below that, parsing has limits of its own.
    sdl.truncate(60_000_000);
    let (status, answer) = control.call("PUT", "/schemas/demo/big", &sdl);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(control.call("GET", "/schemas/demo", "").1, json!([]));
    control.stop().unwrap();
}

#[test]
fn errors_are_problem_details() {
    let database = Database::sqlite();
    let control = database.start();
    let refused = [
        ("GET", "/nothing", 404),
        ("PATCH", "/graphs", 405),
        ("GET", "/audit?limit=x", 400),
        ("PUT", "/graphs/demo", 422),
        ("GET", "/graphs/demo", 404),
    ];
    for (method, path, status) in refused {
        let (got, problem) = control.call(method, path, "{}");
        assert_eq!(got, status, "{method} {path}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    control.stop().unwrap();
}

/// A connection that is closed under a body is reset, and the answer is lost
/// with it (RFC 9112 §9.6): what still comes is read.
#[test]
fn the_answer_to_a_body_that_is_too_large_arrives() {
    let database = Database::sqlite();
    let control = database.start();
    let mut stream = TcpStream::connect(control.http).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let length = 600_000;
    write!(
        stream,
        "POST /ledger/witness/add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    let piece = vec![b'x'; length / 2];
    stream.write_all(&piece).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(answer(&mut reader), 413);
    // Only now the rest, and it is no request of its own.
    stream.write_all(&piece).unwrap();
    write!(stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(answer(&mut reader), 200);
    // A megabyte is the end of it.
    let length = 4 << 20;
    write!(
        stream,
        "POST /ledger/witness/add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..length / piece.len() {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    let end = reader.read_to_end(&mut Vec::new());
    assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    control.stop().unwrap();
}

/// The status of an answer whose body is then read.
fn answer(reader: &mut impl BufRead) -> u16 {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    first.split(' ').nth(1).unwrap().parse().unwrap()
}
