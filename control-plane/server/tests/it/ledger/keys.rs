//! Whose log it is: keys in files, and the name.

use std::path::Path;
use std::process::Command;

use ig_control_plane::{Config, LedgerConfig, LedgerKeys};
use ig_e2e::ControlPlane;

use super::{ask, keys, records};
use crate::databases::Database;

const SDL: &str = "type Query { me: String }";

/// Keys for tests, as `openssl genpkey` writes them.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEILcNtT2ZfVZ947ZRVeKNyQ8HxcAu/23rI7hpVvFua1gh\n\
    -----END PRIVATE KEY-----\n";
const P256: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQga37rpDGC00PVtfBt\n\
    4dtWUJbBaXKjYfnQoTTIb09BwGihRANCAAQsjwST/G6xTipmLMxVOqfkBD7CVr1N\n\
    g4Gl/E1LjMEXVR+QfZn8V9vm7cRBRdggEiBtEYl3ejp/EFaN2N7EdPRJ\n\
    -----END PRIVATE KEY-----\n";

fn with_files(database: &Database, folder: &Path) -> Config {
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let keys = LedgerKeys {
        ed25519: write("ed25519.pem", ED25519),
        p256: write("p256.pem", P256),
    };
    let ledger = LedgerConfig {
        origin: Some("ledger.example".into()),
        keys: Some(keys),
        ..LedgerConfig::default()
    };
    Config {
        ledger,
        ..database.config()
    }
}

#[test]
fn a_log_keeps_its_keys_and_its_name() {
    for database in Database::each() {
        let folder = tempfile::tempdir().unwrap();
        let config = with_files(&database, folder.path());
        let control = ControlPlane::start(config.clone()).unwrap();
        let token = control.token.clone();
        let own = keys(control.http);
        assert_eq!(own["origin"], "ledger.example");
        assert_eq!(control.call("PUT", "/schemas/demo/a", SDL).0, 201);
        records(&control);
        let checkpoint = |control: &ControlPlane| {
            let (status, _, bytes) = ask(control.http, "GET", "/ledger/checkpoint", b"");
            assert_eq!(status, 200);
            bytes
        };
        let signed = checkpoint(&control);
        assert!(signed.starts_with(b"ledger.example\n1\n"));
        control.stop().unwrap();
        // Without the files the database makes other keys: they sign nothing.
        let mut control = database.start();
        control.token = token;
        assert_eq!(control.call("GET", "/readyz", "").0, 503);
        assert_eq!(control.call("PUT", "/schemas/demo/b", SDL).0, 201);
        assert_eq!(checkpoint(&control), signed);
        let token = control.token.clone();
        control.stop().unwrap();
        // Another name is another log.
        let mut renamed = config.clone();
        renamed.ledger.origin = Some("other.example".into());
        let refused = ControlPlane::start(renamed).map(drop).unwrap_err();
        assert!(
            refused.to_string().contains("`ledger.example`"),
            "{refused}"
        );
        // With them it goes on, also with what was queued meanwhile. The name is
        // known by now.
        let mut unnamed = config;
        unnamed.ledger.origin = None;
        let mut control = ControlPlane::start(unnamed).unwrap();
        control.token = token;
        assert_eq!(keys(control.http), own);
        assert_eq!(records(&control).len(), 2);
        control.stop().unwrap();
    }
}

/// By the command of the documentation.
#[test]
fn the_ledger_is_checked_from_a_shell() {
    let database = Database::sqlite();
    let control = database.start();
    assert_eq!(control.call("PUT", "/schemas/demo/a", SDL).0, 201);
    records(&control);
    let (_, _, remembered) = ask(control.http, "GET", "/ledger/checkpoint", b"");
    assert_eq!(control.call("PUT", "/schemas/demo/b", SDL).0, 201);
    records(&control);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint");
    let fsck = |note: &[u8]| {
        std::fs::write(&file, note).unwrap();
        let page = include_str!("../../../../../docs/ledger.md");
        let (_, command) = page.split_once("\nig-control-plane ledger fsck").unwrap();
        let (arguments, _) = command.split_once('\n').unwrap();
        assert_eq!(arguments, " --remembered checkpoint");
        let ran = Command::new(env!("CARGO_BIN_EXE_ig-control-plane"))
            .args(["--database", &database.url])
            .args("ledger fsck --remembered checkpoint".split(' '))
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8(said).unwrap())
    };
    // Beside a control plane that runs.
    let (right, said) = fsck(&remembered);
    assert!(right && said.contains("2 entries"), "{said}");
    let (right, said) = fsck(b"localhost\n1\nnonsense\n");
    assert!(!right && said.contains("not one of this log"), "{said}");
    super::tamper(
        &database.url,
        "UPDATE audit SET actor = 'x' WHERE number = 2",
    );
    let (right, said) = fsck(&remembered);
    assert!(!right && said.contains("audit record 2"), "{said}");
    control.stop().unwrap();
}
