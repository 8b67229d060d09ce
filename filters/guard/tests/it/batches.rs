//! Batches: off, capped, all or nothing, in order.

use crate::fixture::{BOTH, CASES, CREATE, ME, Sent, by_id, guard, header};

#[test]
fn counts() {
    let one = by_id(ME, "");
    let batch = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
    let table = [
        (0, 1, 400, "batch-off"),
        (3, 0, 400, "batch-empty"),
        (3, 1, 200, ""),
        (3, 3, 200, ""),
        (3, 4, 422, "batch-limit"),
    ];
    for (limit, count, status, rule) in table {
        let guard = guard(BOTH, |head| head.limits.max_batch = limit);
        let got = Sent::post(batch(count)).verdict(&guard);
        assert_eq!(got, (status, rule.to_owned()), "{count} of {limit}");
    }
}

#[test]
fn an_allowed_batch_keeps_its_order_and_shape() {
    let guard = guard(BOTH, |_| ());
    let cases = by_id(CASES, r#","variables":{"first":3,"other":4}"#);
    let sent = Sent::post(format!("[{},{cases}]", by_id(ME, "")));
    let forward = sent.forwarded(&guard);
    let body = String::from_utf8(forward.body.clone().unwrap()).unwrap();
    assert_eq!(
        body,
        r#"[{"query":"query Me { me }","operationName":"Me","variables":{}},{"query":"query Cases($first: Int) { cases(first: $first) }","operationName":"Cases","variables":{"first":3}}]"#
    );
    assert_eq!(header(&forward, "x-ig-operation"), Some("Me,Cases"));
    assert_eq!(forward.records.matches("\"outcome\":\"allow\"").count(), 2);
}

#[test]
fn one_deny_aborts_the_others() {
    let guard = guard(BOTH, |_| ());
    let forever = by_id(CREATE, r#","variables":{"retention":"forever"}"#);
    let sent = Sent::post(format!(
        r#"[{},{forever},{{"id":"nowhere"}}]"#,
        by_id(ME, "")
    ));
    let reply = sent.denied(&guard);
    assert_eq!(reply.status, 403);
    let body = String::from_utf8(reply.body).unwrap();
    let codes: Vec<_> = body
        .split(r#""code":""#)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "BATCH_ABORTED",
            "POLICY_DENIED",
            "PERSISTED_QUERY_NOT_IN_LIST"
        ]
    );
    assert!(body.starts_with('[') && body.ends_with(']'));
    assert_eq!(reply.records.matches("\"outcome\":\"deny\"").count(), 3);
}

#[test]
fn items_that_are_no_object_spoil_only_their_place() {
    let guard = guard(BOTH, |_| ());
    for item in ["1", "null", "[]", "\"x\"", "{\"id\":1}"] {
        let sent = Sent::post(format!("[{},{item}]", by_id(ME, "")));
        assert_eq!(sent.verdict(&guard).0, 400, "{item}");
    }
}
