//! `ig-control-plane`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use ig_control_plane::{Config, KeyPassword, Overrides, Server, Telemetry, check_ledger};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Takes schemas, operations, policies and tenants, and gives guard snapshots to Envoy.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        ig-control-plane --module /etc/envoy/ig_guard.wasm\n  \
        ig-control-plane --config control-plane.toml --check-config\n  \
        IG_DATABASE=postgres://ig@db/ig ig-control-plane\n\n\
        The first start prints an admin token, once."
)]
struct Args {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "IG_CONFIG")]
    config: Option<PathBuf>,
    /// Check the configuration and exit
    #[arg(long)]
    check_config: bool,
    /// Address of the HTTP API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "IG_LISTEN")]
    listen: Option<SocketAddr>,
    /// Address of gRPC [default: 127.0.0.1:18000]
    #[arg(long, value_name = "ADDRESS", env = "IG_GRPC_LISTEN")]
    grpc_listen: Option<SocketAddr>,
    /// Database: sqlite:FILE or postgres://… [default: sqlite:ig-control-plane.db]
    #[arg(long, value_name = "URL", env = "IG_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// The guard's module, as Envoy finds it [default: /etc/envoy/ig_guard.wasm]
    #[arg(long, value_name = "FILE", env = "IG_MODULE")]
    module: Option<PathBuf>,
    /// Redis that replicas keep the fleet's limits in: redis://… [default: each its own]
    #[arg(long, value_name = "URL", env = "IG_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// Password of the encrypted key that exports are signed with
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "IG_EXPORTS_PASSWORD",
        hide_env_values = true
    )]
    exports_password: Option<KeyPassword>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The log of what happened
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Check the whole log of the database, and the audit trail against it
    Fsck {
        /// A checkpoint that was kept elsewhere: the log has to have grown from it
        #[arg(long, value_name = "FILE")]
        remembered: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let overrides = Overrides {
        listen: args.listen,
        grpc_listen: args.grpc_listen,
        database: args.database,
        module: args.module,
        redis: args.redis,
        exports_password: args.exports_password,
    };
    let config = Config::load(args.config.as_deref(), overrides)?;
    if args.check_config {
        println!("the configuration is valid");
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let telemetry = {
        let _entered = runtime.enter();
        Telemetry::start(&config.telemetry)?
    };
    log(&telemetry);
    if let Some(Command::Ledger(LedgerCommand::Fsck { remembered })) = args.command {
        return runtime.block_on(fsck(&config, remembered.as_deref()));
    }
    let ended = runtime.block_on(async {
        let server = Server::bind(&config).await?;
        if let Some(token) = &server.bootstrap_token {
            // To standard output, not to the log: logs are kept.
            println!("admin token, shown once: {token}");
        }
        let (http, grpc) = server.addresses()?;
        tracing::info!(%http, %grpc, "listening");
        server.serve(stop()).await?;
        Ok(())
    });
    runtime.block_on(telemetry.stop());
    // A token that never answers does not keep this process.
    runtime.shutdown_timeout(Duration::from_secs(5));
    ended
}

/// Lines of JSON on standard error; spans to where they are sent.
fn log(telemetry: &Telemetry) {
    let filter = EnvFilter::try_from_env("IG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    tracing_subscriber::registry()
        .with(lines)
        .with(telemetry.layer())
        .init();
}

async fn fsck(config: &Config, remembered: Option<&Path>) -> Result<()> {
    let remembered = remembered.map(|file| {
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
    });
    let remembered = remembered.transpose()?;
    let checked = check_ledger(config, remembered.as_deref()).await?;
    println!(
        "the ledger is right: {} entries, root {}",
        checked.entries, checked.root
    );
    println!(
        "audit records: {} in the ledger, {} about to be, {} from before it",
        checked.records, checked.queued, checked.uncommitted
    );
    Ok(())
}

/// SIGTERM or Ctrl-C.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(interrupted.await),
    }
}
