//! Where an id may stand, and what else may stand in a body.

use ig_contract::snapshot::Limits;

use super::*;

#[test]
fn one_id_in_every_carrier() {
    let table = [
        // Each carrier, each spelling of a hash.
        (r##"{"documentId":"#H"}"##, "#H"),
        (r##"{"documentId":"sha256:#H"}"##, "#H"),
        (r##"{"id":"#H"}"##, "#H"),
        (r##"{"doc_id":"#H"}"##, "#H"),
        (
            r##"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"#H"}}}"##,
            "#H",
        ),
        (
            r##"{"extensions":{"persistedQuery":{"sha256Hash":"#H","version":1,"x":{}},"y":0}}"##,
            "#H",
        ),
        (r##"{"documentId":"x-app:case"}"##, "alias x-app:case"),
        (
            r##"{"id":"9a0364b9e99bb480dd25e1f0284c8555"}"##,
            "alias 9a0364b9e99bb480dd25e1f0284c8555",
        ),
        // Several that mean the same.
        (
            r##"{"id":"#H","documentId":"sha256:#H","doc_id":"#H"}"##,
            "#H",
        ),
        // Several that do not.
        (r##"{"id":"#H","documentId":"#J"}"##, "-ids-differ"),
        (r##"{"doc_id":"a","id":"b"}"##, "-ids-differ"),
        (
            r##"{"id":"#H","extensions":{"persistedQuery":{"version":1,"sha256Hash":"#J"}}}"##,
            "-ids-differ",
        ),
        // Ids that are none.
        (r##"{"id":"sha256:#Hx"}"##, "-id-malformed"),
        (r##"{"id":" #H"}"##, "-id-malformed"),
        (r##"{"id":"#H\u0000"}"##, "-id-malformed"),
        (r##"{"id":"md5:abc"}"##, "-id-malformed"),
        (r##"{"id":7}"##, "!json"),
        (r##"{"id":["#H"]}"##, "!json"),
        (r##"{"documentId":true}"##, "!json"),
        (r##"{"doc_id":{}}"##, "!json"),
        // Absent, null and "" are one.
        (r##"{}"##, "-id-required"),
        (r##"{"id":""}"##, "-id-required"),
        (r##"{"id":null}"##, "-id-required"),
        (r##"{"id":null,"documentId":"","doc_id":"#H"}"##, "#H"),
        // Names are exact after unescaping: what an upstream that ignores case
        // would read is dropped.
        (r##"{"document\u0049d":"#H"}"##, "#H"),
        (r##"{"DocumentId":"#H"}"##, "-id-required"),
        (r##"{"id":"#H","Query":"{ a }","QUERY":"{ b }"}"##, "#H"),
        (r##"{"id":"#H","operationname":"X"}"##, "#H"),
    ];
    for (body, expected) in table {
        assert_eq!(post(body), expected, "{body}");
    }
}

#[test]
fn texts() {
    let table = [
        (r##"{"query":"{ a }"}"##, "text { a }"),
        (r##"{"qu\u0065ry":"{ a }"}"##, "text { a }"),
        (r##"{"id":"#H","query":"{ a }"}"##, "-id-and-text"),
        // The right text is a text as well.
        (r##"{"id":"#H","query":"query H { h }"}"##, "-id-and-text"),
        (
            r##"{"query":" ","extensions":{"persistedQuery":{"version":1,"sha256Hash":"#H"}}}"##,
            "-id-and-text",
        ),
        (r##"{"id":"#H","query":""}"##, "#H"),
        (r##"{"id":"#H","query":null}"##, "#H"),
        (r##"{"query":""}"##, "-id-required"),
        (r##"{"query":{}}"##, "!json"),
        (r##"{"query":["{ a }"]}"##, "!json"),
    ];
    for (body, expected) in table {
        assert_eq!(post(body), expected, "{body}");
    }
}

#[test]
fn a_persisted_query_extension_that_is_malformed_is_never_no_id() {
    let table = [
        (r##"null"##, "#H"),
        (r##"{}"##, "#H"),
        (r##"{"persistedQuery":null}"##, "#H"),
        (r##"{"persistedquery":{"version":2}}"##, "#H"),
        (r##"{"persistedQuery":{}}"##, "!json"),
        (r##"{"persistedQuery":[1,"#H"]}"##, "!json"),
        (r##"{"persistedQuery":"#H"}"##, "!json"),
        (r##"{"persistedQuery":{"sha256Hash":"#H"}}"##, "!json"),
        (r##"{"persistedQuery":{"version":1}}"##, "!json"),
        (
            r##"{"persistedQuery":{"version":2,"sha256Hash":"#H"}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":1.0,"sha256Hash":"#H"}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":"1","sha256Hash":"#H"}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":null,"sha256Hash":"#H"}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":1,"sha256Hash":null}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":1,"sha256Hash":7}}"##,
            "!json",
        ),
        (
            r##"{"persistedQuery":{"version":1,"sha256Hash":""}}"##,
            "-id-malformed",
        ),
        (r##""{}""##, "!json"),
        (r##"[]"##, "!json"),
        (r##"1"##, "!json"),
    ];
    for (extensions, expected) in table {
        let body = format!(r##"{{"id":"#H","extensions":{extensions}}}"##);
        assert_eq!(post(&body), expected, "{extensions}");
    }
}

#[test]
fn names_and_variables() {
    let table = [
        (r##""operationName":"A""##, "#H @A"),
        (r##""operationName":"\u0041""##, "#H @A"),
        (r##""operationName":"""##, "#H"),
        (r##""operationName":null"##, "#H"),
        (r##""operationName":1"##, "!json"),
        (r##""operationName":"\ud800""##, "!json"),
        (r##""variables":null"##, "#H"),
        (r##""variables":{}"##, "#H"),
        (
            r##""variables":{"a": 1.0 ,"b":[ {} ],"\u0063":"\u0064"}"##,
            r##"#H {a: 1.0, b: [ {} ], c: "\u0064"}"##,
        ),
        (r##""variables":"{}""##, "!json"),
        (r##""variables":[]"##, "!json"),
        (r##""variables":[["a",1]]"##, "!json"),
        (r##""variables":1"##, "!json"),
        // What parsers disagree about.
        (r##""variables":{"a":1e999}"##, "!json"),
        (r##""variables":{"a":-1e999}"##, "!json"),
        (
            r##""variables":{"a":123456789012345678901234567890}"##,
            "#H {a: 123456789012345678901234567890}",
        ),
        (r##""variables":{"a":1e-999}"##, "#H {a: 1e-999}"),
        (r##""variables":{"a":-0}"##, "#H {a: -0}"),
        (r##""variables":{"a":01}"##, "!json"),
        (r##""variables":{"a":.5}"##, "!json"),
        (r##""variables":{"a":+1}"##, "!json"),
        (r##""variables":{"a":NaN}"##, "!json"),
        (r##""variables":{"a":"\ud800"}"##, "!json"),
        (r##""variables":{"a":"\udc00\ud800"}"##, "!json"),
        (r##""variables":{"\ud800":1}"##, "!json"),
        (r##""variables":{"a":{"\ud800":1}}"##, "!json"),
        (
            r##""variables":{"a":"\ud83d\ude00"}"##,
            r##"#H {a: "\ud83d\ude00"}"##,
        ),
        ("\"variables\":{\"a\":\"\t\"}", "!json"),
        (r##""variables":{"a":1,}"##, "!json"),
        (r##""variables":{"a":1}/**/"##, "!json"),
    ];
    for (member, expected) in table {
        let body = format!(r##"{{"id":"#H",{member}}}"##);
        assert_eq!(post(&body), expected, "{member}");
    }
}

#[test]
fn a_key_twice() {
    let many: Vec<_> = (0..20).map(|key| format!(r##""k{key}":0"##)).collect();
    let many = many.join(",");
    let table = [
        (r##"{"id":"#H","id":"#H"}"##.to_owned(), "!json"),
        (r##"{"id":"#H","i\u0064":"#H"}"##.to_owned(), "!json"),
        (r##"{"id":null,"id":"#H"}"##.to_owned(), "!json"),
        (r##"{"id":"#H","x":1,"x":1}"##.to_owned(), "!json"),
        (r##"{"id":"#H","variables":null,"variables":{}}"##.to_owned(), "!json"),
        (r##"{"id":"#H","variables":{"a":1,"a":1}}"##.to_owned(), "!json"),
        (r##"{"id":"#H","variables":{"a":[{"b":1,"\u0062":2}]}}"##.to_owned(), "!json"),
        (r##"{"id":"#H","extensions":{"x":[{"b":1,"b":2}]}}"##.to_owned(), "!json"),
        (
            r##"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"#J","sha256Hash":"#H"}}}"##
                .to_owned(),
            "!json",
        ),
        // Beyond the few keys that are compared one by one.
        (format!(r##"{{"id":"#H",{many}}}"##), "#H"),
        (format!(r##"{{"id":"#H",{many},"k19":0}}"##), "!json"),
        (format!(r##"{{"id":"#H",{many},"k0":0}}"##), "!json"),
        // What is dropped is not read.
        (r##"{"id":"#H","x":{"b":1,"b":2}}"##.to_owned(), "#H"),
    ];
    for (body, expected) in table {
        assert_eq!(post(&body), expected, "{body}");
    }
}

#[test]
fn bodies_that_are_no_request() {
    let table: &[(&[u8], &str)] = &[
        (b"", "!post-without-body"),
        (b" ", "!json"),
        (b"null", "!json"),
        (b"1", "!json"),
        (b"\"{}\"", "!json"),
        (b"{", "!json"),
        (b"{}{}", "!json"),
        (b"{} x", "!json"),
        (b"{}\0", "!json"),
        (b"\xef\xbb\xbf{}", "!json"),
        (b"\xff", "!json"),
        (b"{\"id\":\"\xff\"}", "!json"),
        (b"query={a}", "!json"),
        (b"\n{ }\r\n", "-id-required"),
        (b"[]", "!batch-off"),
        (b"[{}]", "!batch-off"),
    ];
    for (body, expected) in table {
        let line = read(Method::Post, ENDPOINT, body, &Limits::default());
        assert_eq!(line, *expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn batch_items() {
    let table = [
        (r##"[{"id":"#H"}]"##, "[#H]"),
        (
            r##" [ {"id":"#J"} , {"id":"#H","operationName":"A"} ] "##,
            "[#J | #H @A]",
        ),
        (
            r##"[{"id":"#H"},{"query":"{ a }"},{}]"##,
            "[#H | text { a } | -id-required]",
        ),
        (
            r##"[{"id":"#H"},{"id":"#H","doc_id":"#J"}]"##,
            "[#H | -ids-differ]",
        ),
        (r##"[]"##, "!batch-empty"),
        (r##"[{},{},{},{}]"##, "!batch-limit"),
        (r##"[[{"id":"#H"}]]"##, "!json"),
        (r##"[null]"##, "!json"),
        (r##"[{"id":"#H"},1]"##, "!json"),
        (r##"[{"id":"#H"},{"id":1}]"##, "!json"),
        // An object that some upstreams take for an array.
        (r##"{"0":{"id":"#H"}}"##, "-id-required"),
    ];
    for (body, expected) in table {
        let line = read(Method::Post, ENDPOINT, fill(body).as_bytes(), &batches());
        assert_eq!(line, expected, "{body}");
    }
}
