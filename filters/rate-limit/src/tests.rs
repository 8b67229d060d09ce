use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

/// As Envoy's shared data behaves: one lock, and a version for each write.
#[derive(Default)]
struct Table {
    slots: Mutex<HashMap<u32, (Vec<u8>, u32)>>,
    versions: AtomicU32,
}

impl Slots for Table {
    fn read(&self, slot: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(slots.get(&slot).cloned())
    }

    fn write(&self, slot: u32, value: &[u8], version: Option<u32>) -> Result<bool, Unavailable> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.get(&slot).map(|(_, version)| *version) != version {
            return Ok(false);
        }
        let next = self.versions.fetch_add(1, Ordering::SeqCst);
        slots.insert(slot, (value.to_vec(), next));
        Ok(true)
    }
}

/// Refuses everything, as a host does that is out of memory.
struct Broken;

impl Slots for Broken {
    fn read(&self, _: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Err(Unavailable)
    }

    fn write(&self, _: u32, _: &[u8], _: Option<u32>) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }
}

/// Somebody else is always faster.
#[derive(Default)]
struct Busy(Table);

impl Slots for Busy {
    fn read(&self, slot: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        self.0.read(slot)
    }

    fn write(&self, _: u32, _: &[u8], _: Option<u32>) -> Result<bool, Unavailable> {
        Ok(false)
    }
}

const fn rate(cost: u32, seconds: u32, burst: u32) -> Rate {
    Rate {
        cost,
        seconds,
        burst,
    }
}

fn limits(subject: &[Rate], tenant: &[Rate]) -> RateLimit {
    let query = ClassLimits {
        subject: subject.to_vec(),
        tenant: tenant.to_vec(),
        fleet: vec![],
    };
    RateLimit {
        classes: [(OperationClass::Query, query)].into(),
        clients: BTreeMap::from([("batch".to_owned(), 50), ("portal".to_owned(), 200)]),
        slots: 64,
    }
}

fn limiter(settings: &RateLimit) -> Limiter {
    Limiter::new(settings, "demo", [7; 16])
}

const A: Caller<'static> = Caller {
    tenant: "alpha",
    issuer: "https://issuer",
    subject: "a",
    client: None,
    percent: 100,
};

fn queries(cost: u32) -> Costs {
    let mut costs = Costs::default();
    costs.add(OperationClass::Query, cost);
    costs
}

/// How many requests of a cost pass in a row.
fn passes(limiter: &Limiter, table: &Table, caller: Caller<'_>, cost: u32, now: u64) -> u32 {
    let spend = |_: &u32| limiter.spend(table, caller, &queries(cost), now).is_ok();
    u32::try_from((0..10_000).take_while(spend).count()).unwrap()
}

#[test]
fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
    // (rate, cost of a request, passes at once, after seconds, passes again)
    let cases = [
        (rate(10, 1, 20), 1, 20, 1, 10),
        (rate(10, 1, 20), 1, 20, 60, 20),
        (rate(10, 1, 20), 3, 6, 1, 4),
        (rate(1, 60, 5), 1, 5, 60, 1),
        (rate(1, 60, 5), 1, 5, 59, 0),
        (rate(600, 60, 10), 5, 2, 1, 2),
        (rate(1_000_000, 1, 100), 1, 100, 1, 100),
        (rate(1, u32::MAX, 3), 1, 3, 1_000, 0),
    ];
    for (rate, cost, at_once, seconds, again) in cases {
        let (limiter, table) = (limiter(&limits(&[rate], &[])), Table::default());
        assert_eq!(
            passes(&limiter, &table, A, cost, START),
            at_once,
            "{rate:?}"
        );
        let later = START + seconds * SECOND;
        assert_eq!(passes(&limiter, &table, A, cost, later), again, "{rate:?}");
    }
}

#[test]
fn two_rates_hold_at_once() {
    let both = [rate(10, 1, 10), rate(100, 3600, 25)];
    let (limiter, table) = (limiter(&limits(&both, &[])), Table::default());
    let at = |seconds: u64| passes(&limiter, &table, A, 1, START + seconds * SECOND);
    assert_eq!([at(0), at(1), at(2), at(3)], [10, 10, 5, 0]);
}

#[test]
fn everybody_has_their_own_bucket() {
    let settings = limits(&[rate(1, 1, 3)], &[rate(1, 1, 7)]);
    let (limiter, table) = (limiter(&settings), Table::default());
    let others = [
        Caller { subject: "b", ..A },
        Caller {
            issuer: "https://other",
            ..A
        },
    ];
    assert_eq!(passes(&limiter, &table, A, 1, START), 3);
    assert_eq!(passes(&limiter, &table, others[0], 1, START), 3);
    // The tenant's is for all of its subjects.
    let refusal = limiter
        .spend(&table, others[1], &queries(2), START)
        .unwrap_err();
    assert_eq!(refusal.deny().rule, "rate-limit-tenant");
    assert_eq!(passes(&limiter, &table, others[1], 1, START), 1);
    let other_tenant = Caller {
        tenant: "bravo",
        ..A
    };
    assert_eq!(passes(&limiter, &table, other_tenant, 1, START), 3);
    // Another class, another graph: other limits.
    let mut mutation = Costs::default();
    mutation.add(OperationClass::Mutation, 1_000);
    assert!(limiter.spend(&table, A, &mutation, START).is_ok());
    let of_graph = Limiter::new(&settings, "other", [7; 16]);
    assert_eq!(passes(&of_graph, &table, A, 1, START), 3);
}

#[test]
fn shares_scale_limits() {
    let settings = limits(&[rate(10, 1, 20)], &[]);
    // (client, percent of the tenant, passes)
    let cases = [
        (None, 100, 20),
        (Some("batch"), 100, 10),
        (Some("portal"), 100, 40),
        (Some("unheard-of"), 100, 20),
        (None, 50, 10),
        (Some("portal"), 50, 20),
        (None, 1, 0),
        (None, 0, 0),
        (None, 1_000_000, 10_000),
    ];
    for (client, percent, expected) in cases {
        let (limiter, table) = (limiter(&settings), Table::default());
        let caller = Caller {
            client,
            percent,
            ..A
        };
        assert_eq!(
            passes(&limiter, &table, caller, 1, START),
            expected,
            "{client:?} {percent}"
        );
    }
}

#[test]
fn refusals_say_when_to_come_back() {
    let settings = limits(&[rate(10, 1, 20)], &[rate(30, 60, 40)]);
    let (limiter, table) = (limiter(&settings), Table::default());
    let refusal = |cost| limiter.spend(&table, A, &queries(cost), START).unwrap_err();
    let told = |refusal: &Refusal| {
        let headers = refusal
            .headers()
            .map(|headers| headers.map(|(_, value)| value));
        (
            refusal.deny().rule.into_owned(),
            refusal.retry_after(),
            headers,
        )
    };
    assert_eq!(
        told(&refusal(21)),
        (
            "rate-limit-cost".into(),
            None,
            Some([
                r#""subject-query";q=10;w=1"#.into(),
                r#""subject-query";r=0"#.into()
            ]),
        )
    );
    limiter.spend(&table, A, &queries(16), START).unwrap();
    assert_eq!(
        told(&refusal(20)),
        (
            "rate-limit-subject".into(),
            Some(2),
            Some([
                r#""subject-query";q=10;w=1"#.into(),
                r#""subject-query";r=4;t=2"#.into()
            ]),
        )
    );
    // What was refused took nothing.
    limiter.spend(&table, A, &queries(4), START).unwrap();
    let b = Caller { subject: "b", ..A };
    limiter.spend(&table, b, &queries(20), START).unwrap();
    let c = Caller { subject: "c", ..A };
    let refusal = limiter.spend(&table, c, &queries(1), START).unwrap_err();
    assert_eq!(told(&refusal).0, "rate-limit-tenant");
    assert_eq!(refusal.retry_after(), Some(2));
}

#[test]
fn what_cannot_be_decided_is_refused() {
    let limiter = limiter(&limits(&[rate(10, 1, 20)], &[]));
    let spend = |slots: &dyn Slots| {
        let refusal = limiter.spend(slots, A, &queries(1), START).unwrap_err();
        (refusal.deny().rule.into_owned(), refusal.retry_after())
    };
    assert_eq!(spend(&Broken), ("rate-limit-unavailable".into(), Some(1)));
    assert_eq!(
        spend(&Busy::default()),
        ("rate-limit-contended".into(), Some(1))
    );
}

/// One that is kept elsewhere gives what one in the table gives.
#[test]
fn the_fleets_buckets_are_counted_alike() {
    let rates = [rate(10, 1, 20), rate(100, 3600, 50)];
    let (limiter, table) = (limiter(&limits(&rates, &[])), Table::default());
    let mut bucket = [0; MAX_RATES];
    for step in 0..200 {
        let (now, cost) = (START + step * SECOND / 3, 1 + (step % 7) as u32);
        let charge = FleetCharge::new(OperationClass::Query, &rates, 100, cost).unwrap();
        let fleets = charge.spend(bucket, now / 1_000);
        let tables = limiter.spend(&table, A, &queries(cost), now / 1_000 * 1_000);
        match (fleets, tables) {
            (Ok(after), Ok(())) => bucket = after,
            (Err(fleets), Err(tables)) => {
                assert_eq!(fleets.reason, tables.reason);
                assert_eq!(fleets.deny().rule, FLEET_RULE);
                let policy = fleets.headers().unwrap()[0].1.clone();
                assert!(policy.starts_with("\"fleet-query\";q=1"), "{policy}");
            }
            differ => panic!("{step}: {differ:?}"),
        }
    }
    let never = FleetCharge::new(OperationClass::Query, &rates, 100, 21).unwrap_err();
    assert_eq!(never.deny().rule, FLEET_RULE);
    assert_eq!(never.retry_after(), None);
}

#[test]
fn buckets_that_are_full_make_room() {
    let settings = RateLimit {
        slots: slots::PROBES,
        ..limits(&[rate(1, 1, 2)], &[])
    };
    let (limiter, table) = (limiter(&settings), Table::default());
    let names: Vec<_> = (0..=slots::PROBES)
        .map(|number| number.to_string())
        .collect();
    let caller = |number: usize| Caller {
        subject: &names[number],
        ..A
    };
    for number in 0..slots::PROBES as usize {
        assert_eq!(passes(&limiter, &table, caller(number), 1, START), 2);
    }
    let last = caller(slots::PROBES as usize);
    let refusal = limiter.spend(&table, last, &queries(1), START).unwrap_err();
    assert_eq!(refusal.deny().rule, "rate-limit-full");
    assert_eq!(passes(&limiter, &table, last, 1, START + 2 * SECOND), 2);
    // It took the place of one; the others have theirs.
    assert_eq!(passes(&limiter, &table, last, 1, START + 2 * SECOND), 0);
}

#[test]
fn a_clock_that_is_set_back_shuts_nobody_out() {
    let (limiter, table) = (limiter(&limits(&[rate(1, 1, 5)], &[])), Table::default());
    assert_eq!(passes(&limiter, &table, A, 1, START), 5);
    // By a little, as workers see it: nothing is given away.
    assert_eq!(passes(&limiter, &table, A, 1, START - 2 * SECOND), 0);
    let earlier = START - 3600 * SECOND;
    assert_eq!(passes(&limiter, &table, A, 1, earlier), 5);
    assert_eq!(passes(&limiter, &table, A, 1, earlier), 0);
}

#[test]
fn what_is_no_bucket_is_nobodys() {
    for bytes in [&[][..], &[1; 23], &[1; 25]] {
        assert_eq!(Bucket::decode(bytes), Bucket::default());
    }
    let bucket = Bucket {
        key: 1,
        full_at: [2, u64::MAX],
    };
    assert_eq!(Bucket::decode(&bucket.encode()), bucket);
}

/// Looks at the clock in a second.
const STEPS: u64 = 100;

/// What workers get together that ask for more than there is. Each step of the
/// clock is over when all were refused; they look at it a little apart.
fn saturate(workers: u32, rate: Rate, cost: u32, seconds: u64) -> u64 {
    let (settings, table) = (limits(&[rate], &[]), Table::default());
    let (spent, step) = (AtomicU64::new(0), Barrier::new(workers as usize));
    std::thread::scope(|scope| {
        for worker in 0..u64::from(workers) {
            let (settings, table, spent, step) = (&settings, &table, &spent, &step);
            scope.spawn(move || {
                let limiter = limiter(settings);
                for number in 0..=seconds * STEPS {
                    let now = START + number * SECOND / STEPS - worker * 1_000;
                    while limiter.spend(table, A, &queries(cost), now).is_ok() {
                        spent.fetch_add(cost.into(), Ordering::SeqCst);
                    }
                    step.wait();
                }
            });
        }
    });
    spent.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn workers_together_get_what_is_configured_and_no_more(
        workers in 1u32..5,
        per_second in 5u32..400,
        more in 0u32..50,
        cost in 1u32..5,
    ) {
        let seconds = 4;
        // From one look to the next no bucket gets full, or what came after that is
        // nobody's.
        let burst = cost + per_second.div_ceil(STEPS as u32) + more;
        let spent = saturate(workers, rate(per_second, 1, burst), cost, seconds);
        let most = u64::from(per_second) * seconds + u64::from(burst);
        prop_assert!(spent <= most, "{spent} of {most}");
        // A last cost may not fit any more.
        let least = (most - u64::from(cost)) * 95 / 100;
        prop_assert!(spent >= least, "{spent} of {most}");
    }

    #[test]
    fn no_numbers_panic(
        full_at in any::<u64>(),
        now in any::<u64>(),
        numbers in any::<[u32; 4]>(),
        share in any::<u64>(),
    ) {
        let [cost, seconds, burst, asked] = numbers;
        let rate = rate(cost, seconds, burst);
        let draw = Draw::new(rate, share, asked);
        if let Some(Ok(time)) = draw.map(|draw| draw.spend(full_at, now)) {
            prop_assert!(time >= now);
        }
        let percent = u32::try_from(share % 10_001).unwrap();
        let class = OperationClass::Query;
        if let Ok(charge) = FleetCharge::new(class, &[rate, rate, rate], percent, asked) {
            let times = charge.times();
            prop_assert!(times.as_flattened().iter().all(|time| *time <= 1 << 52));
            let _ = charge.spend([full_at; MAX_RATES], now);
            let _ = charge.refusal(0, full_at);
            prop_assert_eq!(charge.refusal(MAX_RATES, full_at), None);
        }
    }
}
