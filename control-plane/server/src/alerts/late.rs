//! Messages that were overtaken. Several Alertmanagers tell of one group, and each tries
//! again for minutes: what arrives last need not be what was said last. So alerts are
//! compared by when they began, where messages say so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How long after the end of a group a message that it goes on may be one from before,
/// in milliseconds. It is twice the time for which Alertmanager tries by default. An
/// alert that Alertmanager has given up, since nobody told of it any more, and that goes
/// on with its old beginning, is believed after that.
const LATEST_MILLIS: i64 = 10 * 60 * 1000;
/// Longest of either text that is kept, in bytes.
const MAX_BYTES: usize = 64;

/// One time that an alert began: its fingerprint, and when in UTC (RFC 3339).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Instance(String, String);

impl Instance {
    pub(super) fn new(fingerprint: &str, began: &str) -> Option<Self> {
        // Without the `Z`, times of any precision are in the order of their texts.
        let began = began.strip_suffix('Z')?;
        let is_short = |text: &str| (1..=MAX_BYTES).contains(&text.len());
        (is_short(fingerprint) && is_short(began))
            .then(|| Self(fingerprint.to_owned(), began.to_owned()))
    }
}

/// What is known of a group.
pub(super) struct Known<'a> {
    pub(super) is_firing: bool,
    pub(super) alerts: &'a [Instance],
    /// How long ago it became so, in milliseconds.
    pub(super) age: i64,
}

/// Whether a message about these alerts was sent before what is known of the group. In
/// doubt it was not: an alert too many is seen, one too few is not.
pub(super) fn is_late(known: &Known<'_>, is_firing: bool, alerts: &[Instance]) -> bool {
    let began: BTreeMap<&str, &str> = known
        .alerts
        .iter()
        .map(|Instance(fingerprint, began)| (&**fingerprint, &**began))
        .collect();
    match (known.is_firing, is_firing) {
        // All of what it says fires is over.
        (false, true) => {
            let is_over = |Instance(fingerprint, at): &Instance| {
                began
                    .get(&**fingerprint)
                    .is_some_and(|known| at.as_str() <= *known)
            };
            known.age <= LATEST_MILLIS && !alerts.is_empty() && alerts.iter().all(is_over)
        }
        // Some of what it says is over has begun again.
        (true, false) => {
            let is_again = |Instance(fingerprint, at): &Instance| {
                began
                    .get(&**fingerprint)
                    .is_some_and(|known| at.as_str() < *known)
            };
            alerts.iter().any(is_again)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(of: &[(&str, &str)]) -> Vec<Instance> {
        let all = of.iter().filter_map(|(name, at)| Instance::new(name, at));
        all.collect()
    }

    #[test]
    fn what_was_overtaken_is_known_by_when_alerts_began() {
        let one = "2026-01-01T00:00:01Z";
        let half = "2026-01-01T00:00:01.5Z";
        let two = "2026-01-01T00:00:02Z";
        let minute = 60_000;
        // (known, of alerts, so long ago; message, of alerts; whether it is late)
        type Case<'a> = (
            (bool, &'a [(&'a str, &'a str)], i64),
            (bool, &'a [(&'a str, &'a str)]),
            bool,
        );
        let cases: [Case<'_>; 15] = [
            ((false, &[("a", one)], 0), (true, &[("a", one)]), true),
            ((false, &[("a", one)], 0), (true, &[("a", two)]), false),
            ((false, &[("a", one)], 0), (true, &[("a", half)]), false),
            ((false, &[("a", half)], 0), (true, &[("a", one)]), true),
            // Another that nobody said is over.
            (
                (false, &[("a", one)], 0),
                (true, &[("a", one), ("b", one)]),
                false,
            ),
            (
                (false, &[("a", one), ("b", two)], 0),
                (true, &[("b", two)]),
                true,
            ),
            ((false, &[("a", one)], 0), (true, &[]), false),
            ((false, &[], 0), (true, &[("a", one)]), false),
            (
                (false, &[("a", one)], 9 * minute),
                (true, &[("a", one)]),
                true,
            ),
            (
                (false, &[("a", one)], 11 * minute),
                (true, &[("a", one)]),
                false,
            ),
            ((true, &[("a", two)], 0), (false, &[("a", one)]), true),
            (
                (true, &[("a", two)], 99 * minute),
                (false, &[("a", one)]),
                true,
            ),
            ((true, &[("a", one)], 0), (false, &[("a", one)]), false),
            ((true, &[("b", two)], 0), (false, &[("a", one)]), false),
            ((true, &[("a", two)], 0), (true, &[("a", one)]), false),
        ];
        for (number, ((was, known, age), (is, told), late)) in cases.into_iter().enumerate() {
            let known = Known {
                is_firing: was,
                alerts: &alerts(known),
                age,
            };
            assert_eq!(is_late(&known, is, &alerts(told)), late, "{number}");
        }
    }

    #[test]
    fn what_does_not_say_when_it_began_is_told_apart_from_nothing() {
        for (fingerprint, began) in [
            ("", "2026-01-01T00:00:00Z"),
            ("a", ""),
            ("a", "2026-01-01T00:00:00+01:00"),
            ("a", "Z"),
            (&*"a".repeat(65), "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(Instance::new(fingerprint, began), None);
        }
    }
}
