//! What is changed of an export, its bundle and the entries in it.

use std::fs;

use ig_signing::{Bundle, PrivateKey, Sha256};
use serde_json::Value;

use super::{Case, MANIFEST, base64, bundle, flip};
use crate::support::{ORIGIN, signer};

pub(super) const CASES: &[Case] = &[
    (
        "a bit of a file",
        |l| flip(l, "files/a.txt", 0),
        MANIFEST,
        1,
        "items[0] a.txt",
        "its SHA-256 is ",
    ),
    (
        "a bit of the manifest",
        |l| l.replace("m.json", "\"p\"", "\"q\""),
        MANIFEST,
        1,
        "m.json",
        "the bundle is of other bytes",
    ),
    (
        "the manifest and its digest",
        |l| {
            l.replace("m.json", "\"p\"", "\"q\"");
            let file = fs::read(l.export.path().join("m.json")).unwrap();
            let digest = Sha256::of(&file);
            bundle(l, |all| {
                let digest = base64(digest.as_bytes());
                all["messageSignature"]["messageDigest"]["digest"] = digest.into();
            });
        },
        MANIFEST,
        1,
        "m.json",
        "not of these bytes by this key",
    ),
    (
        "a bit of the signature",
        |l| {
            let other = l.export.key.sign(&Sha256::of(b"")).unwrap();
            let other: Value = other.to_detached().into();
            bundle(l, |all| all["messageSignature"]["signature"] = other);
        },
        MANIFEST,
        1,
        "m.json",
        "not of these bytes by this key",
    ),
    (
        "a bit of the hint",
        |l| {
            let hint = l.export.key.public().key_id();
            let other = hint.replace(&hint[..1], if hint.starts_with('A') { "B" } else { "A" });
            l.replace("m.sigstore.json", &hint, &other);
        },
        MANIFEST,
        1,
        "m.json",
        "the bundle is of another key",
    ),
    (
        "another key",
        |l| {
            let pem = PrivateKey::generate().unwrap().public().to_pem();
            l.export.write("cosign.pub", pem.as_bytes());
        },
        MANIFEST,
        1,
        "m.json",
        "the bundle is of another key",
    ),
    (
        "the bundle of another export",
        |l| {
            let other = Bundle::sign(&l.export.key, Sha256::of(b"other")).unwrap();
            l.export.write("m.sigstore.json", &other.to_bytes());
        },
        MANIFEST,
        1,
        "m.json",
        "the bundle is of other bytes",
    ),
    (
        "an attestation for a signature",
        |l| {
            l.export.attest();
            fs::copy(
                l.export.path().join("a.sigstore.json"),
                l.export.path().join("m.sigstore.json"),
            )
            .unwrap();
        },
        MANIFEST,
        1,
        "m.json",
        "the bundle has an attestation",
    ),
    (
        "half a manifest",
        |l| l.change("m.json", |bytes| bytes.truncate(bytes.len() / 2)),
        MANIFEST,
        1,
        "m.json",
        "not JSON",
    ),
    (
        "half a bundle",
        |l| l.change("m.sigstore.json", |bytes| bytes.truncate(bytes.len() / 2)),
        MANIFEST,
        1,
        "m.sigstore.json",
        "not JSON",
    ),
    (
        "a name twice in the bundle",
        |l| l.replace("m.sigstore.json", "{", "{\"mediaType\":\"x\","),
        MANIFEST,
        1,
        "m.sigstore.json",
        "mediaType is there twice",
    ),
    (
        "a name twice in the manifest",
        |l| l.replace("m.json", "{", "{\"tenant\":\"alpha\","),
        MANIFEST,
        1,
        "m.json",
        "tenant is there twice",
    ),
    (
        "no entry of a log",
        |l| {
            bundle(l, |all| {
                all["verificationMaterial"]["tlogEntries"] = Value::Array(vec![])
            })
        },
        MANIFEST,
        1,
        "tlogEntries",
        "the bundle has none",
    ),
    (
        "a bit of the entry",
        |l| l.write_bundle(|entry| entry.canonicalized_body[40] ^= 1),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its body is not of this signature, digest and key",
    ),
    (
        "the entry of another signature",
        |l| {
            let other = Bundle::sign(&l.export.key, Sha256::of(b"other")).unwrap();
            let body = other.log_body(l.export.key.public());
            l.write_bundle(|entry| entry.canonicalized_body = body);
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its body is not of this signature, digest and key",
    ),
    (
        "another kind of entry",
        |l| l.write_bundle(|entry| entry.version = "0.0.1".into()),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its kindVersion is not hashedrekord 0.0.2",
    ),
    (
        "a bit of the entry's checkpoint",
        |l| {
            l.write_bundle(|entry| {
                entry.inclusion_proof.checkpoint = entry
                    .inclusion_proof
                    .checkpoint
                    .replace("\n300\n", "\n301\n");
            })
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its checkpoint: the signature of `ledger.example+",
    ),
    (
        "no signature of the log",
        |l| {
            l.write_bundle(|entry| {
                let note = &mut entry.inclusion_proof.checkpoint;
                let lines: Vec<_> = note
                    .lines()
                    .filter(|line| !line.starts_with("— ledger"))
                    .collect();
                *note = lines.join("\n") + "\n";
            })
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "has not signed the checkpoint",
    ),
    (
        "a root that nobody signed",
        |l| l.write_bundle(|entry| entry.inclusion_proof.root_hash[0] ^= 1),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its treeSize and rootHash are not those of its checkpoint",
    ),
    (
        "a size that nobody signed",
        |l| l.write_bundle(|entry| entry.inclusion_proof.tree_size += 1),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its treeSize and rootHash are not those of its checkpoint",
    ),
    (
        "the proof of another index",
        |l| {
            let other = l.log.prove(3).unwrap();
            l.write_bundle(|entry| {
                let hashes = other.path.iter().map(|hash| *hash.as_bytes());
                entry.inclusion_proof.hashes = hashes.collect();
                (entry.log_index, entry.inclusion_proof.log_index) = (3, 3);
            });
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its inclusion proof: the path leads to another root",
    ),
    (
        "another index beside the proof",
        |l| l.write_bundle(|entry| entry.log_index = 3),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its logIndex is not that of its proof",
    ),
    (
        "a bit of the proof",
        |l| l.write_bundle(|entry| entry.inclusion_proof.hashes[2][5] ^= 1),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its inclusion proof: the path leads to another root",
    ),
    (
        "a hash less in the proof",
        |l| l.write_bundle(|entry| entry.inclusion_proof.hashes.truncate(3)),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its inclusion proof: the path has not as many hashes",
    ),
    (
        "a trusted root of another log",
        |l| l.write_root(&signer(ORIGIN, 7), |_| {}),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "its logId is of no log of the trusted root",
    ),
    (
        "a trusted root with another log's key",
        |l| {
            let id = Sha256::of(&signer(ORIGIN, 1).keys()[1].bytes());
            l.write_root(&signer(ORIGIN, 7), |log| {
                log.log_id = id.as_bytes().to_vec()
            });
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "has not signed the checkpoint",
    ),
    (
        "a trusted root with another log's name",
        |l| {
            l.write_root(&signer(ORIGIN, 1), |log| {
                log.base_url = "https://other.example".into()
            })
        },
        MANIFEST,
        1,
        "tlogEntries[0]",
        "has not signed the checkpoint",
    ),
    (
        "a trusted root with a key of another type",
        |l| l.write_root(&signer(ORIGIN, 1), |log| log.key = None),
        MANIFEST,
        1,
        "tlogEntries[0]",
        "that is not ECDSA on P-256",
    ),
];
