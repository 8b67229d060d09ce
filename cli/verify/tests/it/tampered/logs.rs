//! What is changed of whom to believe, of what was kept, and of the log.

use std::fs;

use super::{Case, LEDGER, MANIFEST, PROOF, flip};
use crate::support::{SIZE, append, create, signer};

pub(super) const CASES: &[Case] = &[
    (
        "half a trusted root",
        |l| l.change("root.json", |bytes| bytes.truncate(bytes.len() / 2)),
        MANIFEST,
        2,
        "root.json",
        "is not a trusted root: not JSON",
    ),
    (
        "a name twice in the trusted root",
        |l| l.replace("root.json", "{", "{\"tlogs\":[],"),
        MANIFEST,
        2,
        "root.json",
        "is not a trusted root: tlogs is there twice",
    ),
    (
        "a bit of the checkpoint that was kept",
        |l| l.replace("old.checkpoint", "\n100\n", "\n101\n"),
        MANIFEST,
        1,
        "old.checkpoint",
        "the signature of `ledger.example+",
    ),
    (
        "a checkpoint of another origin",
        |l| {
            let other = create(&l.export, "other", signer("other.example", 1));
            l.export
                .write("old.checkpoint", other.checkpoint().as_bytes());
        },
        MANIFEST,
        1,
        "old.checkpoint",
        "has not signed the checkpoint, which says that it is of `other.example`",
    ),
    (
        "a checkpoint that was kept of a fork",
        |l| {
            let fork = l.fork(100);
            l.export
                .write("old.checkpoint", fork.checkpoint().as_bytes());
        },
        MANIFEST,
        1,
        "old.checkpoint",
        "the tiles do not lead from the tree of 100 entries to that of 300",
    ),
    (
        "a log that is behind the checkpoint that was kept",
        |l| {
            let fork = l.fork(50);
            l.export
                .write("log/checkpoint", fork.checkpoint().as_bytes());
        },
        MANIFEST,
        1,
        "old.checkpoint",
        "the log has 50 entries, and had 300: it shrank",
    ),
    (
        "a bit of the log's checkpoint",
        |l| l.replace("log/checkpoint", "\n300\n", "\n299\n"),
        LEDGER,
        1,
        "checkpoint",
        "the signature of `ledger.example+",
    ),
    (
        "a witness less",
        |l| {
            l.append(SIZE + 1);
        },
        LEDGER,
        1,
        "checkpoint",
        "0 of 1 witnesses have cosigned",
    ),
    (
        "a log of another origin",
        |l| {
            let mut other = create(&l.export, "other", signer("other.example", 1));
            append(&mut other, "entry", 10);
            l.export
                .write("log/checkpoint", other.checkpoint().as_bytes());
        },
        LEDGER,
        1,
        "checkpoint",
        "has not signed the checkpoint, which says that it is of `other.example`",
    ),
    (
        "another log's text under the log's keys",
        |l| l.replace("log/checkpoint", "ledger.example\n", "ledger.example2\n"),
        LEDGER,
        1,
        "checkpoint",
        "the signature of `ledger.example+",
    ),
    (
        "a bit of an entry of the log",
        |l| flip(l, "log/tile/entries/000", 7),
        LEDGER,
        1,
        "tile/0/000",
        "`tile/0/000`: hash 0 is ",
    ),
    (
        "a bit of a tile",
        |l| flip(l, "log/tile/0/000", 40),
        LEDGER,
        1,
        "tile/0/000",
        "`tile/0/000`: hash 1 is ",
    ),
    (
        "entries and tiles that fit each other",
        |l| {
            // What a log has that kept its checkpoint and changed the rest.
            l.fork(SIZE);
            let path = l.export.path();
            fs::copy(path.join("log/checkpoint"), path.join("fork/checkpoint")).unwrap();
            fs::rename(path.join("log"), path.join("log.old")).unwrap();
            fs::rename(path.join("fork"), path.join("log")).unwrap();
        },
        "ledger log --policy ledger.policy",
        1,
        "checkpoint",
        "the checkpoint's root is ",
    ),
    (
        "a checkpoint that was kept of a fork, and the log",
        |l| {
            let fork = l.fork(100);
            l.export
                .write("old.checkpoint", fork.checkpoint().as_bytes());
        },
        LEDGER,
        1,
        "old.checkpoint",
        "a checkpoint of 100 entries with the root ",
    ),
    (
        "the proof of an index, and another entry",
        |l| l.export.write("entry.json", b"{}"),
        PROOF,
        1,
        "entry.tlog-proof",
        "the path leads to another root",
    ),
    (
        "another index in the proof",
        |l| l.replace("entry.tlog-proof", "index 270", "index 271"),
        PROOF,
        1,
        "entry.tlog-proof",
        "the path leads to another root",
    ),
    (
        "a bit of the witness's signature",
        |l| {
            let note = fs::read_to_string(l.export.path().join("entry.tlog-proof")).unwrap();
            let (_, end) = note.rsplit_once("w1 ").unwrap();
            let mut other = end.to_owned();
            other.replace_range(30..31, if &end[30..31] == "A" { "B" } else { "A" });
            l.replace("entry.tlog-proof", end, &other);
        },
        PROOF,
        1,
        "entry.tlog-proof",
        "the signature of `witness.example/w1+",
    ),
    (
        "half a proof",
        |l| l.change("entry.tlog-proof", |bytes| bytes.truncate(bytes.len() / 2)),
        PROOF,
        1,
        "entry.tlog-proof",
        "",
    ),
    (
        "a quorum that was cut off",
        |l| l.replace("ledger.policy", "quorum w1\n", ""),
        LEDGER,
        2,
        "ledger.policy",
        "no line says the quorum",
    ),
];
