//! `ig-verify ledger`: logs in folders, and proofs.

use std::fs;

use ig_ledger::layout::Resource;
use ig_ledger::storage::Files as _;
use serde_json::Value;

use crate::support::{Logged, ORIGIN, SIZE, append, code, create, signer, text, witness};

const POLICY: &str = "ledger log --policy ledger.policy";

/// What is wrong, as `kind item`, and the exit code.
pub(crate) fn problems(logged: &Logged, line: &str) -> (Vec<String>, i32) {
    let out = logged.export.run(&format!("{line} --json"));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    let problems = report["problems"].as_array();
    let one = |problem: &Value| {
        let part = |name: &str| problem[name].as_str().unwrap().to_owned();
        assert!(!part("why").is_empty());
        format!("{} {}", part("kind"), part("item"))
    };
    let problems = problems.map(|all| all.iter().map(one).collect());
    (
        problems.unwrap_or_else(|| panic!("{}", text(&out))),
        code(&out),
    )
}

#[test]
fn a_good_log_verifies() {
    let logged = Logged::new();
    let out = logged.export.run(POLICY);
    assert_eq!(code(&out), 0, "{}", text(&out));
    let said = text(&out);
    let root = logged.log.head().root;
    for line in [
        &format!(
            "ok           checkpoint: {ORIGIN}, 300 entries, root {root}, cosigned by witness.example/w1 at 1800000000\n"
        ),
        "each hashed, and all tiles of them\n",
        "not checked  whether it grew from an earlier tree",
        "verified\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let out = logged.export.run(&format!("{POLICY} --json"));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let expected = serde_json::json!({
        "origin": ORIGIN, "size": SIZE, "root": root.to_string(),
        "cosigned": [{"witness": "witness.example/w1", "seconds": 1_800_000_000_u64}],
    });
    assert_eq!(report["checkpoint"], expected);
    // By its keys alone.
    let [one, two] = signer(ORIGIN, 1).keys().clone();
    let keys = format!("ledger log --key {one} --key {two}");
    assert_eq!(problems(&logged, &keys), (vec![], 0));
}

/// The empty log, full tiles and bundles, and what is not full.
#[test]
fn logs_of_all_sizes_verify() {
    for size in [0, 1, 255, 256, 257, 512] {
        let logged = Logged::new();
        let mut log = create(&logged.export, "sized", signer(ORIGIN, 1));
        append(&mut log, "entry", size);
        let [one, two] = signer(ORIGIN, 1).keys().clone();
        let line = format!("ledger sized --key {one} --key {two}");
        assert_eq!(problems(&logged, &line), (vec![], 0), "{size}");
    }
}

#[test]
fn a_log_is_remembered_once_it_verifies() {
    let mut logged = Logged::new();
    let line = format!("{POLICY} --remember seen.checkpoint");
    let seen = logged.export.path().join("seen.checkpoint");
    assert_eq!(problems(&logged, &line), (vec![], 0));
    assert_eq!(fs::read_to_string(&seen).unwrap(), logged.log.checkpoint());

    logged.append(900);
    // Not cosigned yet: not believed, and not remembered.
    let before = fs::read(&seen).unwrap();
    assert_eq!(
        problems(&logged, &line),
        (vec!["checkpoint checkpoint".into()], 1)
    );
    assert_eq!(fs::read(&seen).unwrap(), before);
    logged.cosign();
    let out = logged.export.run(&line);
    assert_eq!(code(&out), 0, "{}", text(&out));
    let said = "seen.checkpoint: of 300 entries, of one log with the log";
    assert!(text(&out).contains(said), "{}", text(&out));
    assert_eq!(fs::read_to_string(&seen).unwrap(), logged.log.checkpoint());

    // A tile that is wrong: what is remembered stays.
    let before = fs::read(&seen).unwrap();
    logged.append(1000);
    logged.cosign();
    logged.change("log/tile/0/001", |bytes| bytes[0] ^= 1);
    assert_eq!(
        problems(&logged, &line),
        (vec!["changed tile/0/001".into()], 1)
    );
    assert_eq!(fs::read(&seen).unwrap(), before);
    // No other file was left.
    let names = fs::read_dir(logged.export.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    assert!(
        !names
            .into_iter()
            .any(|name| name.to_string_lossy().contains("tmp"))
    );
}

#[test]
fn a_log_only_grows() {
    let logged = Logged::new();
    for more in ["", " --no-fsck"] {
        let line = format!("{POLICY} --checkpoint old.checkpoint{more}");
        assert_eq!(problems(&logged, &line), (vec![], 0), "{more}");
    }
    let out = logged.export.run(&format!("{POLICY} --no-fsck"));
    assert!(
        text(&out).contains("not checked  300 entries"),
        "{}",
        text(&out)
    );

    let mut fork = logged.fork(100);
    for size in [100, 200, SIZE] {
        append(&mut fork, "another", size);
        logged
            .export
            .write("fork.checkpoint", fork.checkpoint().as_bytes());
        for more in ["", " --no-fsck"] {
            let line = format!("{POLICY} --checkpoint fork.checkpoint{more}");
            let refused = (vec!["consistency fork.checkpoint".into()], 1);
            assert_eq!(problems(&logged, &line), refused, "{size}{more}");
        }
    }
    append(&mut fork, "another", SIZE + 1);
    logged
        .export
        .write("fork.checkpoint", fork.checkpoint().as_bytes());
    let out = logged
        .export
        .run(&format!("{POLICY} --checkpoint fork.checkpoint"));
    assert_eq!(code(&out), 1);
    assert!(text(&out).contains("it shrank"), "{}", text(&out));
}

#[test]
fn a_proof_proves_an_entry() {
    let logged = Logged::new();
    let line = "ledger --policy ledger.policy --proof entry.tlog-proof --entry entry.json";
    let out = logged.export.run(line);
    assert_eq!(code(&out), 0, "{}", text(&out));
    let said = "entry.json: entry 270 of the log ledger.example, of 300 entries\n";
    assert!(text(&out).contains(said), "{}", text(&out));
    assert_eq!(
        problems(&logged, &line.replace("entry.json", "m.json")),
        (vec!["inclusion entry.tlog-proof".into()], 1)
    );
    assert_eq!(
        problems(&logged, &line.replace("entry.tlog-proof", "m.json")),
        (vec!["malformed m.json".into()], 1)
    );
    // With the log: the proof's tree is one that the log grew from.
    let with = line.replacen("ledger", "ledger log", 1);
    assert_eq!(problems(&logged, &with), (vec![], 0));
    // With a checkpoint, and no log to show that it grew.
    let kept = format!("{line} --checkpoint same.checkpoint");
    assert_eq!(problems(&logged, &kept), (vec![], 0));
    let kept = format!("{line} --checkpoint old.checkpoint");
    assert_eq!(problems(&logged, &kept).1, 2);
}

#[test]
fn only_a_good_policy_is_one() {
    let logged = Logged::new();
    let [one, two] = signer(ORIGIN, 1).keys().clone();
    let other = signer("other.example", 5).keys()[0].clone();
    let witness = witness().key().clone();
    for line in [
        "ledger log",
        "ledger --policy ledger.policy",
        "ledger log --policy m.json",
        "ledger log --policy nowhere",
        "ledger log --key nonsense",
        &format!("ledger log --policy ledger.policy --key {one}"),
        &format!("ledger log --key {one} --key {one}"),
        &format!("ledger log --key {one} --key {other}"),
        &format!("ledger log --key {witness}"),
        "ledger nowhere --policy ledger.policy",
        "ledger ftp://a --policy ledger.policy",
        "ledger https:// --policy ledger.policy",
        "ledger https://a/b?c --policy ledger.policy",
        "ledger https://a --policy ledger.policy --ca m.json",
        "ledger log --policy ledger.policy --checkpoint nowhere",
        "ledger log --policy ledger.policy --proof entry.tlog-proof",
        "ledger log --policy ledger.policy --jobs 0",
    ] {
        let out = logged.export.run(line);
        assert_eq!(code(&out), 2, "{line}: {}", text(&out));
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{line}");
    }
    // One of two keys: the other line is one that nobody knows.
    assert_eq!(
        problems(&logged, &format!("ledger log --key {two}")),
        (vec![], 0)
    );
    // Other keys than the log's.
    let [stranger, _] = signer(ORIGIN, 7).keys().clone();
    let line = format!("ledger log --key {one} --key {stranger}");
    assert_eq!(
        problems(&logged, &line),
        (vec!["checkpoint checkpoint".into()], 1)
    );
    let line = format!("ledger log --key {other}");
    assert_eq!(
        problems(&logged, &line),
        (vec!["checkpoint checkpoint".into()], 1)
    );
}

/// Each file of the log: a bit, a byte less, none.
#[test]
fn the_first_file_that_differs_is_named() {
    let logged = Logged::new();
    let files: [(&str, &str, usize); 5] = [
        // What is changed, which tile says it, at which place.
        ("tile/entries/000", "tile/0/000", 255),
        ("tile/entries/001.p/44", "tile/0/001.p/44", 43),
        ("tile/0/000", "tile/0/000", 255),
        ("tile/0/001.p/44", "tile/0/001.p/44", 43),
        ("tile/1/000.p/1", "tile/1/000.p/1", 0),
    ];
    for (file, named, place) in files {
        let resource: Resource = file.parse().unwrap();
        let good = logged.files().read(resource).unwrap().unwrap();
        let name = format!("log/{file}");
        logged.change(&name, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let refused = (vec![format!("changed {named}")], 1);
        assert_eq!(problems(&logged, POLICY), refused, "{file}");
        let said = text(&logged.export.run(POLICY));
        assert!(
            said.contains(&format!("`{named}`: hash {place} is ")),
            "{said}"
        );
        logged.change(&name, |bytes| bytes.truncate(bytes.len() - 1));
        let refused = (vec![format!("malformed {file}")], 1);
        assert_eq!(problems(&logged, POLICY), refused, "{file}");
        fs::remove_file(logged.export.path().join(&name)).unwrap();
        let refused = (vec![format!("missing {file}")], 1);
        assert_eq!(problems(&logged, POLICY), refused, "{file}");
        logged.export.write(&name, &good);
    }
    assert_eq!(problems(&logged, POLICY), (vec![], 0));
}
