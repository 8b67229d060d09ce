//! `ig export sign`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ig_signing::{Bundle, Manifest, Password, PrivateKey, Sha256, key, manifest};
use serde_json::json;
use zeroize::Zeroize as _;

use super::read;
use crate::output;
use crate::{Outcome, files};

/// The longest password, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;
/// Where Cosign looks for the password too.
const PASSWORD: &str = "COSIGN_PASSWORD";

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
  ig export sign --manifest m.json --key key.pem --out signed/ --json")]
pub(crate) struct Args {
    /// The manifest.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The private key: ECDSA P-256, PKCS#8 or SEC1 in PEM, or Cosign's encrypted
    /// one.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The password of an encrypted key, in one line; without it, the variable
    /// COSIGN_PASSWORD.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The folder for what is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bytes = read(&args.manifest, manifest::MAX_BYTES)?;
    if let Err(error) = Manifest::parse(&bytes) {
        eprintln!("{} is no manifest: {error}", args.manifest.display());
        return Ok(Outcome::Findings);
    }
    let key = private_key(args)?;
    let digest = Sha256::of(&bytes);
    let bundle = Bundle::sign(&key, digest)?;
    let paths = Paths::new(args)?;
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
            "keyHint": public.hint(),
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

fn private_key(args: &Args) -> Result<PrivateKey> {
    let password = password(args)?;
    let file = read(&args.key, key::MAX_BYTES)?;
    PrivateKey::from_pem(&file, password.as_ref()).with_context(|| {
        let name = args.key.display();
        match &password {
            Some(_) => format!("{name} is no private key, or not with this password"),
            None => format!(
                "{name} is no private key that can be read without a password; for an encrypted \
                 one give --password-file, or set {PASSWORD}"
            ),
        }
    })
}

fn password(args: &Args) -> Result<Option<Password>> {
    if let Some(path) = &args.password_file {
        let mut file = read(path, MAX_PASSWORD_BYTES)?;
        for end in [b'\n', b'\r'] {
            if file.last() == Some(&end) {
                file.pop();
            }
        }
        ensure!(
            !file.contains(&b'\n'),
            "{} has more than one line",
            path.display()
        );
        return Ok(Some(Password::new(std::mem::take(&mut *file))));
    }
    match std::env::var(PASSWORD) {
        Ok(password) => Ok(Some(Password::new(password.into_bytes()))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(text)) => {
            text.into_encoded_bytes().zeroize();
            anyhow::bail!("{PASSWORD} is not UTF-8; give --password-file")
        }
    }
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
        let name = args.manifest.file_name().and_then(|name| name.to_str());
        let name = name.context("the manifest's name is not text")?;
        let stem = name.strip_suffix(".json").unwrap_or(name);
        let paths = Self {
            bundle: args.out.join(format!("{stem}.sigstore.json")),
            signature: args.out.join(format!("{name}.sig")),
            public_key: args.out.join(format!("{name}.pem")),
        };
        // A private key that is called as the public one would be would be gone.
        let given = [
            Some(&args.manifest),
            Some(&args.key),
            args.password_file.as_ref(),
        ];
        for given in given.into_iter().flatten() {
            for path in [&paths.bundle, &paths.signature, &paths.public_key] {
                let is_given = is_same(given, path);
                ensure!(
                    !is_given,
                    "{} would be written over: give another --out",
                    path.display()
                );
            }
        }
        Ok(paths)
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        // What is not there yet is nobody's.
        _ => false,
    }
}
