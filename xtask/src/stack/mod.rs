//! `cargo xtask up` and `down`: the demo upstream, the control plane, and Envoy
//! with a guard that the control plane feeds.

mod control;
mod materials;
mod people;
mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::background::Background;
use crate::process::Process;
use crate::{net, tools, wasm};

pub(crate) use control::{Control, GRAPH};
pub(crate) use materials::{BINARIES, Materials, Rendered, prepare};
pub(crate) use people::come_and_go;
pub use state::{DownArgs, run_down};

const READY: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(3);

/// Starts the demo: control plane, upstream, and Envoy with the guard in front of it
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask up                         until Ctrl-C\n  \
    cargo xtask up --detach --workers 2    in the background; `cargo xtask down` ends it\n  \
    source target/dev/env                  GATEWAY_URL, CONTROL_URL, TOKEN_ALPHA, …\n  \
    cargo xtask up --shadow                the guards only watch")]
pub struct UpArgs {
    /// Return once it is ready
    #[arg(long)]
    pub detach: bool,
    /// Worker threads of Envoy
    #[arg(long, default_value_t = 1)]
    pub workers: u32,
    /// All guards in shadow mode
    #[arg(long)]
    pub shadow: bool,
    /// Port of the gateway
    #[arg(long, env = "IG_GATEWAY_PORT", default_value_t = 10_000)]
    pub gateway_port: u16,
    /// Port of Envoy's admin interface
    #[arg(long, env = "IG_ADMIN_PORT", default_value_t = 9_901)]
    pub admin_port: u16,
    /// Port of the demo upstream
    #[arg(long, env = "IG_UPSTREAM_PORT", default_value_t = 4_000)]
    pub upstream_port: u16,
    /// Port of the control plane's API
    #[arg(long, env = "IG_CONTROL_PORT", default_value_t = 8_080)]
    pub control_port: u16,
    /// Port of the control plane's gRPC
    #[arg(long, env = "IG_GRPC_PORT", default_value_t = 18_000)]
    pub grpc_port: u16,
    /// Another upstream instead of the demo's
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<SocketAddr>,
}

/// A running stack.
pub struct Stack {
    processes: Vec<Background>,
    pub(crate) control: Control,
    /// Where clients connect.
    pub gateway_url: String,
    /// A token of a@alpha.io.
    pub token_alpha: String,
    /// A token of b@bravo.io.
    pub token_bravo: String,
    /// The access log.
    pub access_log: PathBuf,
    /// Envoy's admin interface.
    pub admin_url: String,
}

/// Runs `cargo xtask up`.
///
/// # Errors
/// When a part is missing, does not build or does not get ready.
pub fn run(args: &UpArgs) -> Result<ExitCode> {
    let stack = Stack::start(args)?;
    println!(
        "gateway {}  control plane {}  Envoy's admin {}",
        stack.gateway_url, stack.control.url, stack.admin_url
    );
    println!("source target/dev/env for addresses and tokens");
    if args.detach {
        stack.detach();
        return Ok(ExitCode::SUCCESS);
    }
    println!("Ctrl-C ends it");
    let (send, receive) = mpsc::channel();
    ctrlc::set_handler(move || {
        let _ = send.send(());
    })
    .context("cannot listen for Ctrl-C")?;
    let _ = receive.recv();
    stack.stop();
    Ok(ExitCode::SUCCESS)
}

impl Stack {
    /// Sets up, builds and starts everything, and waits until it is ready.
    ///
    /// # Errors
    /// As [`run`].
    pub fn start(args: &UpArgs) -> Result<Self> {
        let root = tools::root();
        net::require_free(args.gateway_port, "the gateway", "--gateway-port")?;
        net::require_free(args.admin_port, "Envoy's admin interface", "--admin-port")?;
        if args.upstream.is_none() {
            net::require_free(args.upstream_port, "the demo upstream", "--upstream-port")?;
        }
        net::require_free(args.control_port, "the control plane", "--control-port")?;
        net::require_free(args.grpc_port, "the control plane's gRPC", "--grpc-port")?;
        prepare(&root, vec![], vec![wasm::Variant::Full])?;
        let dev = root.join("target/dev");
        let materials = Materials::make(&root, &dev, args.shadow)?;
        let access_log = dev.join("access.log");
        let _ = std::fs::remove_file(&access_log);
        let (token_alpha, token_bravo) = (
            materials.token("a@alpha.io")?,
            materials.token("b@bravo.io")?,
        );

        let control = Control::start(&root, &dev, args.control_port, args.grpc_port)?;
        control.fill(&materials.with_directory()?)?;
        let mut processes = Vec::new();
        let upstream = match args.upstream {
            Some(upstream) => {
                people::provide(&control, None)?;
                upstream
            }
            None => {
                let address = SocketAddr::from(([127, 0, 0, 1], args.upstream_port));
                let keys = format!("http://{address}/issuer/keys");
                people::provide(&control, Some(&keys))?;
                let upstream = Process::new(root.join("target/debug/ig-demo-upstream"))
                    .args(["--listen", &address.to_string()])
                    .arg("--issuer-keys")
                    .arg(materials.public_keys())
                    .env("IG_EXPORTS_URL", &control.url)
                    .env("IG_EXPORTS_TOKEN", people::exporter(&control)?);
                processes.push(Background::start(upstream, &dev.join("upstream.log"))?);
                net::wait_for_http(&format!("http://{address}/healthz"), READY)
                    .with_context(|| format!("see {}", dev.join("upstream.log").display()))?;
                address
            }
        };
        let config = dev.join("envoy.json");
        let rendered = Rendered {
            control_plane: Some(control.grpc_port),
            snapshot: None,
            text_store: None,
            upstream,
            gateway_port: args.gateway_port,
            admin_port: args.admin_port,
            access_log: &access_log,
            tracing: None,
        };
        materials.render(&config, &rendered)?;
        let envoy = Process::new(tools::envoy(&root)?.path)
            .arg("--config-path")
            .arg(&config)
            .args([
                "--concurrency",
                &args.workers.to_string(),
                "--disable-hot-restart",
            ])
            .args(["--log-level", "warning"]);
        processes.push(Background::start(envoy, &dev.join("envoy.log"))?);
        let admin_url = format!("http://127.0.0.1:{}", args.admin_port);
        net::wait_for_http(&format!("{admin_url}/ready"), READY)
            .with_context(|| format!("see {}", dev.join("envoy.log").display()))?;
        control.wait_for_proxy()?;
        let gateway_url = format!("http://127.0.0.1:{}", args.gateway_port);
        let stack = Self {
            processes,
            control,
            gateway_url,
            token_alpha,
            token_bravo,
            access_log,
            admin_url,
        };
        state::write(&dev, &stack, upstream)?;
        Ok(stack)
    }

    fn ids(&self) -> Vec<u32> {
        let processes = self.processes.iter().filter_map(Background::id);
        processes.chain(self.control.id()).collect()
    }

    fn detach(self) {
        self.control.into_process().detach();
        for process in self.processes {
            process.detach();
        }
    }

    /// Ends it, the last started first.
    pub fn stop(self) {
        for process in self.processes.into_iter().rev() {
            process.stop(GRACE);
        }
        self.control.stop();
    }
}

/// The decisions of an access log so far.
///
/// # Errors
/// When the log cannot be read.
pub fn decisions(log: &Path) -> Result<Vec<Value>> {
    let text =
        std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines
        .flat_map(|line| line["decisions"].as_array().cloned().unwrap_or_default())
        .collect())
}
