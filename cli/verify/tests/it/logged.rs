//! Entries of logs in bundles.

use std::fs;

use crate::support::{Export, Logged, PLACE, SIZE, append, code, create, signer, text};

const ROOT: &str = "--trusted-root root.json";
const OLD: &str = "--trusted-root root.json --checkpoint old.checkpoint";

#[test]
fn an_entry_of_a_log_verifies() {
    let logged = Logged::new();
    let out = logged.export.manifest(&format!("{ROOT} --files files"));
    assert_eq!(code(&out), 0, "{}", text(&out));
    let line = format!(
        "ok           tlogEntries[0]: entry {PLACE} of the log ledger.example, of {SIZE} entries\n"
    );
    assert!(text(&out).contains(&line), "{}", text(&out));
    assert!(!text(&out).contains("not checked"), "{}", text(&out));
    let out = logged.export.run(&format!(
        "bundle --bundle m.sigstore.json --key cosign.pub {ROOT} m.json"
    ));
    assert_eq!(code(&out), 0, "{}", text(&out));
    assert!(text(&out).contains(&line), "{}", text(&out));
    // Without a trusted root, that nobody looked.
    let out = logged.export.manifest("");
    assert_eq!(code(&out), 0);
    let line = "not checked  1 of a transparency log: no --trusted-root\n";
    assert!(text(&out).contains(line), "{}", text(&out));
}

#[test]
fn a_log_has_to_have_it_where_one_is_trusted() {
    let logged = Logged::new();
    let fresh = Export::new();
    fs::copy(
        logged.export.path().join("root.json"),
        fresh.path().join("root.json"),
    )
    .unwrap();
    assert_eq!(
        fresh.problems(ROOT),
        (vec!["inclusion tlogEntries".into()], 1)
    );
}

#[test]
fn the_trusted_root_may_lie_in_the_folder() {
    let logged = Logged::new();
    for name in ["root.json", "old.checkpoint"] {
        let path = logged.export.path();
        fs::rename(path.join(name), path.join("files").join(name)).unwrap();
    }
    let (problems, code) = logged.export.problems(
        "--files files --trusted-root files/root.json --checkpoint files/old.checkpoint --ledger log",
    );
    assert_eq!((problems, code), (vec![], 0));
}

/// What a checkpoint that was kept shows, and what it does not.
#[test]
fn a_kept_checkpoint_is_of_the_same_log() {
    let mut logged = Logged::new();
    let out = logged
        .export
        .manifest(&OLD.replace("old.checkpoint", "same.checkpoint"));
    assert_eq!(code(&out), 0, "{}", text(&out));
    let line = "same.checkpoint: of one log with the entry: 300 entries, and 300\n";
    assert!(text(&out).contains(line), "{}", text(&out));

    // Two sizes: nothing is known without tiles, and that is no success.
    assert_eq!(
        logged.export.problems(OLD),
        (vec!["not-shown old.checkpoint".into()], 2)
    );
    let out = logged.export.manifest(OLD);
    let why = "not shown: whether the tree of 100 entries grew to that of 300";
    assert!(text(&out).contains(why), "{}", text(&out));
    let with = format!("{OLD} --ledger log");
    assert_eq!(logged.export.problems(&with), (vec![], 0));

    // A checkpoint that is newer than the entry's.
    logged.append(700);
    logged.write_checkpoint("old.checkpoint");
    assert_eq!(logged.export.problems(OLD).1, 2);
    assert_eq!(logged.export.problems(&with), (vec![], 0));
}

#[test]
fn a_log_that_is_another_is_refused() {
    let logged = Logged::new();
    let mut fork = logged.fork(100);
    let with = format!("{OLD} --ledger log");
    let refused = (vec!["consistency old.checkpoint".into()], 1);
    logged
        .export
        .write("old.checkpoint", fork.checkpoint().as_bytes());
    assert_eq!(logged.export.problems(&with), refused);
    append(&mut fork, "another", SIZE);
    logged
        .export
        .write("old.checkpoint", fork.checkpoint().as_bytes());
    // Of one size, no tiles are needed to see it.
    assert_eq!(logged.export.problems(OLD), refused);
    let out = logged.export.manifest(OLD);
    assert!(
        text(&out).contains("a fork: of 300 entries"),
        "{}",
        text(&out)
    );

    // Of a log that is not the entry's.
    let other = create(&logged.export, "other", signer("other.example", 5));
    logged
        .export
        .write("old.checkpoint", other.checkpoint().as_bytes());
    assert_eq!(
        logged.export.problems(&with),
        (vec!["checkpoint old.checkpoint".into()], 1)
    );
}

/// What is asked for and cannot be done is no success.
#[test]
fn a_log_that_cannot_be_read_shows_nothing() {
    let logged = Logged::new();
    for place in ["nowhere", "http://127.0.0.1:1", "ftp://a", "https://a?b"] {
        let (problems, code) = logged.export.problems(&format!("{OLD} --ledger {place}"));
        assert_eq!(problems, ["unreadable old.checkpoint"], "{place}");
        assert_eq!(code, 2, "{place}");
    }
    fs::write(logged.export.path().join("log/checkpoint"), "no note").unwrap();
    assert_eq!(
        logged.export.problems(&format!("{OLD} --ledger log")),
        (vec!["checkpoint old.checkpoint".into()], 1)
    );
    for line in [
        "--checkpoint old.checkpoint",
        &format!("{ROOT} --ledger log"),
    ] {
        assert_eq!(code(&logged.export.manifest(line)), 2, "{line}");
    }
}
