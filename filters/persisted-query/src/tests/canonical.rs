//! What the upstream gets.

use ig_contract::snapshot::{DocumentSource, Head, SnapshotSource};
use ig_contract::{Deny, DenyCode, Snapshot};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;
use crate::{Prepared, Request, canonical_body, canonical_target, select, select_by_text};

/// Decodes one request and hands it on.
fn with<R>(body: &str, then: impl FnOnce(&Request<'_>) -> R) -> R {
    let body = fill(body);
    let limits = Limits::default();
    let parts = RequestParts {
        method: Method::Post,
        target: ENDPOINT,
        body: body.as_bytes(),
        endpoint: ENDPOINT,
        limits: &limits,
    };
    let outcome = decode(parts, |_, items| match items.as_slice() {
        [Ok(request)] => then(request),
        other => panic!("{other:?}"),
    });
    outcome.unwrap()
}

#[test]
fn bodies() {
    let named = operation("A", &["a", "b"]);
    let anonymous = operation("", &["a"]);
    let text = "{ \"\u{e9}\\\n\u{1F600}\u{2028}\" }";
    let escaped = "{ \\\"\u{e9}\\\\\\n\u{1F600}\u{2028}\\\" }";
    let table = [
        (
            r##"{"id":"#H"}"##,
            &named,
            format!(r##"{{"query":"{escaped}","operationName":"A","variables":{{}}}}"##),
        ),
        (
            r##"{"id":"#H"}"##,
            &anonymous,
            format!(r##"{{"query":"{escaped}","variables":{{}}}}"##),
        ),
        (
            // In the client's order, without what is not declared, as it stood.
            r##"{"variables":{"x":9,"b": [1.0, "\u0041"] ,"B":1,"\u0061":null},"id":"#H","extensions":{"y":1}}"##,
            &named,
            format!(
                r##"{{"query":"{escaped}","operationName":"A","variables":{{"b":[1.0, "\u0041"],"a":null}}}}"##
            ),
        ),
    ];
    for (body, operation, expected) in table {
        let prepared = Prepared::new(operation, text);
        let canonical = with(body, |request| {
            let items = [(&prepared, operation, request)];
            canonical_body(false, items.into_iter())
        });
        assert_eq!(String::from_utf8(canonical).unwrap(), expected);
    }
    let prepared = Prepared::new(&anonymous, "{a}");
    let batch = with(r##"{"id":"#H"}"##, |request| {
        let items = [(&prepared, &anonymous, request); 2];
        canonical_body(true, items.into_iter())
    });
    let item = r##"{"query":"{a}","variables":{}}"##;
    assert_eq!(
        String::from_utf8(batch).unwrap(),
        format!("[{item},{item}]")
    );
}

#[test]
fn targets_up_to_their_limit() {
    let named = operation("A", &["a"]);
    let prepared = Prepared::new(&named, "query A { a&b }");
    let expected =
        "/graphql?query=query+A+%7B+a%26b+%7D&operationName=A&variables=%7B%22a%22%3A%22%26%22%7D";
    with(r##"{"id":"#H","variables":{"a":"&","x":1}}"##, |request| {
        let target = |max| canonical_target(&prepared, &named, request, ENDPOINT, max);
        let length = u32::try_from(expected.len()).unwrap();
        assert_eq!(target(length).unwrap(), expected);
        let deny = target(length - 1).unwrap_err();
        assert_eq!(
            (deny.code, &*deny.rule),
            (DenyCode::UriTooLong, "get-too-long")
        );
    });
    with(r##"{"id":"#H"}"##, |request| {
        let target = canonical_target(&prepared, &named, request, ENDPOINT, 1000).unwrap();
        assert_eq!(
            target,
            "/graphql?query=query+A+%7B+a%26b+%7D&operationName=A"
        );
    });
    let anonymous = operation("", &[]);
    let prepared = Prepared::new(&anonymous, "{a}");
    with(r##"{"id":"#H"}"##, |request| {
        let target = canonical_target(&prepared, &anonymous, request, ENDPOINT, 1000).unwrap();
        assert_eq!(target, "/graphql?query=%7Ba%7D");
    });
}

fn catalogue() -> Snapshot {
    let mut for_app = operation("App", &[]);
    for_app.clients = vec!["app".into(), "other".into()];
    let documents = [
        (H, vec![operation("H", &[])]),
        (J, vec![operation("J", &[]), operation("K", &[]), for_app]),
    ];
    let source = SnapshotSource {
        head: Head {
            graph: "demo".into(),
            schema_tag: "v1".into(),
            policy_revision: "p1".into(),
            endpoint: ENDPOINT.into(),
            limits: Limits::default(),
            identity: Default::default(),
            modes: Default::default(),
            tenants: BTreeMap::new(),
            texts: None,
            directory: None,
            step_up: None,
            rate_limit: None,
            residency: None,
            subscriptions: None,
        },
        program: Vec::new(),
        documents: documents
            .into_iter()
            .map(|(text, operations)| {
                let document = DocumentSource {
                    text: text.into(),
                    embed: true,
                    operations,
                };
                (TextHash::of(text.as_bytes()), document)
            })
            .collect(),
        aliases: BTreeMap::from([("x-app:h".into(), TextHash::of(H.as_bytes()))]),
    };
    Snapshot::decode(source.encode().unwrap()).unwrap()
}

#[test]
fn selection() {
    let catalogue = catalogue();
    let load = |index| catalogue.operation(index).map(Rc::new);
    // Body, client, operation by id, operation by id or text.
    let table = [
        (r##"{"id":"#H"}"##, None, "H", "H"),
        (r##"{"id":"x-app:h"}"##, None, "H", "H"),
        (
            r##"{"id":"x-app:H"}"##,
            None,
            "-not-in-list",
            "-not-in-list",
        ),
        (r##"{"id":"#H","operationName":"H"}"##, None, "H", "H"),
        (
            r##"{"id":"#H","operationName":"h"}"##,
            None,
            "-operation-name",
            "-operation-name",
        ),
        (
            r##"{"id":"#J"}"##,
            None,
            "-operation-name",
            "-operation-name",
        ),
        (r##"{"id":"#J","operationName":"K"}"##, None, "K", "K"),
        // For another client it does not exist.
        (
            r##"{"id":"#J","operationName":"App"}"##,
            None,
            "-not-in-list",
            "-not-in-list",
        ),
        (
            r##"{"id":"#J","operationName":"App"}"##,
            Some("ap"),
            "-not-in-list",
            "-not-in-list",
        ),
        (
            r##"{"id":"#J","operationName":"App"}"##,
            Some("other"),
            "App",
            "App",
        ),
        // A text is found by its exact bytes, and only where it may be one.
        (r##"{"query":"query H { h }"}"##, None, "-id-required", "H"),
        (
            r##"{"query":"query H { h } "}"##,
            None,
            "-id-required",
            "-not-in-list",
        ),
        (
            r##"{"query":"query J { j }","operationName":"J"}"##,
            None,
            "-id-required",
            "J",
        ),
    ];
    for (body, client, by_id, by_text) in table {
        let name = |outcome: Result<(_, _, Rc<Operation>), Deny>| match outcome {
            Ok((_, _, operation)) => operation.name.clone(),
            Err(deny) => format!("-{}", deny.rule),
        };
        with(body, |request| {
            assert_eq!(
                name(select(&catalogue, request, client, load)),
                by_id,
                "{body}"
            );
            assert_eq!(
                name(select_by_text(&catalogue, request, client, load)),
                by_text,
                "{body}"
            );
        });
    }
}
