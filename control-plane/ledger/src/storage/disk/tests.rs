//! The machine stops at each step of each write, and comes back.

use super::*;
use crate::sign::LogSigner;
use crate::verify::Checkpoint;
use crate::{Log, fsck};

fn signer() -> LogSigner {
    let origin = "ledger.example".parse().expect("an origin");
    LogSigner::from_bytes(origin, &[1; 32], &[2; 32]).expect("keys")
}

#[test]
fn nothing_acknowledged_is_lost_wherever_it_stops() {
    let batches = [1_u32, 2, 254, 1, 260];
    let mut stops = 0;
    for stop in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("log");
        drop(Log::create(Disk::open(&root).unwrap(), signer()).unwrap());
        let disk = Disk::open(&root).unwrap();
        disk.steps.set(Some(stop));
        let mut log = Log::open(disk, signer(), None).unwrap();
        let mut heads = Vec::new();
        let (mut next, mut has_stopped) = (0, false);
        for batch in batches {
            let entries: Vec<_> = (next..next + batch).map(u32::to_be_bytes).collect();
            next += batch;
            if log.append(&entries).is_err() {
                has_stopped = true;
                drop(log);
                let remembered = heads.last().map(|head| Checkpoint {
                    origin: signer().origin().clone(),
                    head: *head,
                });
                log = Log::open(Disk::open(&root).unwrap(), signer(), remembered.as_ref()).unwrap();
                if log.head().size < next.into() {
                    assert_eq!(log.head().size, u64::from(next - batch));
                    log.append(&entries).unwrap();
                }
            }
            heads.push(log.head());
        }
        let mut seen = 0_u32;
        fsck(log.storage(), log.policy(), &heads, |_, entry| {
            assert_eq!(entry, seen.to_be_bytes());
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, next);
        if !has_stopped {
            break;
        }
        stops += 1;
    }
    assert!(stops > 100, "{stops}");
}
