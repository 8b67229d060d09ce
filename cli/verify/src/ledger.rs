//! `ig-verify ledger`

use std::fs::{self, File};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ig_ledger::fsck::{self, Fault};
use ig_ledger::layout::{MAX_ENTRY_BYTES, Resource};
use ig_ledger::storage::Files;
use ig_ledger::verify::{
    MAX_POLICY_BYTES, MAX_PROOF_BYTES, Policy, Proof, TreeHead, VerifierKey, VerifyError,
};
use ig_ledger::{FileError, verify};

use crate::ahead;
use crate::files::Meter;
use crate::growth::{self, Kept, chain};
use crate::input::{self, Authorities};
use crate::report::{self, Kind, Problem, Report};
use crate::source::Source;

/// The most files that are fetched at once.
const MAX_JOBS: usize = 64;
/// After how many entries progress shows itself.
const STEP: u64 = 256;

/// Verify a log: that it is signed, that it only grew, and each of its files.
///
/// Every published key of the log has to have signed the checkpoint, and as many
/// witnesses as the policy asks for. All entries are hashed, and compared with all
/// tiles and the checkpoint; the first file and position that differ are named.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    ig-verify ledger log/ --policy ledger.policy\n  \
    ig-verify ledger log/ --policy ledger.policy --remember seen.checkpoint\n  \
    ig-verify ledger log/ --policy ledger.policy --checkpoint old.checkpoint --no-fsck\n  \
    ig-verify ledger --policy ledger.policy --proof entry.tlog-proof --entry entry.json\n  \
    ig-verify ledger --json log/ --policy ledger.policy\n\
    \n\
    A policy (C2SP tlog-policy) has lines `log VKEY`, `witness NAME VKEY`,\n\
    `group NAME any|all|NUMBER WITNESS...` and `quorum NAME`.")]
pub(crate) struct Args {
    /// The log: the URL below which `checkpoint` is, or a folder with its files.
    #[arg(value_name = "URL_OR_DIR", required_unless_present = "proof")]
    log: Option<String>,
    #[command(flatten)]
    whom: Whom,
    /// A checkpoint that you kept: the log has to have grown from it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Keep the log's checkpoint here, once everything verifies. What is here
    /// already is a checkpoint from which the log has to have grown.
    #[arg(long, value_name = "FILE", requires = "log")]
    remember: Option<PathBuf>,
    /// A proof that the log has an entry (`.tlog-proof`); needs no log.
    #[arg(long, value_name = "FILE", requires = "entry")]
    proof: Option<PathBuf>,
    /// The entry of --proof.
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,
    /// Only signatures, and by a few tiles that the log grew: not its entries.
    #[arg(long, requires = "log")]
    no_fsck: bool,
    /// How many files are fetched from a URL at once.
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    #[command(flatten)]
    authorities: Authorities,
}

/// Whom to believe.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// A published key of the log, as a vkey; once for each.
    #[arg(long, value_name = "VKEY")]
    key: Vec<VerifierKey>,
    /// The log's keys, witnesses, and how many of them have to agree.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Whom {
    fn policy(&self) -> Result<Policy> {
        let Some(path) = &self.policy else {
            let policy = Policy::of_keys(self.key.clone(), Vec::new(), 0);
            return policy.context("the keys of --key make no policy");
        };
        let file = input::read(path, MAX_POLICY_BYTES)?;
        Policy::from_file(&file).with_context(|| format!("{} is not a policy", path.display()))
    }
}

pub(crate) fn run(args: &Args) -> Result<Report> {
    let policy = args.whom.policy()?;
    let source = args.log.as_deref();
    let source = source.map(|place| Source::open(place, &args.authorities));
    let source = source.transpose()?;
    let mut report = Report::default();
    let kept = read_kept(args, &policy, &mut report)?;
    // Who does not know from where the log has to have grown, need not look.
    if report.problems.is_empty() {
        match &source {
            Some(source) => verify(args, source, &policy, &kept, &mut report)?,
            None => compare(&kept, &mut report),
        }
    }
    Ok(report.finish())
}

/// The trees from which the log has to have grown, and that of a proof.
fn read_kept(args: &Args, policy: &Policy, report: &mut Report) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    let there = args.remember.as_ref().filter(|path| path.exists());
    for path in args.checkpoint.iter().chain(there) {
        match Kept::read(path, policy)? {
            Ok(good) => kept.push(good),
            Err(problem) => report.problem(problem),
        }
    }
    if let (Some(proof), Some(entry)) = (&args.proof, &args.entry) {
        match prove(proof, entry, policy)? {
            Ok((head, what)) => {
                report.verified(what);
                let name = proof.display().to_string();
                kept.push(Kept { name, head });
            }
            Err(problem) => report.problem(problem),
        }
    }
    Ok(kept)
}

/// Verifies a proof; in which tree the entry is.
fn prove(
    path: &Path,
    entry: &Path,
    policy: &Policy,
) -> Result<Result<(TreeHead, String), Problem>> {
    let proof = input::read(path, MAX_PROOF_BYTES)?;
    let bytes = input::read(entry, MAX_ENTRY_BYTES)?;
    let (name, entry) = (path.display().to_string(), entry.display());
    let proof = match Proof::parse(&proof) {
        Ok(proof) => proof,
        Err(error) => return Ok(Err(Problem::new(Kind::Malformed, name, error))),
    };
    Ok(match proof.verify(policy, &bytes) {
        Ok(verified) => {
            let verify::Checkpoint { origin, head } = verified.checkpoint;
            let (index, size) = (proof.index, head.size);
            let what = format!("{entry}: entry {index} of the log {origin}, of {size} entries");
            Ok((head, what))
        }
        Err(error) => {
            let kind = match error {
                VerifyError::Proof(_) => Kind::Inclusion,
                _ => Kind::Checkpoint,
            };
            Err(Problem::new(kind, name, error))
        }
    })
}

/// Without a log: what was kept has to be of one log by itself.
fn compare(kept: &[Kept], report: &mut Report) {
    for (one, other) in kept.iter().zip(kept.iter().skip(1)) {
        show_grown::<Source>(one, &other.head, &other.name, None, report);
    }
}

fn show_grown<F: Files>(
    kept: &Kept,
    head: &TreeHead,
    name: &str,
    tiles: Option<(&F, u64)>,
    report: &mut Report,
) {
    match growth::show(&kept.head, head, tiles) {
        Ok(()) => report.verified(format!(
            "{}: of {} entries, of one log with {name}",
            kept.name, kept.head.size
        )),
        Err((kind, why)) => report.problem(Problem::new(kind, &*kept.name, why)),
    }
}

fn verify(
    args: &Args,
    source: &Source,
    policy: &Policy,
    kept: &[Kept],
    report: &mut Report,
) -> Result<()> {
    let file = Resource::Checkpoint;
    let name = file.to_string();
    let note = match source.read(file) {
        Ok(Some(note)) => note,
        other => {
            let error = match other {
                Err(error) => FileError::Io(file, error),
                Ok(_) => FileError::Missing(file),
            };
            let (kind, why) = growth::of_file(error);
            report.problem(Problem::new(kind, name, why));
            return Ok(());
        }
    };
    let newest = match policy.checkpoint(&note) {
        Ok(verified) => verified,
        Err(error) => {
            let why = growth::refused(&error, &note, policy);
            report.problem(Problem::new(Kind::Checkpoint, name, why));
            return Ok(());
        }
    };
    let head = newest.checkpoint.head;
    say(&newest, report);
    // A log that shrank is not worth all its files.
    if let Some(larger) = kept.iter().find(|kept| kept.head.size > head.size) {
        let (had, has) = (larger.head.size, head.size);
        let why = format!("the log has {has} entries, and had {had}: it shrank");
        report.problem(Problem::new(Kind::Consistency, &*larger.name, why));
        return Ok(());
    }
    if args.no_fsck {
        for kept in kept {
            show_grown(kept, &head, "the log", Some((source, head.size)), report);
        }
        let size = head.size;
        let what = format!("{size} entries, and the tiles that nothing here needs: --no-fsck");
        report.not_checked.push(what);
    } else {
        let jobs = args.jobs.get().min(MAX_JOBS);
        let files = Pinned {
            files: source,
            checkpoint: &note,
        };
        let checked = if source.is_remote() {
            ahead::with(&files, head.size, jobs, |files| {
                check(files, policy, kept, head.size)
            })
        } else {
            check(&files, policy, kept, head.size)
        };
        match checked {
            Ok(what) => what.into_iter().for_each(|what| report.verified(what)),
            Err(problem) => report.problem(problem),
        }
    }
    if kept.is_empty() {
        let what = "whether it grew from an earlier tree: no --checkpoint, and none remembered";
        report.not_checked.push(what.to_owned());
    }
    if let (Some(path), []) = (&args.remember, report.problems.as_slice()) {
        remember(path, &note)?;
        report.verified(format!("{}: remembered", path.display()));
    }
    Ok(())
}

/// The checkpoint, in words and as data.
fn say(newest: &verify::Verified, report: &mut Report) {
    let verify::Checkpoint { origin, head } = &newest.checkpoint;
    let (size, root) = (head.size, head.root);
    let cosigned: Vec<_> = newest
        .cosigned
        .iter()
        .map(|one| report::Cosigned {
            witness: one.witness.clone(),
            seconds: one.seconds,
        })
        .collect();
    let mut what = format!("checkpoint: {origin}, {size} entries, root {root}");
    for report::Cosigned { witness, seconds } in &cosigned {
        what += &format!(", cosigned by {witness} at {seconds}");
    }
    report.verified(what);
    report.checkpoint = Some(report::Checkpoint {
        origin: origin.to_string(),
        size,
        root: root.to_string(),
        cosigned,
    });
}

/// A log's files with the checkpoint that was read first: it may grow meanwhile.
struct Pinned<'a> {
    files: &'a Source,
    checkpoint: &'a [u8],
}

impl Files for Pinned<'_> {
    fn read(&self, file: Resource) -> std::io::Result<Option<Vec<u8>>> {
        match file {
            Resource::Checkpoint => Ok(Some(self.checkpoint.to_vec())),
            _ => self.files.read(file),
        }
    }
}

/// Everything again; what verifies, or the first thing that does not.
fn check(
    files: &impl Files,
    policy: &Policy,
    kept: &[Kept],
    size: u64,
) -> Result<Vec<String>, Problem> {
    let meter = Meter::entries(size);
    let heads: Vec<_> = kept.iter().map(|kept| kept.head).collect();
    let done = fsck::fsck(files, policy, &heads, |index, _| {
        if index.is_multiple_of(STEP) {
            meter.set(index);
        }
    });
    meter.finish();
    let done = done.map_err(|fault| problem(fault, kept))?;
    let grown = kept.iter().map(|kept| {
        let size = kept.head.size;
        format!("{}: of {size} entries, of one log with the log", kept.name)
    });
    let bytes = done.entry_bytes;
    let all = format!("{size} entries of {bytes} bytes, each hashed, and all tiles of them");
    Ok(grown.chain([all]).collect())
}

fn problem(fault: Fault, kept: &[Kept]) -> Problem {
    let of_kept = |size: u64| {
        let found = kept.iter().find(|kept| kept.head.size == size);
        found.map_or_else(|| "checkpoint".to_owned(), |kept| kept.name.clone())
    };
    let (kind, item) = match &fault {
        Fault::Checkpoint(_) => (Kind::Checkpoint, Resource::Checkpoint.to_string()),
        Fault::Root { .. } => (Kind::Changed, Resource::Checkpoint.to_string()),
        Fault::Hash { file, .. } => (Kind::Changed, file.to_string()),
        Fault::Behind { remembered, .. } => (Kind::Consistency, of_kept(*remembered)),
        Fault::Fork { size, .. } => (Kind::Consistency, of_kept(*size)),
        Fault::File(
            error
            @ (FileError::Io(file, _) | FileError::Missing(file) | FileError::Malformed(file)),
        ) => (growth::kind(error), file.to_string()),
    };
    Problem::new(kind, item, chain(fault))
}

/// Keeps a checkpoint: whole or not at all, and never less than what was there.
fn remember(path: &Path, note: &[u8]) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut name = path.file_name().with_context(context)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let next = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&next)?;
        file.write_all(note)?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&next)))
        .with_context(context)
}
