//! Token buckets in memory that workers share.
//!
//! A bucket is a point in time per rate: when it will be full again (the generic
//! cell rate algorithm, ITU-T I.371). Buckets are in a table of fixed size,
//! since a host may be unable to delete what it was given; what is full again
//! gives its place to others.
//!
//! What all Envoys share ([`FleetCharge`]) is somewhere else, and counted alike.
//!
//! Pure: the caller brings the table ([`Slots`]) and the time.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod bucket;
mod fleet;
mod refusal;
mod slots;

use std::hash::Hasher as _;

use ig_contract::snapshot::{ClassLimits, MAX_RATES, OperationClass, Rate, RateLimit};
use siphasher::sip::SipHasher13;

use crate::bucket::{Bucket, Draw};
pub use crate::fleet::FleetCharge;
pub use crate::refusal::{FLEET_RULE, Reason, Refusal, Scope};
use crate::slots::{Place, find};
pub use crate::slots::{Slots, Unavailable};

/// How often a bucket is tried that others change meanwhile. A worker is in the
/// way for a microsecond, so this many times in a row is no accident.
const ATTEMPTS: usize = 16;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Tenant of the subject.
    pub tenant: &'a str,
    /// Whose token names the subject.
    pub issuer: &'a str,
    /// Name of the subject.
    pub subject: &'a str,
    /// Client the token was given to.
    pub client: Option<&'a str>,
    /// The tenant's share, in percent of what a class allows.
    pub percent: u32,
}

/// What one request costs, by class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Costs([u32; OperationClass::ALL.len()]);

impl Costs {
    /// Adds an operation. None is for nothing.
    pub fn add(&mut self, class: OperationClass, cost: u32) {
        if let Some(sum) = self.0.get_mut(class as usize) {
            *sum = sum.saturating_add(cost.max(1));
        }
    }

    /// The classes that cost anything.
    pub fn iter(&self) -> impl Iterator<Item = (OperationClass, u32)> {
        let all = OperationClass::ALL.into_iter().zip(self.0);
        all.filter(|(_, cost)| *cost > 0)
    }
}

/// The limits of one graph.
#[derive(Debug)]
pub struct Limiter {
    settings: RateLimit,
    graph: String,
    seed: [u8; 16],
}

/// A bucket that a request takes from, and where it is.
struct Charge<'a> {
    key: u64,
    scope: Scope,
    class: OperationClass,
    rates: &'a [Rate],
    /// In percent.
    share: u64,
    cost: u32,
}

impl Limiter {
    /// Limits of a graph. `seed` keeps callers from choosing each other's
    /// buckets; all that share a table have the same.
    pub fn new(settings: &RateLimit, graph: &str, seed: [u8; 16]) -> Self {
        Self {
            settings: settings.clone(),
            graph: graph.to_owned(),
            seed,
        }
    }

    /// Takes the costs of a request from its caller's buckets, from all or, where
    /// one has not enough, from none. `now` is in nanoseconds since the epoch.
    ///
    /// Where two workers take the last of one bucket at once, the one that comes
    /// second has taken from its other buckets already.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn spend(
        &self,
        slots: &dyn Slots,
        caller: Caller<'_>,
        costs: &Costs,
        now: u64,
    ) -> Result<(), Refusal> {
        let charges: Vec<_> = costs
            .iter()
            .flat_map(|(class, cost)| self.charges(caller, class, cost))
            .collect();
        let found = charges.iter().map(|charge| self.find(slots, charge, now));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        for (charge, place) in charges.iter().zip(found) {
            self.take(slots, charge, place, now)?;
        }
        Ok(())
    }

    fn charges<'a>(
        &'a self,
        caller: Caller<'_>,
        class: OperationClass,
        cost: u32,
    ) -> impl Iterator<Item = Charge<'a>> {
        let none = (&[][..], &[][..]);
        let lists = |limits: &'a ClassLimits| (&*limits.subject, &*limits.tenant);
        let (subject, tenant) = self.settings.classes.get(&class).map_or(none, lists);
        let client = caller.client.and_then(|one| self.settings.clients.get(one));
        let tenants_share = u64::from(caller.percent);
        let client = u64::from(client.copied().unwrap_or(100));
        // A part of little is little, not nothing.
        let share = (tenants_share * client).div_ceil(100);
        let of = [
            (
                Scope::Subject,
                subject,
                share,
                [caller.issuer, caller.subject],
            ),
            (Scope::Tenant, tenant, tenants_share, ["", ""]),
        ];
        let charges = of.map(|(scope, rates, share, names)| Charge {
            key: self.key(caller.tenant, scope, class, names),
            scope,
            class,
            rates: rates.get(..MAX_RATES).unwrap_or(rates),
            share,
            cost,
        });
        charges
            .into_iter()
            .filter(|charge| !charge.rates.is_empty())
    }

    fn key(&self, tenant: &str, scope: Scope, class: OperationClass, names: [&str; 2]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.seed);
        for part in [&self.graph, tenant, names[0], names[1]] {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        hasher.write_u8(scope as u8);
        hasher.write_u8(class as u8);
        hasher.finish()
    }

    /// Where a charge's bucket is, and what it will be.
    fn find(&self, slots: &dyn Slots, charge: &Charge<'_>, now: u64) -> Result<Place, Refusal> {
        let place = find(slots, self.settings.slots, charge.key, now);
        let place = place.map_err(|_| charge.refusal(Reason::Unavailable))?;
        let mut place = place.ok_or_else(|| charge.refusal(Reason::Full))?;
        charge.spend(&mut place.bucket, now)?;
        Ok(place)
    }

    fn take(
        &self,
        slots: &dyn Slots,
        charge: &Charge<'_>,
        mut place: Place,
        now: u64,
    ) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            match slots.write(place.slot, &place.bucket.encode(), place.version) {
                Ok(true) => return Ok(()),
                Ok(false) => place = self.find(slots, charge, now)?,
                Err(Unavailable) => return Err(charge.refusal(Reason::Unavailable)),
            }
        }
        Err(charge.refusal(Reason::Contended))
    }
}

impl Charge<'_> {
    fn spend(&self, bucket: &mut Bucket, now: u64) -> Result<(), Refusal> {
        for (rate, full_at) in self.rates.iter().zip(&mut bucket.full_at) {
            let draw = Draw::new(*rate, self.share, self.cost);
            let draw = draw.ok_or_else(|| self.refusal(Reason::TooMuch { rate: *rate }))?;
            let spent = draw.spend(*full_at, now);
            *full_at = spent.map_err(|short| self.refusal(Reason::used_up(*rate, short)))?;
        }
        Ok(())
    }

    fn refusal(&self, reason: Reason) -> Refusal {
        Refusal {
            scope: self.scope,
            class: self.class,
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
