//! `ig-verify bundle` and `ig-verify signature`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ig_signing::bundle::Content;
use ig_signing::{Bundle, PublicKey, Sha256, Signature};

use crate::files::{self, Meter};
use crate::input::{self, Logs, Signer};
use crate::logged;
use crate::report::{Kind, Problem, Report};

/// Verify a Sigstore bundle: a file's signature, or an attestation of it.
///
/// An attestation verifies when the key signed it, and the file is one of its
/// subjects.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    ig-verify bundle --bundle m.sigstore.json --key cosign.pub m.json\n  \
    ig-verify bundle --bundle m.sigstore.json --key cosign.pub sha256:9f86d0…\n  \
    ig-verify bundle --bundle a.sigstore.json --key cosign.pub --type https://slsa.dev/provenance/v1 m.json\n  \
    ig-verify bundle --bundle m.sigstore.json --key cosign.pub --trusted-root root.json m.json")]
pub(crate) struct BundleArgs {
    /// The Sigstore bundle.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    logs: Logs,
    /// What an attestation has to say: its predicate's type.
    #[arg(long = "type", value_name = "URI")]
    predicate_type: Option<String>,
    /// The file, or `sha256:` and its digest.
    #[arg(value_name = "FILE_OR_DIGEST")]
    file: PathBuf,
}

/// Verify a detached signature (`.sig`): base64 of DER.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    ig-verify signature --signature m.json.sig --key cosign.pub m.json")]
pub(crate) struct SignatureArgs {
    /// The signature.
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    #[command(flatten)]
    signer: Signer,
    /// The file, or `sha256:` and its digest.
    #[arg(value_name = "FILE_OR_DIGEST")]
    file: PathBuf,
}

pub(crate) fn run(args: &BundleArgs) -> Result<Report> {
    let key = args.signer.public_key()?;
    let root = args.logs.trusted_root()?;
    let mut report = Report::default();
    match input::bundle(&args.bundle)? {
        Ok(bundle) => {
            let digest = digest(&args.file)?;
            match verify(&bundle, &key, &digest, args) {
                Ok(what) => {
                    report.verified(format!("{}: {what}", args.file.display()));
                    logged::verify(&bundle, &key, root.as_ref(), &args.logs, &mut report)?;
                }
                Err((kind, why)) => {
                    let file = args.file.display().to_string();
                    report.problem(Problem::new(kind, file, why));
                }
            }
        }
        Err(problem) => report.problem(problem),
    }
    Ok(report.finish())
}

pub(crate) fn run_signature(args: &SignatureArgs) -> Result<Report> {
    let key = args.signer.public_key()?;
    let signature = input::read(&args.signature, 4096)?;
    let digest = digest(&args.file)?;
    let mut report = Report::default();
    let verdict =
        Signature::from_detached(&signature).and_then(|signature| key.verify(&digest, &signature));
    let file = args.file.display().to_string();
    match verdict {
        Ok(()) => report.verified(format!("{file}: signed by {}", key.key_id())),
        Err(error) => report.problem(Problem::new(Kind::Signature, file, error)),
    }
    Ok(report.finish())
}

fn verify(
    bundle: &Bundle,
    key: &PublicKey,
    digest: &Sha256,
    args: &BundleArgs,
) -> Result<String, (Kind, String)> {
    let wrong = |failure: ig_signing::bundle::Failure| (Kind::Signature, failure.to_string());
    if let (Content::Message { .. }, None) = (bundle.content(), &args.predicate_type) {
        bundle.verify(key, digest).map_err(wrong)?;
        return Ok(format!("signed by {}", key.key_id()));
    }
    let statement = bundle.verify_statement(key).map_err(wrong)?;
    let found = statement.predicate_type();
    if let Some(wanted) = &args.predicate_type
        && wanted != found
    {
        let why = format!("the attestation's type is {found:?}, not {wanted:?}");
        return Err((Kind::Statement, why));
    }
    let is_of = |subject: &&ig_signing::statement::Subject| subject.sha256 == *digest;
    match statement.subjects().iter().find(is_of) {
        Some(subject) => Ok(format!(
            "attested by {}, as {:?}, type {found}",
            key.key_id(),
            subject.name
        )),
        None => {
            let why = format!("none of the attestation's subjects has the digest {digest}");
            Err((Kind::Statement, why))
        }
    }
}

/// Of a file, or what the argument says it is.
fn digest(file: &Path) -> Result<Sha256> {
    if let Some(hex) = file.to_str().and_then(|text| text.strip_prefix("sha256:")) {
        return Sha256::from_hex(hex).context("sha256: has 64 lower-case hexadecimal digits");
    }
    let context = || format!("cannot read {}", file.display());
    let opened = std::fs::File::open(file).with_context(context)?;
    let length = opened.metadata().with_context(context)?.len();
    let meter = Meter::new(length);
    let digest = files::hash(opened, &meter).with_context(context);
    meter.finish();
    digest
}
