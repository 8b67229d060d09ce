//! `ig policy`

mod bundle;
mod check;
mod diff;
mod explain;
mod inputs;
mod stored;
mod test;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Subcommand;
use ig_snapshot::{Bundle, Decider, InvalidPolicy, Problems, compile_policy};

use crate::{Outcome, files};

/// Most bytes of a bundle's files together.
const MAX_BYTES: u64 = 64 << 20;
/// Most files of a bundle.
const MAX_FILES: usize = 10_000;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that a bundle compiles, and denies by default.
    Check(check::Args),
    /// Run the tests of a bundle, on both engines.
    Test(test::Args),
    /// Tell why an input is allowed or denied.
    Explain(explain::Args),
    /// List decisions that another bundle would change.
    Diff(diff::Args),
    /// Pack a bundle, as OPA does.
    Bundle(bundle::Args),
    /// Push a bundle to the control plane.
    Push(stored::PushArgs),
    /// List bundles.
    List(stored::ListArgs),
    /// Put a bundle in force for a graph.
    Activate(stored::ActivateArgs),
    /// Put the bundle in force again that was before.
    Rollback(stored::RollbackArgs),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Push(args) => stored::push(&args),
        Command::List(args) => stored::list(&args),
        Command::Activate(args) => stored::activate(&args),
        Command::Rollback(args) => stored::rollback(&args),
    }
}

fn read(path: &Path) -> Result<Bundle> {
    read_as(path, Bundle::from_files)
}

fn read_as(
    path: &Path,
    read: impl FnOnce(BTreeMap<String, Vec<u8>>) -> Result<Bundle, Problems>,
) -> Result<Bundle> {
    if path.is_dir() {
        check_size(path)?;
    }
    read(files::bundle_files(path)?)
        .map_err(|problems| anyhow!("{} is not valid:\n{problems}", path.display()))
}

/// Compiles a bundle for the guard. That it is no policy is something found;
/// that a file of it cannot be read, or is not of this bundle, is an error with
/// its place.
fn compiled(path: &Path, bundle: &Bundle) -> Result<Result<Vec<u8>, InvalidPolicy>> {
    match compile_policy(bundle) {
        Err(InvalidPolicy::Source(problems)) => {
            Err(anyhow!("{} is not valid:\n{problems}", path.display()))
        }
        compiled => Ok(compiled),
    }
}

/// Before anything is read: a folder may be one that nobody meant.
fn check_size(folder: &Path) -> Result<()> {
    let (mut bytes, mut count) = (0, 0);
    let found = files::tree(folder)?.into_iter();
    for (name, file) in found.filter(|(name, _)| Bundle::reads(name)) {
        let context = || format!("cannot read {}", file.display());
        bytes += file.metadata().with_context(context)?.len();
        count += 1;
        ensure!(
            bytes <= MAX_BYTES && count <= MAX_FILES,
            "{} has more than {MAX_BYTES} bytes or {MAX_FILES} files of policies (at {name}); \
             give the folder of one bundle",
            folder.display()
        );
    }
    Ok(())
}

/// Policies that decide: a bundle, or the one in a snapshot.
fn decider(path: &Path) -> Result<Decider> {
    let is_snapshot = path.extension().is_some_and(|name| name == "igsnap");
    let decider = match is_snapshot {
        true => Decider::of_snapshot(&files::snapshot(path)?),
        false => Decider::of_bundle(&read(path)?),
    };
    decider.with_context(|| format!("{} cannot decide", path.display()))
}
