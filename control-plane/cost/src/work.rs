//! How much work requests were, by what spans and upstreams say.

use std::collections::HashMap;

use crate::key::Key;
use crate::statement::{Entry, Weight};

/// What spans say, by whom: graph, tenant, operation, route.
pub(crate) struct Spans<'a>(HashMap<[&'a str; 4], (u64, u64)>);

impl<'a> Spans<'a> {
    pub(crate) fn new(weights: &'a [Weight]) -> Self {
        let some = weights.iter().filter(|one| one.spans > 0);
        Self(
            some.map(|one| (place(&one.key), (one.spans, one.nanos)))
                .collect(),
        )
    }

    /// How many there are of a key, and their time. Spans of an upstream may not know
    /// the route.
    fn of(&self, key: &Key) -> Option<(u64, u64)> {
        let [graph, tenant, operation, route] = place(key);
        let exact = self.0.get(&[graph, tenant, operation, route]);
        exact
            .or_else(|| self.0.get(&[graph, tenant, operation, ""]))
            .copied()
    }
}

fn place(key: &Key) -> [&str; 4] {
    let tenant = key.tenant.as_deref().unwrap_or_default();
    [&key.graph, tenant, &key.operation, &key.route]
}

/// How much work each entry was, in a unit of their own: what spans say a request
/// of its kind takes, times how many there were. What no span tells of has the time
/// of its upstream, in the proportion that both have where both are known.
pub(crate) fn works(entries: &[&Entry], spans: &Spans<'_>) -> Vec<u64> {
    let told = |entry: &Entry| {
        let (count, nanos) = spans.of(&entry.key)?;
        let all = u128::from(entry.counts.requests) * u128::from(nanos);
        Some(all / u128::from(count))
    };
    let told: Vec<Option<u128>> = entries.iter().map(|entry| told(entry)).collect();
    let mut time_told: u128 = 0;
    let mut busy_told: u128 = 0;
    for (entry, told) in entries.iter().zip(&told) {
        if let Some(told) = told {
            time_told = time_told.saturating_add(*told);
            busy_told = busy_told.saturating_add(entry.counts.busy_micros.into());
        }
    }
    // Without both, a microsecond is a thousand nanoseconds.
    let (numerator, denominator) = match (time_told, busy_told) {
        (0, _) | (_, 0) => (1000, 1),
        both => fitting(both),
    };
    let mut works: Vec<u128> = Vec::with_capacity(entries.len());
    for (entry, told) in entries.iter().zip(told) {
        let busy = u128::from(entry.counts.busy_micros);
        works.push(told.unwrap_or(busy * numerator / denominator));
    }
    if works.iter().all(|work| *work == 0) {
        return entries.iter().map(|one| one.counts.requests).collect();
    }
    let largest = works.iter().copied().max().unwrap_or_default();
    let shift = (u128::BITS - largest.leading_zeros()).saturating_sub(u64::BITS);
    let fit = |work: u128| u64::try_from(work >> shift).unwrap_or(u64::MAX);
    works.into_iter().map(fit).collect()
}

/// A fraction whose numerator may be multiplied by any `u64`.
fn fitting((mut numerator, mut denominator): (u128, u128)) -> (u128, u128) {
    while numerator >> 64 > 0 {
        numerator >>= 1;
        denominator = (denominator >> 1).max(1);
    }
    (numerator, denominator)
}
