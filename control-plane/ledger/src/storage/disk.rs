//! A log in a folder, as files that any web server can serve.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Commit, Files, Storage, StorageError};
use crate::layout::Resource;

/// Held while a process may write.
const LOCK: &str = ".lock";
/// What is being written, until it has its name.
const NEW: &str = ".new";

/// Reads a log in a folder, which may be a copy of what a log serves.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder with a `checkpoint`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    fn path(&self, resource: Resource) -> PathBuf {
        self.0.join(resource.to_string())
    }
}

impl Files for Folder {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(resource)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let most = resource.max_bytes() as u64;
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Keeps files in a folder. Each is written beside its place, synchronised, and
/// then renamed, so that it is there whole or not at all; then its folder is
/// synchronised, before the next one is begun.
#[derive(Debug)]
pub struct Disk {
    folder: Folder,
    /// Given back when it is dropped.
    _lock: File,
    /// After how many steps a test's machine loses power.
    #[cfg(test)]
    steps: std::cell::Cell<Option<usize>>,
}

impl Disk {
    /// Opens or creates a folder to write to, and keeps all other writers from it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while another process has it; or what the
    /// file system says.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = Folder::new(root);
        create_folder(&folder.0)?;
        let lock = File::create(folder.0.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process has the log")
            }
            TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            folder,
            _lock: lock,
            #[cfg(test)]
            steps: std::cell::Cell::new(None),
        })
    }

    fn write(&self, resource: Resource, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.path(resource);
        let folder = path.parent().unwrap_or(&self.folder.0);
        create_folder(folder)?;
        self.step()?;
        let new = self.folder.0.join(NEW);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).open(&new)?;
        self.step()?;
        // In two parts, so that a test sees a file that is half there.
        let (begin, end) = bytes.split_at(bytes.len() / 2);
        file.write_all(begin)?;
        self.step()?;
        file.write_all(end)?;
        file.sync_all()?;
        self.step()?;
        fs::rename(&new, &path)?;
        self.step()?;
        sync_folder(folder)
    }

    /// Where the machine can stop.
    #[cfg_attr(not(test), expect(clippy::unused_self, clippy::unnecessary_wraps))]
    fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        match self.steps.get() {
            Some(0) => return Err(io::Error::other("no power")),
            left => self.steps.set(left.map(|left| left - 1)),
        }
        Ok(())
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A folder with those above it, each synchronised in its parent.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    fs::create_dir(folder)?;
    sync_folder(parent.unwrap_or(Path::new(".")))
}

impl Files for Disk {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        if resource == Resource::Checkpoint {
            // What a process renamed before it ended may be in the cache only, and
            // what goes on from this checkpoint must not outlive it.
            sync_folder(&self.folder.0)?;
        }
        self.folder.read(resource)
    }
}

impl Storage for Disk {
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError> {
        let stored = self.folder.read(Resource::Checkpoint)?;
        if stored.as_deref() != commit.previous.map(str::as_bytes) {
            return Err(StorageError::Conflict);
        }
        for (resource, bytes) in &commit.files {
            self.write(*resource, bytes)?;
            self.step()?;
        }
        self.write(Resource::Checkpoint, commit.checkpoint.as_bytes())?;
        let full = commit.files.iter().map(|(file, _)| *file);
        for file in full.filter(|file| file.partials().is_some()) {
            let mut partials = self.folder.path(file).into_os_string();
            partials.push(".p");
            // What stays takes room, and harms nobody.
            let _ = fs::remove_dir_all(partials);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
