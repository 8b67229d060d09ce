//! What takes long, some at a time: evaluations of policies, and reading snapshots.
//! Neither is for the threads that answer requests.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::ApiError;

/// At once. Others wait.
const AT_ONCE: usize = 4;

/// Who may have a thread.
pub(super) struct Deciding(Arc<Semaphore>);

impl Default for Deciding {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Deciding {
    /// Does it when it is its turn. Who does not wait for the end of it has the turn
    /// until then all the same.
    ///
    /// # Errors
    /// When it panics, or the server is about to end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.map_err(|_| ApiError::Timeout)?;
        let done = spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(ApiError::Task)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn so_many_are_decided_at_once_and_not_here() {
        let deciding = Arc::new(Deciding::default());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // As many as may be at once meet here: fewer at once would never end.
        let all = Arc::new(Barrier::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE * 5 {
            let (deciding, all) = (deciding.clone(), all.clone());
            let (running, most) = (running.clone(), most.clone());
            tasks.spawn(async move {
                let work = move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    all.wait();
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                deciding.run(work).await.unwrap();
            });
        }
        tasks.join_all().await;
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
    }
}
