//! Where a bundle goes.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use ig_evidence::seal::Sealed;
use ig_evidence::{names, read};
use ig_signing::PublicKey;

use crate::files;

/// The bundle's folder, and what is handed out beside it.
pub(super) struct Out {
    pub(super) folder: PathBuf,
    pub(super) tar: PathBuf,
    pub(super) key: PathBuf,
    pub(super) checkpoint: PathBuf,
    /// The folder, while it is written.
    next: PathBuf,
}

impl Out {
    /// Of a folder that is not there, or has a bundle.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        let name = folder.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: --out has no name", folder.display()))?;
        ensure!(
            !folder.exists() || folder.join(names::MANIFEST).is_file(),
            "{} is there, and is no bundle: it is not replaced",
            folder.display()
        );
        Ok(Self {
            tar: folder.with_file_name(format!("{name}.tar")),
            key: folder.with_file_name("cosign.pub"),
            checkpoint: folder.with_file_name(format!("{name}.checkpoint")),
            next: folder.with_file_name(format!(".{name}.{}.tmp", std::process::id())),
            folder,
        })
    }

    /// Writes the folder, as a whole or not at all, and what is handed out.
    pub(super) fn write(&self, sealed: &Sealed, key: &PublicKey) -> Result<()> {
        let written = read::write(&sealed.files, &self.next);
        let written = written.and_then(|()| replace(&self.folder, &self.next));
        written
            .inspect_err(|_| drop(fs::remove_dir_all(&self.next)))
            .with_context(|| format!("cannot write {}", self.folder.display()))?;
        files::write(&self.tar, &sealed.files.to_tar()?)?;
        files::write(&self.key, key.to_pem().as_bytes())?;
        files::write(&self.checkpoint, sealed.checkpoint.as_bytes())
    }
}

fn replace(folder: &Path, next: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(next, folder)
}
