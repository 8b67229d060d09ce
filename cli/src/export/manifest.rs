//! `ig export manifest`

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ig_signing::manifest::{Item, MAX_ITEMS};
use ig_signing::{Manifest, Sha256};
use serde_json::json;

use crate::output::{self, Progress, count};
use crate::{Outcome, files};

/// Write the manifest of a folder's files: each by its path below the folder and
/// its SHA-256, sorted. The same files give the same bytes.
///
/// Every file is in it, hidden ones too. What is no file (a link, a device), or has
/// a name that is no text, ends the command: `ig-verify` would refuse it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export manifest --files export/ --tenant alpha --purpose investigation \\
      --created-by user:alpha:a -o m.json
  ig export manifest --files export/ --tenant alpha --purpose audit --created-by user:alpha:a")]
pub(crate) struct Args {
    /// The folder of the files.
    #[arg(long, value_name = "DIR")]
    files: PathBuf,
    /// Whose data it is.
    #[arg(long)]
    tenant: String,
    /// What it was made for.
    #[arg(long)]
    purpose: String,
    /// Who made it: `user:`, tenant, `:`, user.
    #[arg(long, value_name = "WHO")]
    created_by: String,
    /// The manifest; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Print what was done as JSON; needs a file for the manifest.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let is_stdout = args.output == Path::new("-");
    ensure!(
        !(is_stdout && args.json),
        "the manifest goes to standard output; name a file (-o) for --json"
    );
    let names = walk(&args.files)?;
    let mut progress = Progress::new();
    let mut items = Vec::with_capacity(names.len());
    for (done, id) in names.iter().enumerate() {
        progress.step(done, names.len());
        let path = args.files.join(id);
        let context = || format!("cannot read {}", path.display());
        let file = File::open(&path).with_context(context)?;
        let sha256 = Sha256::of_reader(file, |_| {}).with_context(context)?;
        items.push(Item {
            id: id.clone(),
            sha256,
        });
    }
    progress.step(names.len(), names.len());
    let manifest = Manifest::new(items, &*args.created_by, &*args.tenant, &*args.purpose);
    let manifest = manifest.map_err(|error| anyhow!("this is no manifest: {error}"))?;
    let bytes = manifest.to_bytes();
    files::write(&args.output, &bytes)?;
    let sha256 = Sha256::of(&bytes).to_string();
    if args.json {
        output::json(&json!({
            "manifest": args.output.display().to_string(),
            "sha256": sha256,
            "items": manifest.items().len(),
        }))?;
    } else if !is_stdout {
        let items = count(manifest.items().len(), "item");
        output::line(format!(
            "{}: {items}, sha256 {sha256}",
            args.output.display()
        ))?;
    }
    Ok(Outcome::Clean)
}

/// Names of all files below a folder, with `/`, sorted.
fn walk(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut work = vec![PathBuf::new()];
    while let Some(folder) = work.pop() {
        let full = root.join(&folder);
        let context = || format!("cannot read the folder {}", full.display());
        for entry in fs::read_dir(&full).with_context(context)? {
            let entry = entry.with_context(context)?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().with_context(context)?;
            let shown = root.join(&path);
            if kind.is_dir() {
                work.push(path);
                continue;
            }
            ensure!(
                kind.is_file(),
                "{} is no file, but a link or a device: take it out of the folder",
                shown.display()
            );
            let name = path.to_str().filter(|name| !name.contains('\\'));
            let Some(name) = name else {
                bail!(
                    "{}: a name is text without backslashes: rename it",
                    shown.display()
                );
            };
            names.push(name.to_owned());
            let is_few = names.len() <= MAX_ITEMS;
            ensure!(is_few, "{} has more than {MAX_ITEMS} files", root.display());
        }
    }
    names.sort_unstable();
    Ok(names)
}
