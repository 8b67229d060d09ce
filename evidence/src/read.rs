//! Bundles on a disk: a folder, or a `.tar` of it. Nothing else here touches a file.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::files::{MAX_FILE_BYTES, MAX_TAR_BYTES};
use crate::{Files, FilesError, MAX_FILES};

/// Folders in folders: more are nobody's.
const MAX_DEPTH: usize = 8;

/// Why no bundle is read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What the system says.
    #[error("cannot read {path}: {1}", path = .0.display())]
    Io(PathBuf, io::Error),
    /// What is there makes none: that is for a report, and not for a usage message.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// Reads a folder, or a `.tar` of one.
///
/// # Errors
/// [`ReadError`].
pub fn bundle(path: &Path) -> Result<Files, ReadError> {
    let failed = |error| ReadError::Io(path.to_owned(), error);
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return folder(path);
    }
    let tar = file(path, MAX_TAR_BYTES)?.ok_or(FilesError::TooMuch)?;
    Ok(Files::from_tar(&tar)?)
}

/// Reads a folder. Links are not followed.
///
/// # Errors
/// [`ReadError`].
pub fn folder(root: &Path) -> Result<Files, ReadError> {
    let mut files = Files::new();
    let mut work = vec![(String::new(), root.to_owned(), 0)];
    let mut seen = 0_usize;
    while let Some((prefix, folder, depth)) = work.pop() {
        let failed = |error| ReadError::Io(folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen = seen.saturating_add(1);
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(failed)?;
            if seen > 2 * MAX_FILES {
                return Err(FilesError::TooMany.into());
            }
            if kind.is_dir() && depth < MAX_DEPTH {
                work.push((format!("{name}/"), entry.path(), depth + 1));
            } else if kind.is_file() {
                let bytes = file(&entry.path(), MAX_FILE_BYTES)?;
                let bytes = bytes.ok_or_else(|| FilesError::TooLong(name.clone()))?;
                files.insert(&name, bytes)?;
            } else {
                return Err(FilesError::NotAFile(name).into());
            }
        }
    }
    Ok(files)
}

/// Writes a bundle to a folder that is not there yet.
///
/// # Errors
/// What the system says.
pub fn write(files: &Files, root: &Path) -> io::Result<()> {
    if let Some(above) = root.parent() {
        fs::create_dir_all(above)?;
    }
    fs::create_dir(root)?;
    for (name, bytes) in files.iter() {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// A file of at most `limit` bytes; `None` for a longer one.
fn file(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, ReadError> {
    let failed = |error| ReadError::Io(path.to_owned(), error);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(failed)?;
    opened.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= limit))
}
