//! The arithmetic of one bucket.

use ig_contract::snapshot::{MAX_RATES, Rate};

/// Bytes of a stored bucket.
const BYTES: usize = 8 + 8 * MAX_RATES;

/// A bucket as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bucket {
    /// Whose it is.
    pub(crate) key: u64,
    /// When it will be full again by each rate, in nanoseconds since the epoch.
    pub(crate) full_at: [u64; MAX_RATES],
}

impl Bucket {
    /// Whether it is full, so that nothing is lost with it.
    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.full_at.iter().all(|full_at| *full_at <= now)
    }

    pub(crate) fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let numbers = std::iter::once(&self.key).chain(&self.full_at);
        for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        bytes
    }

    /// What is not a bucket is one of nobody, which is full.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut bucket = Self::default();
        if bytes.len() == BYTES {
            let numbers = std::iter::once(&mut bucket.key).chain(&mut bucket.full_at);
            for (number, place) in numbers.zip(bytes.as_chunks::<8>().0) {
                *number = u64::from_le_bytes(*place);
            }
        }
        bucket
    }
}

/// What becomes of a bucket that something is taken from.
pub(crate) enum Fill {
    /// It has enough, and will be full again then.
    FullAt(u64),
    /// It will have enough after so many nanoseconds; this much is left.
    In { wait: u64, left: u32 },
    /// It never has enough.
    Never,
}

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds in which `rate` gives a cost, to somebody with `share` percent.
fn time(rate: Rate, share: u64, cost: u32) -> u128 {
    let whole = u128::from(cost) * u128::from(rate.seconds) * 1_000_000_000 * 100;
    whole.div_ceil((u128::from(rate.cost) * u128::from(share)).max(1))
}

/// Takes `cost` from a bucket of somebody with `share` percent of a rate. With
/// half of the rate the bucket holds half as much.
pub(crate) fn spend(full_at: u64, rate: Rate, share: u64, cost: u32, now: u64) -> Fill {
    let deep = u64::try_from(time(rate, 100, rate.burst)).unwrap_or(u64::MAX);
    let Ok(taken) = u64::try_from(time(rate, share, cost)) else {
        return Fill::Never;
    };
    if taken > deep {
        return Fill::Never;
    }
    let empty_until = match full_at.saturating_sub(now) {
        // A bucket can be no emptier than empty. Where it seems so, a worker has
        // looked at the clock a little earlier than another;
        time if time <= deep.saturating_mul(2).saturating_add(SECOND) => time.min(deep),
        // or the clock was set back, or the limit made smaller: it begins anew.
        _ => 0,
    };
    let after = empty_until.saturating_add(taken);
    if after <= deep {
        return Fill::FullAt(now.saturating_add(after));
    }
    let filled = u128::from(deep - empty_until) * u128::from(rate.cost);
    let left =
        filled.saturating_mul(share.into()) / (u128::from(rate.seconds) * 100_000_000_000).max(1);
    Fill::In {
        wait: after - deep,
        left: u32::try_from(left).unwrap_or(u32::MAX),
    }
}
