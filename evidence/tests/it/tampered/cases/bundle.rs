//! The manifest, its signature, its entry, and what is attested.

use super::*;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a report is swapped",
        by: By::Stranger,
        change: |map| {
            let other = map[&path(Report::Chaos)].clone();
            map.insert(path(Report::Load), other);
        },
        kind: Kind::Changed,
        why: "its SHA-256 is",
    },
    Case {
        name: "a verdict is edited",
        by: By::Stranger,
        change: |map| replace(map, names::VERDICTS, "\"PASS\"", "\"GAP\""),
        kind: Kind::Changed,
        why: "its SHA-256 is",
    },
    Case {
        name: "a file is dropped",
        by: By::Stranger,
        change: |map| drop(map.remove(&path(Report::PolicyTests))),
        kind: Kind::Missing,
        why: "there is no such file",
    },
    Case {
        name: "a file is added",
        by: By::Stranger,
        change: |map| drop(map.insert("reports/more.json".into(), b"{}".to_vec())),
        kind: Kind::Extra,
        why: "the manifest does not name it",
    },
    Case {
        name: "the manifest is edited",
        by: By::Stranger,
        change: |map| replace(map, names::MANIFEST, "release:", "release;"),
        kind: Kind::Signature,
        why: "the bundle is of other bytes",
    },
    Case {
        name: "the manifest is of another version",
        by: By::Stranger,
        change: |map| replace(map, names::MANIFEST, "release:0.1.0", "release:0.0.9"),
        kind: Kind::Malformed,
        why: "and the bundle is of version 0.1.0",
    },
    Case {
        name: "there is no signature",
        by: By::Stranger,
        change: |map| drop(map.remove(names::SIGNATURE)),
        kind: Kind::Missing,
        why: "there is no such file",
    },
    Case {
        name: "there is no manifest",
        by: By::Stranger,
        change: |map| drop(map.remove(names::MANIFEST)),
        kind: Kind::Missing,
        why: "there is no such file",
    },
    Case {
        name: "a name is in the manifest twice",
        by: By::Stranger,
        change: |map| {
            replace(
                map,
                names::MANIFEST,
                "\"id\":\"SHA256SUMS\"",
                "\"id\":\"about.json\"",
            )
        },
        kind: Kind::Malformed,
        why: "has the id",
    },
    Case {
        name: "somebody else signs",
        by: By::Foreign,
        change: |_| {},
        kind: Kind::Signature,
        why: "the bundle is of another key",
    },
    Case {
        name: "the signature has no entry of the ledger",
        by: By::Stranger,
        change: |map| {
            edit(map, names::SIGNATURE, |bundle| {
                bundle["verificationMaterial"]["tlogEntries"] = json!([]);
            });
        },
        kind: Kind::Inclusion,
        why: "it has 0 entries of logs",
    },
    Case {
        name: "the entry is that of an attestation",
        by: By::Stranger,
        change: |map| {
            let other: Value = serde_json::from_slice(&map[&Report::Chaos.attestation()]).unwrap();
            edit(map, names::SIGNATURE, |bundle| {
                bundle["verificationMaterial"]["tlogEntries"] =
                    other["verificationMaterial"]["tlogEntries"].clone();
            });
        },
        kind: Kind::Inclusion,
        why: "its entry is not of this signature",
    },
    Case {
        name: "the ledger's checkpoint is an old one",
        by: By::Signer,
        change: |map| {
            edit(map, names::DELTA, |delta| {
                delta["checkpoint"] = json!(small_checkpoint());
            });
        },
        kind: Kind::Consistency,
        why: "its entry 0",
    },
    Case {
        name: "an entry of the ledger is hidden",
        by: By::Signer,
        change: |map| {
            edit(map, names::DELTA, |delta| {
                drop(delta["entries"].as_array_mut().unwrap().pop())
            });
        },
        kind: Kind::Consistency,
        why: "entries came, and it has",
    },
    Case {
        name: "an entry of the ledger is another",
        by: By::Signer,
        change: |map| {
            edit(map, names::DELTA, |delta| {
                delta["entries"][1]["body"] = json!("AAAA")
            })
        },
        kind: Kind::Consistency,
        why: "the path leads to another root",
    },
    Case {
        name: "the signer edits a verdict",
        by: By::Signer,
        change: |map| replace(map, names::VERDICTS, "\"PASS\"", "\"GAP\""),
        kind: Kind::Changed,
        why: "it is not what controls.toml and the reports give",
    },
    Case {
        name: "the signer edits the page",
        by: By::Signer,
        change: |map| replace(map, names::PAGE, "A mapping is no audit", "An audit"),
        kind: Kind::Changed,
        why: "it is not what controls.toml and the reports give",
    },
    Case {
        name: "the signer edits OSCAL's results",
        by: By::Signer,
        change: |map| replace(map, names::RESULTS, "satisfied", "not-satisfied"),
        kind: Kind::Changed,
        why: "it is not what controls.toml and the reports give",
    },
    Case {
        name: "the signer swaps a report that was attested",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::Load), |report| {
                report["note"] = json!("later")
            })
        },
        kind: Kind::Claim,
        why: "it is of another file than the bundle's",
    },
    Case {
        name: "an attestation is that of another report",
        by: By::Signer,
        change: |map| swap(map, Report::Load, Report::Chaos),
        kind: Kind::Claim,
        why: "it is of another file than the bundle's",
    },
    Case {
        name: "an attestation is by another key",
        by: By::Signer,
        change: |map| {
            let other = Small::new().seal(&small::parts());
            let name = Report::Chaos.attestation();
            map.insert(name.clone(), other.files.get(&name).unwrap().to_vec());
        },
        kind: Kind::Claim,
        why: "the bundle is of another key",
    },
    Case {
        name: "an attestation is of a report that is not there",
        by: By::Signer,
        change: |map| drop(map.remove(&path(Report::Chaos))),
        kind: Kind::Claim,
        why: "is of no report",
    },
];
