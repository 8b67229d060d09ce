//! Makes a bundle of files: signs what they say, has the ledger take it, judges, and
//! signs it all.

use ig_ledger::storage::Storage;
use ig_ledger::verify::{KeyType, VerifierKey};
use ig_ledger::{Error, Log};
use ig_signing::manifest::{self, Item};
use ig_signing::trusted_root::{self, TrustedLog};
use ig_signing::{Bundle, Manifest, PublicKey, Sha256, SignError, Signer, TrustedRoot, key};

use crate::attest::{self, Expected};
use crate::delta::{Delta, DeltaError};
use crate::{
    About, AboutError, Controls, ControlsError, Files, FilesError, Given, Verdicts,
    assessment_results, component_definition, judge, log_entry, names, page,
};

/// Whose data the manifest is of: the project's own.
pub(crate) const TENANT: &str = "intelgraph";
/// What it was made for.
pub(crate) const PURPOSE: &str = "evidence";
/// From when on the log's key counts, as verifiers of Sigstore ask. The log has no clock.
const SINCE: &str = "2020-01-01T00:00:00Z";

/// A bundle that was made.
#[derive(Debug)]
pub struct Sealed {
    /// All of it.
    pub files: Files,
    /// What it says of the controls.
    pub verdicts: Verdicts,
    /// The ledger's checkpoint that has it: for the next release, and for auditors to keep.
    pub checkpoint: String,
}

/// Why no bundle is made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Of no release.
    #[error(transparent)]
    About(#[from] AboutError),
    /// No mapping.
    #[error("{name} maps nothing", name = names::CONTROLS)]
    Controls(#[from] ControlsError),
    /// Files that have to be there are not.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// Something that is not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// Files that make no bundle.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The key does not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The log takes nothing.
    #[error("the ledger takes nothing")]
    Log(#[from] Error),
    /// The log did not grow from the last release's checkpoint.
    #[error("how the ledger grew cannot be shown")]
    Delta(#[from] DeltaError),
    /// The log's keys make no trusted root.
    #[error("the ledger makes no trusted root")]
    Root(#[from] trusted_root::Error),
    /// The log's key is none.
    #[error("the ledger's key is none")]
    Key(#[from] key::Error),
    /// The names make no manifest.
    #[error("{name} cannot be made", name = names::MANIFEST)]
    Manifest(#[from] manifest::Error),
}

/// Makes a bundle. `files` are reports and what is built, with `about.json` and
/// `controls.toml`; `since` is the checkpoint of the last release.
///
/// # Errors
/// [`SealError`]. What the log took by then stays there.
pub fn seal<S: Storage>(
    mut files: Files,
    key: &dyn Signer,
    log: &mut Log<S>,
    log_keys: &[VerifierKey],
    since: Option<&str>,
) -> Result<Sealed, SealError> {
    let file = |name| files.get(name).ok_or(SealError::Missing(name));
    let about = About::parse(file(names::ABOUT)?)?;
    let controls = Controls::parse(file(names::CONTROLS)?)?;
    let root = trusted_root(log_keys)?;
    let expected = attest::expected(&files, &about).map_err(SealError::Wrong)?;
    for (name, bytes) in attestations(&expected, key, log, &root)? {
        files.insert(&name, bytes)?;
    }
    files.insert(names::TRUSTED_ROOT, root.to_bytes())?;
    files.insert(names::DELTA, Delta::of(log, since)?.to_bytes())?;
    let given = Given {
        files: &files,
        about: &about,
        key: key.public(),
        root: &root,
    };
    let verdicts = judge(&controls, &given);
    for (name, bytes) in derived(&controls, &verdicts) {
        files.insert(name, bytes)?;
    }
    let files = sign(files, key, log, log_keys)?;
    let checkpoint = log.checkpoint().to_owned();
    Ok(Sealed {
        files,
        verdicts,
        checkpoint,
    })
}

/// The last step: a manifest of all files, signed, and in the log.
///
/// # Errors
/// [`SealError`].
pub fn sign<S: Storage>(
    mut files: Files,
    key: &dyn Signer,
    log: &mut Log<S>,
    log_keys: &[VerifierKey],
) -> Result<Files, SealError> {
    let about = files
        .get(names::ABOUT)
        .ok_or(SealError::Missing(names::ABOUT))?;
    let manifest = manifest(&files, &About::parse(about)?)?.to_bytes();
    let mut bundle = Bundle::sign(key, Sha256::of(&manifest))?;
    let root = trusted_root(log_keys)?;
    enter(std::slice::from_mut(&mut bundle), key.public(), log, &root)?;
    files.insert(names::MANIFEST, manifest)?;
    files.insert(names::SIGNATURE, bundle.to_bytes())?;
    Ok(files)
}

/// What is made of verdicts, for programs and people.
pub(crate) fn derived(controls: &Controls, verdicts: &Verdicts) -> [(&'static str, Vec<u8>); 4] {
    [
        (names::VERDICTS, verdicts.to_bytes()),
        (names::PAGE, page(controls, Some(verdicts)).into_bytes()),
        (
            names::COMPONENT,
            component_definition(controls, &verdicts.version),
        ),
        (names::RESULTS, assessment_results(controls, verdicts)),
    ]
}

/// Who made the manifest: a release.
pub(crate) fn created_by(about: &About) -> String {
    format!("release:{}", about.version)
}

/// Everything but the manifest and its signature.
fn manifest(files: &Files, about: &About) -> Result<Manifest, manifest::Error> {
    let item = |(name, bytes): (&str, &[u8])| Item {
        id: name.to_owned(),
        sha256: Sha256::of(bytes),
    };
    Manifest::new(
        files.iter().map(item).collect(),
        created_by(about),
        TENANT,
        PURPOSE,
    )
}

fn attestations<S: Storage>(
    expected: &[Expected],
    key: &dyn Signer,
    log: &mut Log<S>,
    root: &TrustedRoot,
) -> Result<Vec<(String, Vec<u8>)>, SealError> {
    let bundles = expected
        .iter()
        .map(|one| Bundle::attest(key, &one.statement));
    let mut bundles = bundles.collect::<Result<Vec<_>, _>>()?;
    enter(&mut bundles, key.public(), log, root)?;
    let files = expected.iter().map(|one| one.file.clone());
    Ok(files.zip(bundles.iter().map(Bundle::to_bytes)).collect())
}

/// Has the log take signatures, and gives each bundle its proof.
fn enter<S: Storage>(
    bundles: &mut [Bundle],
    key: &PublicKey,
    log: &mut Log<S>,
    root: &TrustedRoot,
) -> Result<(), SealError> {
    let id = root
        .logs()
        .first()
        .map(|log| log.log_id.clone())
        .unwrap_or_default();
    let bodies: Vec<_> = bundles.iter().map(|bundle| bundle.log_body(key)).collect();
    let appended = log.append(&bodies)?;
    for ((bundle, body), index) in bundles.iter_mut().zip(bodies).zip(appended.indexes) {
        let proof = log.prove(index)?;
        bundle.log_entries = vec![log_entry::make(&id, body, proof, log.head())];
    }
    Ok(())
}

/// The log, as verifiers of Sigstore name it.
fn trusted_root(keys: &[VerifierKey]) -> Result<TrustedRoot, SealError> {
    let p256 = keys.iter().find(|key| key.key_type() == KeyType::EcdsaP256);
    let p256 = p256.ok_or(SealError::Missing("P-256 key of the ledger"))?;
    let der = p256.bytes();
    let log = TrustedLog {
        base_url: format!("https://{}", p256.name()),
        key: Some(PublicKey::from_der(&der)?),
        log_id: Sha256::of(&der).as_bytes().to_vec(),
        valid_for: (Some(SINCE.to_owned()), None),
    };
    Ok(TrustedRoot::new(vec![log])?)
}
