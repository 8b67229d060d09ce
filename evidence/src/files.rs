//! The files of a bundle: names that lead nowhere else, within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use ig_signing::Sha256;

/// The most files.
pub const MAX_FILES: usize = 1024;
/// The most bytes of a file.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// The most bytes of all files.
pub const MAX_BYTES: usize = 128 << 20;
/// The most bytes of a `.tar`: each file has a head, and is filled up.
pub(crate) const MAX_TAR_BYTES: usize = MAX_BYTES + MAX_FILES * 2048;
/// A `.tar` is made of these.
const BLOCK: usize = 512;
/// Where a head of POSIX has the folders of a name that is too long for its own place.
const PREFIX: usize = 345;

/// Why files make no bundle.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FilesError {
    /// A name that could lead elsewhere, or is not written alike everywhere.
    #[error("{0:?} is not the name of a file: letters, digits, `.`, `_`, `-`, below folders")]
    Name(String),
    /// One name twice, or two that some systems do not tell apart.
    #[error("{0} is there twice")]
    Twice(String),
    /// A link, a device, or something else.
    #[error("{0} is not a file: a link or a device")]
    NotAFile(String),
    /// What other programs unpack differently.
    #[error("programs read the head of {0:?} in the .tar differently")]
    Unclear(String),
    /// Too many.
    #[error("more than {MAX_FILES} files")]
    TooMany,
    /// Too long.
    #[error("{0} is longer than {MAX_FILE_BYTES} bytes")]
    TooLong(String),
    /// Too much of all.
    #[error("more than {MAX_BYTES} bytes")]
    TooMuch,
    /// No `.tar`.
    #[error("not a .tar: {0}")]
    Tar(String),
    /// The end is not there.
    #[error("the .tar is cut off")]
    CutOff,
    /// Bytes that no file has, where nobody would look for them.
    #[error("the .tar has something behind {0:?} that is no file's")]
    Hidden(String),
    /// Something after the end.
    #[error("there is more after the end of the .tar")]
    Trailing,
}

/// The files of a bundle, by their names from its folder on, with `/`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Files {
    files: BTreeMap<String, Vec<u8>>,
    /// In lower case.
    taken: BTreeSet<String>,
    bytes: usize,
}

impl Files {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`FilesError`], but for those of a `.tar`.
    pub fn insert(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), FilesError> {
        if !is_safe(name) {
            return Err(FilesError::Name(name.to_owned()));
        }
        if bytes.len() > MAX_FILE_BYTES {
            return Err(FilesError::TooLong(name.to_owned()));
        }
        let all = self.bytes.saturating_add(bytes.len());
        if all > MAX_BYTES {
            return Err(FilesError::TooMuch);
        }
        if self.files.len() >= MAX_FILES {
            return Err(FilesError::TooMany);
        }
        if !self.taken.insert(name.to_ascii_lowercase()) {
            return Err(FilesError::Twice(name.to_owned()));
        }
        self.bytes = all;
        self.files.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// A file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Of a file.
    pub(crate) fn digest(&self, name: &str) -> Option<Sha256> {
        self.get(name).map(Sha256::of)
    }

    /// Reads a `.tar` of the folder's files, or of the folder.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn from_tar(tar: &[u8]) -> Result<Self, FilesError> {
        let broken = |error: std::io::Error| FilesError::Tar(error.to_string());
        if tar.len() > MAX_TAR_BYTES {
            return Err(FilesError::TooMuch);
        }
        ends(tar)?;
        let mut found = Vec::new();
        let mut archive = tar::Archive::new(Cursor::new(tar));
        // Raw: what gives the next file another name or length is an entry of its own.
        for entry in archive.entries().map_err(broken)?.raw(true) {
            let mut entry = entry.map_err(broken)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name
                .strip_prefix("./")
                .map(ToOwned::to_owned)
                .unwrap_or(name);
            if !reads_alike(entry.header()) {
                return Err(FilesError::Unclear(name));
            }
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                let folder = name.trim_end_matches('/');
                match folder.is_empty() || folder == "." || is_safe(folder) {
                    true => continue,
                    false => return Err(FilesError::Name(name)),
                }
            }
            if !kind.is_file() {
                return Err(FilesError::NotAFile(name));
            }
            let length = usize::try_from(entry.size()).unwrap_or(usize::MAX);
            if length > MAX_FILE_BYTES {
                return Err(FilesError::TooLong(name));
            }
            let mut bytes = Vec::with_capacity(length);
            entry.read_to_end(&mut bytes).map_err(broken)?;
            if bytes.len() != length {
                return Err(FilesError::CutOff);
            }
            let began = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
            if !is_filled_up(tar, began.saturating_add(length)) {
                return Err(FilesError::Hidden(name));
            }
            found.push((name, bytes));
            if found.len() > MAX_FILES {
                return Err(FilesError::TooMany);
            }
        }
        let read = usize::try_from(archive.into_inner().position()).unwrap_or(usize::MAX);
        if tar
            .get(read..)
            .is_some_and(|rest| rest.iter().any(|byte| *byte != 0))
        {
            return Err(FilesError::Trailing);
        }
        Self::rooted(found)
    }

    /// Takes the folder's own name away, where all names begin with it.
    fn rooted(found: Vec<(String, Vec<u8>)>) -> Result<Self, FilesError> {
        let top = found.first().and_then(|(name, _)| name.split_once('/'));
        let top = top.map(|(top, _)| format!("{top}/"));
        let is_root = |name: &str| name == crate::names::MANIFEST;
        let top = top.filter(|top| {
            found.iter().all(|(name, _)| name.starts_with(top))
                && found
                    .iter()
                    .any(|(name, _)| name.strip_prefix(top).is_some_and(is_root))
        });
        let mut files = Self::new();
        for (name, bytes) in found {
            // A top that is no name is refused with the rest of it.
            let short = top
                .as_deref()
                .filter(|top| is_safe(top.trim_end_matches('/')));
            let short = short.and_then(|top| name.strip_prefix(top));
            files.insert(short.unwrap_or(&name), bytes)?;
        }
        Ok(files)
    }

    /// A `.tar`: the same files give the same bytes.
    ///
    /// # Errors
    /// None that is known of; the archive's library has one.
    pub fn to_tar(&self) -> Result<Vec<u8>, FilesError> {
        let broken = |error: std::io::Error| FilesError::Tar(error.to_string());
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in self.iter() {
            let mut header = tar::Header::new_ustar();
            header.set_path(name).map_err(broken)?;
            header.set_size(u64::try_from(bytes.len()).unwrap_or_default());
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            archive.append(&header, bytes).map_err(broken)?;
        }
        archive.into_inner().map_err(broken)
    }
}

/// Whether the last block of a file that ends here is filled up with nothing.
fn is_filled_up(tar: &[u8], end: usize) -> bool {
    let filled = end.div_ceil(BLOCK).saturating_mul(BLOCK);
    tar.get(end..filled)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// Whether all programs read the same of a head. Where they do not, one hides files from
/// another: what is verified here is not what is unpacked there.
fn reads_alike(head: &tar::Header) -> bool {
    let kind = head.entry_type();
    let is_extension = kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
        || kind.is_gnu_longname()
        || kind.is_gnu_longlink();
    // Of a sign, or a number in another base, each makes something else.
    let is_octal = |byte: &u8| matches!(*byte, b'0'..=b'7' | b' ' | 0);
    let is_length = head.as_old().size.iter().all(is_octal);
    // Some read files out of what others skip as a folder's.
    let is_alone = !kind.is_dir() || head.entry_size().is_ok_and(|size| size == 0);
    // Some take what is here for folders in any head.
    let mut prefix = head.as_bytes().iter().skip(PREFIX);
    let is_name = head.as_ustar().is_some() || prefix.all(|byte| *byte == 0);
    !is_extension && is_length && is_alone && is_name
}

/// Whether it has the two empty blocks that a `.tar` ends with.
fn ends(tar: &[u8]) -> Result<(), FilesError> {
    let end = tar
        .len()
        .checked_sub(2 * BLOCK)
        .and_then(|at| tar.get(at..));
    match end {
        Some(end) if tar.len().is_multiple_of(BLOCK) && end.iter().all(|byte| *byte == 0) => Ok(()),
        _ => Err(FilesError::CutOff),
    }
}

/// Whether a name leads to a file below the folder, alike on every system.
pub(crate) fn is_safe(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 128
            && !part.starts_with('.')
            && part.bytes().all(is_plain)
    };
    name.len() <= 255 && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["a", "a/b.json", "SHA256SUMS", "a_b/c-d.e"] {
            assert!(is_safe(name), "{name}");
        }
        let long = "a".repeat(300);
        for name in [
            "", ".", "..", "/a", "a/", "a//b", "./a", "../a", "a/../b", "a\\b", "C:a", "a\0b", "é",
            "a b", ".hidden", &long,
        ] {
            assert!(!is_safe(name), "{name}");
            assert!(Files::new().insert(name, Vec::new()).is_err());
        }
    }

    #[test]
    fn a_tar_has_the_same_files() {
        let mut files = Files::new();
        files.insert("manifest.json", b"{}".to_vec()).unwrap();
        files.insert("a/b.json", vec![7; 1000]).unwrap();
        let tar = files.to_tar().unwrap();
        assert_eq!(tar, files.to_tar().unwrap());
        assert_eq!(Files::from_tar(&tar).unwrap(), files);
    }
}
