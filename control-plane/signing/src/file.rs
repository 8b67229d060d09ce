//! Files that keys, passwords and PINs are in: one set of rules for all of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Password;

/// The most bytes of a password's file.
pub const MAX_PASSWORD_BYTES: usize = 4096;

/// Why a file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {1}", path = .0.display())]
    Read(PathBuf, io::Error),
    /// Longer than it may be.
    #[error("{path} is longer than {1} bytes", path = .0.display())]
    TooLong(PathBuf, usize),
    /// Everybody may write it, so nobody knows whose it is.
    #[error("{path} may be written by everybody: chmod o-w", path = .0.display())]
    Writable(PathBuf),
    /// A password in more than one line.
    #[error("{path} has more than one line", path = .0.display())]
    Lines(PathBuf),
    /// A password's file without one.
    #[error("{path} is empty", path = .0.display())]
    Empty(PathBuf),
}

/// Reads a file of at most `limit` bytes, which are wiped in the end: it may be a
/// key.
///
/// # Errors
/// When it cannot be read, or is longer.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |error| FileError::Read(path.to_owned(), error);
    read_opened(File::open(path).map_err(failed)?, path, limit)
}

/// Reads a file with a secret, which not everybody may write.
///
/// That everybody may read it is no error: that is how some orchestrators mount
/// secrets, into a file system that nobody else sees.
///
/// # Errors
/// As [`read`], and [`FileError::Writable`].
pub fn read_secret(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |error| FileError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    let data = file.metadata().map_err(failed)?;
    // A pipe is no file: what it has is gone once it was read.
    if data.is_file() && is_writable_by_all(&data) {
        return Err(FileError::Writable(path.to_owned()));
    }
    read_opened(file, path, limit)
}

#[cfg(unix)]
fn is_writable_by_all(data: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o002 != 0
}

#[cfg(not(unix))]
fn is_writable_by_all(_: &std::fs::Metadata) -> bool {
    false
}

fn read_opened(file: File, path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |error| FileError::Read(path.to_owned(), error);
    // One more than it may have, so that a longer one is seen to be.
    let most = limit.saturating_add(1);
    let length = file.metadata().map_err(failed)?.len();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // As long as it may get: a vector that grows leaves copies behind. A pipe does
    // not say how long it is.
    let room = if length == 0 {
        most.min(64 << 10)
    } else {
        length.saturating_add(1).min(most)
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() > limit {
        true => Err(FileError::TooLong(path.to_owned(), limit)),
        false => Ok(bytes),
    }
}

impl Password {
    /// Reads a password: the only line of a file, whose end may be there or not.
    ///
    /// # Errors
    /// As [`read_secret`], with at most [`MAX_PASSWORD_BYTES`]; and for an empty
    /// file, and one of more lines, of which nobody knows which one is meant.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut line = read_secret(path, MAX_PASSWORD_BYTES)?;
        for end in [b'\n', b'\r'] {
            if line.last() == Some(&end) {
                line.pop();
            }
        }
        if line.contains(&b'\n') {
            return Err(FileError::Lines(path.to_owned()));
        }
        if line.is_empty() {
            return Err(FileError::Empty(path.to_owned()));
        }
        Ok(Self::new(std::mem::take(&mut *line)))
    }
}
