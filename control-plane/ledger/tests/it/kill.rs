//! A process is killed while it appends, again and again.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ig_ledger::storage::Disk;
use ig_ledger::verify::{Checkpoint, Hash, TreeHead};
use ig_ledger::{Error, Log, fsck};

use crate::support::{entry, policy, signer};

const FOLDER: &str = "IG_LEDGER_KILLED";

/// What is killed: says on standard output what was acknowledged.
#[test]
#[ignore = "run by the other test"]
fn appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut log = match Log::create(Disk::open(&folder).unwrap(), signer()) {
        Err(Error::Exists) => Log::open(Disk::open(&folder).unwrap(), signer(), None).unwrap(),
        begun => begun.unwrap(),
    };
    for batch in [1, 3, 40, 7].into_iter().cycle() {
        let size = log.head().size;
        let entries: Vec<_> = (size..size + batch).map(entry).collect();
        log.append(&entries).unwrap();
        println!("\nacknowledged {} {}", log.head().size, log.head().root);
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut heads: Vec<TreeHead> = Vec::new();
    for life in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "kill::appends_until_it_is_killed",
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
        heads.extend(acknowledged.by_ref().take(1 + life));
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
