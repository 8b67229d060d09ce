//! What verifies answers of authenticators, some at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder, WebauthnError};

use super::PATIENCE;
use crate::config::WebauthnConfig;
use crate::error::ApiError;

/// Answers that are verified at once. Certificates of a maker take milliseconds
/// each; others wait, and no worker of the server does.
const AT_ONCE: usize = 4;

/// Verifies what authenticators answer.
pub(crate) struct Verifier {
    webauthn: Arc<Webauthn>,
    turns: Arc<Semaphore>,
}

/// Makes the verifier.
///
/// # Errors
/// When the id is not a domain of the origins.
pub(crate) fn verifier(config: &WebauthnConfig) -> Result<Arc<Verifier>, WebauthnError> {
    let origins: Result<Vec<Url>, _> = config.origins.iter().map(|one| Url::parse(one)).collect();
    let origins = origins.map_err(|_| WebauthnError::Configuration)?;
    let (first, others) = origins.split_first().ok_or(WebauthnError::Configuration)?;
    let mut builder = WebauthnBuilder::new(&config.rp_id, first)?
        .rp_name(&config.rp_name)
        .timeout(PATIENCE);
    for origin in others {
        builder = builder.append_allowed_origin(origin);
    }
    Ok(Arc::new(Verifier {
        webauthn: Arc::new(builder.build()?),
        turns: Arc::new(Semaphore::new(AT_ONCE)),
    }))
}

impl Verifier {
    /// For what takes no time: making challenges.
    pub(super) fn site(&self) -> &Webauthn {
        &self.webauthn
    }

    /// Does what takes long, when it is its turn. Who does not wait for the end of
    /// it has the turn until then all the same.
    ///
    /// # Errors
    /// When the server is about to end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Webauthn) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|_| ApiError::Timeout)?;
        let webauthn = self.webauthn.clone();
        let done = spawn_blocking(move || {
            let _turn = turn;
            work(&webauthn)
        });
        done.await.map_err(ApiError::Task)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_are_verified_at_once() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let verifier = verifier(&WebauthnConfig::default()).unwrap();
        let now = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..AT_ONCE * 5 {
                let (verifier, now) = (verifier.clone(), now.clone());
                tasks.spawn(async move {
                    let work = move |_: &Webauthn| {
                        let (running, most) = &*now;
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        std::thread::sleep(Duration::from_millis(5));
                        running.fetch_sub(1, Ordering::SeqCst);
                    };
                    verifier.run(work).await.unwrap();
                });
            }
            tasks.join_all().await;
        });
        let most = now.1.load(Ordering::SeqCst);
        assert!((1..=AT_ONCE).contains(&most), "{most}");
    }
}
