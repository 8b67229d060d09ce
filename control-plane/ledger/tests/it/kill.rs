//! A process is killed while it appends, again and again.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ig_ledger::storage::Disk;
use ig_ledger::verify::{Checkpoint, Hash, TreeHead};
use ig_ledger::{Error, Log, fsck};

use crate::support::{entry, policy, signer};

const FOLDER: &str = "IG_LEDGER_KILLED";

/// What is killed: says on standard output what was acknowledged.
fn append_until_it_is_killed(folder: &OsStr) -> ! {
    let mut log = match Log::create(Disk::open(folder).unwrap(), signer()) {
        Err(Error::Exists) => Log::open(Disk::open(folder).unwrap(), signer(), None).unwrap(),
        begun => begun.unwrap(),
    };
    let mut batches = [1, 3, 40, 7].into_iter().cycle();
    loop {
        let batch = batches.next().unwrap();
        let size = log.head().size;
        let entries: Vec<_> = (size..size + batch).map(entry).collect();
        log.append(&entries).unwrap();
        println!("\nacknowledged {} {}", log.head().size, log.head().root);
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    // The test itself, in a process that is there to be killed.
    if let Some(folder) = std::env::var_os(FOLDER) {
        append_until_it_is_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut heads: Vec<TreeHead> = Vec::new();
    for life in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "kill::nothing_acknowledged_is_lost",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = lines.map_while(Result::ok).filter_map(|line| {
            let (size, root) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
            let root: Hash = root.parse().ok()?;
            let size = size.parse().ok()?;
            Some(TreeHead { size, root })
        });
        let before = heads.len();
        heads.extend(acknowledged.by_ref().take(1 + life));
        assert_eq!(heads.len(), before + 1 + life, "it ended by itself");
        // Somewhere in what it does next.
        std::thread::sleep(Duration::from_micros(700 * life as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        heads.extend(acknowledged);
        let remembered = Checkpoint {
            origin: signer().origin().clone(),
            head: *heads.last().unwrap(),
        };
        let disk = Disk::open(folder.path()).unwrap();
        let log = Log::open(disk, signer(), Some(&remembered)).unwrap();
        fsck(log.storage(), &policy(), &heads, |index, bytes| {
            assert_eq!(bytes, entry(index));
        })
        .unwrap();
    }
}
