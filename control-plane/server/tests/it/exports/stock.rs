//! Verifiers that are not ours, and `ig-verify`, with what anybody can get from
//! the API and nothing else that is trusted.

use std::path::{Path, PathBuf};
use std::process::Command;

use ig_e2e::workspace;
use serde_json::Value;

use super::{Stage, of, own, url};
use crate::databases::Database;

/// Who verifies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verifier {
    Cosign,
    /// `@sigstore/verify`, which wants one entry of a log.
    Sigstore,
    IgVerify,
}

/// What is given to a verifier.
#[derive(Clone)]
struct Given {
    manifest: String,
    bundle: String,
    key: String,
    /// What the key is known by.
    hint: String,
    root: String,
}

/// `None`, loudly, where there is no such file; in CI that fails.
fn found(path: PathBuf, missing: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

impl Verifier {
    const EACH: [Self; 3] = [Self::Cosign, Self::Sigstore, Self::IgVerify];

    /// The program and what it is called with first.
    fn command(self) -> Option<Command> {
        let interop = workspace().join("tests/interop");
        match self {
            Self::Cosign => {
                let named = std::env::var_os("IG_COSIGN").map(PathBuf::from);
                let path = named.unwrap_or_else(|| workspace().join(".tools/bin/cosign"));
                let path = found(path, "no Cosign: `cargo xtask setup --with cosign`")?;
                let mut command = Command::new(path);
                command.arg("verify-blob");
                Some(command)
            }
            Self::Sigstore => {
                let missing = "no @sigstore/verify: `cargo xtask setup --with interop`";
                found(interop.join("node_modules/@sigstore/verify"), missing)?;
                let mut command = Command::new("node");
                command.arg(interop.join("bin/sigstore.js"));
                Some(command)
            }
            Self::IgVerify => {
                let path = Path::new(env!("CARGO_BIN_EXE_ig-control-plane"));
                let path = path.with_file_name("ig-verify");
                let path = found(path, "no ig-verify: `cargo build -p ig-verify`")?;
                let mut command = Command::new(path);
                command.arg("manifest");
                Some(command)
            }
        }
    }

    /// What it says of this, and why; `None` where it is not here.
    fn verify(self, given: &Given) -> Option<(bool, String)> {
        let mut command = self.command()?;
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let key = save("key.pem", &given.key);
        let root = save("root.json", &given.root);
        let bundle = save("bundle.json", &given.bundle);
        let manifest = save("manifest.json", &given.manifest);
        if self == Self::Sigstore {
            command.arg(key).arg(&given.hint).args([root, bundle]);
        } else {
            command.arg("--key").arg(key);
            command.arg("--trusted-root").arg(root);
            command.arg("--bundle").arg(bundle);
        }
        if self == Self::IgVerify {
            command.arg("--manifest");
        }
        let ran = command.arg(manifest).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let code = ran.status.code();
        assert!(matches!(code, Some(0 | 1)), "{self:?}: {code:?} {said}");
        Some((code == Some(0), said))
    }
}

impl Given {
    /// What the API says of an export.
    fn of(stage: &Stage, made: &Value) -> Self {
        let read = |path: &str| {
            let (status, text) = stage.bench.control.call_as(None, "GET", path, "");
            assert_eq!(status, 200, "{path}");
            let said = text.as_str().map(ToOwned::to_owned);
            said.unwrap_or_else(|| text.to_string())
        };
        let hint = made["keyId"].as_str().unwrap().to_owned();
        Self {
            manifest: made["manifest"].to_string(),
            bundle: made["bundle"].to_string(),
            key: read(&format!("/exports/keys/{}", url(&hint))),
            hint,
            root: read("/exports/trusted-root.json"),
        }
    }

    fn with_bundle(&self, change: impl FnOnce(&mut Value)) -> Self {
        let mut bundle = serde_json::from_str(&self.bundle).unwrap();
        change(&mut bundle);
        Self {
            bundle: bundle.to_string(),
            ..self.clone()
        }
    }
}

/// Other Base64 of as many bytes: one bit differs.
fn flip(text: &mut Value, at: usize) {
    let mut said = text.as_str().unwrap().to_owned();
    let other = if &said[at..=at] == "A" { "B" } else { "A" };
    said.replace_range(at..=at, other);
    *text = said.into();
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}

/// Ways to change what is right, and who does not mind.
fn tampered(good: &Given, other: &Given) -> Vec<(&'static str, Given, &'static [Verifier])> {
    let manifest = |from: &str, to: &str| {
        let manifest = good.manifest.replace(from, to);
        assert_ne!(manifest, good.manifest);
        Given {
            manifest,
            ..good.clone()
        }
    };
    let stranger = ig_signing::PrivateKey::generate().unwrap();
    let stranger = stranger.public().to_pem();
    let cut = good.bundle.len() / 2;
    let signature = |bundle: &mut Value| flip(&mut bundle["messageSignature"]["signature"], 40);
    let hint = |bundle: &mut Value| {
        flip(&mut bundle["verificationMaterial"]["publicKey"]["hint"], 7);
    };
    let checkpoint = |bundle: &mut Value| {
        let proof = &mut entry(bundle)["inclusionProof"];
        let root = proof["rootHash"].clone();
        flip(&mut proof["rootHash"], 5);
        let changed = proof["rootHash"].as_str().unwrap().to_owned();
        let envelope = &mut proof["checkpoint"]["envelope"];
        let note = envelope.as_str().unwrap();
        *envelope = note.replace(root.as_str().unwrap(), &changed).into();
    };
    let index = |bundle: &mut Value| {
        let entry = entry(bundle);
        entry["logIndex"] = "0".into();
        entry["inclusionProof"]["logIndex"] = "0".into();
    };
    vec![
        (
            "who made it",
            manifest("user:alpha:ada", "user:alpha:eve"),
            &[],
        ),
        ("a bit of a hash", manifest("ba7816bf", "ba7816be"), &[]),
        ("a bit of the signature", good.with_bundle(signature), &[]),
        // It takes the key that it is given.
        (
            "a bit of the hint",
            good.with_bundle(hint),
            &[Verifier::Cosign],
        ),
        (
            "a bit of the entry",
            good.with_bundle(|bundle| flip(&mut entry(bundle)["canonicalizedBody"], 90)),
            &[],
        ),
        ("a bit of the checkpoint", good.with_bundle(checkpoint), &[]),
        ("another place", good.with_bundle(index), &[]),
        (
            "no entry",
            good.with_bundle(|bundle| {
                bundle["verificationMaterial"]["tlogEntries"] = serde_json::json!([]);
            }),
            &[],
        ),
        (
            "another key by the same name",
            Given {
                key: stranger,
                ..good.clone()
            },
            &[],
        ),
        (
            "the bundle of another export",
            Given {
                bundle: other.bundle.clone(),
                ..good.clone()
            },
            &[],
        ),
        (
            "a bundle that is cut off",
            Given {
                bundle: good.bundle[..cut].to_owned(),
                ..good.clone()
            },
            &[],
        ),
    ]
}

/// All of them, where they are here, say yes to an answer with this key and trusted root.
pub(super) fn verify(made: &Value, pem: &str, root: &Value) {
    let given = Given {
        manifest: made["manifest"].to_string(),
        bundle: made["bundle"].to_string(),
        key: pem.to_owned(),
        hint: made["keyId"].as_str().unwrap().to_owned(),
        root: root.to_string(),
    };
    for verifier in Verifier::EACH {
        if let Some((is_good, said)) = verifier.verify(&given) {
            assert!(is_good, "{verifier:?}: {said}");
        }
    }
}

#[test]
fn others_verify_an_export_and_its_place_in_the_ledger() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let made: Vec<_> = (0..3)
        .map(|number| {
            let proof = ada.proof();
            let key = format!("k-{number}");
            let answer = stage.post(&own(&ada.person.header, &proof, &key), &of(number + 1));
            assert_eq!(answer.0, 201, "{answer:?}");
            Given::of(&stage, &answer.1)
        })
        .collect();
    let good = &made[2];
    for verifier in Verifier::EACH {
        let Some((is_good, said)) = verifier.verify(good) else {
            continue;
        };
        assert!(is_good, "{verifier:?}: {said}");
        for (what, given, taken) in tampered(good, &made[1]) {
            let (is_taken, said) = verifier.verify(&given).unwrap();
            assert_eq!(
                is_taken,
                taken.contains(&verifier),
                "{verifier:?}: {what}: {said}"
            );
        }
    }
    stage.bench.control.stop().unwrap();
}
