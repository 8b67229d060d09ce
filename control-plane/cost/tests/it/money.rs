use ig_cost::{Amount, Month, hour_of, share, timestamp};
use proptest::prelude::*;

#[test]
fn amounts_are_decimal_texts() {
    for (text, billionths, shown) in [
        ("0", 0, "0.00"),
        ("1.5", 1_500_000_000, "1.50"),
        ("0.000000001", 1, "0.000000001"),
        ("-2.25", -2_250_000_000, "-2.25"),
        (
            "999999999999999.999999999",
            999_999_999_999_999_999_999_999,
            "999999999999999.999999999",
        ),
    ] {
        let amount: Amount = text.parse().unwrap();
        assert_eq!(amount, Amount::of_billionths(billionths));
        assert_eq!(amount.to_string(), shown);
    }
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "1e3",
        "+1",
        "1,5",
        " 1",
        "1.0000000001",
        "--1",
        "NaN",
        "1000000000000000",
    ] {
        assert!(text.parse::<Amount>().is_err(), "{text}");
    }
}

#[test]
fn a_cost_per_request_is_rounded_to_the_nearest() {
    for (total, count, expected) in [
        (10, 4, Some(3)),
        (10, 3, Some(3)),
        (11, 3, Some(4)),
        (1, 0, None),
    ] {
        let amount = Amount::of_billionths(total).per(count);
        assert_eq!(
            amount,
            expected.map(Amount::of_billionths),
            "{total}/{count}"
        );
    }
}

#[test]
fn months_and_hours_are_those_of_utc() {
    let month: Month = "2024-02".parse().unwrap();
    assert_eq!(timestamp(month.start()), "2024-02-01T00:00:00Z");
    assert_eq!(timestamp(month.end()), "2024-03-01T00:00:00Z");
    assert_eq!(Month::of(month.end()).to_string(), "2024-03");
    assert_eq!(Month::of(month.end() - 1), month);
    let december: Month = "2025-12".parse().unwrap();
    assert_eq!(timestamp(december.end()), "2026-01-01T00:00:00Z");
    assert_eq!(hour_of(3_600_001), 3_600_000);
    assert_eq!(hour_of(-1), -3_600_000);
    for text in [
        "2026", "2026-1", "2026-00", "2026-13", "26-01", "1969-12", "9999-01", "+026-01",
    ] {
        assert!(text.parse::<Month>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn amounts_are_read_as_they_are_shown(billionths in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
        let amount = Amount::of_billionths(billionths);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    /// Shares add up, none is further than one from what is due, and no time or
    /// weight makes a calendar panic.
    #[test]
    fn shares_add_up(
        total in 0..=1_u128 << 100,
        weights in prop::collection::vec(prop_oneof![0..10_u64, any::<u64>()], 0..40),
    ) {
        let sum: u128 = weights.iter().copied().map(u128::from).sum();
        let Some(shares) = share(total, &weights) else {
            prop_assert_eq!(sum, 0);
            return Ok(());
        };
        prop_assert_eq!(shares.len(), weights.len());
        prop_assert_eq!(shares.iter().sum::<u128>(), total);
        if sum <= u128::from(u64::MAX) && total <= u128::from(u64::MAX) {
            for (share, weight) in shares.iter().zip(&weights) {
                let due = total * u128::from(*weight) / sum;
                prop_assert!(*share == due || *share == due + 1);
                prop_assert!(*weight > 0 || *share == 0);
            }
        }
    }

    #[test]
    fn no_time_panics(millis: i64) {
        let month = Month::of(millis);
        let _ = (month.start(), month.end(), timestamp(millis), month.to_string());
    }
}
