//! What runbooks tell readers to run, run as it stands.

use std::path::{Path, PathBuf};
use std::process::Command;

use ig_contract::snapshot::{Head, Operation, Snapshot};
use ig_contract::{DenyCode, Mode};
use ig_e2e::{ControlPlane, as_from_a_shell, built, fill};
use ig_policy::{Caller, Claim, Claims, Policy, Question};
use serde_json::{Value, json};

use super::{Database, workspace};
use crate::proxy::{Answer, Proxy};

const OWN: &str = "https://login.alpha.example";
const OTHER: &str = "https://login.bravo.example";
const PURPOSE: &str = "investigation";

/// A tenant that has every setting, so that none goes unseen.
fn alpha() -> Value {
    json!({
        "region": "eu-west-1",
        "purposes": [PURPOSE, "audit"],
        "purposesByGroup": {"analyst": [PURPOSE]},
        "issuers": {OWN: {"claim": "oid", "attribute": "externalId"}},
        "modes": {"persistedQuery": "enforce", "policy": "shadow", "rateLimit": "shadow"},
        "ratePercent": 200,
        "priority": "high",
    })
}

/// A control plane in which what runbooks are about has happened: three publications,
/// two schemas, two tenants.
fn control(database: &Database) -> ControlPlane {
    let control = database.start();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let expect = |method: &str, path: &str, body: &str| {
        let (status, said) = control.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {said}");
    };
    expect("PUT", "/tenants/alpha", &alpha().to_string());
    expect("POST", "/snapshots/demo", "");
    let region = json!({"region": "us-east-1", "purposes": [PURPOSE]});
    expect("PUT", "/tenants/bravo", &region.to_string());
    expect("POST", "/snapshots/demo", "");
    let sdl = std::fs::read_to_string(workspace("persisted-queries/schema.graphql")).unwrap();
    let next = format!("{sdl}\ntype Next {{ id: ID }}\n");
    expect("PUT", "/schemas/demo/next", &next);
    control
}

/// Blocks of commands of a page.
fn blocks(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    let blocks: Vec<String> = blocks.collect();
    assert!(!blocks.is_empty(), "{} has no command", page.display());
    blocks
}

/// Runs a script as a reader would, in an empty folder.
fn run(script: &str, control: &ControlPlane, database: &Database, folder: &Path) -> String {
    let ig = built("ig").unwrap();
    let server = built("ig-control-plane").unwrap();
    let folders = [&ig, &server].map(|binary| binary.parent().unwrap().to_owned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = folders.into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("set -euxo pipefail\n{script}")])
        .current_dir(folder);
    as_from_a_shell(&mut bash)
        .env("PATH", &path)
        .env("IG_CONTROL_URL", format!("http://{}", control.http))
        .env("IG_ADMIN_TOKEN", control.token.as_deref().unwrap())
        .env("IG_DATABASE", &database.url);
    let ran = bash.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{out}");
    format!("{said}\n{out}")
}

fn pages() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace("docs/runbooks")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_commands_of_every_runbook_work() {
    let pages = pages();
    assert_eq!(pages.len(), 9);
    for page in pages {
        // Each from the same state: readers begin with any of them.
        let database = Database::sqlite();
        let control = control(&database);
        let proxy = Proxy::connect(control.grpc, "edge-1", Answer::Accepts);
        let folder = tempfile::tempdir().unwrap();
        println!("{}", page.display());
        run(&blocks(&page).concat(), &control, &database, folder.path());
        drop(proxy);
        control.stop().unwrap();
    }
}

/// What a guard with the snapshot decides on a call of tenant alpha, and whether it
/// holds the caller to it.
fn decide(snapshot: &Snapshot, issuer: &str) -> (Result<(), DenyCode>, Mode) {
    let head: &Head = snapshot.head();
    let claims: Claims = [
        ("iss", issuer),
        ("sub", "a@alpha.io"),
        (head.identity.tenant_claim.as_str(), "alpha"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Claim::Text(value.to_owned())))
    .chain([(
        head.identity.purposes_claim.clone(),
        Claim::List(vec![PURPOSE.into(), "audit".into(), "export".into()]),
    )])
    .collect();
    let mode = head.tenants["alpha"].modes.unwrap_or(head.modes).policy;
    let policy = Policy::load(head, snapshot.program()).unwrap();
    let operation = case_by_id(snapshot);
    let variables = serde_json::value::RawValue::from_string("\"c1\"".into()).unwrap();
    let decided = Caller::from_claims(&claims, head)
        .and_then(|caller| caller.by_token(head))
        .and_then(|actor| {
            policy.decide(Question {
                actor_number: 0,
                actor: &actor,
                purpose: Some(PURPOSE),
                authority: Some("warrant"),
                operation_number: 0,
                operation: &operation,
                variables: &[("id".into(), &*variables)],
            })
        });
    (decided.map(drop).map_err(|deny| deny.code), mode)
}

fn case_by_id(snapshot: &Snapshot) -> Operation {
    let mut indices = snapshot.iter().flat_map(|document| document.operations());
    indices
        .find_map(|index| {
            let operation = snapshot.operation(index)?;
            (operation.name == "CaseById").then_some(operation)
        })
        .unwrap()
}

/// What a page may change on its way: the rest of the tenant is as it was, and no other
/// issuer speaks for it at any time.
#[test]
fn runbooks_give_a_tenant_back_as_it_was_and_to_nobody_else() {
    let may_change: [(&str, &[&str]); 2] = [
        (
            "residency-incident.md",
            &["purposes", "purposesByGroup", "modes"],
        ),
        ("budget.md", &["ratePercent"]),
    ];
    let touches = |page: &PathBuf| blocks(page).concat().contains("ig tenant ");
    let of_tenants: Vec<PathBuf> = pages().into_iter().filter(touches).collect();
    assert_eq!(of_tenants.len(), may_change.len(), "{of_tenants:?}");
    for (name, changed) in may_change {
        let database = Database::sqlite();
        let control = control(&database);
        let proxy = Proxy::connect(control.grpc, "edge-1", Answer::Accepts);
        let folder = tempfile::tempdir().unwrap();
        let get = || control.call("GET", "/tenants/alpha", "").1;
        let before = get();
        assert_eq!(before["issuers"], alpha()["issuers"]);
        let mut changes = 0;
        let mut stops = 0;
        for block in blocks(&workspace("docs/runbooks").join(name)) {
            run(&block, &control, &database, folder.path());
            let (mut was, mut is) = (before.clone(), get());
            changes += usize::from(was != is);
            let is_stopped = is["purposes"] == json!(["quarantine"]);
            for tenant in [&mut was, &mut is] {
                tenant
                    .as_object_mut()
                    .unwrap()
                    .retain(|key, _| !changed.contains(&key.as_str()));
            }
            assert_eq!(was, is, "{name}: {block}");
            let got = folder.path().join("now.igsnap");
            let get = format!("ig snapshot get demo -o {}", got.display());
            run(&get, &control, &database, folder.path());
            let snapshot = Snapshot::decode(std::fs::read(got).unwrap()).unwrap();
            let other = decide(&snapshot, OTHER).0;
            assert_eq!(other, Err(DenyCode::SubjectInactive), "{name}: {block}");
            let expected = match is_stopped {
                true => (Err(DenyCode::PurposeDenied), Mode::Enforce),
                false => (Ok(()), Mode::Shadow),
            };
            assert_eq!(decide(&snapshot, OWN), expected, "{name}: {block}");
            stops += usize::from(is_stopped);
        }
        assert!(changes > 0, "{name} changes nothing");
        assert_eq!(stops > 0, name.starts_with("residency"), "{name}");
        assert_eq!(get(), before, "{name}");
        drop(proxy);
        control.stop().unwrap();
    }
}
