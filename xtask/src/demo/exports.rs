//! The stops of an export: with a proof of presence it is signed, and whoever has
//! the key verifies that.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ig_authenticator::Authenticator;
use serde_json::{Value, json};

use super::Outcome;
use super::tour::Tour;
use crate::process::Process;
use crate::tools;

const VARIABLES: &str = r#"{"ids":["asset-1"]}"#;

pub(super) fn run(tour: &Tour<'_>, key: &mut Authenticator) -> Result<Vec<Outcome>> {
    let token = prove(tour, key)?;
    let (status, answer) = tour.export(VARIABLES, Some(&token))?;
    let made = &answer["data"]["exportAssets"];
    let is_signed = made["manifestSha"].is_string() && made["sig"].is_string();
    let exported = Outcome {
        sent: "an export with a proof of presence",
        expected: "200, manifestSha and sig".into(),
        got: match is_signed {
            true => format!("{status}, {}", made["manifestSha"]),
            false => format!("{status} {answer}"),
        },
        holds: status == 200 && is_signed,
    };
    let (status, again) = tour.export(VARIABLES, Some(&token))?;
    let rule = &again["errors"][0]["extensions"]["rule"];
    let used = Outcome {
        sent: "another with the same proof",
        expected: "401 (step-up-used)".into(),
        got: format!("{status} ({})", rule.as_str().unwrap_or_default()),
        holds: (status, rule) == (401, &json!("step-up-used")),
    };
    Ok(vec![exported, used, verify(tour, &made["manifestSha"])?])
}

/// A passkey that a@alpha.io adds.
pub(super) fn enrol(tour: &Tour<'_>) -> Result<Authenticator> {
    let mut key = Authenticator::new(1, "http://localhost:8080", "localhost");
    let begun = webauthn(tour, "registration/options", &json!({"name": "demo"}))?;
    let credential = key.create(&begun["publicKey"]);
    let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
    webauthn(tour, "registration/verify", &answer)?;
    Ok(key)
}

/// A step-up token of a@alpha.io.
fn prove(tour: &Tour<'_>, key: &mut Authenticator) -> Result<String> {
    let intent = json!({"graph": "demo", "actions": ["export:assets"]});
    let begun = webauthn(tour, "authentication/options", &intent)?;
    let credential = key.get(&begun["publicKey"]);
    let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
    let granted = webauthn(tour, "authentication/verify", &answer)?;
    let token = granted["token"].as_str().context("no step-up token")?;
    Ok(token.to_owned())
}

fn webauthn(tour: &Tour<'_>, path: &str, body: &Value) -> Result<Value> {
    let path = format!("/webauthn/{path}");
    let stack = tour.stack;
    stack
        .control
        .call_as(&stack.token_alpha, "POST", &path, body)
}

/// An auditor has four files, and no token.
fn verify(tour: &Tour<'_>, manifest_sha: &Value) -> Result<Outcome> {
    let control = &tour.stack.control;
    let listed = control.get("/exports?tenant=alpha")?;
    let listed: Value = serde_json::from_str(&listed)?;
    let one = &listed["items"][0];
    let id = one["exportId"].as_str().context("no export is listed")?;
    ensure!(one["manifestSha"] == *manifest_sha, "another export: {one}");
    let keys: Value = serde_json::from_str(&control.get("/exports/keys")?)?;
    let key = keys[0]["pem"].as_str().context("no key is listed")?;
    let folder = tools::root().join("target/dev");
    let write = |name: &str, text: &str| -> Result<std::path::PathBuf> {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    };
    let manifest = control.get(&format!("/exports/{id}/manifest"))?;
    let bundle = control.get(&format!("/exports/{id}/bundle"))?;
    let root = control.get("/exports/trusted-root.json")?;
    let manifest = write("manifest.json", &manifest)?;
    let bundle = write("bundle.json", &bundle)?;
    let key = write("export-key.pem", key)?;
    let root = write("trusted-root.json", &root)?;
    let said = ig_verify(&bundle, &key, &root, &manifest);
    Ok(Outcome {
        sent: "what was exported, to ig-verify",
        expected: "verified".into(),
        got: match &said {
            Ok(()) => "verified".into(),
            Err(error) => format!("{error:#}"),
        },
        holds: said.is_ok(),
    })
}

fn ig_verify(bundle: &Path, key: &Path, root: &Path, manifest: &Path) -> Result<()> {
    Process::new(tools::root().join("target/debug/ig-verify"))
        .args(["bundle", "--bundle"])
        .arg(bundle)
        .arg("--key")
        .arg(key)
        .arg("--trusted-root")
        .arg(root)
        .arg(manifest)
        .capture()?;
    Ok(())
}
