//! Which region serves a request, and which answered.

use std::rc::Rc;

use ig_contract::Mode;
use ig_contract::snapshot::{Foreign, Head, Priority, Region, Residency, Tenant};
use ig_guard::{Guard, Guards, Step};

use crate::fixture::{ALPHA, BOTH, BRAVO, CREATE, ME, Sent, by_id, head, header, rule, snapshot};

fn regions(foreign: Foreign) -> Residency {
    let region = |gateway: &str, primary: &str| Region {
        gateways: [gateway.to_owned()].into(),
        primary: [primary.to_owned()].into(),
        ..Region::default()
    };
    Residency {
        regions: [
            ("eu".to_owned(), region("10.0.0.1:1", "10.0.0.1:80")),
            ("us".to_owned(), region("10.0.0.2:1", "10.0.0.2:80")),
        ]
        .into(),
        default_region: None,
        foreign,
    }
}

pub(crate) fn gateway(
    here: Option<&str>,
    guards: Guards,
    edit: impl FnOnce(&mut Head),
) -> Rc<Guard> {
    let mut head = head();
    head.residency = Some(regions(Foreign::Forward));
    head.tenants.insert("nowhere".into(), Tenant::default());
    edit(&mut head);
    let mut guard = Guard::new(snapshot(head), guards).unwrap();
    guard.set_region(here);
    Rc::new(guard)
}

fn rejects(head: &mut Head) {
    head.residency = Some(regions(Foreign::Reject));
}

fn me(claims: &str) -> Sent {
    Sent::post(by_id(ME, "")).of(claims)
}

const NOWHERE: &str = r#"{"iss":"https://issuer.test","sub":"n","tenant":"nowhere"}"#;

#[test]
fn a_request_is_served_in_its_region_or_not_at_all() {
    let chained = Guards {
        persisted_query: false,
        ..BOTH
    };
    let sent = |claims| me(claims);
    let table: [(_, Rc<Guard>, Sent, _, _); 8] = [
        (
            "own",
            gateway(Some("eu"), BOTH, rejects),
            sent(ALPHA),
            200,
            "",
        ),
        (
            "foreign",
            gateway(Some("eu"), BOTH, rejects),
            sent(BRAVO),
            421,
            "region-foreign",
        ),
        (
            "untagged",
            gateway(Some("eu"), BOTH, rejects),
            sent(NOWHERE),
            421,
            "region-untagged",
        ),
        (
            "loop",
            gateway(Some("eu"), BOTH, |_| ()),
            sent(BRAVO).with("x-ig-forwarded-by", "us"),
            421,
            "region-loop",
        ),
        (
            "own, forwarded",
            gateway(Some("us"), BOTH, |_| ()),
            sent(BRAVO).with("x-ig-forwarded-by", "eu"),
            200,
            "",
        ),
        (
            "lost gateway",
            gateway(None, BOTH, |_| ()),
            sent(ALPHA),
            503,
            "region-of-gateway",
        ),
        (
            "behind an allow-list",
            gateway(Some("eu"), chained, |_| ()),
            sent(BRAVO),
            421,
            "region-chain",
        ),
        (
            "nobody",
            gateway(Some("eu"), BOTH, |_| ()),
            sent(ALPHA).of_nobody(),
            401,
            "token",
        ),
    ];
    for (name, guard, sent, status, rule) in table {
        assert_eq!(sent.verdict(&guard), (status, rule.to_owned()), "{name}");
    }
    // Who may not be served is told when to come back.
    let reply = me(ALPHA).denied(&gateway(None, BOTH, |_| ()));
    assert!(reply.headers.contains(&("retry-after", "1".to_owned())));
}

/// Whatever else only watches, and whatever is wrong with a request.
#[test]
fn nothing_that_shadow_lets_pass_is_served_elsewhere() {
    use Mode::{Enforce, Shadow};
    type Fault = fn(Sent) -> Sent;
    let faults: [(&str, Fault); 6] = [
        ("none", |sent| sent),
        ("path", |sent| sent.set(":path", "/graphql/x")),
        ("media type", |sent| sent.set("content-type", "text/plain")),
        ("coding", |sent| sent.with("content-encoding", "gzip")),
        ("upgrade", |sent| sent.with("upgrade", "websocket")),
        ("purpose twice", |sent| sent.with("x-ig-purpose", "audit")),
    ];
    for (persisted_query, policy) in [(Enforce, Shadow), (Shadow, Enforce), (Shadow, Shadow)] {
        for forwards in [true, false] {
            let guard = gateway(Some("eu"), BOTH, |head| {
                head.modes.persisted_query = persisted_query;
                head.modes.policy = policy;
                if !forwards {
                    rejects(head);
                }
            });
            for (name, fault) in faults {
                for claims in [BRAVO, NOWHERE] {
                    let step = fault(me(claims)).to(&guard);
                    let region = match &step {
                        Step::Forward(forward) => header(forward, "x-ig-region"),
                        _ => None,
                    };
                    let is_sent_home = forwards && claims == BRAVO;
                    let expected = is_sent_home.then_some("us");
                    let is_shape = matches!(&step, Step::Reply(reply) if reply.status != 421);
                    assert!(region == expected || is_shape, "{name} {claims}: {step:?}");
                    assert_ne!(region, Some("eu"), "{name} {claims}: {step:?}");
                }
                let nobody = fault(me(BRAVO)).of_nobody().to(&guard);
                assert!(matches!(nobody, Step::Reply(_)), "{name}: {nobody:?}");
            }
        }
    }
}

#[test]
fn what_is_forwarded_goes_as_it_came() {
    let guard = gateway(Some("eu"), BOTH, |_| ());
    let sent = me(BRAVO)
        .with("authorization", "Bearer x")
        .with("x-ig-authority", "warrant 7")
        .with("x-ig-step-up", "a.b.c")
        .with("x-ig-region", "eu")
        .with("x-ig-actor", "somebody");
    let forward = sent.forwarded(&guard);
    let set = [("x-ig-region", "us"), ("x-ig-forwarded-by", "eu")];
    assert_eq!(
        forward.set,
        set.map(|(name, value)| (name, value.to_owned()))
    );
    assert_eq!(
        forward.remove,
        ["x-ig-jwt-payload", "x-ig-region", "x-ig-actor"]
    );
    assert_eq!(forward.body, None);
    assert!(
        forward.records.contains(r#""outcome":"allow""#),
        "{}",
        forward.records
    );
    assert!(forward.records.contains(r#""rule":"region-forward""#));
    assert!(forward.records.contains(r#""region":"us""#));
    // The other gateway decides, so nothing else is decided here.
    let denied = Sent::post("no json").of(BRAVO).without("x-ig-purpose");
    denied.forwarded(&guard);
}

#[test]
fn routes_are_told_where_to_go() {
    let guard = gateway(Some("eu"), BOTH, |head| {
        head.tenants.get_mut("alpha").unwrap().priority = Priority::High;
    });
    let route = |sent: Sent| {
        let forward = sent.set("x-ig-route", "primary").forwarded(&guard);
        let value = |name| header(&forward, name).map(ToOwned::to_owned);
        (
            value("x-ig-region"),
            value("x-ig-route"),
            value("x-ig-priority"),
        )
    };
    let expected = |route: &str| {
        let some = |text: &str| Some(text.to_owned());
        (some("eu"), some(route), some("high"))
    };
    assert_eq!(route(me(ALPHA)), expected("replica"));
    let create = by_id(CREATE, r#","variables":{"retention":"short-30d"}"#);
    assert_eq!(route(Sent::post(create.clone())), expected("primary"));
    let batch = format!("[{},{create}]", by_id(ME, ""));
    assert_eq!(route(Sent::post(batch)), expected("primary"));
    // Without regions, it is the tenant's that is told.
    let guard = crate::fixture::guard(BOTH, |_| ());
    let forward = me(BRAVO).forwarded(&guard);
    assert_eq!(header(&forward, "x-ig-region"), Some("us"));
    assert_eq!(header(&forward, "x-ig-priority"), None);
}

#[test]
fn in_shadow_everybody_is_served_here_and_it_is_said() {
    let guard = gateway(Some("eu"), BOTH, |head| head.modes.residency = Mode::Shadow);
    let forward = me(BRAVO).forwarded(&guard);
    assert_eq!(header(&forward, "x-ig-region"), Some("eu"));
    let record = r#""rule":"region-foreign""#;
    assert!(forward.records.contains(record), "{}", forward.records);
    assert!(forward.records.contains(r#""outcome":"shadow-deny""#));
}

#[test]
fn an_answer_from_elsewhere_is_withheld() {
    // (tenant, address that answered, locality, whether it is a breach)
    let table = [
        (ALPHA, "10.0.0.1:80", None, false),
        (ALPHA, "10.0.0.2:80", Some("eu"), true),
        // Every host of the region is known.
        (ALPHA, "10.9.9.9:80", Some("eu"), true),
        (ALPHA, "10.0.0.1:1", None, true),
        // A gateway that answers for its region.
        (BRAVO, "10.0.0.2:1", None, false),
        (BRAVO, "10.0.0.1:80", None, true),
    ];
    for mode in [Mode::Enforce, Mode::Shadow] {
        let guard = gateway(Some("eu"), BOTH, |head| head.modes.residency = mode);
        for (claims, address, locality, is_breach) in table {
            if mode == Mode::Shadow && claims == BRAVO {
                continue;
            }
            let (exchange, step) = me(claims).begin(Some(&guard));
            assert!(matches!(step, Step::Forward(_)), "{step:?}");
            assert!(exchange.is_placed());
            assert_eq!(exchange.is_elsewhere(), claims == BRAVO);
            let locality = || locality.map(|text: &str| text.as_bytes().to_vec());
            let breach = exchange.on_answer(address.as_bytes(), locality);
            assert_eq!(breach.is_some(), is_breach, "{address}");
            let Some(breach) = breach else { continue };
            assert!(
                breach.record.contains(r#""rule":"region-breach""#),
                "{}",
                breach.record
            );
            assert_eq!(breach.reply.is_some(), mode == Mode::Enforce);
            if let Some(reply) = breach.reply {
                assert_eq!((reply.status, &*rule(&reply)), (503, "region-breach"));
            }
        }
    }
    // Where there are no regions, nobody asks.
    let (exchange, _) = me(ALPHA).begin(Some(&crate::fixture::guard(BOTH, |_| ())));
    assert!(!exchange.is_placed());
}
