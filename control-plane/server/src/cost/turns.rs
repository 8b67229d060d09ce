//! Whose turn it is to read what requests cost. A report may read millions of rows, and
//! holds a connection to the database as long.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ApiError;

/// Reports at once; others wait.
const ALL: usize = 2;
/// Of these, those of tenants' admins: who sees everything never waits for them alone.
const OF_TENANTS: usize = 1;

/// Reports that are made, and those that wait.
pub(crate) struct Turns {
    all: Semaphore,
    of_tenants: Semaphore,
    /// Tenants that have asked for one: each has one at a time.
    asked: Mutex<BTreeSet<String>>,
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a> {
    _all: SemaphorePermit<'a>,
    _of_tenants: Option<SemaphorePermit<'a>>,
    _asked: Option<Asked<'a>>,
}

/// That a tenant has asked, also while it waits.
struct Asked<'a> {
    turns: &'a Turns,
    tenant: String,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let asked = &self.turns.asked;
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&self.tenant);
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            all: Semaphore::new(ALL),
            of_tenants: Semaphore::new(OF_TENANTS),
            asked: Mutex::default(),
        }
    }

    /// Waits for a turn; `tenant` is that of a caller who sees one tenant only.
    ///
    /// # Errors
    /// 429 where the tenant has one, or waits for one.
    pub(super) async fn take(&self, tenant: Option<&str>) -> Result<Turn<'_>, ApiError> {
        let ending = |_| ApiError::Later("the control plane is about to end");
        let asked = tenant.map(|tenant| self.ask(tenant)).transpose()?;
        let of_tenants = match asked {
            Some(_) => Some(self.of_tenants.acquire().await.map_err(ending)?),
            None => None,
        };
        Ok(Turn {
            _all: self.all.acquire().await.map_err(ending)?,
            _of_tenants: of_tenants,
            _asked: asked,
        })
    }

    fn ask(&self, tenant: &str) -> Result<Asked<'_>, ApiError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.insert(tenant.to_owned()) {
            true => Ok(Asked {
                turns: self,
                tenant: tenant.to_owned(),
            }),
            false => Err(ApiError::TooMany {
                reason: "report-under-way",
                detail: "a report of the tenant's costs is being made; wait for it",
                seconds: 5,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Whether there is a turn at once. What waits, waits for something that only the
    /// test lets go.
    async fn now<'a>(turns: &'a Turns, tenant: Option<&str>) -> Option<Turn<'a>> {
        let took = timeout(Duration::from_millis(20), turns.take(tenant)).await;
        took.ok()?.ok()
    }

    #[tokio::test]
    async fn tenants_leave_a_turn_for_who_sees_everything() {
        let turns = Turns::new();
        let alpha = now(&turns, Some("alpha")).await.unwrap();
        // One of them at a time, and one of each: the second is told so.
        let again = turns.take(Some("alpha")).await.map(drop);
        assert!(matches!(again, Err(ApiError::TooMany { .. })));
        assert!(now(&turns, Some("bravo")).await.is_none());
        let all = now(&turns, None).await.unwrap();
        assert!(now(&turns, None).await.is_none());
        // Who has stopped waiting has not asked.
        drop(alpha);
        let bravo = now(&turns, Some("bravo")).await.unwrap();
        assert!(now(&turns, Some("alpha")).await.is_none());
        drop((all, bravo));
        assert!(now(&turns, Some("alpha")).await.is_some());
        assert!(now(&turns, Some("alpha")).await.is_some());
    }
}
