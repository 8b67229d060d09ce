//! Runs the demo upstream on one address.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;

/// Demo GraphQL upstream of the investigation domain.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "IG_UPSTREAM_LISTEN", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("ready http://{}/graphql", listener.local_addr()?);
    ig_demo_upstream::serve(listener)
        .await
        .context("the server stopped")
}
