use ig_cost::{
    Amount, Counts, DENIED, Entry, Group, Hour, Key, OVERFLOW, Owner, PriceMap, Prices, Reason,
    Resource, Scope, Statement, Sums, Usage, Weight,
};
use proptest::prelude::*;

pub(crate) fn prices() -> Prices {
    let text = r#"{"version": "v1", "currency": "EUR", "effectiveFrom": 0, "regions": {
        "eu": {"cpuSecond": "0.0000133334", "gbEgress": "0.09", "replicaHour": "0.04", "request": "0.0000002"},
        "us": {"cpuSecond": "0.0000100007", "gbEgress": "0.05", "replicaHour": "0.03", "request": "0.0000001"}
    }}"#;
    Prices::new([serde_json::from_str::<PriceMap>(text).unwrap()])
}

pub(crate) fn key(tenant: Option<&str>, route: &str, operation: &str) -> Key {
    Key {
        graph: "demo".into(),
        tenant: tenant.map(Into::into),
        route: route.into(),
        operation: operation.into(),
    }
}

pub(crate) fn entry(key: Key, requests: u64, egress_bytes: u64, busy_micros: u64) -> Entry {
    Entry {
        region: "eu".into(),
        key,
        counts: Counts {
            requests,
            request_bytes: 0,
            egress_bytes,
            busy_micros,
        },
    }
}

pub(crate) fn usage(resource: Resource, quantity: u64, overhead: u64) -> Usage {
    Usage {
        region: "eu".into(),
        resource,
        quantity,
        overhead,
    }
}

fn of(hour: &Hour, scope: Scope) -> Statement {
    let mut statement = Statement::new(scope);
    statement.add(hour, &prices());
    statement
}

fn cpu(statement: &Statement, tenant: &str) -> u64 {
    let groups = statement.by(Group::Tenant);
    groups[&(None, tenant.to_owned())].quantity(Resource::CpuSecond)
}

#[test]
fn without_spans_work_is_the_time_of_upstreams() {
    let hour = Hour {
        entries: vec![
            entry(key(Some("a"), "r", "x"), 10, 0, 3_000),
            entry(key(Some("b"), "r", "x"), 10, 0, 1_000),
        ],
        usage: vec![usage(Resource::CpuSecond, 5_000, 1_000)],
        ..Hour::default()
    };
    let statement = of(&hour, Scope::default());
    assert_eq!((cpu(&statement, "a"), cpu(&statement, "b")), (3_000, 1_000));
    assert!(statement.rest().contains_key(&Reason::Overhead));
}

#[test]
fn spans_weigh_and_what_they_do_not_tell_of_keeps_its_proportion() {
    let weight = |tenant, route: &str, spans, nanos| Weight {
        key: key(Some(tenant), route, "x"),
        spans,
        nanos,
    };
    let hour = Hour {
        entries: vec![
            entry(key(Some("a"), "r", "x"), 10, 0, 1_000),
            entry(key(Some("b"), "r", "x"), 10, 0, 1_000),
            // No span: as much time as both together.
            entry(key(Some("c"), "r", "x"), 1, 0, 2_000),
        ],
        usage: vec![usage(Resource::CpuSecond, 8_000, 0)],
        weights: vec![
            // Three times the work, from a sample of another size; without a route.
            weight("a", "", 2, 6_000),
            weight("b", "r", 5, 5_000),
            weight("b", "", 5, 500_000),
            weight("nobody", "r", 1, u64::MAX),
        ],
        ..Hour::default()
    };
    let statement = of(&hour, Scope::default());
    let shares = ["a", "b", "c"].map(|tenant| cpu(&statement, tenant));
    assert_eq!(shares, [3_000, 1_000, 4_000]);
}

#[test]
fn the_remainder_says_why() {
    let hour = Hour {
        entries: vec![
            entry(key(Some("a"), "r", "x"), 10, 0, 0),
            entry(key(None, DENIED, DENIED), 5, 0, 0),
            entry(key(None, OVERFLOW, OVERFLOW), 3, 0, 0),
        ],
        usage: vec![
            usage(Resource::Request, 20, 0),
            // Nobody is in the other region.
            Usage {
                region: "us".into(),
                ..usage(Resource::ReplicaHour, 1_000_000, 0)
            },
        ],
        ..Hour::default()
    };
    let statement = of(&hour, Scope::default());
    let billionths = |billionths| Amount::of_billionths(billionths);
    let expected = [
        (Reason::Anonymous, billionths(1_000)),
        (Reason::Overhead, billionths(30_000_000)),
        (Reason::Overflow, billionths(600)),
        (Reason::Uncounted, billionths(400)),
    ];
    assert_eq!(statement.rest(), expected.into());
    assert_eq!(statement.total(), billionths(30_000_000 + 20 * 200));
}

#[test]
fn a_part_has_what_it_has_of_the_whole() {
    let hour = Hour {
        entries: vec![
            entry(key(Some("a"), "r", "x"), 7, 100, 11),
            entry(key(Some("b"), "s", "x"), 13, 900, 17),
            entry(key(None, DENIED, DENIED), 1, 10, 5),
        ],
        usage: vec![usage(Resource::CpuSecond, 1_000_001, 7)],
        ..Hour::default()
    };
    let whole = of(&hour, Scope::default());
    let scope = Scope {
        tenant: Some("a".into()),
        ..Scope::default()
    };
    let part = of(&hour, scope.clone());
    assert_eq!(part.total(), whole.spent(&scope));
    assert!(
        part.lines().all(
            |line| matches!(line.owner, Owner::Key(key) if key.tenant.as_deref() == Some("a"))
        )
    );
    assert!(!part.scope().is_all() && whole.scope().is_all());
}

#[test]
fn without_a_price_nothing_costs_and_it_is_said() {
    let mut statement = Statement::new(Scope::default());
    let hour = Hour {
        usage: vec![Usage {
            region: "elsewhere".into(),
            ..usage(Resource::CpuSecond, 5, 0)
        }],
        ..Hour::default()
    };
    statement.add(&hour, &prices());
    assert_eq!(statement.total(), Amount::ZERO);
    let unpriced = statement.unpriced();
    assert_eq!((unpriced.len(), unpriced[0].quantity), (1, 5));
}

fn hours() -> impl Strategy<Value = Vec<Hour>> {
    let names = (0..3_usize, 0..3_usize, 0..4_usize, any::<bool>());
    let counts = (
        0..=1_000_000_000_000_u64,
        0..1_000_000_u64,
        0..=1_000_000_000_000_u64,
    );
    let entries = prop::collection::vec((names.clone(), counts), 0..12);
    let usage = prop::collection::vec(
        (
            0..4_usize,
            0..=1_000_000_000_000_000_u64,
            any::<u32>(),
            any::<bool>(),
        ),
        0..6,
    );
    let weights = prop::collection::vec((names, any::<u64>(), any::<u64>()), 0..5);
    let hour = (entries, usage, weights).prop_map(|(entries, usage, weights)| {
        let region = |is_eu| if is_eu { "eu" } else { "us" }.to_owned();
        let name = |(tenant, route, operation, _): (usize, usize, usize, bool)| {
            let tenant = [None, Some("a"), Some("b")][tenant];
            key(
                tenant,
                ["r", "s", "t"][route],
                ["x", "y", DENIED, OVERFLOW][operation],
            )
        };
        Hour {
            start: 0,
            entries: entries
                .into_iter()
                .map(|(names, (bytes, requests, busy))| Entry {
                    region: region(names.3),
                    ..entry(name(names), requests, bytes, busy)
                })
                .collect(),
            usage: usage
                .into_iter()
                .map(|(resource, quantity, overhead, is_eu)| Usage {
                    region: region(is_eu),
                    resource: Resource::ALL[resource],
                    quantity,
                    overhead: overhead.into(),
                })
                .collect(),
            weights: weights
                .into_iter()
                .map(|(names, spans, nanos)| Weight {
                    key: name(names),
                    spans,
                    nanos,
                })
                .collect(),
        }
    });
    prop::collection::vec(hour, 1..4)
}

proptest! {
    /// Hours by themselves, added up in whatever parts, are the statement of all.
    #[test]
    fn hours_add_up_to_the_statement(hours in hours(), cut in 0..4_usize) {
        let prices = prices();
        let scopes: Vec<Scope> = [(None, None), (Some("a"), None), (None, Some("r")), (Some("b"), Some("s"))]
            .map(|(tenant, route)| Scope {
                graph: Some("demo".into()),
                tenant: tenant.map(Into::into),
                route: route.map(Into::into),
            })
            .into_iter()
            .chain([Scope::default()])
            .collect();
        let mut statement = Statement::new(Scope::default());
        let mut parts = [Sums::new(scopes.clone()), Sums::new(scopes.clone())];
        for (place, hour) in hours.iter().enumerate() {
            statement.add(hour, &prices);
            parts[usize::from(place >= cut)].add(hour, &prices);
        }
        let [mut sums, other] = parts;
        sums.join(&other);
        let spent: Vec<Amount> = scopes.iter().map(|scope| statement.spent(scope)).collect();
        prop_assert_eq!(sums.spent(), spent);
        prop_assert_eq!(sums.routes(), &statement.by(Group::Route));
        prop_assert_eq!(sums.tenants(), &statement.by(Group::Tenant));
        prop_assert_eq!(sums.rest(), statement.rest().into_values().sum::<Amount>());
        prop_assert_eq!(sums.total(), statement.total());
    }

    /// To the billionth, whatever was counted, reported and said by spans: what is
    /// attributed and the remainder are the total, each total is what its quantity
    /// costs, and no quantity is lost or made.
    #[test]
    fn attributed_and_remainder_are_the_total(hours in hours()) {
        let prices = prices();
        let mut statement = Statement::new(Scope::default());
        let mut expected = Amount::ZERO;
        let mut quantities = [0_u128; 4];
        for hour in &hours {
            statement.add(hour, &prices);
            for region in ["eu", "us"] {
                for (place, resource) in Resource::ALL.into_iter().enumerate() {
                    let here = hour.usage.iter().filter(|one| one.region == region && one.resource == resource);
                    let reported: u64 = here.map(|one| one.quantity).sum();
                    let count = |one: &Entry| match resource {
                        Resource::Request => one.counts.requests,
                        Resource::GbEgress => one.counts.egress_bytes,
                        _ => 0,
                    };
                    let counted: u64 = hour.entries.iter().filter(|one| one.region == region).map(count).sum();
                    let quantity = reported.max(counted);
                    quantities[place] += u128::from(quantity);
                    let price = prices.at(0).unwrap().of_region(region).unwrap().of(resource);
                    expected += price.of(quantity, resource);
                }
            }
        }
        prop_assert_eq!(statement.total(), expected);
        for group in [Group::Route, Group::Operation, Group::Tenant] {
            let attributed: Amount = statement.by(group).values().map(ig_cost::Seen::cost).sum();
            let rest: Amount = statement.rest().into_values().sum();
            prop_assert_eq!(attributed + rest, expected);
        }
        let mut seen = [0_u128; 4];
        for line in statement.lines() {
            let place = Resource::ALL.iter().position(|one| *one == line.resource).unwrap();
            seen[place] += u128::from(line.quantity);
            prop_assert!(line.cost >= Amount::ZERO);
        }
        prop_assert_eq!(seen, quantities);
    }
}
