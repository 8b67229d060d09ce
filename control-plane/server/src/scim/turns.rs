//! Searches at once: a slow one holds a connection of the database, and others
//! need some, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ig_scim::{Error, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Of all tenants: half of the connections.
const ALL: usize = 4;
/// Of one tenant.
const EACH: usize = 2;
/// Longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tenants that are remembered though none of their searches runs.
const MANY: usize = 1000;

/// Who may search now.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A turn; it ends when this is dropped.
pub(super) struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_tenant: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            tenants: Mutex::default(),
        }
    }
}

impl Turns {
    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ErrorKind::TooManyRequests`] after 10 s.
    pub(super) async fn take(&self, tenant: &str) -> Result<Turn, Error> {
        let of_tenant = self.of(tenant);
        let turn = async {
            // First the tenant's: who waits for its own takes none of others.
            Some(Turn {
                _of_tenant: of_tenant.acquire_owned().await.ok()?,
                _of_all: Arc::clone(&self.all).acquire_owned().await.ok()?,
            })
        };
        let turn = timeout(PATIENCE, turn).await.ok().flatten();
        turn.ok_or_else(|| {
            let detail = "too many searches at once; wait for the answers of earlier ones";
            Error::new(ErrorKind::TooManyRequests, detail)
        })
    }

    fn of(&self, tenant: &str) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MANY {
            // A permit, or who waits for one, holds it.
            tenants.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = tenants
            .entry(tenant.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(EACH)));
        Arc::clone(turns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::{ALL, EACH, Turns};

    /// Whether one who asks has to wait.
    async fn waits(turns: &Turns, tenant: &str) -> bool {
        timeout(Duration::from_millis(20), turns.take(tenant))
            .await
            .is_err()
    }

    #[tokio::test]
    async fn a_tenant_leaves_turns_to_others() {
        let turns = Turns::default();
        let mut own = Vec::new();
        for _ in 0..EACH {
            own.push(turns.take("a").await.expect("a turn"));
        }
        assert!(waits(&turns, "a").await, "for its own");
        assert!(!waits(&turns, "b").await, "others have theirs");
        own.pop();
        assert!(!waits(&turns, "a").await, "after an end");
    }

    #[tokio::test]
    async fn all_together_are_bounded() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for number in 0..ALL {
            taken.push(turns.take(&format!("t{number}")).await.expect("a turn"));
        }
        assert!(waits(&turns, "one more").await);
        taken.pop();
        assert!(!waits(&turns, "one more").await);
    }
}
