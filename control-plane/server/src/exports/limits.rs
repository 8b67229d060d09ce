//! How much one caller may have of this replica: at once, and of denies in a while.
//! What is beyond is answered before anything is read, decided or recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::asked::{Asker, Head};
use crate::error::ApiError;

/// Whom something is counted for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Whose {
    Tenant(String),
    /// A user who asks: tenant and id.
    User(String, String),
    /// A user whom a service names, which proves nothing: service, tenant and subject.
    Named(String, String, String),
    /// The token of a service.
    Service(String),
    /// The same, for one tenant.
    ServiceFor(String, String),
}

impl Whose {
    fn tenant(head: &Head) -> Self {
        Self::Tenant(head.tenant().to_owned())
    }

    fn user(head: &Head) -> Self {
        let tenant = head.tenant().to_owned();
        match &head.asker {
            Asker::User { person, .. } => Self::User(tenant, person.user.clone()),
            Asker::Service { actor, .. } => {
                Self::Named(head.by.name.clone(), tenant, actor.clone())
            }
        }
    }
}

/// How many there may be at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// In this process, and of one service up to half of it.
    pub(super) all: usize,
    /// Of one tenant.
    pub(super) tenant: usize,
    /// Of one user.
    pub(super) user: usize,
}

/// Requests at once. Nobody waits for a seat: a body that is on its way holds one for
/// minutes.
pub(super) struct Seats {
    most: Most,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Those who have one; nobody with none.
    of: HashMap<Whose, usize>,
}

/// A seat; it is free when this is dropped.
pub(super) struct Seat {
    of: Vec<Whose>,
    taken: Arc<Mutex<Taken>>,
}

/// Seconds until somebody may have ended.
const COME_BACK: u64 = 5;

impl Seats {
    pub(super) fn new(most: Most) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// 429 where the caller has enough of them, and 503 where all are taken.
    pub(super) fn take(&self, head: &Head) -> Result<Seat, ApiError> {
        let mut of = vec![
            (Whose::user(head), self.most.user),
            (Whose::tenant(head), self.most.tenant),
        ];
        of.extend(head.service().map(|name| {
            let most = self.most.all.div_ceil(2);
            (Whose::Service(name.to_owned()), most)
        }));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has_enough = |(whose, most): &(Whose, usize)| {
            let own = taken.of.get(whose).copied().unwrap_or_default();
            own >= *most
        };
        if of.iter().any(has_enough) {
            return Err(ApiError::TooMany {
                reason: "exports-at-once",
                detail: "too many exports at once; wait for the answers of earlier ones",
                seconds: COME_BACK,
            });
        }
        if taken.all >= self.most.all {
            return Err(ApiError::Later(
                "too many exports are under way; send the same request again",
            ));
        }
        taken.all += 1;
        let of: Vec<_> = of.into_iter().map(|(whose, _)| whose).collect();
        for whose in &of {
            *taken.of.entry(whose.clone()).or_default() += 1;
        }
        Ok(Seat {
            of,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        for whose in &self.of {
            let left = taken.of.get(whose).copied().unwrap_or_default();
            match left {
                0 | 1 => drop(taken.of.remove(whose)),
                _ => drop(taken.of.insert(whose.clone(), left - 1)),
            }
        }
    }
}

/// Denies that a user may get in a minute, and at once. Each costs an evaluation of
/// the policy, and leaves a record.
const USERS_DENIES: f64 = 30.0;
/// Those that a service may get for all users of a tenant: whom it asks for is the
/// service's to say.
const SERVICES_DENIES: f64 = 300.0;
/// Callers that are remembered; those are forgotten first who have all of theirs
/// left, and at the limit everybody is.
const MAX_KEPT: usize = 10_000;

/// Denies, as token buckets.
#[derive(Default)]
pub(super) struct Denies(Mutex<HashMap<Whose, Left>>);

/// Denies that are left, and when that was counted.
#[derive(Clone, Copy)]
struct Left {
    count: f64,
    at: Instant,
}

impl Left {
    fn at(self, now: Instant, per_minute: f64) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.count + since * per_minute / 60.0).min(per_minute)
    }
}

impl Denies {
    fn kept(&self) -> MutexGuard<'_, HashMap<Whose, Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request is to be decided at all.
    ///
    /// # Errors
    /// 429 after too many that were denied.
    pub(super) fn check(&self, head: &Head, now: Instant) -> Result<(), ApiError> {
        let kept = self.kept();
        for (whose, per_minute) in counted(head) {
            let left = kept
                .get(&whose)
                .map_or(per_minute, |left| left.at(now, per_minute));
            if left < 1.0 {
                let seconds = ((1.0 - left) * 60.0 / per_minute).ceil();
                return Err(ApiError::TooMany {
                    reason: "exports-denied",
                    detail: "too many exports were denied; mend what is denied before you ask again",
                    seconds: seconds.max(1.0) as u64,
                });
            }
        }
        Ok(())
    }

    /// Counts a deny.
    pub(super) fn count(&self, head: &Head, now: Instant) {
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.retain(|whose, left| left.at(now, rate(whose)) < rate(whose));
        }
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        for (whose, per_minute) in counted(head) {
            let count = kept
                .get(&whose)
                .map_or(per_minute, |left| left.at(now, per_minute));
            let count = count - 1.0;
            kept.insert(whose, Left { count, at: now });
        }
    }
}

fn rate(whose: &Whose) -> f64 {
    match whose {
        Whose::ServiceFor(..) | Whose::Service(_) => SERVICES_DENIES,
        Whose::Tenant(_) | Whose::User(..) | Whose::Named(..) => USERS_DENIES,
    }
}

/// For whom denies of a request count, and how many each may get in a minute.
fn counted(head: &Head) -> impl Iterator<Item = (Whose, f64)> {
    let of_service = head
        .service()
        .map(|name| Whose::ServiceFor(name.to_owned(), head.tenant().to_owned()));
    let all = std::iter::once(Whose::user(head)).chain(of_service);
    all.map(|whose| {
        let per_minute = rate(&whose);
        (whose, per_minute)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::Principal;

    /// A request that a service relays.
    fn relayed(service: &str, tenant: &str, actor: &str) -> Head {
        Head {
            by: Principal::of_system(service),
            asker: Asker::Service {
                tenant: tenant.into(),
                actor: actor.into(),
                decision: "d".into(),
            },
            purpose: None,
            authority: None,
            key: "k".into(),
        }
    }

    const MOST: Most = Most {
        all: 8,
        tenant: 3,
        user: 2,
    };

    fn status<T>(outcome: Result<T, ApiError>) -> (u16, bool) {
        let error = outcome.err().expect("a refusal");
        (error.status().as_u16(), error.retry_after().is_some())
    }

    #[test]
    fn a_user_a_tenant_and_a_service_have_so_many_seats_and_no_more() {
        let seats = Seats::new(MOST);
        let take =
            |service: &str, tenant: &str, actor: &str| seats.take(&relayed(service, tenant, actor));
        let mut taken = vec![take("s", "alpha", "ada"), take("s", "alpha", "ada")];
        assert_eq!(status(take("s", "alpha", "ada")), (429, true));
        taken.push(take("s", "alpha", "eve"));
        assert_eq!(status(take("s", "alpha", "bob")), (429, true));
        // The same name in another tenant is somebody else.
        taken.push(take("s", "bravo", "ada"));
        assert_eq!(status(take("s", "charlie", "ada")), (429, true));
        taken.push(take("t", "charlie", "ada"));
        taken.push(take("t", "charlie", "eve"));
        taken.push(take("t", "delta", "ada"));
        taken.push(take("t", "delta", "eve"));
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(status(take("u", "echo", "ada")), (503, true));
        taken.clear();
        assert!(take("u", "echo", "ada").is_ok());
        let left = seats.taken.lock().unwrap();
        assert_eq!((left.all, left.of.len()), (0, 0), "nobody is remembered");
    }

    #[test]
    fn denies_are_so_many_a_minute() {
        let (denies, start) = (Denies::default(), Instant::now());
        let ada = relayed("s", "alpha", "ada");
        for _ in 0..USERS_DENIES as usize {
            denies.check(&ada, start).unwrap();
            denies.count(&ada, start);
        }
        assert_eq!(status(denies.check(&ada, start)), (429, true));
        for other in [relayed("s", "alpha", "eve"), relayed("s", "bravo", "ada")] {
            denies.check(&other, start).unwrap();
        }
        denies.check(&ada, start + Duration::from_secs(2)).unwrap();
        // A service gets no more by naming others.
        for number in 0..SERVICES_DENIES as usize {
            denies.count(&relayed("t", "alpha", &number.to_string()), start);
        }
        let another = relayed("t", "alpha", "another");
        assert_eq!(status(denies.check(&another, start)), (429, true));
        denies
            .check(&relayed("t", "bravo", "another"), start)
            .unwrap();
    }

    #[test]
    fn what_is_remembered_of_denies_is_bounded() {
        let (denies, start) = (Denies::default(), Instant::now());
        for number in 0..MAX_KEPT + 10 {
            denies.count(&relayed("s", "alpha", &number.to_string()), start);
        }
        assert!(denies.kept().len() <= MAX_KEPT + 1);
        // Whoever has all of theirs again is not remembered.
        let later = start + Duration::from_secs(60);
        for number in 0..MAX_KEPT {
            denies.count(&relayed("s", "bravo", &number.to_string()), later);
        }
        denies.count(
            &relayed("s", "charlie", "ada"),
            later + Duration::from_secs(60),
        );
        assert!(denies.kept().len() <= 4);
    }
}
