//! OSCAL (NIST's Open Security Controls Assessment Language): what the product claims, and
//! what was found of a release.
//!
//! Both are functions of what they say: the same input gives the same bytes, so that
//! whoever verifies a bundle makes them again and compares.

use ig_signing::Sha256;
use serde_json::{Value, json};

use crate::{Control, Controls, Judged, Verdict, Verdicts, json as text, names};

/// The version that `compliance-trestle` reads.
const VERSION: &str = "1.2.1";
/// When the component definition was last changed in form: it has no other time.
const FORM: &str = "2026-11-28T00:00:00Z";
const SPACE: &str = "https://github.com/intelgraph/guard/ns/oscal";
const NIST: &str = "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/\
    SP800-53/rev5/json/NIST_SP-800-53_rev5_catalog.json";
const TITLE: &str = "IntelGraph Guard";

/// What a version of the product claims: one component, with the controls that it helps
/// with.
#[must_use]
pub fn component_definition(controls: &Controls, version: &str) -> Vec<u8> {
    let requirements = controls.controls.iter().flat_map(|control| {
        control.nist.iter().map(|id| {
            json!({
                "uuid": uuid(&["requirement", &control.id, id]),
                "control-id": id,
                "description": one_line(&control.text),
                "props": props(control),
                "remarks": format!("What is yours to do: {}", one_line(&control.yours)),
            })
        })
    });
    let requirements: Vec<_> = requirements.collect();
    text::write(&json!({"component-definition": {
        "uuid": uuid(&["component-definition", version]),
        "metadata": metadata("IntelGraph Guard: controls", version, FORM, controls),
        "components": [{
            "uuid": component(),
            "type": "software",
            "title": TITLE,
            "description": "Guardrails as code for GraphQL on Envoy: a filter and its control plane.",
            "control-implementations": [{
                "uuid": uuid(&["implementation"]),
                "source": NIST,
                "description": one_line(&controls.notice),
                "implemented-requirements": requirements,
            }],
        }],
    }}))
}

/// What was found: an observation a claim, a finding a control.
#[must_use]
pub fn assessment_results(controls: &Controls, verdicts: &Verdicts) -> Vec<u8> {
    let pairs = || controls.controls.iter().zip(&verdicts.controls);
    let observations: Vec<_> = pairs()
        .flat_map(|(control, judged)| observations(control, judged, &verdicts.created))
        .collect();
    let findings: Vec<_> = pairs()
        .map(|(control, judged)| finding(control, judged))
        .collect();
    let ids = controls.controls.iter().flat_map(|control| &control.nist);
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids.dedup();
    let included: Vec<_> = ids.iter().map(|id| json!({"control-id": id})).collect();
    let Verdicts {
        version,
        commit,
        created,
        ..
    } = verdicts;
    text::write(&json!({"assessment-results": {
        "uuid": uuid(&["assessment-results", commit, created]),
        "metadata": metadata("IntelGraph Guard: evidence of a release", version, created, controls),
        "import-ap": {
            "href": format!("#{}", uuid(&["plan"])),
            "remarks": "There is no plan but controls.toml, which says what decides.",
        },
        "results": [{
            "uuid": uuid(&["result", commit, created]),
            "title": format!("Version {version}"),
            "description": one_line(&controls.notice),
            "start": created,
            "end": created,
            "local-definitions": {
                "components": [{
                    "uuid": component(),
                    "type": "software",
                    "title": TITLE,
                    "description": format!("Version {version}, commit {commit}."),
                    "status": {"state": "operational"},
                }],
            },
            "reviewed-controls": {"control-selections": [{"include-controls": included}]},
            "observations": observations,
            "findings": findings,
        }],
        "back-matter": {"resources": [{
            "uuid": uuid(&["plan"]),
            "title": "Which check of which file decides",
            "rlinks": [{"href": format!("../{}", names::CONTROLS)}],
        }]},
    }}))
}

fn observations(control: &Control, judged: &Judged, created: &str) -> Vec<Value> {
    let claims = control.claims.iter().zip(&judged.claims).enumerate();
    let observation = |(place, (claim, found)): (usize, (&crate::Claim, &crate::JudgedClaim))| {
        let there = found.files.iter().filter(|file| file.sha256.is_some());
        let evidence: Vec<_> = there
            .map(|file| {
                json!({
                    "href": format!("../{}", file.name),
                    "description": format!("SHA-256 {}", file.sha256.as_deref().unwrap_or_default()),
                })
            })
            .collect();
        let mut observation = json!({
            "uuid": observation_id(&control.id, place),
            "title": one_line(&claim.says),
            "description": format!("{}: {}", found.verdict.as_str(), one_line(&found.why)),
            "props": [
                {"name": "check", "ns": SPACE, "value": found.check.as_str()},
                {"name": "verdict", "ns": SPACE, "value": found.verdict.as_str()},
            ],
            "methods": ["TEST"],
            "subjects": [{"subject-uuid": component(), "type": "component"}],
            "collected": created,
        });
        if !evidence.is_empty()
            && let Some(members) = observation.as_object_mut()
        {
            members.insert("relevant-evidence".into(), evidence.into());
        }
        observation
    };
    claims.map(observation).collect()
}

fn finding(control: &Control, judged: &Judged) -> Value {
    let state = match judged.verdict {
        Verdict::Pass => "satisfied",
        // OSCAL knows two; which of ours it is stands beside.
        Verdict::Gap | Verdict::Fail => "not-satisfied",
    };
    let related: Vec<_> = (0..judged.claims.len())
        .map(|place| json!({"observation-uuid": observation_id(&control.id, place)}))
        .collect();
    let reason = match judged.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Gap => "other",
    };
    json!({
        "uuid": uuid(&["finding", &control.id]),
        "title": one_line(&control.title),
        "description": one_line(&control.text),
        "props": props(control),
        "target": {
            "type": "objective-id",
            "target-id": control.id,
            "title": one_line(&control.title),
            "status": {"state": state, "reason": reason},
            "props": [{"name": "verdict", "ns": SPACE, "value": judged.verdict.as_str()}],
        },
        "related-observations": related,
    })
}

/// Criteria of other frameworks.
fn props(control: &Control) -> Vec<Value> {
    let soc2 = control.soc2.iter();
    let soc2 = soc2.map(|id| json!({"name": "soc2-criterion", "ns": SPACE, "value": id}));
    let nist = control.nist.iter();
    let nist = nist.map(|id| json!({"name": "nist-control", "ns": SPACE, "value": id}));
    soc2.chain(nist).collect()
}

fn metadata(title: &str, version: &str, modified: &str, controls: &Controls) -> Value {
    json!({
        "title": title,
        "last-modified": modified,
        "version": version,
        "oscal-version": VERSION,
        "remarks": one_line(&controls.notice),
    })
}

fn component() -> String {
    uuid(&["component"])
}

fn observation_id(control: &str, place: usize) -> String {
    uuid(&["observation", control, &place.to_string()])
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An id that follows from what it is of. OSCAL takes versions 4 and 5 only; this is a 5
/// whose hash is SHA-256, cut off.
fn uuid(parts: &[&str]) -> String {
    let digest = Sha256::of([&[SPACE], parts].concat().join("\n").as_bytes()).to_string();
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-5{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}
