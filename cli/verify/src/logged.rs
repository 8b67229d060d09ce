//! What a bundle says of transparency logs.

use anyhow::{Context as _, Result};
use ig_ledger::layout::Resource;
use ig_ledger::storage::Files as _;
use ig_ledger::verify::{Hash, KeyType, Policy, TreeHead, VerifierKey, VerifyError, merkle};
use ig_signing::bundle::LogEntry;
use ig_signing::trusted_root::TrustedLog;
use ig_signing::{Bundle, PublicKey, TrustedRoot, rekord};

use crate::growth::{self, Kept};
use crate::input::Logs;
use crate::report::{Kind, Problem, Report};
use crate::source::Source;

/// An entry that verifies: of which log, in which tree.
struct Verified<'a> {
    log: &'a TrustedLog,
    policy: Policy,
    head: TreeHead,
}

/// Verifies the entries of a bundle whose signature is known to be good, if a
/// trusted root says of which logs.
pub(crate) fn verify(
    bundle: &Bundle,
    key: &PublicKey,
    root: Option<&TrustedRoot>,
    args: &Logs,
    report: &mut Report,
) -> Result<()> {
    let entries = &bundle.log_entries;
    let Some(root) = root else {
        if !entries.is_empty() {
            let entries = entries.len();
            let what = format!("{entries} of a transparency log: no --trusted-root");
            report.not_checked.push(what);
        }
        return Ok(());
    };
    if entries.is_empty() {
        let why = "the bundle has none, so no log is known to have the signature";
        report.problem(Problem::new(Kind::Inclusion, "tlogEntries", why));
        return Ok(());
    }
    let body = bundle.log_body(key);
    let mut verified = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let item = format!("tlogEntries[{index}]");
        match verify_entry(entry, &body, root) {
            Ok(good) => {
                let place = entry.inclusion_proof.log_index;
                let (origin, size) = (good.log.origin(), good.head.size);
                report.verified(format!(
                    "{item}: entry {place} of the log {origin}, of {size} entries"
                ));
                if entry.integrated_time.is_some() || entry.inclusion_promise.is_some() {
                    let what = format!("{item}: the time or promise that it has");
                    report.not_checked.push(what);
                }
                verified.push(good);
            }
            Err((kind, why)) => report.problem(Problem::new(kind, item, why)),
        }
    }
    if args.checkpoint.is_some() && verified.len() == entries.len() {
        compare(&verified, args, report)?;
    }
    Ok(())
}

type Failure = (Kind, String);

fn verify_entry<'a>(
    entry: &LogEntry,
    body: &[u8],
    root: &'a TrustedRoot,
) -> Result<Verified<'a>, Failure> {
    let wrong = |why: &str| Err((Kind::LogEntry, why.to_owned()));
    let Some(log) = root.log(&entry.log_id) else {
        return wrong("its logId is of no log of the trusted root");
    };
    if (entry.kind.as_str(), entry.version.as_str()) != (rekord::KIND, rekord::VERSION) {
        return wrong("its kindVersion is not hashedrekord 0.0.2");
    }
    if entry.canonicalized_body != body {
        return wrong("its body is not of this signature, digest and key");
    }
    let proof = &entry.inclusion_proof;
    if entry.log_index != proof.log_index {
        return wrong("its logIndex is not that of its proof");
    }
    let policy = policy(log)?;
    let note = proof.checkpoint.as_bytes();
    let refused = |error: VerifyError| {
        let why = growth::refused(&error, note, &policy);
        (Kind::Checkpoint, format!("its checkpoint: {why}"))
    };
    let head = policy.checkpoint(note).map_err(refused)?.checkpoint.head;
    let root_hash = Hash::from_bytes(proof.root_hash);
    if (proof.tree_size, root_hash) != (head.size, head.root) {
        return wrong("its treeSize and rootHash are not those of its checkpoint");
    }
    let path: Vec<_> = proof.hashes.iter().copied().map(Hash::from_bytes).collect();
    merkle::inclusion(Hash::leaf(body), proof.log_index, &head, &path)
        .map_err(|error| (Kind::Inclusion, format!("its inclusion proof: {error}")))?;
    Ok(Verified { log, policy, head })
}

/// Believes the one key of a log that a trusted root names.
fn policy(log: &TrustedLog) -> Result<Policy, Failure> {
    let unknown = |why: String| (Kind::LogEntry, why);
    let Some(key) = &log.key else {
        let why = "the trusted root has a key for its log that is not ECDSA on P-256";
        return Err(unknown(why.to_owned()));
    };
    let key = VerifierKey::new(log.origin(), KeyType::EcdsaP256, key.as_der());
    let key = key.map_err(|error| unknown(format!("the key of its log: {error}")))?;
    Policy::of_keys(vec![key], Vec::new(), 0).map_err(|error| unknown(error.to_string()))
}

/// Whether the entries' checkpoints are of one log with the one that was kept,
/// which has to be of one of their logs.
fn compare(entries: &[Verified<'_>], args: &Logs, report: &mut Report) -> Result<()> {
    let path = args.checkpoint.as_deref().context("no checkpoint")?;
    let mut refused = None;
    let mut is_of_one = false;
    for entry in entries {
        match Kept::read(path, &entry.policy)? {
            Ok(kept) => {
                is_of_one = true;
                match grew(entry, &kept, args) {
                    Ok(()) => report.verified(format!(
                        "{}: of one log with the entry: {} entries, and {}",
                        kept.name, kept.head.size, entry.head.size
                    )),
                    Err((kind, why)) => report.problem(Problem::new(kind, kept.name, why)),
                }
            }
            Err(problem) => refused = refused.or(Some(problem)),
        }
    }
    report.problems.extend(refused.filter(|_| !is_of_one));
    Ok(())
}

fn grew(entry: &Verified<'_>, kept: &Kept, args: &Logs) -> Result<(), Failure> {
    // First without tiles: they may not be needed.
    let unaided = growth::show::<Source>(&entry.head, &kept.head, None);
    let (Err((Kind::NotShown, why)), Some(place)) = (&unaided, &args.ledger) else {
        return unaided;
    };
    let unreadable = |error: anyhow::Error| (Kind::Unreadable, format!("{why}: {error:#}"));
    let source = Source::open(place, &args.authorities).map_err(unreadable)?;
    let file = Resource::Checkpoint;
    let note = source.read(file);
    let note = note.map_err(|error| growth::of_file(ig_ledger::FileError::Io(file, error)))?;
    let note = note.ok_or_else(|| growth::of_file(ig_ledger::FileError::Missing(file)))?;
    let newest = entry.policy.checkpoint(&note);
    let newest = newest.map_err(|error| {
        let why = growth::refused(&error, &note, &entry.policy);
        (Kind::Checkpoint, format!("{place}: {why}"))
    })?;
    let size = newest.checkpoint.head.size;
    growth::show(&entry.head, &kept.head, Some((&source, size)))
}
