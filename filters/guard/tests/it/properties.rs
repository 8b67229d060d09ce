//! What holds for every request.

use std::rc::Rc;

use ig_contract::TextHash;
use ig_contract::snapshot::Modes;
use ig_contract::{Mode, headers};
use ig_guard::{Forward, Guard, Step};
use proptest::prelude::*;

use crate::fixture::{BOTH, CASES, CREATE, ME, Sent, by_id, guard};

thread_local! {
    /// One for all, as a worker has it.
    static ENFORCING: Rc<Guard> = guard(BOTH, |_| ());
    static WATCHING: Rc<Guard> = guard(BOTH, |head| {
        head.modes = Modes { persisted_query: Mode::Shadow, policy: Mode::Shadow, step_up: Mode::Shadow, ..Modes::default() };
    });
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![Just(ME), Just(CASES), Just(CREATE), Just("query X { me }")];
    let member = prop_oneof![
        id.prop_map(|text| format!(r#""documentId":"sha256:{}""#, TextHash::of(text.as_bytes()))),
        Just(r#""query":"{ secret }""#.to_owned()),
        Just(r#""operationName":"Me""#.to_owned()),
        Just(r#""operationName":null"#.to_owned()),
        "\"variables\":\\{\"(first|retention|x)\":(1|\"short-30d\"|\"forever\"|null|\\[1\\])\\}",
        "\"[a-z]{1,8}\":(1|null|\\{\\}|\"[a-z\\\\u]{0,6}\")",
    ];
    let object =
        prop::collection::vec(member, 0..4).prop_map(|all| format!("{{{}}}", all.join(",")));
    prop_oneof![
        4 => object.clone().prop_map(String::into_bytes),
        1 => prop::collection::vec(object, 0..4)
            .prop_map(|all| format!("[{}]", all.join(",")).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

fn requests() -> impl Strategy<Value = Sent> {
    let name = prop_oneof![
        "x-ig-[a-z]{1,8}",
        Just("x-ig-purpose".to_owned()),
        Just("x-ig-tenant".to_owned()),
        Just("accept".to_owned()),
        Just("content-type".to_owned()),
        "[a-z]{1,6}",
    ];
    let headers = prop::collection::vec((name, prop::collection::vec(any::<u8>(), 0..12)), 0..4);
    (bodies(), headers).prop_map(|(body, headers)| {
        let sent = Sent::post(body);
        headers
            .iter()
            .fold(sent, |sent, (name, value)| sent.with(name, value))
    })
}

/// What of the request is left, as Envoy applies a forward.
fn applied(sent: &Sent, forward: &Forward) -> Vec<(String, Vec<u8>)> {
    let mut left: Vec<_> = sent
        .headers
        .iter()
        .map(|(name, value)| (String::from_utf8(name.clone()).unwrap(), value.clone()))
        .filter(|(name, _)| !forward.remove.contains(name))
        .collect();
    for (name, value) in &forward.set {
        left.retain(|(known, _)| known != name);
        left.push(((*name).to_owned(), value.clone().into_bytes()));
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_on_is_the_catalogues(sent in requests()) {
        let guard = ENFORCING.with(Rc::clone);
        let step = sent.to(&guard);
        prop_assert_eq!(&step, &sent.to(&guard), "the same request, the same answer");
        match step {
            Step::Forward(forward) => {
                let body = forward.body.clone().unwrap();
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let items = body.as_array().cloned().unwrap_or_else(|| vec![body]);
                for item in items {
                    let text = item["query"].as_str().unwrap();
                    prop_assert!([ME, CASES, CREATE].contains(&text), "{}", text);
                    prop_assert_eq!(item.as_object().unwrap().len(), 3);
                }
                let length = forward.body.as_ref().unwrap().len().to_string();
                let left = applied(&sent, &forward);
                let get = |name: &str| {
                    let found: Vec<_> = left.iter().filter(|(known, _)| known == name).collect();
                    prop_assert_eq!(found.len(), 1, "{}", name);
                    Ok(found[0].1.clone())
                };
                prop_assert_eq!(get("content-length")?, length.into_bytes());
                prop_assert_eq!(get(headers::TENANT)?, b"alpha".to_vec());
                prop_assert_eq!(get(headers::PURPOSE)?, b"investigation".to_vec());
            }
            Step::Reply(reply) => {
                prop_assert!((400..=599).contains(&reply.status));
                let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
                prop_assert!(!body.is_null());
                prop_assert!(!reply.records.is_empty());
            }
            step => prop_assert!(false, "{:?}", step),
        }
    }

    /// Of our names the upstream sees those that the guard set, and the
    /// client's purpose and authority; in shadow too.
    #[test]
    fn no_name_of_ours_is_the_clients(sent in requests()) {
        for guard in [ENFORCING.with(Rc::clone), WATCHING.with(Rc::clone)] {
            let Step::Forward(forward) = sent.to(&guard) else { continue };
            for (name, _) in applied(&sent, &forward) {
                let may_stay = [headers::PURPOSE, headers::AUTHORITY].contains(&name.as_str());
                let is_set = forward.set.iter().any(|(known, _)| *known == name);
                prop_assert!(!name.starts_with(headers::PREFIX) || may_stay || is_set, "{}", name);
            }
        }
    }

    #[test]
    fn in_shadow_everything_passes_as_it_came(sent in requests()) {
        let guard = WATCHING.with(Rc::clone);
        let Step::Forward(forward) = sent.to(&guard) else {
            return Err(TestCaseError::fail("denied in shadow"));
        };
        prop_assert_eq!(forward.body, None);
    }
}

#[test]
fn a_good_request_does_go_on() {
    let guard = ENFORCING.with(Rc::clone);
    assert_eq!(Sent::post(by_id(ME, "")).verdict(&guard).0, 200);
}
