//! The control plane of a stack, and `ig` with its address and token.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{GRACE, READY};
use crate::background::Background;
use crate::process::Process;
use crate::{net, wasm};

/// Graph of the demo.
pub(crate) const GRAPH: &str = "demo";

/// A running control plane.
pub(crate) struct Control {
    process: Background,
    ig: PathBuf,
    root: PathBuf,
    /// The API.
    pub(crate) url: String,
    /// Port of gRPC.
    pub(crate) grpc_port: u16,
    /// The first admin token.
    pub(crate) token: String,
}

impl Control {
    /// Starts one on a new SQLite file in a folder.
    pub(crate) fn start(root: &Path, folder: &Path, port: u16, grpc_port: u16) -> Result<Self> {
        let database = folder.join("control-plane.db");
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.join(format!("control-plane.db{suffix}")));
        }
        let log = folder.join("control-plane.log");
        let process = Process::new(root.join("target/debug/ig-control-plane"))
            .args(["--database", &format!("sqlite:{}", database.display())])
            .arg("--module")
            .arg(wasm::output_dir(root).join("ig_guard.wasm"))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--grpc-listen", &format!("127.0.0.1:{grpc_port}")]);
        let process = Background::start(process, &log)?;
        let url = format!("http://127.0.0.1:{port}");
        net::wait_for_http(&format!("{url}/readyz"), READY)
            .with_context(|| format!("see {}", log.display()))?;
        let said = std::fs::read_to_string(&log)?;
        let token = said
            .lines()
            .find_map(|line| line.strip_prefix("admin token, shown once: "));
        let token = token
            .context("the control plane printed no token")?
            .to_owned();
        Ok(Self {
            process,
            ig: root.join("target/debug/ig"),
            root: root.to_owned(),
            url,
            grpc_port,
            token,
        })
    }

    /// `ig`, towards this control plane.
    pub(crate) fn ig(&self, words: &[&str]) -> Process {
        Process::new(&self.ig)
            .args(words)
            .env("IG_CONTROL_URL", &self.url)
            .env("IG_ADMIN_TOKEN", &self.token)
            .current_dir(&self.root)
    }

    /// Gives it the demo, with a configuration, and publishes.
    pub(crate) fn fill(&self, config: &Path) -> Result<()> {
        let schema = "persisted-queries/schema.graphql";
        let catalogue = "persisted-queries/manifest.json";
        let graph = ["--graph", GRAPH, "--tag", "dev"];
        self.ig(&["schema", "push", schema]).args(graph).capture()?;
        self.ig(&["catalogue", "push", catalogue])
            .args(graph)
            .capture()?;
        let bundle = self
            .ig(&["policy", "push", "policies", "--json"])
            .capture()?;
        let bundle: Value = serde_json::from_str(&bundle.stdout)?;
        let revision = bundle["revision"]
            .as_str()
            .context("the bundle has no revision")?;
        self.ig(&["tenant", "import"]).arg(config).capture()?;
        self.ig(&["graph", "put", GRAPH, "--settings"])
            .arg(config)
            .args(["--schema-tag", "dev", "--bundle", revision])
            .capture()?;
        self.publish()
    }

    /// Body of the answer to a call with the first token.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.call_as(&self.token, method, path, body)
    }

    /// The same with another token.
    pub(crate) fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value> {
        let text = self.send(token, method, path, &body.to_string())?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// What is at a path, as it came.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        self.send(&self.token, "GET", path, "")
    }

    fn send(&self, token: &str, method: &str, path: &str, body: &str) -> Result<String> {
        let media_type = match path.starts_with("/scim/") {
            true => "application/scim+json",
            false => "application/json",
        };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", media_type)
            .body(body.to_owned())?;
        let mut answer = net::agent(READY).run(request)?;
        let text = answer.body_mut().read_to_string()?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{method} {path}: {status} {text}");
        Ok(text)
    }

    /// Publishes what is stored.
    pub(crate) fn publish(&self) -> Result<()> {
        self.ig(&["snapshot", "publish", GRAPH]).capture()?;
        Ok(())
    }

    /// Waits until a proxy runs what is published.
    pub(crate) fn wait_for_proxy(&self) -> Result<()> {
        let started = std::time::Instant::now();
        loop {
            let said = self.ig(&["proxies", "--json"]).capture()?;
            let proxies: Value = serde_json::from_str(&said.stdout)?;
            let first = &proxies[0];
            if first["wanted"].is_string() && first["wanted"] == first["accepted"] {
                return Ok(());
            }
            anyhow::ensure!(
                started.elapsed() < READY,
                "no proxy runs what is published: {proxies}"
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    pub(super) fn into_process(self) -> Background {
        self.process
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.process.stop(GRACE);
    }
}
