//! What a stack is started from: module, binaries, snapshot, keys, tokens,
//! configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::control::GRAPH;
use super::people;
use crate::process::Process;
use crate::{setup, wasm, workspace};

/// Issuer of the tokens that `ig token` signs.
pub(super) const ISSUER: &str = "https://issuer.localhost";

/// What the demo and its clients run.
pub(crate) const BINARIES: [&str; 4] = ["ig", "ig-demo-upstream", "ig-control-plane", "ig-verify"];

/// Set-up, modules and binaries.
pub(crate) fn prepare(
    root: &Path,
    extras: Vec<setup::Extra>,
    modules: Vec<wasm::Variant>,
) -> Result<()> {
    setup::ensure(extras)?;
    wasm::run(&wasm::Args {
        variants: modules,
        profile: "release".into(),
        json: false,
    })?;
    workspace::build(root, workspace::Target::Bin, &BINARIES)
}

/// The demo's snapshot and keys in a folder, and the binary that made them.
pub(crate) struct Materials {
    ig: PathBuf,
    root: PathBuf,
    folder: PathBuf,
}

impl Materials {
    /// Compiles the demo's snapshot and makes the dev issuer's keys.
    pub(crate) fn make(root: &Path, folder: &Path, shadow: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let this = Self {
            ig: root.join("target/debug/ig"),
            root: root.to_owned(),
            folder: folder.to_owned(),
        };
        this.compile_snapshot(shadow)?;
        this.ig(&["token", "keys", "--dir"])
            .arg(this.keys())
            .capture()?;
        Ok(this)
    }

    fn ig(&self, words: &[&str]) -> Process {
        Process::new(&self.ig).args(words).current_dir(&self.root)
    }

    fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// The snapshot.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.folder.join("demo.igsnap")
    }

    /// The configuration it was compiled with.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("guard.toml")
    }

    /// Writes the configuration for a control plane that knows the demo's people.
    pub(super) fn with_directory(&self) -> Result<PathBuf> {
        let config = std::fs::read_to_string(self.config())?;
        let written = self.folder.join("guard-directory.toml");
        std::fs::write(&written, people::with_directory(&config))
            .with_context(|| format!("cannot write {}", written.display()))?;
        Ok(written)
    }

    /// The public keys of the dev issuer.
    pub(super) fn public_keys(&self) -> PathBuf {
        self.keys().join("jwks.json")
    }

    fn compile_snapshot(&self, shadow: bool) -> Result<()> {
        let mut config = std::fs::read_to_string(self.root.join("envoy/demo/guard.toml"))
            .context("cannot read envoy/demo/guard.toml")?;
        if shadow {
            config.push_str("\n[modes]\npersisted-query = \"shadow\"\npolicy = \"shadow\"\nstep-up = \"shadow\"\n");
        }
        let written = self.config();
        std::fs::write(&written, config)
            .with_context(|| format!("cannot write {}", written.display()))?;
        let schema = self.root.join("persisted-queries/schema.graphql");
        self.compile(&schema, &written, &self.snapshot())
    }

    /// Compiles the demo's catalogue and policies.
    pub(crate) fn compile(&self, schema: &Path, config: &Path, output: &Path) -> Result<()> {
        self.ig(&["snapshot", "compile"])
            .arg("--schema")
            .arg(schema)
            .args(["--catalogue", "persisted-queries/manifest.json"])
            .args(["--policies", "policies", "--config"])
            .arg(config)
            .arg("--output")
            .arg(output)
            .capture()?;
        Ok(())
    }

    /// An access token of the dev issuer.
    pub(crate) fn token(&self, user: &str) -> Result<String> {
        let token = self
            .ig(&["token", "--user", user, "--issuer", ISSUER, "--dir"])
            .arg(self.keys())
            .capture()?;
        Ok(token.stdout.trim().to_owned())
    }

    /// Writes Envoy's configuration.
    pub(crate) fn render(&self, config: &Path, with: &Rendered<'_>) -> Result<()> {
        let demo = self.snapshot();
        let mut ig = self.ig(&["envoy", "render", "--flavour", "envoy"]).args([
            "--issuer",
            ISSUER,
            "--audience",
            "ig",
        ]);
        ig = match with.control_plane {
            Some(port) => ig
                .args(["--control-plane", &format!("127.0.0.1:{port}")])
                .args(["--graph", GRAPH, "--config"])
                .arg(self.config()),
            None => ig.arg("--snapshot").arg(with.snapshot.unwrap_or(&demo)),
        };
        ig = ig
            .arg("--module")
            .arg(wasm::output_dir(&self.root).join("ig_guard.wasm"))
            .arg("--jwks")
            .arg(self.public_keys())
            .args(["--upstream", &with.upstream.to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", with.gateway_port)])
            .args(["--admin", &format!("127.0.0.1:{}", with.admin_port)])
            .arg("--access-log")
            .arg(with.access_log);
        if let Some(store) = with.text_store {
            ig = ig.args(["--text-store", store]);
        }
        if let Some((port, percent)) = with.tracing {
            ig = ig
                .args(["--tracing", &format!("127.0.0.1:{port}")])
                .args(["--tracing-sampling", &percent.to_string()]);
        }
        ig.arg("--output").arg(config).capture()?;
        Ok(())
    }
}

/// What differs between configurations.
pub(crate) struct Rendered<'a> {
    /// gRPC port of a control plane that feeds the guard.
    pub(crate) control_plane: Option<u16>,
    /// Another snapshot than the demo's.
    pub(crate) snapshot: Option<&'a Path>,
    /// `CLUSTER=HOST:PORT` of the texts that the snapshot does not embed.
    pub(crate) text_store: Option<&'a str>,
    pub(crate) upstream: SocketAddr,
    pub(crate) gateway_port: u16,
    pub(crate) admin_port: u16,
    pub(crate) access_log: &'a Path,
    /// Where spans go, and of how many requests of a hundred.
    pub(crate) tracing: Option<(u16, u32)>,
}
