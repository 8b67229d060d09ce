//! Work that never ends by itself: what a panic ends is begun again, and said. In a
//! build whose panics abort, it is the process that somebody begins again.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::Ledger;

/// The first pause; each after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest one. What works for longer begins anew with the first.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps work going, until the future is dropped. Work that returns is done.
///
/// `ended` is told of each end before the pause.
pub(super) async fn supervise<F>(
    ledger: &Arc<Ledger>,
    name: &'static str,
    work: impl Fn(Arc<Ledger>) -> F,
    ended: impl Fn(&Ledger),
) where
    F: Future<Output = ()> + Send + 'static,
{
    // Dropped with this, which ends the work.
    let mut tasks = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        tasks.spawn(work(Arc::clone(ledger)));
        match tasks.join_next().await {
            Some(Err(error)) if error.is_panic() => {}
            _ => return,
        }
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        ledger.metrics.restarts.inc();
        ended(ledger);
        // What it panicked with is in the log already, as of every panic.
        tracing::error!(
            name,
            pause_ms = pause.as_millis(),
            "ALERT: a part of the ledger has panicked; it is begun again"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::{Error, Kind, LedgerConfig, MANY_PANICS, enqueue, sequencer};
    use super::*;
    use crate::store::Store;

    async fn ledger(folder: &std::path::Path) -> Arc<Ledger> {
        let url = format!("sqlite:{}", folder.join("test.db").display());
        let store = Store::open(&url, Duration::ZERO).await.unwrap();
        let config = LedgerConfig::default();
        let ledger = Ledger::prepare(&store, &config, None, PathBuf::new(), Arc::default()).await;
        Arc::new(ledger.unwrap())
    }

    /// What appends panics so often that it is said, and then goes on.
    #[tokio::test]
    async fn what_panics_is_begun_again_and_said_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path()).await;
        let mut transaction = ledger.store.begin().await.unwrap();
        let entry = enqueue(&mut transaction, Kind::Export, b"one").await;
        let entry = entry.unwrap();
        transaction.commit().await.unwrap();
        let lives = Arc::new(AtomicU32::new(0));
        let mended = Arc::new(tokio::sync::Notify::new());
        let (of_work, until) = (lives.clone(), mended.clone());
        let work = move |ledger: Arc<Ledger>| {
            let (lives, mended) = (of_work.clone(), until.clone());
            async move {
                if lives.fetch_add(1, Ordering::SeqCst) < MANY_PANICS {
                    std::panic::panic_any("as a fault of ours would");
                }
                mended.notified().await;
                sequencer::run(&ledger).await;
            }
        };
        let supervised = ledger.clone();
        let task = tokio::spawn(async move {
            supervise(&supervised, "sequencer", work, Ledger::sequencer_ended).await;
        });
        while lives.load(Ordering::SeqCst) <= MANY_PANICS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(ledger.fault().is_some());
        let closed = ledger.sequenced(entry).await;
        assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
        assert_eq!(ledger.metrics.restarts.get(), u64::from(MANY_PANICS));
        mended.notify_one();
        while ledger.fault().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let sequenced = ledger.sequenced(entry).await.unwrap();
        // Who comes after it knows how far the log was.
        assert_eq!(ledger.remembered(), Some(sequenced.head));
        // The work ends with who supervises it.
        task.abort();
        task.await.unwrap_err();
        let alone = async {
            while Arc::strong_count(&ledger) > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), alone)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_is_done_is_not_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path()).await;
        supervise(&ledger, "nothing", |_| async {}, |_| {}).await;
        assert_eq!(ledger.metrics.restarts.get(), 0);
    }
}
