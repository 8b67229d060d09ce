//! Entries of a log in Sigstore bundles: made of a proof, and verified.

use ig_ledger::verify::{Hash, KeyType, Policy, Proof, TreeHead, VerifierKey, merkle};
use ig_signing::bundle::{InclusionProof, LogEntry};
use ig_signing::trusted_root::TrustedLog;
use ig_signing::{Bundle, PublicKey, TrustedRoot, rekord};

/// An entry that verifies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entered {
    /// Its place in the log.
    pub(crate) index: u64,
    /// The tree that has it.
    pub(crate) head: TreeHead,
    /// From its neighbour to the root's child.
    pub(crate) path: Vec<Hash>,
}

/// The entry of a bundle, which has exactly one: the signature's, in a tree that a log of
/// the root signed.
pub(crate) fn verify(
    bundle: &Bundle,
    key: &PublicKey,
    root: &TrustedRoot,
) -> Result<Entered, String> {
    let [entry] = bundle.log_entries.as_slice() else {
        return Err(format!(
            "it has {} entries of logs, not one",
            bundle.log_entries.len()
        ));
    };
    let log = root.log(&entry.log_id);
    let log = log.ok_or("its entry is of no log of the trusted root")?;
    if (entry.kind.as_str(), entry.version.as_str()) != (rekord::KIND, rekord::VERSION) {
        return Err("its entry is not hashedrekord 0.0.2".into());
    }
    let body = bundle.log_body(key);
    if entry.canonicalized_body != body {
        return Err("its entry is not of this signature, digest and key".into());
    }
    let proof = &entry.inclusion_proof;
    let policy = policy(log)?;
    let head = policy.checkpoint(proof.checkpoint.as_bytes());
    let head = head
        .map_err(|error| format!("its entry's checkpoint: {error}"))?
        .checkpoint
        .head;
    let said = (
        proof.tree_size,
        Hash::from_bytes(proof.root_hash),
        entry.log_index,
    );
    if said != (head.size, head.root, proof.log_index) {
        return Err("its entry says another place or tree than its proof".into());
    }
    let path: Vec<_> = proof.hashes.iter().copied().map(Hash::from_bytes).collect();
    merkle::inclusion(Hash::leaf(&body), proof.log_index, &head, &path)
        .map_err(|error| format!("its entry's proof: {error}"))?;
    Ok(Entered {
        index: proof.log_index,
        head,
        path,
    })
}

/// Believes the one key of a log that a trusted root names.
pub(crate) fn policy(log: &TrustedLog) -> Result<Policy, String> {
    let key = log
        .key
        .as_ref()
        .ok_or("the log's key is not ECDSA on P-256")?;
    let key = VerifierKey::new(log.origin(), KeyType::EcdsaP256, key.as_der());
    let key = key.map_err(|error| format!("the log's key: {error}"))?;
    Policy::of_keys(vec![key], Vec::new(), 0).map_err(|error| error.to_string())
}

/// An entry as verifiers of Sigstore read it.
pub(crate) fn make(log_id: &[u8], body: Vec<u8>, proof: Proof, head: TreeHead) -> LogEntry {
    LogEntry {
        log_index: proof.index,
        log_id: log_id.to_vec(),
        kind: rekord::KIND.to_owned(),
        version: rekord::VERSION.to_owned(),
        integrated_time: None,
        inclusion_promise: None,
        inclusion_proof: InclusionProof {
            log_index: proof.index,
            root_hash: *head.root.as_bytes(),
            tree_size: head.size,
            hashes: proof.path.iter().map(|hash| *hash.as_bytes()).collect(),
            checkpoint: proof.checkpoint,
        },
        canonicalized_body: body,
    }
}
