//! A control plane in this process, and calls to it.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use flate2::Compression;
use flate2::write::GzEncoder;
use ig_control_plane::{CannotServe, Config, Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::workspace;

/// A control plane; it ends with the value.
pub struct ControlPlane {
    /// Address of the API.
    pub http: SocketAddr,
    /// Address of gRPC.
    pub grpc: SocketAddr,
    /// The first token; made at the first start only.
    pub token: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Result<(), CannotServe>>>,
}

impl ControlPlane {
    /// Starts one, and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(config: Config) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (send, ready) = std::sync::mpsc::channel();
        let serving = std::thread::spawn(move || {
            let runtime = Runtime::new().map_err(CannotServe::Http)?;
            runtime.block_on(async {
                let mut server = Server::bind(&config).await?;
                let token = server.bootstrap_token.take();
                if let Ok(addresses) = server.addresses() {
                    let _ = send.send((addresses, token));
                }
                server.serve(async { drop(stopped.await) }).await
            })
        });
        match ready.recv() {
            Ok(((http, grpc), token)) => Ok(Self {
                http,
                grpc,
                token,
                stop: Some(stop),
                serving: Some(serving),
            }),
            Err(_) => match serving.join() {
                Ok(Err(error)) => Err(error.into()),
                _ => Err(anyhow!("the control plane did not start")),
            },
        }
    }

    /// Starts one on SQLite in a folder.
    ///
    /// # Errors
    /// When it does not start.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let database = format!("sqlite:{}", folder.join("test.db").display());
        Self::start(Config::local(database, "/etc/envoy/ig_guard.wasm"))
    }

    /// Ends it as SIGTERM would.
    ///
    /// # Errors
    /// When it failed.
    pub fn stop(mut self) -> Result<()> {
        drop(self.stop.take());
        let serving = self.serving.take().context("stopped before")?;
        serving
            .join()
            .map_err(|_| anyhow!("the control plane panicked"))??;
        Ok(())
    }

    /// Status and body of a call with the first token.
    pub fn call(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        self.call_as(token.as_deref(), method, path, body)
    }

    /// Status and body of a call; `token` is the whole header, if any.
    pub fn call_as(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: impl AsRef<[u8]>,
    ) -> (u16, Value) {
        let headers = token.map(|token| ("authorization", token));
        self.call_with(headers.as_slice(), method, path, body)
    }

    /// Status and body of a call with these headers.
    pub fn call_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: impl AsRef<[u8]>,
    ) -> (u16, Value) {
        let url = format!("http://{}", self.http);
        match call(&url, headers, method, path, body.as_ref()) {
            Ok(answer) => answer,
            Err(error) => (0, Value::String(format!("{error:#}"))),
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

/// Status and body of a call to an API.
///
/// # Errors
/// When it is not answered.
pub fn call(
    url: &str,
    headers: &[(&str, &str)],
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<(u16, Value)> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .proxy(None)
        .build()
        .new_agent();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{url}{path}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(body)?)?;
    let bytes = answer
        .body_mut()
        .with_config()
        .limit(256 << 20)
        .read_to_vec()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok((answer.status().as_u16(), body))
}

/// The repository's own policies, packed as `opa build` does, under another
/// revision than their own if one is given.
///
/// # Errors
/// When they cannot be read.
pub fn policy_bundle(revision: Option<&str>) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let policies = workspace().join("policies");
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut work = vec![policies.clone()];
    while let Some(next) = work.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                work.push(path);
                continue;
            }
            let name = path.strip_prefix(&policies)?.to_owned();
            match revision.filter(|_| name == Path::new(".manifest")) {
                None => tar.append_path_with_name(&path, name)?,
                Some(revision) => {
                    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
                    manifest["revision"] = json!(revision);
                    let other = folder.path().join("manifest");
                    std::fs::write(&other, manifest.to_string())?;
                    tar.append_path_with_name(other, name)?;
                }
            }
        }
    }
    Ok(tar.into_inner()?.finish()?)
}

/// Gives a control plane the demo: schema, catalogue, policies, a tenant, and
/// the graph `demo`. Nothing is published yet.
///
/// # Errors
/// What was answered to the first call that did not succeed.
pub fn fill(call: impl Fn(&str, &str, &[u8]) -> (u16, Value)) -> Result<()> {
    let read = |path: &str| std::fs::read(workspace().join(path));
    let expect = |what: &str, (status, answer): (u16, Value)| match status {
        200..=299 => Ok(answer),
        _ => Err(anyhow!("{what}: {status} {answer}")),
    };
    let sdl = read("persisted-queries/schema.graphql")?;
    expect("schema", call("PUT", "/schemas/demo/dev", &sdl))?;
    let manifest = read("persisted-queries/manifest.json")?;
    expect(
        "catalogue",
        call("POST", "/catalogue/demo?tag=dev", &manifest),
    )?;
    let bundle = policy_bundle(None)?;
    let bundle = expect("bundle", call("POST", "/policies/bundles", &bundle))?;
    let tenant = json!({"region": "eu-west-1", "purposes": ["investigation"]}).to_string();
    expect("tenant", call("PUT", "/tenants/alpha", tenant.as_bytes()))?;
    let graph = json!({
        "settings": "endpoint = \"/graphql\"\n", "schemaTag": "dev", "bundle": bundle["revision"],
    });
    let graph = graph.to_string();
    expect("graph", call("PUT", "/graphs/demo", graph.as_bytes()))?;
    Ok(())
}
