//! Who signs, as requests wait for it: not on their threads, and not for ever.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ig_signing::{Bundle, PublicKey, Sha256, Signer};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Longest that a turn is waited for, and then a signature.
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
    #[tracing::instrument(name = "exports.sign", skip_all)]
    pub(super) async fn sign(&self, digest: Sha256) -> Result<Bundle, ApiError> {
        if self.is_overdue() {
            return Err(away());
        }
        let turn = tokio::time::timeout(self.patience, self.turn.clone().acquire_owned()).await;
        let (Ok(Ok(turn)), key) = (turn, self.key.clone()) else {
            return Err(away());
        };
        let begun = Begun::now(self.since.clone());
        let signed = tokio::task::spawn_blocking(move || {
            // In this order: the next in turn says anew since when.
            let _ends_with_it = (begun, turn);
            Bundle::sign(&*key, digest)
        });
        match tokio::time::timeout(self.patience, signed).await {
            Ok(Ok(Ok(bundle))) => return Ok(bundle),
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "ALERT: the key that signs exports does not sign");
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "ALERT: what signs exports ended before it had signed");
            }
            Err(_) => {
                tracing::error!("ALERT: the key that signs exports has not answered in time");
            }
        }
        Err(away())
    }

    /// Whether somebody waits longer already than anybody is to.
    fn is_overdue(&self) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > self.patience)
    }
}

/// A signature that is being made, for as long as the value: also where what makes it
/// panics, it is over then.
struct Begun(Arc<Mutex<Option<Instant>>>);

impl Begun {
    fn now(since: Arc<Mutex<Option<Instant>>>) -> Self {
        *since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Self(since)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
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
        // A machine under load may need longer than the token that is away.
        signing.patience = PATIENCE;
        let bundle = signing.sign(digest).await.unwrap();
        bundle.verify(&public, &digest).unwrap();
    }

    /// Panics the first time.
    struct Faulty {
        key: PrivateKey,
        is_sound: std::sync::atomic::AtomicBool,
    }

    impl Signer for Faulty {
        fn public(&self) -> &PublicKey {
            self.key.public()
        }

        fn sign(&self, digest: &Sha256) -> Result<Signature, SignError> {
            let was_sound = &self.is_sound;
            assert!(was_sound.swap(true, std::sync::atomic::Ordering::Relaxed));
            Ok(self.key.sign(digest)?)
        }
    }

    #[tokio::test]
    async fn who_signs_may_panic_and_signs_again() {
        let key = PrivateKey::generate().unwrap();
        let public = key.public().clone();
        let is_sound = false.into();
        let signing = Signing::new(Box::new(Faulty { key, is_sound }));
        let digest = Sha256::of(b"a");
        let first = signing.sign(digest).await;
        assert!(matches!(first, Err(ApiError::Later(_))));
        // What panicked may still write its backtrace.
        drop(signing.turn.acquire().await.unwrap());
        assert!(!signing.is_overdue());
        let bundle = signing.sign(digest).await.unwrap();
        bundle.verify(&public, &digest).unwrap();
    }
}
