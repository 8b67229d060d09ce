use ig_cost::{Amount, InvalidPrices, MAX_QUANTITY, Price, PriceMap, Prices, Resource};
use proptest::prelude::*;

fn map(version: &str, from: i64, price: &str) -> PriceMap {
    let text = format!(
        r#"{{"version": "{version}", "currency": "EUR", "effectiveFrom": {from}, "regions":
        {{"eu": {{"cpuSecond": "{price}", "gbEgress": "1", "replicaHour": "2.50", "request": "0"}}}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// Expected text as Python's `json.dumps(sort_keys=True, separators=(",", ":"))` has it.
#[test]
fn a_map_has_one_text_however_it_was_sent() {
    let expected = r#"{"currency":"EUR","effectiveFrom":3600000,"regions":{"eu":{"cpuSecond":"0.1","gbEgress":"1","replicaHour":"2.5","request":"0"}},"version":"v1"}"#;
    for price in ["0.1", "0.10", "0.100000000000"] {
        assert_eq!(map("v1", 3_600_000, price).canonical(), expected);
    }
    let other = map("v1", 3_600_000, "0.2");
    assert_ne!(other.hash(), map("v1", 3_600_000, "0.1").hash());
    assert_eq!(other.hash().len(), 64);
}

#[test]
fn every_problem_of_a_map_is_said() {
    assert_eq!(map("v1", 0, "1").check(), Ok(()));
    let mut wrong = map("not a name", 1, "1");
    wrong.currency = "eur".into();
    let prices = wrong.regions.remove("eu").unwrap();
    wrong.regions.insert("=1+1".into(), prices);
    let Err(InvalidPrices(problems)) = wrong.check() else {
        panic!("it is not valid");
    };
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn the_price_of_an_hour_is_the_last_before_it() {
    let prices = Prices::new([
        map("b", 7_200_000, "2"),
        map("a", 0, "1"),
        map("c", 7_200_000, "3"),
    ]);
    let version = |hour| prices.at(hour).map(|map| map.version.clone());
    assert_eq!(version(-3_600_000), None);
    assert_eq!(version(3_600_000).as_deref(), Some("a"));
    // Of two from the same hour on, the one that was put last.
    assert_eq!(version(7_200_000).as_deref(), Some("c"));
}

#[test]
fn costs_are_rounded_once() {
    for (price, quantity, resource, billionths) in [
        ("0.0000002", 1, Resource::Request, 200),
        ("0.000000000499", 1, Resource::Request, 0),
        ("0.0000000005", 1, Resource::Request, 1),
        ("0.09", 1_500_000_000, Resource::GbEgress, 135_000_000),
        (
            "10000",
            MAX_QUANTITY,
            Resource::Request,
            10_000_000_000_000_000_000_000_000_000,
        ),
    ] {
        let cost = Price::parse(price).unwrap().of(quantity, resource);
        assert_eq!(cost, Amount::of_billionths(billionths), "{price}");
    }
}

proptest! {
    #[test]
    fn quantities_and_prices_are_read_as_they_are_shown(number in 0..=MAX_QUANTITY) {
        for resource in Resource::ALL {
            prop_assert_eq!(resource.read(&resource.show(number)), Some(number));
        }
        let text = format!("0.{number:016}");
        let text = &text[..14];
        let price = Price::parse(text).unwrap();
        prop_assert_eq!(Price::parse(&price.to_string()), Some(price));
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = (Price::parse(&text), text.parse::<Amount>());
        for resource in Resource::ALL {
            let _ = resource.read(&text);
        }
    }
}
