//! Who signs, as requests wait for it: not on their threads, and not for ever.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ig_signing::{Bundle, PublicKey, Sha256, Signer};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Longest that a signature is waited for. A transaction waits with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A key, and who uses it now. One signature at a time: a token that does not answer
/// then holds one thread, and not all of them.
pub(super) struct Signing {
    key: Arc<dyn Signer>,
    turn: Arc<Semaphore>,
    /// Since when the signature is made that is being made.
    since: Arc<Mutex<Option<Instant>>>,
    patience: Duration,
}

impl Signing {
    pub(super) fn new(key: Box<dyn Signer>) -> Self {
        Self {
            key: key.into(),
            turn: Arc::new(Semaphore::new(1)),
            since: Arc::default(),
            patience: PATIENCE,
        }
    }

    pub(super) fn public(&self) -> &PublicKey {
        self.key.public()
    }

    /// Signs bytes with this digest.
    ///
    /// # Errors
    /// 503 where the key does not sign, or not in time. What comes too late is
    /// thrown away.
    pub(super) async fn sign(&self, digest: Sha256) -> Result<Bundle, ApiError> {
        if self.is_overdue() {
            return Err(away());
        }
        let signed = tokio::time::timeout(self.patience, self.sign_in_turn(digest)).await;
        signed.unwrap_or_else(|_| {
            tracing::error!("ALERT: the key that signs exports has not answered in time");
            Err(away())
        })
    }

    async fn sign_in_turn(&self, digest: Sha256) -> Result<Bundle, ApiError> {
        let turn = self.turn.clone().acquire_owned().await;
        let turn = turn.map_err(|_| away())?;
        let (key, since) = (self.key.clone(), self.since.clone());
        let signed = tokio::task::spawn_blocking(move || {
            set(&since, Some(Instant::now()));
            let signed = Bundle::sign(&*key, digest);
            set(&since, None);
            drop(turn);
            signed
        });
        match signed.await {
            Ok(Ok(bundle)) => Ok(bundle),
            Ok(Err(error)) => {
                tracing::error!(%error, "ALERT: the key that signs exports does not sign");
                Err(away())
            }
            // It panicked, or this process ends.
            Err(_) => Err(away()),
        }
    }

    /// Whether somebody waits longer already than anybody is to.
    fn is_overdue(&self) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > self.patience)
    }
}

fn set(place: &Mutex<Option<Instant>>, since: Option<Instant>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = since;
}

const fn away() -> ApiError {
    ApiError::Later(
        "the key that signs exports cannot be used now, and nothing was exported; send the same \
         request again",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use ig_signing::{PrivateKey, SignError, Signature};

    use super::*;

    /// Signs once it is told to.
    struct Slow {
        key: PrivateKey,
        go: Mutex<mpsc::Receiver<()>>,
    }

    impl Signer for Slow {
        fn public(&self) -> &PublicKey {
            self.key.public()
        }

        fn sign(&self, digest: &Sha256) -> Result<Signature, SignError> {
            let _ = self.go.lock().unwrap().recv();
            Ok(self.key.sign(digest)?)
        }
    }

    #[tokio::test]
    async fn a_token_that_does_not_answer_holds_one_thread() {
        let (go, wait) = mpsc::channel();
        let key = PrivateKey::generate().unwrap();
        let public = key.public().clone();
        let go_on = Mutex::new(wait);
        let mut signing = Signing::new(Box::new(Slow { key, go: go_on }));
        signing.patience = Duration::from_millis(50);
        let digest = Sha256::of(b"a");
        // The first waits for the token, and the others for the first, or not at all.
        for _ in 0..20 {
            assert!(matches!(
                signing.sign(digest).await,
                Err(ApiError::Later(_))
            ));
        }
        assert_eq!(signing.turn.available_permits(), 0);
        assert!(signing.is_overdue());
        // What it makes in the end is nobody's; the next is made as ever.
        go.send(()).unwrap();
        while signing.turn.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        let bundle = signing.sign(digest).await.unwrap();
        bundle.verify(&public, &digest).unwrap();
    }
}
