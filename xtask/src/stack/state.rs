//! What `up` leaves behind for scripts and for `down`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::materials::ISSUER;
use super::{GRACE, Stack};
use crate::{background, tools};

/// Ends what `cargo xtask up --detach` started
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  cargo xtask down    also when nothing runs")]
pub struct DownArgs {}

/// Writes `target/dev/env`, in shell syntax.
pub(super) fn write(dev: &Path, stack: &Stack, upstream: SocketAddr) -> Result<()> {
    let ids = stack
        .ids()
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let lines = [
        ("GATEWAY_URL", stack.gateway_url.clone()),
        ("CONTROL_URL", stack.control.url.clone()),
        ("ADMIN_TOKEN", stack.control.token.clone()),
        // What `ig` reads.
        ("IG_CONTROL_URL", stack.control.url.clone()),
        ("IG_ADMIN_TOKEN", stack.control.token.clone()),
        ("ENVOY_ADMIN_URL", stack.admin_url.clone()),
        ("UPSTREAM_URL", format!("http://{upstream}")),
        ("ISSUER", ISSUER.to_owned()),
        ("ACCESS_LOG", stack.access_log.display().to_string()),
        ("TOKEN_ALPHA", stack.token_alpha.clone()),
        ("TOKEN_BRAVO", stack.token_bravo.clone()),
        ("IG_PIDS", ids),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        writeln!(text, "{name}='{value}'")?;
    }
    let file = dev.join("env");
    let _ = std::fs::remove_file(&file);
    // It has an admin token in it.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.context("cannot write target/dev/env")
}

/// Runs `cargo xtask down`.
///
/// # Errors
/// When `target/dev/env` cannot be removed.
pub fn run_down(_: &DownArgs) -> Result<ExitCode> {
    let env = tools::root().join("target/dev/env");
    let Ok(text) = std::fs::read_to_string(&env) else {
        println!("nothing runs");
        return Ok(ExitCode::SUCCESS);
    };
    let ids = text.lines().find_map(|line| line.strip_prefix("IG_PIDS='"));
    let ids = ids.unwrap_or_default().trim_end_matches('\'').split(',');
    for id in ids
        .filter_map(|id| id.parse().ok())
        .filter(|id| is_ours(*id))
    {
        background::stop_id(id, GRACE);
        println!("ended {id}");
    }
    std::fs::remove_file(&env).context("cannot remove target/dev/env")?;
    Ok(ExitCode::SUCCESS)
}

/// A number may have gone to another process since.
fn is_ours(id: u32) -> bool {
    let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).into_owned();
    [
        "target/dev/envoy.json",
        "ig-demo-upstream",
        "ig-control-plane",
    ]
    .iter()
    .any(|ours| command.contains(ours))
}
