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

/// What is taken from a bucket by one rate, as times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub(crate) rate: Rate,
    /// In percent.
    pub(crate) share: u64,
    /// In which the rate fills the bucket.
    pub(crate) deep: u64,
    /// In which what is taken comes back.
    pub(crate) taken: u64,
}

/// A bucket that has not enough.
pub(crate) struct Short {
    /// Nanoseconds until it has.
    pub(crate) wait: u64,
    /// What it has.
    pub(crate) left: u32,
}

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds in which `rate` gives a cost, to somebody with `share` percent.
fn time(rate: Rate, share: u64, cost: u32) -> u128 {
    let whole = u128::from(cost) * u128::from(rate.seconds) * 1_000_000_000 * 100;
    whole.div_ceil((u128::from(rate.cost) * u128::from(share)).max(1))
}

impl Draw {
    /// `cost`, taken by somebody with `share` percent of a rate; none where the
    /// bucket never has so much. With half of the rate it holds half as much.
    pub(crate) fn new(rate: Rate, share: u64, cost: u32) -> Option<Self> {
        let deep = u64::try_from(time(rate, 100, rate.burst)).unwrap_or(u64::MAX);
        let taken = u64::try_from(time(rate, share, cost)).ok()?;
        let draw = Self {
            rate,
            share,
            deep,
            taken,
        };
        (taken <= deep).then_some(draw)
    }

    /// When the bucket will be full again.
    pub(crate) fn spend(&self, full_at: u64, now: u64) -> Result<u64, Short> {
        let empty_until = match full_at.saturating_sub(now) {
            // A bucket can be no emptier than empty. Where it seems so, a worker has
            // looked at the clock a little earlier than another;
            time if time <= self.deep.saturating_mul(2).saturating_add(SECOND) => {
                time.min(self.deep)
            }
            // or the clock was set back, or the limit made smaller: it begins anew.
            _ => 0,
        };
        let after = empty_until.saturating_add(self.taken);
        if after <= self.deep {
            return Ok(now.saturating_add(after));
        }
        Err(self.short(empty_until))
    }

    /// What a bucket lacks that would be full after `empty_until` nanoseconds.
    pub(crate) fn short(&self, empty_until: u64) -> Short {
        let after = empty_until.saturating_add(self.taken);
        let filled = u128::from(self.deep.saturating_sub(empty_until)) * u128::from(self.rate.cost);
        let filled = filled.saturating_mul(self.share.into());
        let left = filled / (u128::from(self.rate.seconds) * 100_000_000_000).max(1);
        Short {
            wait: after.saturating_sub(self.deep),
            left: u32::try_from(left).unwrap_or(u32::MAX),
        }
    }
}
