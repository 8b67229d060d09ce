//! Runs the demo upstream on one address.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use ig_demo_upstream::{ExportService, Options};

/// Demo GraphQL upstream of the investigation domain.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "IG_UPSTREAM_LISTEN", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// URL of the control plane that signs exports
    #[arg(long, env = "IG_EXPORTS_URL", requires = "exports_token")]
    exports_url: Option<String>,
    /// Its token, of the role `exporter`
    #[arg(
        long,
        env = "IG_EXPORTS_TOKEN",
        hide_env_values = true,
        requires = "exports_url"
    )]
    exports_token: Option<String>,
    /// Keys of the dev issuer, to be served at /issuer/keys
    #[arg(long, value_name = "FILE")]
    issuer_keys: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("ready http://{}/graphql", listener.local_addr()?);
    let exports = args.exports_url.zip(args.exports_token);
    let exports = exports.map(|(url, token)| ExportService::new(&url, &token));
    let with = Options {
        exports,
        issuer_keys: args.issuer_keys,
    };
    ig_demo_upstream::serve(listener, with)
        .await
        .context("the server stopped")
}
