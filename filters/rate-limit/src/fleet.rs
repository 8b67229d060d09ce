//! Buckets that all Envoys take from. Whoever keeps them, this process or a
//! script of Redis, counts alike: in whole microseconds, which a script's
//! doubles hold exactly where nanoseconds since the epoch would be rounded.

use ig_contract::snapshot::{MAX_RATES, OperationClass, Rate};

use crate::bucket::Draw;
use crate::{Reason, Refusal, Scope};

/// Longest time in which a bucket is filled, in microseconds: some 140 years.
/// Twice as much is exact in a double, and so is the time of day with it.
const LONGEST: u64 = 1 << 52;

/// What one request takes from a tenant's bucket of one class.
#[derive(Clone, Debug)]
pub struct FleetCharge {
    class: OperationClass,
    draws: Vec<Draw>,
}

impl FleetCharge {
    /// `cost`, taken at once by a tenant with `percent` of the rates.
    ///
    /// # Errors
    /// [`Refusal`], where a rate never gives so much.
    pub fn new(
        class: OperationClass,
        rates: &[Rate],
        percent: u32,
        cost: u32,
    ) -> Result<Self, Refusal> {
        let draws = rates.iter().take(MAX_RATES).map(|rate| {
            let draw = Draw::new(*rate, percent.into(), cost.max(1));
            let draw = draw.map(|draw| Draw {
                deep: whole(draw.deep),
                taken: whole(draw.taken),
                ..draw
            });
            draw.ok_or_else(|| refusal(class, Reason::TooMuch { rate: *rate }))
        });
        let draws = draws.collect::<Result<_, _>>()?;
        Ok(Self { class, draws })
    }

    /// By rate: in how many microseconds a bucket is filled, and in how many
    /// what is taken comes back. Zeroes stand for no rate: it always has enough.
    pub fn times(&self) -> [[u64; 2]; MAX_RATES] {
        let mut times = [[0; 2]; MAX_RATES];
        for (times, draw) in times.iter_mut().zip(&self.draws) {
            *times = [draw.deep / 1_000, draw.taken / 1_000];
        }
        times
    }

    /// Takes it from a bucket: when it will be full by each rate, in
    /// microseconds since what `now` is since.
    ///
    /// # Errors
    /// [`Refusal`], where it has not enough.
    pub fn spend(&self, full_at: [u64; MAX_RATES], now: u64) -> Result<[u64; MAX_RATES], Refusal> {
        // What no rate fills is full.
        let mut next = [0; MAX_RATES];
        for ((next, full_at), draw) in next.iter_mut().zip(full_at).zip(&self.draws) {
            let spent = draw.spend(full_at.saturating_mul(1_000), now.saturating_mul(1_000));
            *next = spent
                .map_err(|short| refusal(self.class, Reason::used_up(draw.rate, short)))?
                / 1_000;
        }
        Ok(next)
    }

    /// The refusal by a rate, by number, of a bucket that will be full after so
    /// many microseconds; none where there is no such rate.
    pub fn refusal(&self, rate: usize, full_in: u64) -> Option<Refusal> {
        let draw = self.draws.get(rate)?;
        let short = draw.short(full_in.saturating_mul(1_000));
        Some(refusal(self.class, Reason::used_up(draw.rate, short)))
    }
}

/// In whole microseconds, of nanoseconds, as nanoseconds.
fn whole(time: u64) -> u64 {
    time.div_ceil(1_000).min(LONGEST) * 1_000
}

fn refusal(class: OperationClass, reason: Reason) -> Refusal {
    Refusal {
        scope: Scope::Fleet,
        class,
        reason,
    }
}
