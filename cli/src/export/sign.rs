//! `ig export sign`

use std::path::PathBuf;

use anyhow::Result;
use ig_signing::{Bundle, Manifest, Sha256, file, manifest};
use serde_json::json;

use super::key::{self, KeyArgs};
use crate::output;
use crate::{Outcome, files};

/// Sign a manifest: a Sigstore bundle (.sigstore.json), the bare signature (.sig),
/// and the public key (.pem) beside it.
///
/// What is signed are the manifest's bytes as they are. A public key in an export
/// proves nothing: publish it elsewhere as well. The log is not told; the control
/// plane tells it of what it signs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export sign --manifest m.json --key key.pem --out signed/
  ig export sign --manifest m.json --key cosign.key --password-file password --out signed/
  ig export sign --manifest m.json --key key.pem --out signed/ --json

With a key in a token (docs/exports.md):
  --key 'pkcs11:token=exports;object=2026?pin-source=file:/etc/ig/pin' \\
      --pkcs11-module /usr/lib/softhsm/libsofthsm2.so")]
pub(crate) struct Args {
    /// The manifest.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
    /// The folder for what is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bytes = file::read(&args.manifest, manifest::MAX_BYTES)?;
    if let Err(error) = Manifest::parse(&bytes) {
        output::remark(format_args!(
            "{} is no manifest: {error}",
            args.manifest.display()
        ));
        return Ok(Outcome::Findings);
    }
    let paths = Paths::new(args)?;
    let key = args.key.open()?;
    let digest = Sha256::of(&bytes);
    let bundle = Bundle::sign(&*key, digest)?;
    let public = key.public();
    // The bundle last: where it is, the others are.
    files::write(
        &paths.signature,
        bundle.signature().to_detached().as_bytes(),
    )?;
    files::write(&paths.public_key, public.to_pem().as_bytes())?;
    files::write(&paths.bundle, &bundle.to_bytes())?;
    if args.json {
        output::json(&json!({
            "manifest": args.manifest.display().to_string(),
            "sha256": digest.to_string(),
            "keyId": public.key_id(),
            "bundle": paths.bundle.display().to_string(),
            "signature": paths.signature.display().to_string(),
            "publicKey": paths.public_key.display().to_string(),
        }))?;
    } else {
        for path in [&paths.bundle, &paths.signature, &paths.public_key] {
            output::line(path.display())?;
        }
    }
    Ok(Outcome::Clean)
}

/// What is written.
struct Paths {
    bundle: PathBuf,
    signature: PathBuf,
    public_key: PathBuf,
}

impl Paths {
    /// As Cosign's users name them: `m.sigstore.json`, `m.json.sig`, `m.json.pem`.
    fn new(args: &Args) -> Result<Self> {
        let name = key::name(&args.manifest)?;
        let stem = name.strip_suffix(".json").unwrap_or(name);
        let paths = Self {
            bundle: args.out.join(format!("{stem}.sigstore.json")),
            signature: args.out.join(format!("{name}.sig")),
            public_key: args.out.join(format!("{name}.pem")),
        };
        let written = [&paths.bundle, &paths.signature, &paths.public_key];
        args.key.keep(&[&args.manifest], &written)?;
        Ok(paths)
    }
}
