//! Exports and keys of a control plane.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ig_signing::manifest::Item;
use ig_signing::{Bundle, Manifest, PrivateKey, PublicKey, Sha256, TrustedRoot};
use serde_json::{Value, json};

use crate::control_plane::Remote;

/// As the examples name it.
pub(crate) const EXPORT: &str = "01a2125f-9b6f-74dd-9869-58ad0d024b3c";

/// Puts exports of `alpha` into the database as the control plane does once they are in
/// the ledger: a way there by passkeys has the control plane's own tests. The last of
/// them is [`EXPORT`]; the key is one that was retired.
pub(crate) fn with_exports(remote: &Remote, count: usize) -> PublicKey {
    let key = PrivateKey::generate().unwrap();
    let public = key.public();
    let mut rows = vec![json!(["export_keys", {
        "hint": public.key_id(), "pem": public.to_pem(), "not_before": 1, "retired_at": 2,
    }])];
    for number in 0..count {
        let sha256 = Sha256::of(number.to_string().as_bytes());
        let id = format!("asset-{number}");
        let manifest = Manifest::new(vec![Item { id, sha256 }], "user:alpha:a", "alpha", "audit");
        let manifest = manifest.unwrap().to_bytes();
        let digest = Sha256::of(&manifest);
        let bundle = Bundle::sign(&key, digest).unwrap().to_bytes();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let id = match number + 1 == count {
            true => EXPORT.to_owned(),
            false => format!("export-{number}"),
        };
        rows.push(json!(["exports", {
            "id": id, "tenant": "alpha", "user_id": "u", "created_by": "user:alpha:a",
            "graph": "demo", "action": "export:assets", "purpose": "audit",
            "decision": format!("decision-{number}"), "proof": "p",
            "idempotency_key": number.to_string(), "fingerprint": "f", "items": 1,
            "manifest": text(manifest), "manifest_sha": digest.to_string(),
            "key_hint": public.key_id(), "bundle": text(bundle), "entry": number,
            "ledger_index": number, "ledger_proof": "c2sp.org/tlog-proof@v1\n",
            "created_at": 1_700_000_000_000_i64,
        }]));
    }
    insert(remote, &Value::Array(rows));
    public.clone()
}

const INSERT: &str = "
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=60)
for table, row in json.load(sys.stdin):
    values = [one.encode() if name == 'manifest' else one for name, one in row.items()]
    places = ','.join('?' * len(row))
    database.execute(f\"INSERT INTO {table} ({','.join(row)}) VALUES ({places})\", values)
database.commit()
";

fn insert(remote: &Remote, rows: &Value) {
    let mut python = Command::new("python3")
        .args(["-c", INSERT])
        .arg(remote.database())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(rows.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(python.wait().unwrap().success());
}

#[test]
fn exports_are_listed_shown_and_got() {
    let remote = Remote::start();
    remote.fill();
    // More than a page.
    let key = with_exports(&remote, 1003);
    let all = remote.ig("exports list --limit 2000 --json").ok().json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 1003);
    assert_eq!(all[0]["exportId"], EXPORT);
    assert_eq!(all[1002]["exportId"], "export-0");
    let few = remote
        .ig("export list --tenant alpha --limit 3 --json")
        .ok()
        .json();
    assert_eq!(few.as_array().unwrap()[..], all[..3]);
    let none = remote.ig("export list --tenant bravo --json").ok().json();
    assert_eq!(none, json!([]));
    remote
        .ig("export list --limit 1")
        .ok()
        .says(EXPORT)
        .says("user:alpha:a");
    remote
        .ig(&format!("export show {EXPORT}"))
        .ok()
        .says(&key.key_id())
        .says("asset-1002");
    let shown = remote
        .ig(&format!("export show {EXPORT} --json"))
        .ok()
        .json();
    assert_eq!(shown["keyId"], key.key_id());

    let told = remote
        .ig(&format!("export get {EXPORT} --out got --json"))
        .ok()
        .json();
    let read = |name: &str| remote.work.read(told[name].as_str().unwrap());
    assert_eq!(told["bundle"], format!("got/{EXPORT}.sigstore.json"));
    assert_eq!(
        PublicKey::from_pem(read("publicKey").as_bytes()).unwrap(),
        key
    );
    let bundle = Bundle::parse(read("bundle").as_bytes()).unwrap();
    bundle
        .verify(&key, &Sha256::of(read("manifest").as_bytes()))
        .unwrap();
    assert_eq!(read("signature"), bundle.signature().to_detached());
    assert!(read("proof").starts_with("c2sp.org/tlog-proof"));
    remote.ig("export show none").exits(1).says("not here");
    remote.ig("export get none --out none").exits(1);
    assert!(!remote.work.file("none").exists());
}

/// Whoever changes the database makes nobody write down what does not verify.
#[test]
fn what_does_not_verify_is_not_written() {
    let remote = Remote::start();
    remote.fill();
    with_exports(&remote, 1);
    let other = PrivateKey::generate().unwrap();
    let digest = Sha256::of(b"other");
    let bundle = Bundle::sign(&other, digest).unwrap().to_bytes();
    let row = json!([["exports", {
        "id": "changed", "tenant": "alpha", "user_id": "u", "created_by": "user:alpha:a",
        "graph": "demo", "action": "export:assets", "purpose": "audit", "decision": "d",
        "proof": "p", "idempotency_key": "k", "fingerprint": "f", "items": 1,
        "manifest": Manifest::new(vec![], "user:alpha:a", "alpha", "audit")
            .map(|manifest| String::from_utf8(manifest.to_bytes()).unwrap()).unwrap(),
        "manifest_sha": digest.to_string(),
        "key_hint": remote.ig("export keys list --json").ok().json()[0]["keyId"],
        "bundle": String::from_utf8(bundle).unwrap(), "entry": 7, "ledger_index": 7,
        "ledger_proof": "", "created_at": 1,
    }]]);
    insert(&remote, &row);
    remote
        .ig("export get changed --out got")
        .exits(1)
        .says("does not verify");
    assert!(!remote.work.file("got").exists());
}

#[test]
fn keys_are_listed_changed_retired_and_got() {
    let remote = Remote::start();
    let first = remote.ig("export keys list --json").ok().json();
    let made = remote.ig("export keys rotate --json").ok().json();
    let id = |key: &Value| key["keyId"].as_str().unwrap().to_owned();
    let all = remote.ig("exports keys list --json").ok().json();
    assert_eq!((id(&all[0]), id(&all[1])), (id(&made), id(&first[0])));
    remote
        .ig("export keys list")
        .ok()
        .says("signs")
        .says("retired");
    for key in [&all[0], &all[1]] {
        // Spelt as it is, and as URLs have it.
        for spelt in [
            id(key),
            id(key).replace('+', "-").replace('/', "_").replace('=', ""),
        ] {
            remote
                .ig(&format!("export keys get {spelt} -o key.pub"))
                .ok();
            let pem = remote.work.read("key.pub");
            assert_eq!(
                PublicKey::from_pem(pem.as_bytes()).unwrap().key_id(),
                id(key)
            );
        }
    }
    remote.ig("export trusted-root -o root.json").ok();
    let root = TrustedRoot::parse(remote.work.read("root.json").as_bytes()).unwrap();
    assert_eq!(root.logs().len(), 1);
    remote
        .ig(&format!("export keys retire {}", id(&first[0])))
        .exits(1);
    remote.ig(&format!("export keys retire {}", id(&made))).ok();
    let all = remote.ig("export keys list --json").ok().json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|key| key["retiredAt"].is_u64())
    );
    let next = remote.ig("export keys rotate --json").ok().json();
    assert!(id(&next) != id(&made));
    let audit = remote.ig("audit --json --limit 3").ok().json();
    let actions = audit.as_array().unwrap().iter();
    let actions: Vec<_> = actions.map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "export-key.rotate",
            "export-key.retire",
            "export-key.rotate"
        ]
    );
    remote.ig("export keys get none").exits(1).says("not here");
}

#[test]
fn an_exporter_has_tenants_and_nothing_of_the_api() {
    let remote = Remote::start();
    remote.fill();
    remote.ig("tenant put bravo").ok();
    let made = remote
        .ig("access create upstream --role exporter --tenant alpha --tenant bravo")
        .ok();
    remote.work.write("token", &made.stdout);
    let with = "--admin-token-file token";
    remote
        .ig(&format!("tenant list {with}"))
        .exits(2)
        .says("403");
    remote.ig(&format!("exports list {with}")).ok();
    let listed = remote.ig("access list").ok().stdout;
    assert!(listed.contains("exporter  alpha, bravo"), "{listed}");
    remote
        .ig("access create a --role exporter")
        .exits(2)
        .says("--tenant");
    remote
        .ig("access create a --role provisioner --tenant alpha --tenant bravo")
        .exits(2)
        .says("one, for every role but exporter");
    remote.ig("access revoke upstream").ok();
    remote.ig(&format!("exports list {with}")).exits(2);
}

/// The page on exports says how admins look after them.
#[test]
fn documented_commands_run() {
    let remote = Remote::start();
    remote.fill();
    remote.ig("tenant put bravo").ok();
    with_exports(&remote, 1);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/exports.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let ran = lines.inspect(|line| drop(remote.ig(line.strip_prefix("ig ").unwrap()).ok()));
    assert_eq!(ran.count(), 7);
    assert!(
        remote
            .work
            .file(&format!("got/{EXPORT}.sigstore.json"))
            .exists()
    );
}
