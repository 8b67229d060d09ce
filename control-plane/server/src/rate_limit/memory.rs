//! Buckets of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ig_contract::snapshot::MAX_RATES;

use super::{Charge, Refused, Verdict};

/// Fewest buckets for which it is looked which are full.
const SWEEP: usize = 1024;

/// Buckets. Their names are made of publications' tenants and classes, so no
/// client makes their number grow.
pub(super) struct Memory {
    started: Instant,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    /// When each is full by each rate, in microseconds; those that are full are
    /// as good as absent.
    full_at: HashMap<String, [u64; MAX_RATES]>,
    /// Their number at which the full ones are dropped.
    sweep_at: usize,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            buckets: Mutex::default(),
        }
    }

    pub(super) fn take(&self, charges: &[Charge]) -> Verdict {
        // A clock that nobody sets.
        let now = self.started.elapsed().as_micros();
        self.take_at(charges, u64::try_from(now).unwrap_or(u64::MAX))
    }

    /// `now` is in microseconds since any time.
    pub(super) fn take_at(&self, charges: &[Charge], now: u64) -> Verdict {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::with_capacity(charges.len());
        for (number, Charge { key, charge }) in charges.iter().enumerate() {
            let full_at = buckets.full_at.get(key).copied().unwrap_or_default();
            let full_at = charge.spend(full_at, now).map_err(|refusal| Refused {
                charge: number,
                refusal,
            })?;
            taken.push((key, full_at));
        }
        for (key, full_at) in taken {
            buckets.full_at.insert(key.clone(), full_at);
        }
        if buckets.full_at.len() > buckets.sweep_at {
            let is_used = |full_at: &mut [u64; MAX_RATES]| full_at.iter().any(|time| *time > now);
            buckets.full_at.retain(|_, full_at| is_used(full_at));
            // Twice as many later: a sweep costs each of them once.
            buckets.sweep_at = SWEEP.max(2 * buckets.full_at.len());
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.full_at.len()
    }
}
