//! A hardware security module in software, for one test: SoftHSM 2.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::Found;

/// Where distributions put the library.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// PIN of each token.
const PIN: &str = "271828";

/// Tokens in a folder, which ends with the value. What uses them needs the
/// environment of [`SoftHsm::env`].
pub struct SoftHsm {
    folder: tempfile::TempDir,
    module: PathBuf,
}

/// Where SoftHSM's library is.
///
/// # Errors
/// What to do, if it is not here.
pub fn softhsm_module() -> Found<PathBuf> {
    let missing = || "no SoftHSM: run `cargo xtask setup --with hsm`".to_owned();
    let module = MODULES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file());
    module.ok_or_else(missing)
}

impl SoftHsm {
    /// One without tokens.
    ///
    /// # Errors
    /// If SoftHSM is not here.
    pub fn new() -> Result<Self> {
        let this = Self {
            folder: tempfile::tempdir()?,
            module: softhsm_module().map_err(anyhow::Error::msg)?,
        };
        std::fs::create_dir(this.tokens())?;
        let tokens = this.tokens();
        let settings = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(this.settings(), settings)?;
        for (name, text) in [("pin", PIN), ("wrong-pin", "314159")] {
            std::fs::write(this.file(name), format!("{text}\n"))?;
        }
        Ok(this)
    }

    fn tokens(&self) -> PathBuf {
        self.file("tokens")
    }

    fn settings(&self) -> PathBuf {
        self.file("softhsm2.conf")
    }

    /// A file beside the tokens: `pin` has that of each token, `wrong-pin` another.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The library.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// The variable by which the library finds the tokens, and its value.
    pub fn env(&self) -> (&'static str, PathBuf) {
        ("SOFTHSM2_CONF", self.settings())
    }

    /// The URI of a key, with everything that is needed to use it.
    pub fn uri(&self, token: &str, object: &str) -> String {
        format!(
            "pkcs11:token={token};object={object}?pin-source=file:{}&module-path={}",
            self.file("pin").display(),
            self.module.display()
        )
    }

    /// Makes a token.
    ///
    /// # Errors
    /// What SoftHSM says.
    pub fn token(&self, label: &str) -> Result<()> {
        self.util(&[
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            PIN,
            "--pin",
            PIN,
        ])
    }

    /// Puts a key in PKCS#8 into a token.
    ///
    /// # Errors
    /// What SoftHSM says.
    pub fn import(&self, token: &str, object: &str, id: &str, pem: &str) -> Result<()> {
        let file = self.file("import.pem");
        std::fs::write(&file, pem)?;
        let file_name = file.display().to_string();
        let key = ["--import", &file_name, "--label", object, "--id", id];
        self.util(&[&["--token", token, "--pin", PIN], &key[..]].concat())?;
        Ok(std::fs::remove_file(file)?)
    }

    /// Takes all tokens away, as who pulls a plug.
    ///
    /// # Errors
    /// If they are away.
    pub fn take_away(&self) -> Result<()> {
        std::fs::rename(self.tokens(), self.file("away"))?;
        Ok(std::fs::create_dir(self.tokens())?)
    }

    /// Brings them back.
    ///
    /// # Errors
    /// If they are not away.
    pub fn bring_back(&self) -> Result<()> {
        std::fs::remove_dir(self.tokens())?;
        Ok(std::fs::rename(self.file("away"), self.tokens())?)
    }

    fn util(&self, arguments: &[&str]) -> Result<()> {
        let (name, value) = self.env();
        let ran = Command::new("softhsm2-util")
            .env(name, value)
            .args(arguments)
            .output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "softhsm2-util: {said}");
        Ok(())
    }
}
