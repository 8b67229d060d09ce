//! Trees and paths: test vectors, two other implementations, and every way to
//! change what is proved.

use std::sync::LazyLock;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ig_ledger::Log;
use ig_ledger::storage::Memory;
use ig_ledger::verify::merkle::{consistency, inclusion};
use ig_ledger::verify::{Hash, TreeHead};
use proptest::prelude::*;
use sha2_of_ct_merkle::Sha256;

use crate::support::{entry, leaves, log, mth, path, proof, signer};

/// Three levels of tiles.
const LARGE: u64 = 66_000;
static LEAVES: LazyLock<Vec<Hash>> = LazyLock::new(|| leaves(LARGE));
static LOG: LazyLock<Log<Memory>> = LazyLock::new(|| log(LARGE));

fn head(size: u64) -> TreeHead {
    let root = mth(&LEAVES[..size as usize]);
    TreeHead { size, root }
}

/// The vectors of Certificate Transparency's implementations.
#[test]
fn known_roots() {
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut log = Log::create(Memory::new(), signer()).unwrap();
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(
            hex::encode(log.head().root.as_bytes()),
            *root,
            "size {size}"
        );
        if let Some(entry) = entries.get(size) {
            log.append(&[hex::decode(entry).unwrap()]).unwrap();
        }
    }
}

#[test]
fn every_small_tree_is_that_of_the_rfc() {
    let all = leaves(130);
    let mut log = Log::create(Memory::new(), signer()).unwrap();
    for size in 0..=130 {
        let d = &all[..size as usize];
        let head = log.head();
        assert_eq!((head.size, head.root), (size, mth(d)));
        for m in 0..size {
            let in_it = log.inclusion(m, size).unwrap();
            assert_eq!(in_it, path(m as usize, d));
            inclusion(d[m as usize], m, &head, &in_it).unwrap();
        }
        for m in 0..=size {
            let grown = log.consistency(m, size).unwrap();
            assert_eq!(grown, proof(m as usize, d));
            let root = mth(&d[..m as usize]);
            consistency(&TreeHead { size: m, root }, &head, &grown).unwrap();
        }
        log.append(&[entry(size)]).unwrap();
    }
}

#[test]
fn another_implementation_has_the_same_tree() {
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=700_u64 {
        theirs.push(entry(size - 1));
        if size % 23 != 0 && size != 256 && size != 257 {
            continue;
        }
        assert_eq!(
            theirs.root().as_bytes().as_slice(),
            head(size).root.as_bytes(),
        );
        let index = size * 2 / 3;
        let ours: Vec<u8> = bytes(&LOG.inclusion(index, size).unwrap());
        assert_eq!(theirs.prove_inclusion(index as usize).as_bytes(), ours);
        let earlier = size / 3 + 1;
        let ours: Vec<u8> = bytes(&LOG.consistency(earlier, size).unwrap());
        let added = (size - earlier) as usize;
        assert_eq!(theirs.prove_consistency(added).as_bytes(), ours);
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

/// Sizes of all magnitudes, and those beside full tiles.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..=16_u32).prop_flat_map(|log| 1..=(1_u64 << log)),
        Just(255),
        Just(256),
        Just(257),
        Just(65_535),
        Just(65_536),
        Just(65_537),
        Just(LARGE),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn inclusion_is_proved_and_nothing_else(
        size in size(), at: prop::sample::Index, bit in 0..256_usize, which: prop::sample::Index,
    ) {
        let index = at.index(size as usize) as u64;
        let d = &LEAVES[..size as usize];
        let head = head(size);
        let leaf = d[index as usize];
        let good = LOG.inclusion(index, size).unwrap();
        prop_assert_eq!(&good, &path(index as usize, d));
        prop_assert_eq!(inclusion(leaf, index, &head, &good), Ok(()));

        prop_assert!(inclusion(flipped(leaf, bit), index, &head, &good).is_err());
        let other = TreeHead { size, root: flipped(head.root, bit) };
        prop_assert!(inclusion(leaf, index, &other, &good).is_err());
        for bit in 0..64 {
            prop_assert!(inclusion(leaf, index ^ (1 << bit), &head, &good).is_err());
        }
        let mut bad = good.clone();
        bad.push(leaf);
        prop_assert!(inclusion(leaf, index, &head, &bad).is_err());
        if !good.is_empty() {
            let at = which.index(good.len());
            let mut bad = good.clone();
            bad[at] = flipped(bad[at], bit);
            prop_assert!(inclusion(leaf, index, &head, &bad).is_err());
            bad.remove(at);
            prop_assert!(inclusion(leaf, index, &head, &bad).is_err());
        }
    }

    #[test]
    fn consistency_is_proved_and_nothing_else(
        later in size(), at: prop::sample::Index, bit in 0..256_usize, which: prop::sample::Index,
    ) {
        let earlier = at.index(later as usize) as u64 + 1;
        let good = LOG.consistency(earlier, later).unwrap();
        prop_assert_eq!(&good, &proof(earlier as usize, &LEAVES[..later as usize]));
        let (old, new) = (head(earlier), head(later));
        prop_assert_eq!(consistency(&old, &new, &good), Ok(()));

        let other = TreeHead { root: flipped(old.root, bit), ..old };
        prop_assert!(consistency(&other, &new, &good).is_err());
        let other = TreeHead { root: flipped(new.root, bit), ..new };
        prop_assert!(consistency(&old, &other, &good).is_err());
        let mut bad = good.clone();
        bad.push(old.root);
        prop_assert!(consistency(&old, &new, &bad).is_err());
        if !good.is_empty() {
            let at = which.index(good.len());
            let mut bad = good.clone();
            bad[at] = flipped(bad[at], bit);
            prop_assert!(consistency(&old, &new, &bad).is_err());
            bad.remove(at);
            prop_assert!(consistency(&old, &new, &bad).is_err());
        }
    }

    /// However entries come, the tree is that of the entries.
    #[test]
    fn batches_make_no_difference(batches in prop::collection::vec(0..700_u64, 1..6)) {
        let mut log = Log::create(Memory::new(), signer()).unwrap();
        let mut size = 0;
        for batch in batches {
            let entries: Vec<_> = (size..size + batch).map(entry).collect();
            let appended = log.append(&entries).unwrap();
            prop_assert_eq!(appended.indexes, size..size + batch);
            size += batch;
            prop_assert_eq!(log.head(), head(size));
        }
        for index in [0, size / 2, size.saturating_sub(1)] {
            if index < size {
                prop_assert_eq!(log.entry(index).unwrap(), entry(index));
            }
        }
        prop_assert!(log.entry(size).is_err());
    }

    #[test]
    fn any_numbers_never_panic(
        index: u64, size: u64, other: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<_> = hashes.into_iter().map(Hash::from_bytes).collect();
        let root = Hash::EMPTY;
        let head = TreeHead { size, root };
        prop_assert!(inclusion(root, index, &head, &path).is_err());
        let _ = consistency(&TreeHead { size: other, root }, &head, &path);
        let _ = LOG.inclusion(index, size);
        let _ = LOG.consistency(other, size);
        let _ = LOG.entry(index);
    }
}

/// A path binds the index, and of the size as much as shows along it; the rest is
/// what checkpoints are signed for.
#[test]
fn a_path_is_of_one_index() {
    for size in 1..=40_u64 {
        let head = head(size);
        for index in 0..size {
            let path = LOG.inclusion(index, size).unwrap();
            let leaf = LEAVES[index as usize];
            for (other_index, other_size) in (0..70).flat_map(|i| (1..70).map(move |s| (i, s))) {
                let other = TreeHead {
                    size: other_size,
                    ..head
                };
                if inclusion(leaf, other_index, &other, &path).is_ok() && size == other_size {
                    assert_eq!(other_index, index);
                }
            }
        }
    }
}

/// A path of consistency binds the earlier size.
#[test]
fn a_path_is_of_one_earlier_size() {
    for later in 1..=40_u64 {
        for earlier in 1..=later {
            let path = LOG.consistency(earlier, later).unwrap();
            for size in 0..70 {
                let other = TreeHead {
                    size,
                    ..head(earlier)
                };
                if consistency(&other, &head(later), &path).is_ok() {
                    assert_eq!(size, earlier);
                }
            }
        }
    }
}

#[test]
fn trees_without_leaves_are_one() {
    let bad = TreeHead {
        size: 0,
        root: head(1).root,
    };
    assert!(consistency(&TreeHead::EMPTY, &TreeHead::EMPTY, &[]).is_ok());
    assert!(consistency(&TreeHead::EMPTY, &head(3), &[]).is_ok());
    assert!(consistency(&TreeHead::EMPTY, &head(3), &[head(1).root]).is_err());
    assert!(consistency(&bad, &head(3), &[]).is_err());
    assert!(consistency(&bad, &bad, &[]).is_err());
    assert!(consistency(&TreeHead::EMPTY, &bad, &[]).is_err());
    assert!(consistency(&head(3), &head(2), &[]).is_err());
    assert!(inclusion(Hash::EMPTY, 0, &TreeHead::EMPTY, &[]).is_err());
}
