//! The request target.

use ig_contract::snapshot::Limits;

use super::*;
use crate::check_target;

#[test]
fn only_the_endpoint() {
    let table = [
        ("/graphql", None),
        ("/graphql?", None),
        ("/graphql?x=/other", None),
        ("/graphql/sha256:anything", None),
        ("/graphql/", Some("path-not-endpoint")),
        ("/graphql/x", Some("path-not-endpoint")),
        ("/graphqlx", Some("path-not-endpoint")),
        ("/graphql;x", Some("path-not-endpoint")),
        ("/graphql#x", Some("path-not-endpoint")),
        ("/GraphQL", Some("path-not-endpoint")),
        ("//graphql", Some("path-not-endpoint")),
        ("/%67raphql", Some("path-not-endpoint")),
        ("/v1/../graphql", Some("path-not-endpoint")),
        ("/graphql/../graphql", Some("path-not-endpoint")),
        ("http://host/graphql", Some("path-not-endpoint")),
        ("*", Some("path-not-endpoint")),
        ("", Some("path-not-endpoint")),
        ("?", Some("path-not-endpoint")),
    ];
    for (target, expected) in table {
        let rule = check_target(target, ENDPOINT)
            .err()
            .map(|deny| deny.rule.into_owned());
        assert_eq!(rule.as_deref(), expected, "{target}");
    }
}

#[test]
fn parameters_of_a_get() {
    let table = [
        ("", "-id-required"),
        ("?", "-id-required"),
        ("?id=#H", "#H"),
        ("?documentId=sha256:#H", "#H"),
        ("?documentId=sha256%3A#H", "#H"),
        ("?doc_id=#H&operationName=A", "#H @A"),
        ("?operation%4Eame=A&id=#H", "#H @A"),
        ("/sha256:#H", "#H"),
        ("/sha256:#H?id=#H", "#H"),
        ("/sha256:#H?id=#J", "-ids-differ"),
        ("/sha256:#H?query=%7Ba%7D", "-id-and-text"),
        ("/sha256:#Hx", "-id-malformed"),
        ("/sha256:", "-id-malformed"),
        ("/sha256:#H/", "-id-malformed"),
        (
            "?extensions=%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22#H%22%7D%7D",
            "#H",
        ),
        ("?id=#H&extensions=", "#H"),
        ("?id=#H&extensions=%22x%22", "!json"),
        ("?id=#H&extensions=x", "!url-parameter-json"),
        ("?id=#H&variables=%7B%22a%22:+1%7D", "#H {a: 1}"),
        ("?id=#H&variables=", "#H"),
        ("?id=#H&variables=null", "#H"),
        ("?id=#H&variables=%7B%7D+", "#H"),
        ("?id=#H&variables=%7B%7D%7B%7D", "!url-parameter-json"),
        ("?id=#H&variables=%5B%5D", "!json"),
        ("?id=#H&variables=%7B%22a%22:1,%22a%22:1%7D", "!json"),
        ("?query=%7Ba%7D", "text {a}"),
        ("?query=&id=#H", "#H"),
        // A parameter twice, also once empty, also in another spelling.
        ("?id=#H&id=#H", "!url-parameter-twice"),
        ("?id=&id=#H", "!url-parameter-twice"),
        ("?id=#H&%69d=#H", "!url-parameter-twice"),
        ("?variables=&id=#H&variables=", "!url-parameter-twice"),
        // Dropped: what some upstreams read as `query`.
        ("?id=#H&Query=%7Ba%7D&query[]=%7Ba%7D&x=1&x=2", "#H"),
        ("?id=%FF", "-id-malformed"),
        // `;` separates nothing.
        ("?id=x;query=y", "alias x;query=y"),
    ];
    for (rest, expected) in table {
        let target = fill(&format!("{ENDPOINT}{rest}"));
        assert_eq!(
            read(Method::Get, &target, b"", &Limits::default()),
            expected,
            "{rest}"
        );
    }
    let line = read(Method::Get, "/graphql?id=x", b"{}", &Limits::default());
    assert_eq!(line, "!get-with-body");
}

#[test]
fn url_and_body_are_one_request() {
    let table = [
        // What stands in one place only is joined.
        ("?operationName=A", r##"{"id":"#H"}"##, "#H @A"),
        (
            "?variables=%7B%22a%22:1%7D",
            r##"{"id":"#H"}"##,
            "#H {a: 1}",
        ),
        ("/sha256:#H", r##"{"variables":{"a":1}}"##, "#H {a: 1}"),
        ("?x=1", r##"{"id":"#H"}"##, "#H"),
        (
            "?id=&query=&variables=",
            r##"{"id":"#H","variables":{"a":1}}"##,
            "#H {a: 1}",
        ),
        // What stands in both is read by some from here, by others from there.
        ("?id=#H", r##"{"id":"#H"}"##, "!url-and-body"),
        (
            "?operationName=A",
            r##"{"id":"#H","operationName":"A"}"##,
            "!url-and-body",
        ),
        (
            "?variables=%7B%7D",
            r##"{"id":"#H","variables":{}}"##,
            "!url-and-body",
        ),
        ("?query=%7Ba%7D", r##"{"query":"{a}"}"##, "!url-and-body"),
        // An id here and a text there.
        ("?query=%7Ba%7D", r##"{"id":"#H"}"##, "-id-and-text"),
        ("?id=#J", r##"{"documentId":"#H"}"##, "-ids-differ"),
        ("/sha256:#J", r##"{"documentId":"#H"}"##, "-ids-differ"),
        // A batch has nothing in the URL.
        ("?x=1", r##"[{"id":"#H"}]"##, "[#H]"),
        ("?id=", r##"[{"id":"#H"}]"##, "[#H]"),
        ("?id=#H", r##"[{"id":"#H"}]"##, "!url-and-body"),
        ("?variables=%7B%7D", r##"[{"id":"#H"}]"##, "!url-and-body"),
        ("/sha256:#H", r##"[{}]"##, "!url-and-body"),
    ];
    for (rest, body, expected) in table {
        let target = fill(&format!("{ENDPOINT}{rest}"));
        let line = read(Method::Post, &target, fill(body).as_bytes(), &batches());
        assert_eq!(line, expected, "{rest} {body}");
    }
}

#[test]
fn methods() {
    let table = [
        ("GET", true),
        ("POST", true),
        ("get", false),
        ("HEAD", false),
        ("QUERY", false),
        ("", false),
    ];
    for (method, is_known) in table {
        assert_eq!(Method::parse(method).is_ok(), is_known, "{method}");
    }
}
