//! Keys, logs, and RFC 6962 as it is written: recursively, over all leaves.

use ig_ledger::Log;
use ig_ledger::sign::{LogSigner, WitnessKey};
use ig_ledger::storage::Memory;
use ig_ledger::verify::{Hash, Policy};

pub const ORIGIN: &str = "ledger.example";

pub fn signer() -> LogSigner {
    LogSigner::from_bytes(ORIGIN.parse().unwrap(), &[1; 32], &[2; 32]).unwrap()
}

pub fn witness() -> WitnessKey {
    WitnessKey::from_bytes("witness.example/w1", &[3; 32]).unwrap()
}

/// Believes the log alone.
pub fn policy() -> Policy {
    let keys = signer().keys().to_vec();
    Policy::new(ORIGIN.parse().unwrap(), keys, Vec::new(), 0).unwrap()
}

/// Believes the log when the witness has seen it.
pub fn witnessed() -> Policy {
    let keys = signer().keys().to_vec();
    let witnesses = vec![witness().key().clone()];
    Policy::new(ORIGIN.parse().unwrap(), keys, witnesses, 1).unwrap()
}

pub fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

pub fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| Hash::leaf(&entry(index))).collect()
}

/// A log of so many entries.
pub fn log(size: u64) -> Log<Memory> {
    let mut log = Log::create(Memory::new(), signer()).unwrap();
    let entries: Vec<_> = (0..size).map(entry).collect();
    for batch in entries.chunks(ig_ledger::MAX_BATCH_ENTRIES) {
        log.append(batch).unwrap();
    }
    log
}

/// Largest power of two below `n`.
fn k(n: usize) -> usize {
    let mut k = 1;
    while 2 * k < n {
        k *= 2;
    }
    k
}

/// MTH(D[n]).
pub fn mth(d: &[Hash]) -> Hash {
    match d {
        [] => Hash::EMPTY,
        [leaf] => *leaf,
        _ => {
            let (left, right) = d.split_at(k(d.len()));
            Hash::node(&mth(left), &mth(right))
        }
    }
}

/// PATH(m, D[n]).
pub fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = k(d.len());
    let (left, right) = d.split_at(k);
    let (mut below, sibling) = if m < k {
        (path(m, left), mth(right))
    } else {
        (path(m - k, right), mth(left))
    };
    below.push(sibling);
    below
}

/// PROOF(m, D[n]).
pub fn proof(m: usize, d: &[Hash]) -> Vec<Hash> {
    if m == 0 {
        Vec::new()
    } else {
        subproof(m, d, true)
    }
}

fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
    let n = d.len();
    if m == n {
        return if b { Vec::new() } else { vec![mth(d)] };
    }
    let k = k(n);
    let (left, right) = d.split_at(k);
    let (mut below, sibling) = if m <= k {
        (subproof(m, left, b), mth(right))
    } else {
        (subproof(m - k, right, false), mth(left))
    };
    below.push(sibling);
    below
}
