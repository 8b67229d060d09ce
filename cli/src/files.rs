//! Files, with errors that name them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use ig_contract::Snapshot;
use ig_schema::{InvalidSchema, Limits, Schema};
use ig_snapshot::Bundle;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Writes a file, or standard output for `-`. A file appears as a whole or not
/// at all: something may be watching it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if path == Path::new("-") {
        std::io::stdout().write_all(bytes)?;
        return Ok(());
    }
    let context = || format!("cannot write {}", path.display());
    let name = path.file_name().with_context(context)?.to_string_lossy();
    let next = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).with_context(context)?;
    }
    fs::write(&next, bytes).with_context(context)?;
    fs::rename(&next, path)
        .inspect_err(|_| drop(fs::remove_file(&next)))
        .with_context(context)
}

/// Appends to a file that others write to, too.
pub(crate) fn append(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn snapshot(path: &Path) -> Result<Snapshot> {
    Snapshot::decode(read(path)?).with_context(|| format!("{} is not valid", path.display()))
}

/// Reads and checks a schema. What is wrong is said with its place, one a line.
pub(crate) fn schema(path: &Path) -> Result<Schema> {
    let sdl = read_text(path)?;
    Schema::parse(&sdl, Limits::SCHEMA).map_err(|invalid| invalid_schema(path.display(), &invalid))
}

/// What is wrong with a schema, each with its place in what it was read from.
pub(crate) fn invalid_schema(name: impl Display, invalid: &InvalidSchema) -> anyhow::Error {
    let lines: Vec<_> = match invalid {
        InvalidSchema::Invalid { reasons } => reasons
            .iter()
            .map(|reason| match reason.position {
                Some(_) => format!("  {name}:{reason}"),
                None => format!("  {name}: {reason}"),
            })
            .collect(),
        other => vec![format!("  {name}: {other}")],
    };
    anyhow!("{name} is not a valid schema:\n{}", lines.join("\n"))
}

/// Every file below a folder, by its path there, with `/`; hidden folders aside.
///
/// # Errors
/// For what would be left out unseen: links, which are not followed, and names that
/// are not UTF-8.
pub(crate) fn tree(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut work = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = work.pop() {
        let context = || format!("cannot read the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name().into_string().map_err(|name| {
                anyhow!(
                    "{prefix}{} has a name that is not UTF-8: rename it",
                    name.display()
                )
            })?;
            let kind = entry.file_type().with_context(context)?;
            let path = format!("{prefix}{name}");
            if kind.is_symlink() {
                bail!(
                    "{} is a link, and none is followed: put the file there",
                    entry.path().display()
                );
            }
            if kind.is_file() {
                files.insert(path, entry.path());
            } else if kind.is_dir() && !name.starts_with('.') {
                work.push((format!("{path}/"), entry.path()));
            }
        }
    }
    Ok(files)
}

/// Files of a policy bundle: a folder, or a `.tar.gz`.
pub(crate) fn bundle_files(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    if path.is_dir() {
        let files = tree(path)?
            .into_iter()
            .filter(|(name, _)| Bundle::reads(name));
        return files.map(|(name, path)| Ok((name, read(&path)?))).collect();
    }
    ig_snapshot::unpack(&read(path)?)
        .with_context(|| format!("{} is neither a folder nor a bundle", path.display()))
}
