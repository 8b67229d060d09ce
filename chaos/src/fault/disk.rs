//! A small disk that can be full: a file system in memory, of its own.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// How much it has: more than a run writes, and less than a machine.
const SIZE: &str = "size=2g,mode=1777";

/// A mounted disk; it is gone with the value.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// An empty one.
    ///
    /// # Errors
    /// If this user may not mount.
    pub fn mount() -> Result<Self> {
        // Below /tmp: other folders may be closed to the database's user.
        let folder = tempfile::Builder::new()
            .prefix("ig-disk-")
            .tempdir_in("/tmp")?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "ig-chaos"])
            .arg(folder.path())
            .output()
            .context("mount")?;
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(
            mounted.status.success(),
            "a disk of its own needs root: {}",
            said.trim()
        );
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all that is left.
    ///
    /// # Errors
    /// If something else goes wrong than that nothing is left.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        for piece in [1 << 20, 4 << 10, 1] {
            let zeros = vec![0_u8; piece];
            loop {
                match file.write(&zeros) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!("the disk cannot be filled: {error}"),
                }
            }
        }
        Ok(())
    }

    /// Gives it back.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn free(&self) -> Result<()> {
        match std::fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Who still uses it keeps it until they end.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}
