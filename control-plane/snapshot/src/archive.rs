//! A bundle as one file: `.tar.gz`, as `opa build` writes it.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use flate2::read::GzDecoder;

use crate::Bundle;

/// Most bytes of an archive, unpacked.
const MAX_BYTES: u64 = 64 << 20;
/// Most entries of an archive.
const MAX_ENTRIES: usize = 10_000;

/// Why an archive is not a bundle's.
#[derive(Debug, thiserror::Error)]
pub enum InvalidArchive {
    /// Not gzip, not tar, or cut off.
    #[error("is no whole .tar.gz: {0}")]
    Unreadable(#[from] io::Error),
    /// Too much, packed or unpacked.
    #[error("has more than {MAX_BYTES} bytes or {MAX_ENTRIES} entries")]
    TooLarge,
    /// A name that leads out of the bundle, or is no text.
    #[error("has an entry with the name `{0}`")]
    Name(String),
    /// A link or device; bundles have files and folders.
    #[error("has `{0}`, which is neither a file nor a folder")]
    Kind(String),
    /// Which of both would count?
    #[error("has `{0}` twice")]
    Twice(String),
}

/// The files of a bundle, by their path in it.
///
/// # Errors
/// [`InvalidArchive`]; nothing is written anywhere.
pub fn unpack(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, InvalidArchive> {
    // One byte more than the limit, so that reaching it can be seen.
    let unpacked = GzDecoder::new(archive).take(MAX_BYTES + 1);
    let mut tar = tar::Archive::new(unpacked);
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    for (number, entry) in tar.entries()?.enumerate() {
        let mut entry = entry?;
        bytes += entry.size();
        if number >= MAX_ENTRIES || bytes > MAX_BYTES {
            return Err(InvalidArchive::TooLarge);
        }
        let name = name(&entry.path_bytes())?;
        match entry.header().entry_type() {
            kind if kind.is_dir() || kind.is_pax_global_extensions() => continue,
            kind if !kind.is_file() => return Err(InvalidArchive::Kind(name)),
            _ => {}
        }
        if Bundle::reads(&name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            if files.insert(name.clone(), content).is_some() {
                return Err(InvalidArchive::Twice(name));
            }
        }
    }
    Ok(files)
}

/// `opa build` begins names with `/`, tar with `./`.
fn name(path: &[u8]) -> Result<String, InvalidArchive> {
    let lossy = || InvalidArchive::Name(String::from_utf8_lossy(path).into_owned());
    let text = std::str::from_utf8(path).map_err(|_| lossy())?;
    let text = text.strip_prefix("./").unwrap_or(text);
    let text = text.strip_prefix('/').unwrap_or(text);
    let leads_out = text.split('/').any(|part| part == "..") || text.contains(['\\', '\0']);
    match leads_out {
        true => Err(lossy()),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
