//! Who pays for a request, and how often.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ig_contract::Mode;
use ig_contract::snapshot::{ClassLimits, Head, OperationClass, Rate, RateLimit};
use ig_guard::{Guard, Step};
use ig_rate_limit::{Slots, Unavailable};

use crate::fixture::{
    ALPHA, BOTH, BRAVO, CREATE, ITEMS, ME, REMOTE, Sent, by_id, head, header, snapshot,
};

#[derive(Default)]
struct Table(RefCell<HashMap<u32, (Vec<u8>, u32)>>);

impl Slots for Table {
    fn read(&self, slot: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Ok(self.0.borrow().get(&slot).cloned())
    }

    fn write(&self, slot: u32, value: &[u8], version: Option<u32>) -> Result<bool, Unavailable> {
        let next = version.unwrap_or_default() + 1;
        self.0.borrow_mut().insert(slot, (value.to_vec(), next));
        Ok(true)
    }
}

fn limited(edit: impl FnOnce(&mut Head)) -> Rc<Guard> {
    let rate = |cost| Rate {
        cost,
        seconds: 60,
        burst: cost,
    };
    let limits = |subject, fleet: &[u32]| ClassLimits {
        subject: vec![rate(subject)],
        tenant: vec![],
        fleet: fleet.iter().copied().map(rate).collect(),
    };
    let mut head = head();
    head.rate_limit = Some(RateLimit {
        classes: [
            (OperationClass::Query, limits(3, &[])),
            (OperationClass::Mutation, limits(20, &[])),
        ]
        .into(),
        clients: [("batch".to_owned(), 34)].into(),
        slots: RateLimit::default_slots(),
    });
    edit(&mut head);
    let mut guard = Guard::new(snapshot(head), BOTH).unwrap();
    guard.set_slots(Rc::new(Table::default()), [1; 16]);
    Rc::new(guard)
}

fn me() -> Sent {
    Sent::post(by_id(ME, ""))
}

fn create() -> String {
    by_id(CREATE, r#","variables":{"retention":"short-30d"}"#)
}

/// How many pass before the first that does not, and its verdict.
fn until_refused(guard: &Rc<Guard>, sent: &Sent) -> (usize, (u16, String)) {
    for passed in 0..100 {
        let verdict = sent.verdict(guard);
        if verdict.0 != 200 {
            return (passed, verdict);
        }
    }
    panic!("never refused");
}

#[test]
fn everybody_has_a_limit_of_each_class() {
    let guard = limited(|_| ());
    let refused = (429, "rate-limit-subject".to_owned());
    assert_eq!(until_refused(&guard, &me()), (3, refused.clone()));
    // A mutation costs 10.
    assert_eq!(
        until_refused(&guard, &Sent::post(create())),
        (2, refused.clone())
    );
    assert_eq!(until_refused(&guard, &me().of(BRAVO)), (3, refused.clone()));
    let other = ALPHA.replace("a@alpha.io", "other");
    assert_eq!(
        until_refused(&guard, &me().of(&other)),
        (3, refused.clone())
    );
    // A client with a third of the share.
    let batch = ALPHA
        .replace("a@alpha.io", "batch")
        .replace('{', r#"{"azp":"batch","#);
    assert_eq!(until_refused(&guard, &me().of(&batch)), (1, refused));
    // A tenant with a larger one.
    let guard = limited(|head| {
        head.tenants.get_mut("alpha").unwrap().rate_percent = Some(200);
    });
    assert_eq!(until_refused(&guard, &me()).0, 6);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let guard = limited(|_| ());
    until_refused(&guard, &me());
    let reply = me().denied(&guard);
    let value = |name| {
        let found = reply.headers.iter().filter(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(value("retry-after"), ["20"]);
    assert_eq!(value("ratelimit-policy"), [r#""subject-query";q=3;w=60"#]);
    assert_eq!(value("ratelimit"), [r#""subject-query";r=0;t=20"#]);
    assert!(reply.records.contains(r#""rule":"rate-limit-subject""#));
    assert!(reply.records.contains(r#""operation":"Me""#));
    // What never fits is not worth to be tried again.
    let small = limited(|head| {
        let limits = head.rate_limit.as_mut().unwrap();
        let mutations = limits.classes.get_mut(&OperationClass::Mutation).unwrap();
        mutations.subject[0].burst = 9;
    });
    let reply = Sent::post(create()).denied(&small);
    assert_eq!(crate::fixture::rule(&reply), "rate-limit-cost");
    assert!(reply.headers.iter().all(|(name, _)| *name != "retry-after"));
}

#[test]
fn lists_cost_as_many_items_as_are_asked_for() {
    // (variables, cost)
    let table = [
        ("", 2),
        (r#","variables":{"first":7}"#, 7),
        (r#","variables":{"first":null}"#, 2),
        (r#","variables":{"first":1000}"#, 1000),
        // As lenient servers read numbers.
        (r#","variables":{"first":7e2}"#, 700),
        (r#","variables":{"first":7.0}"#, 7),
        (r#","variables":{"first":"7"}"#, 7),
        (r#","variables":{"first":"1e3"}"#, 1000),
        // Of nothing, nothing; of less, what is asked for is not known.
        (r#","variables":{"first":0}"#, 1),
        (r#","variables":{"first":-5}"#, 2),
        // What is no number may be as much as there can be.
        (r#","variables":{"first":"many"}"#, 1_000_000_000),
        (r#","variables":{"first":"NaN"}"#, 1_000_000_000),
        (r#","variables":{"first":true}"#, 1_000_000_000),
        (r#","variables":{"first":[7]}"#, 1_000_000_000),
        (
            r#","variables":{"first":99999999999999999999}"#,
            1_000_000_000,
        ),
    ];
    for (variables, cost) in table {
        let guard = limited(|head| {
            let limits = head.rate_limit.as_mut().unwrap();
            let queries = limits.classes.get_mut(&OperationClass::Query).unwrap();
            queries.subject = vec![];
            queries.fleet = vec![Rate {
                cost: 1,
                seconds: 1,
                burst: 1,
            }];
        });
        let forward = Sent::post(by_id(ITEMS, variables)).forwarded(&guard);
        assert_eq!(
            header(&forward, "x-ig-cost-query"),
            Some(&*cost.to_string()),
            "{variables}"
        );
    }
}

#[test]
fn a_batch_costs_what_its_operations_do_and_runs_whole_or_not_at_all() {
    let guard = limited(|_| ());
    let one = by_id(ME, "");
    let batch = Sent::post(format!("[{one},{one},{one}]"));
    assert_eq!(until_refused(&guard, &batch).0, 1);
    let guard = limited(|_| ());
    assert_eq!(until_refused(&guard, &me()).0, 3);
    let mixed = Sent::post(format!("[{one},{}]", create()));
    let reply = mixed.denied(&guard);
    assert_eq!(reply.status, 429);
    // The mutation of it was not paid for.
    assert_eq!(until_refused(&guard, &Sent::post(create())).0, 2);
}

#[test]
fn who_is_denied_pays_too_and_nobody_pays_twice() {
    let guard = limited(|_| ());
    let denied = me().set("x-ig-purpose", "audit");
    let refused = until_refused(&guard, &denied);
    assert_eq!(refused, (0, (403, "purpose-not-granted".to_owned())));
    assert_eq!(until_refused(&guard, &me()).0, 2);
    // A request that waits for a text is decided twice.
    let guard = limited(|_| ());
    let remote = Sent::post(by_id(REMOTE[0], ""));
    let (mut exchange, step) = remote.begin(Some(&guard));
    let Step::FetchTexts(hashes) = step else {
        panic!("{step:?}");
    };
    let step = exchange.on_text(hashes[0], Some(REMOTE[0].into()));
    assert!(matches!(step, Some(Step::Forward(_))), "{step:?}");
    assert_eq!(until_refused(&guard, &remote).0, 2);
}

#[test]
fn whom_nobody_knows_shares_a_bucket() {
    let guard = limited(|head| head.modes.policy = Mode::Shadow);
    let nobody = me().of_nobody();
    assert_eq!(until_refused(&guard, &nobody).0, 3);
    assert_eq!(until_refused(&guard, &me()).0, 3);
}

#[test]
fn in_shadow_nobody_is_refused_and_it_is_said() {
    let guard = limited(|head| head.modes.rate_limit = Mode::Shadow);
    for number in 0..5 {
        let forward = me().forwarded(&guard);
        let is_over = forward.records.contains(r#""rule":"rate-limit-subject""#);
        assert_eq!(is_over, number >= 3, "{}", forward.records);
        let outcome = forward.records.contains(r#""outcome":"shadow-deny""#);
        assert_eq!(outcome, number >= 3);
    }
}

#[test]
fn without_a_table_nobody_passes() {
    let mut head = head();
    head.rate_limit = Some(RateLimit {
        classes: [(OperationClass::Query, ClassLimits::default())].into(),
        clients: [].into(),
        slots: 64,
    });
    let guard = Rc::new(Guard::new(snapshot(head), BOTH).unwrap());
    let expected = (503, "rate-limit-unavailable".to_owned());
    assert_eq!(me().verdict(&guard), expected);
}

#[test]
fn the_fleet_is_told_what_a_request_costs() {
    let told = |guard: &Rc<Guard>, sent: &Sent| {
        let forward = sent.forwarded(guard);
        ["x-ig-cost-query", "x-ig-cost-mutation"]
            .map(|name| header(&forward, name).map(ToOwned::to_owned))
    };
    let local = limited(|_| ());
    assert_eq!(told(&local, &me()), [None, None]);
    let global = limited(|head| {
        let limits = head.rate_limit.as_mut().unwrap();
        let mutations = limits.classes.get_mut(&OperationClass::Mutation).unwrap();
        mutations.fleet.clone_from(&mutations.subject);
    });
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told(&global, &me()), [some("1"), None]);
    let batch = format!("[{},{}]", by_id(ME, ""), create());
    assert_eq!(told(&global, &Sent::post(batch)), [some("1"), some("10")]);
}
