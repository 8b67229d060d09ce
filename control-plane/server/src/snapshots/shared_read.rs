//! Who asks while somebody reads shares the next read: proxies that come back all at once
//! are one query or two, and not one each.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Reads of one thing, one after the other.
#[derive(Default, Debug)]
pub(super) struct SharedRead {
    /// How many have asked.
    asked: AtomicU64,
    /// How many of them had asked when the last read that succeeded began.
    answered: Mutex<u64>,
}

impl SharedRead {
    /// Reads, unless a read that began after this was called has succeeded meanwhile.
    ///
    /// # Errors
    /// Those of `read`. Who waited tries again.
    pub(super) async fn read<E>(&self, read: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= number {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::Acquire);
        read.await?;
        *answered = asked;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    /// Has so many ask while somebody reads; how many read, and how many were content.
    async fn ask(many: usize, is_readable: bool) -> (u64, usize) {
        let (reads, shared) = (Arc::new(AtomicU64::new(0)), Arc::new(SharedRead::default()));
        let reading = shared.answered.lock().await;
        let mut asking = JoinSet::new();
        for _ in 0..many {
            let (reads, shared) = (reads.clone(), shared.clone());
            asking.spawn(async move {
                let read = async {
                    reads.fetch_add(1, Ordering::Relaxed);
                    if is_readable { Ok(()) } else { Err(()) }
                };
                shared.read(read).await
            });
        }
        while shared.asked.load(Ordering::Relaxed) < many as u64 {
            tokio::task::yield_now().await;
        }
        drop(reading);
        let said = asking.join_all().await;
        let content = said.iter().filter(|said| said.is_ok()).count();
        (reads.load(Ordering::Relaxed), content)
    }

    #[tokio::test]
    async fn who_asks_together_shares_a_read_and_no_failure() {
        assert_eq!(ask(1_000, true).await, (1, 1_000));
        assert_eq!(ask(10, false).await, (10, 0));
    }

    #[tokio::test]
    async fn who_asks_later_reads_again() {
        let shared = SharedRead::default();
        let mut reads = 0;
        for _ in 0..3 {
            let read = async {
                reads += 1;
                Ok::<_, ()>(())
            };
            assert_eq!(shared.read(read).await, Ok(()));
        }
        assert_eq!(reads, 3);
    }
}
