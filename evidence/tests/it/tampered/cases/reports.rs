//! What reports, bills of materials, provenance and controls say.

use super::*;

pub(super) const CASES: &[Case] = &[
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
        name: "a scenario is there twice, and once nothing was looked at",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::Chaos), |report| {
                let mut other = report["scenarios"][0].clone();
                other["figures"]["requests"] = json!(0);
                report["scenarios"].as_array_mut().unwrap().push(other);
            });
        },
        kind: Kind::Claim,
        why: "is there twice",
    },
    Case {
        name: "a scenario has the name of another",
        by: By::Signer,
        change: |map| {
            edit(map, &path(Report::Chaos), |report| {
                report["scenarios"][0]["scenario"] = json!("nothing");
            });
        },
        kind: Kind::Claim,
        why: "is a run of the scenario \"nothing\"",
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
