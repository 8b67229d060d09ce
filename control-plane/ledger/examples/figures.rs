//! What the ledger takes: `cargo run --release -p ig-ledger --example figures`.
//!
//! The folder is on the disk that `TMPDIR` names; each figure is of one run.

#![allow(
    clippy::unwrap_used,
    reason = "a figure that cannot be measured ends the run"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use ig_ledger::sign::LogSigner;
use ig_ledger::storage::{Disk, Folder, Memory, Storage};
use ig_ledger::verify::merkle;
use ig_ledger::{Log, MAX_BATCH_ENTRIES, fsck};

/// About what a `hashedrekord` takes.
const ENTRY_BYTES: usize = 700;
const LARGE: u64 = 10_000_000;

fn signer() -> LogSigner {
    let origin = "ledger.example".parse().unwrap();
    LogSigner::from_bytes(origin, &[1; 32], &[2; 32]).unwrap()
}

fn entry(index: u64, bytes: usize) -> Vec<u8> {
    let mut entry = index.to_be_bytes().to_vec();
    entry.resize(bytes.max(entry.len()), b'x');
    entry
}

fn appends<S: Storage>(what: &str, storage: S, batch: u64, atmost: Duration) {
    let mut log = Log::create(storage, signer()).unwrap();
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < atmost {
        let size = log.head().size;
        let entries: Vec<_> = (size..size + batch)
            .map(|index| entry(index, ENTRY_BYTES))
            .collect();
        let one = Instant::now();
        log.append(&entries).unwrap();
        slowest = slowest.max(one.elapsed());
    }
    let (size, took) = (log.head().size, begin.elapsed().as_secs_f64());
    let per_second = size as f64 / took;
    let calls = per_second / batch as f64;
    println!(
        "append, {what}, batches of {batch}: {per_second:.0} entries/s, {calls:.0} calls/s, slowest {slowest:.1?}"
    );
}

/// How long each of many takes: the middle, the slowest but one in a hundred, and
/// the slowest.
fn quantiles(what: &str, runs: u64, mut one: impl FnMut(u64)) {
    let mut took: Vec<_> = (0..runs)
        .map(|run| {
            let begin = Instant::now();
            one(run);
            begin.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap();
    let (middle, high, most) = (at(50), at(99), took.last().copied().unwrap());
    println!("{what}: p50 {middle:.1?}, p99 {high:.1?}, slowest {most:.1?}");
}

/// Proofs of a log of [`LARGE`] entries.
fn proofs<S: Storage>(what: &str, log: &Log<S>) {
    let at = |step: u64| step * 7_919_993 % LARGE;
    let runs = 10_000;
    quantiles(&format!("proof made, {what}"), runs, |run| {
        log.prove(at(run)).unwrap();
    });
    quantiles(&format!("proof of consistency made, {what}"), runs, |run| {
        log.consistency(at(run), LARGE).unwrap();
    });
    quantiles(&format!("entry read, {what}"), runs, |run| {
        log.entry(at(run)).unwrap();
    });
}

/// Writes a log as a folder has it. Without synchronising each file, which would
/// take longer than all the rest and is measured above.
fn write(files: &mut Memory, folder: &Path) {
    for (file, bytes) in files.files() {
        let path = folder.join(file.to_string());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn main() {
    let seconds = Duration::from_secs(5);
    for batch in [1, 100, 1000] {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path().join("log")).unwrap();
        appends("disk", disk, batch, seconds);
        appends("memory", Memory::new(), batch, seconds);
    }

    let mut log = Log::create(Memory::new(), signer()).unwrap();
    let begin = Instant::now();
    while log.head().size < LARGE {
        let size = log.head().size;
        let end = LARGE.min(size + MAX_BATCH_ENTRIES as u64);
        let entries: Vec<_> = (size..end).map(|index| entry(index, 8)).collect();
        log.append(&entries).unwrap();
    }
    println!(
        "{LARGE} entries of 8 bytes in memory: {:.1?}",
        begin.elapsed()
    );

    let head = log.head();
    let at = |step: u64| step * 7_919_993 % LARGE;
    let runs = 10_000;
    proofs("memory", &log);
    let proof = log.prove(at(1)).unwrap();
    let begin = Instant::now();
    for _ in 0..runs {
        proof.verify(log.policy(), &entry(at(1), 8)).unwrap();
    }
    println!(
        "proof of {} hashes, with two signatures, verified: {:.1?}",
        proof.path.len(),
        begin.elapsed() / 10_000
    );
    let leaf = ig_ledger::verify::Hash::leaf(&entry(at(1), 8));
    let begin = Instant::now();
    for _ in 0..runs {
        merkle::inclusion(leaf, at(1), &head, &proof.path).unwrap();
    }
    println!("its path alone: {:.1?}", begin.elapsed() / 10_000);

    let policy = log.policy().clone();
    let begin = Instant::now();
    fsck(log.storage(), &policy, &[head], |_, _| {}).unwrap();
    println!("fsck of {LARGE} entries: {:.1?}", begin.elapsed());
    let mut storage = log.into_storage();
    let begin = Instant::now();
    Log::open(storage.clone(), signer(), None).unwrap();
    println!("opening it: {:.1?}", begin.elapsed());

    let folder = tempfile::tempdir().unwrap();
    write(&mut storage, folder.path());
    let log = Log::open(Disk::open(folder.path()).unwrap(), signer(), None).unwrap();
    proofs("disk, files in the cache", &log);
    let begin = Instant::now();
    fsck(&Folder::new(folder.path()), &policy, &[head], |_, _| {}).unwrap();
    println!("fsck of its folder: {:.1?}", begin.elapsed());
}
