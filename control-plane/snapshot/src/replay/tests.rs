use std::borrow::Cow;

use ig_contract::decision::Mode;
use ig_contract::{Revision, TextHash};
use ig_schema::catalogue::{Catalogue, import};
use ig_schema::{Limits, Schema};
use serde_json::json;

use super::*;
use crate::{Bundle, Config, Input, compile};

const SDL: &str = r#"
directive @authz(action: String) on FIELD_DEFINITION
directive @fact(name: String!) on ARGUMENT_DEFINITION
type Query {
  read: Int @authz(action: "read")
  keep(days: Int @fact(name: "retention")): Int @authz(action: "keep")
}
"#;
const READ: &str = "query Read { read }";
const KEEP: &str = "query Keep($days: Int) { keep(days: $days) }";
const FIXED: &str = "query Fixed { keep(days: 30) }";
const CONFIG: &str = "version = 1\ngraph = \"demo\"\nschema-tag = \"dev\"\nendpoint = \"/graphql\"\n\
    [tenants.alpha]\nregion = \"eu-west-1\"\npurposes = [\"audit\"]\n";
const POLICY: &str = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {"allow": true, "rule": "auditor", "obligations": []} if {
	"auditor" in input.actor.groups
	input.tenant.region == "eu-west-1"
}
"#;

fn bundle(policy: &str) -> Bundle {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", policy),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    Bundle::from_files(files.into()).unwrap()
}

fn snapshot() -> Snapshot {
    let schema = Schema::parse(SDL, Limits::SCHEMA).unwrap();
    let read = |text: &str| {
        let catalogue = Catalogue::parse(text, None, Limits::CATALOGUE).unwrap();
        import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| {})
    };
    let compiled = compile(Input {
        config: &Config::parse(CONFIG).unwrap(),
        imports: [READ, KEEP, FIXED].map(read).into(),
        bundle: &bundle(POLICY),
    });
    compiled.unwrap().snapshot
}

/// A record of an operation that some document of the snapshot has.
fn record<'a>(snapshot: &Snapshot, name: &'a str, of: &str) -> DecisionRecord<'a> {
    let has = |document: &ig_contract::snapshot::Document| {
        let operations = document.operations();
        let mut operations = operations.filter_map(|index| snapshot.operation(index));
        operations.any(|operation| operation.name == of)
    };
    let document = snapshot.iter().find(has).unwrap();
    DecisionRecord {
        decision_id: Cow::Borrowed("one"),
        tenant_id: Some(Cow::Borrowed("alpha")),
        actor: Some(Cow::Borrowed("a@alpha.io")),
        purpose: Some(Cow::Borrowed("audit")),
        authority: None,
        operation: Some(Cow::Borrowed(name)),
        document: Some(Cow::Owned(document.hash.to_string())),
        outcome: Outcome::Allow,
        code: None,
        rule: Cow::Borrowed("auditor"),
        step_up: None,
        obligations: Vec::new(),
        mode: Mode::Enforce,
        region: None,
        revision: Some(snapshot.revision()),
    }
}

fn actors() -> Vec<KnownActor> {
    let actor = json!({
        "iss": "https://issuer.test", "sub": "a@alpha.io", "tenant": "alpha",
        "groups": ["auditor"], "purposes": ["audit", "unknown"],
    });
    vec![serde_json::from_value(actor).unwrap()]
}

#[test]
fn a_record_becomes_the_input_that_it_was_made_on() {
    let snapshot = snapshot();
    let input = recorded_input(&record(&snapshot, "Fixed", "Fixed"), &snapshot, &actors()).unwrap();
    assert_eq!(input["actor"]["groups"], json!(["auditor"]));
    // As in the guard: what the tenant does not have is nobody's.
    assert_eq!(input["actor"]["purposes"], json!(["audit"]));
    assert_eq!(
        input["tenant"],
        json!({"id": "alpha", "region": "eu-west-1"})
    );
    assert_eq!(input["facts"], json!({"retention": [30]}));
    assert_eq!(input["operation"]["actions"], json!(["keep"]));
    let mut decider = Decider::of_snapshot(&snapshot).unwrap();
    assert_eq!(decider.decide(&input).rule, "auditor");
    assert!(decider.decide(&input).is_as(&decider.interpret(&input)));
}

#[test]
fn what_is_not_known_is_said() {
    let snapshot = snapshot();
    let good = || record(&snapshot, "Read", "Read");
    let of = |record: DecisionRecord<'_>, actors: &[KnownActor]| {
        recorded_input(&record, &snapshot, actors).unwrap_err()
    };
    assert!(recorded_input(&good(), &snapshot, &actors()).is_ok());
    assert_eq!(
        of(good(), &[]),
        NotReplayable::UnknownActor("a@alpha.io".into())
    );
    let mut other = good();
    other.tenant_id = Some(Cow::Borrowed("bravo"));
    assert!(matches!(
        of(other, &actors()),
        NotReplayable::UnknownActor(_)
    ));
    let mut limited = good();
    (limited.outcome, limited.code) = (Outcome::Deny, Some(DenyCode::RateLimited));
    assert!(matches!(
        of(limited, &actors()),
        NotReplayable::NotByPolicy(_)
    ));
    let mut older = good();
    older.revision = Some(Revision(TextHash::of(b"older")));
    assert!(matches!(
        of(older, &actors()),
        NotReplayable::OtherRevision(_)
    ));
    let renamed = record(&snapshot, "Other", "Read");
    assert_eq!(
        of(renamed, &actors()),
        NotReplayable::NoOperation("Other".into())
    );
    let keep = record(&snapshot, "Keep", "Keep");
    assert_eq!(
        of(keep, &actors()),
        NotReplayable::Facts("the fact `retention`".into())
    );
}

#[test]
fn a_change_is_a_difference_that_a_caller_would_see() {
    let mut before = Decider::of_bundle(&bundle(POLICY)).unwrap();
    let mut same = Decider::of_bundle(&bundle(POLICY)).unwrap();
    let other = POLICY.replace("eu-west-1", "us-east-1");
    let mut after = Decider::of_bundle(&bundle(&other)).unwrap();
    let input = json!({"actor": {"groups": ["auditor"]}, "tenant": {"region": "eu-west-1"}});
    assert!(!replay(&mut before, &mut same, &input).is_changed());
    let replayed = replay(&mut before, &mut after, &input);
    assert!(replayed.is_changed() && replayed.disagreements.is_empty());
    assert_eq!((replayed.before.allow, replayed.after.allow), (true, false));
    assert!(!replay(&mut before, &mut after, &json!({})).is_changed());
}
