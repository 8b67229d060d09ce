//! The trace that the guard's own calls are part of.

use std::rc::Rc;

use ig_contract::headers;
use ig_guard::{Exchange, RequestHead, TraceParent};

use crate::fixture::{BOTH, DECISION_ID, ME, Sent, by_id, guard, made};

const IDS: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
const CHOSEN: &str = "87480383-79aa-903c-891f-c14cf0945647";
const NOT_CHOSEN: &str = "940e2e6d-07d2-4434-b37c-b740ddfc7a8d";
const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-ffffffffffffffff-01";
const NOT_KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-ffffffffffffffff-00";

fn read(all: &[(&str, &str)]) -> Option<TraceParent> {
    let all = all.iter();
    RequestHead::read(all.map(|(name, value)| (name.as_bytes(), value.as_bytes()))).trace()
}

/// (request id, the client's `traceparent`, whether Envoy keeps the trace), as
/// Envoy 1.40 was seen to.
#[test]
fn a_trace_is_kept_as_envoy_keeps_it() {
    let forced = CHOSEN.replace("-903c", "-a03c");
    let table = [
        (CHOSEN, None, true),
        (forced.as_str(), None, true),
        (NOT_CHOSEN, None, false),
        ("9", None, false),
        ("", None, false),
        (CHOSEN, Some(KEPT), true),
        (CHOSEN, Some(NOT_KEPT), false),
        (NOT_CHOSEN, Some(KEPT), false),
        (CHOSEN, Some("nonsense"), false),
    ];
    for (id, client, is_kept) in table {
        let mut sent = vec![(headers::TRACE, IDS), ("x-request-id", id)];
        sent.extend(client.map(|client| ("traceparent", client)));
        let trace = read(&sent).unwrap();
        assert_eq!(trace.is_sampled(), is_kept, "{sent:?}");
        // The gateway's span, not the client's.
        let flags = u8::from(is_kept);
        assert_eq!(trace.to_string(), format!("00-{IDS}-0{flags}"));
    }
}

#[test]
fn what_is_no_span_of_the_gateway_is_none() {
    let long = format!("{IDS}0");
    let upper = IDS.to_uppercase();
    let table = [
        "",
        "---",
        "-",
        long.as_str(),
        upper.as_str(),
        "00000000000000000000000000000000-b7ad6b7169203331",
        "0af7651916cd43dd8448eb211c80319c-0000000000000000",
        "0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331",
        "0af7651916cd43dd8448eb211c8031\r\n-b7ad6b7169203331",
    ];
    for value in table {
        assert_eq!(read(&[(headers::TRACE, value)]), None, "{value:?}");
    }
    assert_eq!(
        read(&[("x-request-id", CHOSEN), ("traceparent", KEPT)]),
        None
    );
    assert_eq!(read(&[(headers::TRACE, IDS), (headers::TRACE, IDS)]), None);
}

/// A client may have written it, unless the gateway says that it does.
#[test]
fn without_the_gateways_word_no_trace_is_believed() {
    let headers = [(headers::TRACE, IDS), ("x-request-id", CHOSEN)];
    for is_traced in [false, true] {
        let mut guard = made(BOTH, |_| ());
        if is_traced {
            guard.set_traced();
        }
        let all = headers.iter();
        let head = RequestHead::read(all.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let exchange = Exchange::new(Some(Rc::new(guard)), DECISION_ID.into(), head);
        assert_eq!(exchange.trace().is_some(), is_traced);
    }
}

#[test]
fn no_upstream_sees_what_is_for_the_guard() {
    let guard = guard(BOTH, |_| ());
    let sent = Sent::post(by_id(ME, "")).with(headers::TRACE, IDS);
    let sent = sent.with("traceparent", KEPT);
    let forward = sent.forwarded(&guard);
    assert!(forward.remove.iter().any(|name| name == headers::TRACE));
    assert!(!forward.remove.iter().any(|name| name == "traceparent"));
}
