//! Calls without a valid token: so many from one address, and no more are even
//! looked at.
//!
//! Nobody guesses a token; this bounds what guessing costs us. A token that was
//! good a moment ago is looked at all the same: who shares an address with a
//! guesser is not locked out by it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// Addresses and tokens that are remembered; all are forgotten at the limit.
const MAX_KEPT: usize = 10_000;

type Hash = [u8; 32];

#[derive(Default)]
struct Kept {
    /// Failures that an address has left, and when that was counted.
    left: HashMap<IpAddr, (f64, Instant)>,
    good: HashSet<Hash>,
}

/// Failures by address.
pub(crate) struct Failures {
    per_minute: f64,
    kept: Mutex<Kept>,
}

impl Failures {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1).into(),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token is to be looked at; or, without one, a guess of something
    /// else, which was never good before.
    ///
    /// # Errors
    /// 429 after too many failures.
    pub(super) fn check(
        &self,
        address: IpAddr,
        token: Option<&str>,
        now: Instant,
    ) -> Result<(), ApiError> {
        let kept = self.kept();
        let left = self.left(&kept, network(address), now);
        let was_good = token.is_some_and(|token| kept.good.contains(&hash(token)));
        if left >= 1.0 || was_good {
            return Ok(());
        }
        let seconds = ((1.0 - left) * 60.0 / self.per_minute).ceil();
        Err(ApiError::Locked(seconds.max(1.0) as u64))
    }

    fn left(&self, kept: &Kept, address: IpAddr, now: Instant) -> f64 {
        let Some((left, at)) = kept.left.get(&address) else {
            return self.per_minute;
        };
        let since = now.saturating_duration_since(*at).as_secs_f64();
        (left + since * self.per_minute / 60.0).min(self.per_minute)
    }

    /// Counts one.
    pub(super) fn failed(&self, address: IpAddr, token: Option<&str>, now: Instant) {
        let mut kept = self.kept();
        let address = network(address);
        let left = self.left(&kept, address, now);
        if kept.left.len() >= MAX_KEPT {
            kept.left.clear();
        }
        kept.left.insert(address, (left - 1.0, now));
        if let Some(token) = token {
            kept.good.remove(&hash(token));
        }
    }

    /// Remembers that a token is good.
    pub(super) fn succeeded(&self, token: &str) {
        let mut kept = self.kept();
        if kept.good.len() >= MAX_KEPT {
            kept.good.clear();
        }
        kept.good.insert(hash(token));
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// A whole network of IPv6 is one customer's.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn failures_lock_an_address_until_time_has_passed() {
        let failures = Failures::new(60);
        let start = Instant::now();
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        failures.succeeded("good");
        for _ in 0..60 {
            assert!(failures.check(one, Some("bad"), start).is_ok());
            failures.failed(one, Some("bad"), start);
        }
        assert!(matches!(
            failures.check(one, Some("bad"), start),
            Err(ApiError::Locked(1))
        ));
        assert!(failures.check(one, Some("good"), start).is_ok());
        assert!(failures.check(other, Some("bad"), start).is_ok());
        assert!(failures.check(one, None, start).is_err());
        // A token that is revoked is no better than another.
        failures.failed(one, Some("good"), start);
        assert!(failures.check(one, Some("good"), start).is_err());
        let later = start + Duration::from_secs(3);
        assert!(failures.check(one, Some("bad"), later).is_ok());
    }

    #[test]
    fn a_network_is_one_address() {
        let same = ["2001:db8::1", "2001:db8::ffff:2"].map(|ip| network(ip.parse().unwrap()));
        assert_eq!(same[0], same[1]);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(network(mapped), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
