//! What is changed, by whom, and why it is refused.

use ig_evidence::{Kind, Report, names, rfc3339};
use serde_json::{Value, json};

use crate::small::{self, COMMIT, Map, NOW, Small, bytes};

/// Who changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Somebody without the key, in a bundle that was made.
    Stranger,
    /// Somebody without the key, in a bundle that was made and signs it with theirs.
    Foreign,
    /// The signer, in a bundle that was made, who signs again.
    Signer,
    /// The signer, in the reports, before a bundle is made of them.
    Maker,
}

pub struct Case {
    pub name: &'static str,
    pub by: By,
    pub change: fn(&mut Map),
    pub kind: Kind,
    pub why: &'static str,
}

fn edit(map: &mut Map, name: &str, how: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&map[name]).unwrap();
    how(&mut value);
    map.insert(name.to_owned(), bytes(&value));
}

fn replace(map: &mut Map, name: &str, from: &str, to: &str) {
    let text = String::from_utf8(map[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    map.insert(name.to_owned(), text.replace(from, to).into_bytes());
}

fn path(report: Report) -> String {
    report.path()
}

/// The other's attestation in the place of one.
fn swap(map: &mut Map, one: Report, other: Report) {
    let bytes = map[&other.attestation()].clone();
    map.insert(one.attestation(), bytes);
}

pub const CASES: &[Case] = &[
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
    Case {
        name: "a report is of another commit",
        by: By::Signer,
        change: |map| replace(map, &path(Report::Chaos), COMMIT, &COMMIT.replace('0', "f")),
        kind: Kind::Claim,
        why: "and the bundle of 0123456789",
    },
    Case {
        name: "a report is of another day",
        by: By::Signer,
        change: |map| {
            let (then, now) = (rfc3339(NOW - 2 * 86_400), rfc3339(NOW - 3600));
            replace(map, &path(Report::PolicyTests), &now, &then);
        },
        kind: Kind::Claim,
        why: "it is of another day",
    },
    Case {
        name: "a report is of a time to come",
        by: By::Signer,
        change: |map| {
            let (then, now) = (rfc3339(NOW + 60), rfc3339(NOW - 3600));
            replace(map, &path(Report::PolicyTests), &now, &then);
        },
        kind: Kind::Claim,
        why: "after the bundle was made",
    },
    Case {
        name: "a report is of a tree with changes",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::Tests), |report| {
                report["run"]["dirty"] = json!(true)
            })
        },
        kind: Kind::Claim,
        why: "changes that the commit does not have",
    },
    Case {
        name: "a report does not say of what it is",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::Tests), |report| {
                drop(report.as_object_mut().unwrap().remove("run"));
            });
        },
        kind: Kind::Claim,
        why: "it does not say its commit",
    },
    Case {
        name: "a report has a name twice",
        by: By::Signer,
        change: |map| {
            replace(
                map,
                &path(Report::Tests),
                "\"failed\": []",
                "\"failed\": [], \"failed\": []",
            )
        },
        kind: Kind::Claim,
        why: "is there twice",
    },
    Case {
        name: "a test failed, and the report says nothing of it",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::Tests), |report| {
                report["failed"] = json!(["a::b"])
            })
        },
        kind: Kind::Claim,
        why: "1 failed, \"a::b\" first",
    },
    Case {
        name: "a scenario says that it holds, and names what broke it",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::Chaos), |report| {
                report["scenarios"][0]["verdicts"][0]["violations"] = json!(["served elsewhere"]);
            });
        },
        kind: Kind::Claim,
        why: "failed",
    },
    Case {
        name: "a threshold says that it holds, and its value says otherwise",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::Load), |report| {
                report["metrics"]["http_req_duration"]["values"]["p(95)"] = json!(900.0);
            });
        },
        kind: Kind::Claim,
        why: "p(95)<350",
    },
    Case {
        name: "the gate of schemas failed, and says that it passed",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::SchemaDiff), |report| {
                report["result"]["verdict"]["failures"] = json!([{"rule": "weakened"}]);
            });
        },
        kind: Kind::Claim,
        why: "failed",
    },
    Case {
        name: "coverage of policies is enough, and their lines say otherwise",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::PolicyTests), |report| {
                let files = &mut report["result"]["coverage"]["files"];
                files["policies/ig/decision.rego"] =
                    json!({"covered_lines": 0, "not_covered_lines": 9});
            });
        },
        kind: Kind::Claim,
        why: "\"coverage of 95 %\" first",
    },
    Case {
        name: "a review with a date from before its tokens",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::AccessReview), |report| {
                report["tokens"][0]["createdAt"] = json!((NOW + 7 * 86_400) * 1000);
            });
        },
        kind: Kind::Claim,
        why: "the token ci was made after the review",
    },
    Case {
        name: "a suspended user is an admin",
        by: By::Maker,
        change: |map| {
            edit(map, &path(Report::AccessReview), |report| {
                report["tenants"][0]["users"][1]["admin"] = json!(true);
            });
        },
        kind: Kind::Claim,
        why: "b is no admin while suspended",
    },
    Case {
        name: "the bill of materials lacks a crate that is linked",
        by: By::Maker,
        change: |map| {
            edit(map, names::SBOM, |sbom| {
                let packages = sbom["packages"].as_array_mut().unwrap();
                packages.retain(|package| package["name"] != "serde_json");
                let id = "SPDXRef-Crate-serde-us-json-1.0.145";
                let relations = sbom["relationships"].as_array_mut().unwrap();
                relations
                    .retain(|one| one["relatedSpdxElement"] != id && one["spdxElementId"] != id);
            });
        },
        kind: Kind::Claim,
        why: "serde_json 1.0.145 is linked into ig, and is not in it",
    },
    Case {
        name: "the bill of materials leads nowhere",
        by: By::Maker,
        change: |map| {
            edit(map, names::SBOM, |sbom| {
                drop(sbom["packages"].as_array_mut().unwrap().remove(0))
            });
        },
        kind: Kind::Claim,
        why: "which is not there",
    },
    Case {
        name: "the bill of materials is of another artefact",
        by: By::Maker,
        change: |map| {
            let (sum, other) = (sum(small::ARTEFACTS[0]), "0".repeat(64));
            replace(map, names::SBOM, &sum, &other);
        },
        kind: Kind::Claim,
        why: "ig has another SHA-256",
    },
    Case {
        name: "the bill of materials is of another version",
        by: By::Maker,
        change: |map| {
            replace(
                map,
                names::SBOM,
                "\"versionInfo\": \"0.1.0\"",
                "\"versionInfo\": \"0.0.9\"",
            )
        },
        kind: Kind::Claim,
        why: "is of another version than the bundle",
    },
    Case {
        name: "a licence is none",
        by: By::Maker,
        change: |map| replace(map, names::SBOM, "MIT OR Apache-2.0", "MIT/Apache-2.0"),
        kind: Kind::Claim,
        why: "is no expression",
    },
    Case {
        name: "the provenance is of another commit",
        by: By::Maker,
        change: |map| {
            let other = small::provenance(&COMMIT.replace('0', "f"));
            map.insert(names::PROVENANCE.into(), bytes(&other));
        },
        kind: Kind::Claim,
        why: "it is of another commit than the bundle",
    },
    Case {
        name: "the provenance is of another artefact",
        by: By::Signer,
        change: |map| {
            let (from, to) = (sum(small::ARTEFACTS[0]), "0".repeat(64));
            replace(map, names::SUMS, &from, &to);
            replace(map, names::SBOM, &from, &to);
        },
        kind: Kind::Claim,
        why: "it is of another file than the bundle's",
    },
    Case {
        name: "the provenance is of a tree with changes",
        by: By::Maker,
        change: |map| {
            edit(map, names::PROVENANCE, |said| {
                said["buildDefinition"]["externalParameters"]["changedFiles"] = json!(3);
            });
        },
        kind: Kind::Claim,
        why: "built of a tree with changes",
    },
    Case {
        name: "controls are taken away",
        by: By::Signer,
        change: |map| {
            let text = String::from_utf8(map[names::CONTROLS].clone()).unwrap();
            let at = text.rfind("[[control]]").unwrap();
            map.insert(names::CONTROLS.into(), text.as_bytes()[..at].to_vec());
        },
        kind: Kind::Changed,
        why: "it is not what controls.toml and the reports give",
    },
    Case {
        name: "a control asks for something that nobody knows",
        by: By::Signer,
        change: |map| replace(map, names::CONTROLS, "check = \"sbom\"", "check = \"wish\""),
        kind: Kind::Malformed,
        why: "unknown variant",
    },
    Case {
        name: "it is said to be of another commit",
        by: By::Signer,
        change: |map| replace(map, names::ABOUT, COMMIT, &COMMIT.replace('0', "f")),
        kind: Kind::Claim,
        why: "it is of the commit 0123456789",
    },
    Case {
        name: "it is in a format to come",
        by: By::Signer,
        change: |map| replace(map, names::ABOUT, "evidence/0.2", "evidence/9"),
        kind: Kind::Malformed,
        why: "format is not",
    },
];

fn sum(name: &str) -> String {
    ig_signing::Sha256::of(&small::artefact(name)).to_string()
}

/// A checkpoint of the same keys, of a log that had less.
fn small_checkpoint() -> String {
    let mut log = Small::new().log();
    log.append(&[b"one"]).unwrap().checkpoint
}
