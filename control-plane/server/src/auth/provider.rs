//! What an issuer says of itself, and how many ask it at once. Strangers begin and
//! end logins as they like: what that costs the issuer and us has a bound, and a
//! slow issuer takes its own share only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::issuer::Trust;
use super::keys;
use crate::error::ApiError;

/// How long it is believed what an issuer says of itself, and how long it is let
/// be if it says nothing.
const CONFIGURED: Duration = Duration::from_secs(300);
const SILENT: Duration = Duration::from_secs(10);
/// Calls to one issuer at once.
const MAX_CALLS: usize = 4;
/// How long one waits to be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// When an issuer was asked, and what it said, if it did.
type Configuration = Option<(Instant, Option<Arc<Value>>)>;

/// An issuer.
pub(super) struct Provider {
    /// Held while asking: many ask once.
    configuration: Arc<Mutex<Configuration>>,
    own: Arc<Semaphore>,
    /// Those of all issuers.
    all: Arc<Semaphore>,
}

/// Leave to make a call, until it is dropped.
type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Provider {
    pub(super) fn new(all: Arc<Semaphore>) -> Self {
        Self {
            configuration: Arc::default(),
            own: Arc::new(Semaphore::new(MAX_CALLS)),
            all,
        }
    }

    /// What the issuer says of itself, asked for once in a while.
    ///
    /// # Errors
    /// 503 when it says nothing.
    pub(super) async fn configuration(&self, trust: &Trust) -> Result<Arc<Value>, ApiError> {
        let mut known = self.configuration.clone().lock_owned().await;
        if let Some((asked, said)) = known.as_ref() {
            let life = if said.is_some() { CONFIGURED } else { SILENT };
            if asked.elapsed() < life {
                return said.clone().ok_or(ApiError::Issuer);
            }
        }
        let trust = trust.clone();
        // It holds what it fills: callers that go away do not end it, or others
        // would ask again.
        self.call(move || {
            let said = keys::configuration(&trust).map(Arc::new);
            *known = Some((Instant::now(), said.as_ref().ok().cloned()));
            said
        })
        .await
    }

    /// Makes a call to the issuer, when it is its turn.
    ///
    /// # Errors
    /// 503 when it fails, or there are too many.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = tokio::time::timeout(PATIENCE, self.turn()).await;
        let turn = turn.map_err(|_| ApiError::Issuer)??;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        said(done.await.map_err(ApiError::Task)?)
    }

    /// That of its own first: who waits for a slow issuer keeps nobody else.
    async fn turn(&self) -> Result<Turn, ApiError> {
        let taken = |_| ApiError::Issuer;
        let own = self.own.clone().acquire_owned().await.map_err(taken)?;
        let all = self.all.clone().acquire_owned().await.map_err(taken)?;
        Ok((own, all))
    }
}

/// Why an issuer cannot be asked is for the log.
pub(super) fn said<T>(outcome: Result<T, String>) -> Result<T, ApiError> {
    outcome.map_err(|error| {
        tracing::warn!(error, "a tenant's issuer cannot be asked");
        ApiError::Issuer
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_issuer_is_asked_by_few_at_once() {
        let provider = Arc::new(Provider::new(Arc::new(Semaphore::new(100))));
        let [running, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let calls = (0..5 * MAX_CALLS).map(|_| {
            let (provider, running, most) = (provider.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                provider.call(work).await
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap().is_ok());
        }
        assert_eq!(most.load(Ordering::SeqCst), MAX_CALLS);
    }
}
