//! Any bytes as one file of a log: `fsck` finds what differs, wherever it is, and
//! so does who reads paths of tiles.
//!
//! The first byte says which file of a good log is replaced by the rest.
#![no_main]

use std::sync::LazyLock;

use ig_ledger::layout::Resource;
use ig_ledger::sign::LogSigner;
use ig_ledger::storage::Memory;
use ig_ledger::verify::{Policy, TreeHead, merkle};
use ig_ledger::{Log, Tiles, fsck};
use libfuzzer_sys::fuzz_target;

const SIZE: u64 = 515;
const KEPT: u64 = 300;

struct Good {
    storage: Memory,
    policy: Policy,
    files: Vec<Resource>,
    heads: [TreeHead; 2],
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let origin = "ledger.example".parse().expect("an origin");
    let signer = LogSigner::from_bytes(origin, &[1; 32], &[2; 32]).expect("keys");
    let mut log = Log::create(Memory::new(), signer).expect("a log");
    let entry = |index| format!("entry {index}");
    log.append(&(0..KEPT).map(entry).collect::<Vec<_>>())
        .expect("appended");
    let kept = log.head();
    log.append(&(KEPT..SIZE).map(entry).collect::<Vec<_>>())
        .expect("appended");
    let heads = [kept, log.head()];
    let policy = log.policy().clone();
    // Those that are read, so that whatever is changed has to be found.
    let files = [Resource::Checkpoint].into_iter().chain(fsck::files(SIZE));
    let files = files.collect();
    Good {
        storage: log.into_storage(),
        policy,
        files,
        heads,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let good = &*GOOD;
    let file = good.files[usize::from(*which) % good.files.len()];
    let mut storage = good.storage.clone();
    let before = storage
        .files()
        .insert(file, bytes.to_vec())
        .expect("a file");
    let checked = fsck(&storage, &good.policy, &good.heads, |_, _| {});
    // A checkpoint may have other lines: of keys that the policy does not know.
    let is_same = before == bytes || file == Resource::Checkpoint;
    assert!(checked.is_err() || is_same, "{file}");
    if let Ok(path) = Tiles::new(&storage, SIZE).consistency(KEPT, SIZE) {
        // Whatever tiles say: no other tree is shown to have grown.
        let other = TreeHead {
            root: good.heads[1].root,
            ..good.heads[0]
        };
        assert!(merkle::consistency(&other, &good.heads[1], &path).is_err());
    }
});
