//! Verifiers that are not ours.

use std::path::PathBuf;
use std::process::Command;

use ig_e2e::workspace;

use super::{Stage, of, own, url};
use crate::databases::Database;

/// `None`, loudly, where there is no Cosign; in CI that fails.
fn cosign() -> Option<PathBuf> {
    let named = std::env::var_os("IG_COSIGN").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| workspace().join(".tools/bin/cosign"));
    if binary.is_file() {
        return Some(binary);
    }
    let missing = "no Cosign: run `cargo xtask setup --with cosign`";
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

/// With the public files of the API, and nothing else that is trusted.
#[test]
fn cosign_verifies_an_export_and_its_place_in_the_ledger() {
    let Some(cosign) = cosign() else { return };
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let mut made = serde_json::Value::Null;
    for number in 0..3 {
        let proof = ada.proof();
        let key = format!("k-{number}");
        let answer = stage.post(&own(&ada.person.header, &proof, &key), &of(number + 1));
        assert_eq!(answer.0, 201, "{answer:?}");
        made = answer.1;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let save = |name: &str, path: &str| {
        let (status, text) = stage.bench.control.call_as(None, "GET", path, "");
        assert_eq!(status, 200, "{path}");
        let text = text
            .as_str()
            .map_or_else(|| text.to_string(), ToOwned::to_owned);
        std::fs::write(at(name), text).unwrap();
    };
    let key = url(made["keyId"].as_str().unwrap());
    save("key.pem", &format!("/exports/keys/{key}"));
    save("root.json", "/exports/trusted-root.json");
    std::fs::write(at("bundle.json"), made["bundle"].to_string()).unwrap();
    std::fs::write(at("manifest.json"), made["manifest"].to_string()).unwrap();
    let verify = || {
        let ran = Command::new(&cosign)
            .arg("verify-blob")
            .arg("--key")
            .arg(at("key.pem"))
            .arg("--trusted-root")
            .arg(at("root.json"))
            .arg("--bundle")
            .arg(at("bundle.json"))
            .arg(at("manifest.json"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.success(), said)
    };
    let (is_good, said) = verify();
    assert!(is_good, "{said}");
    // Another place, without which the signature itself still holds.
    let mut bundle = made["bundle"].clone();
    let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
    entry["inclusionProof"]["logIndex"] = "0".into();
    entry["logIndex"] = "0".into();
    std::fs::write(at("bundle.json"), bundle.to_string()).unwrap();
    assert!(!verify().0, "another index");
    std::fs::write(at("bundle.json"), made["bundle"].to_string()).unwrap();
    let changed = made["manifest"]
        .to_string()
        .replace("user:alpha:ada", "user:alpha:eve");
    std::fs::write(at("manifest.json"), changed).unwrap();
    assert!(!verify().0, "another manifest");
    stage.bench.control.stop().unwrap();
}
