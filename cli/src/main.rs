//! `ig`: compiles, inspects and checks what the guard enforces, and tells the
//! control plane.
//!
//! Exit codes: 0 for success, 1 for findings (something was read and is not
//! right), 2 for a command that could not do its work.

#![forbid(unsafe_code)]
#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is quoted must not steer terminals and runners: `output`"
)]

mod access;
mod catalogue;
mod completions;
mod control_plane;
mod cost;
mod envoy;
mod evidence;
mod export;
mod files;
mod github;
mod graph;
mod output;
mod policy;
mod schema;
mod snapshot;
mod step_up;
mod tenant;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing that is wrong.
    Clean,
    /// Something that is wrong; the command has said what.
    Findings,
}

impl Outcome {
    pub(crate) fn clean_if(clean: bool) -> Self {
        if clean { Self::Clean } else { Self::Findings }
    }
}

/// Compiles, inspects and checks what IntelGraph Guard enforces.
#[derive(Parser)]
#[command(
    name = "ig",
    version,
    after_help = "Exit codes: 0 success, 1 findings or rejects, 2 usage or I/O.\n\
                  Every command has examples: ig snapshot compile --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check, push and list schemas.
    #[command(subcommand)]
    Schema(schema::Command),
    /// Check, build, import, push and retire operations.
    #[command(subcommand)]
    Catalogue(catalogue::Command),
    /// Compile, inspect, compare and publish snapshots.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Check, test, bundle, push and activate policies.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Put, change and list tenants.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Put and list graphs.
    #[command(subcommand)]
    Graph(graph::Command),
    /// List proxies: which revision each should run, and runs.
    Proxies(control_plane::ProxiesArgs),
    /// List decisions.
    Decisions(control_plane::DecisionsArgs),
    /// List changes to what the control plane has.
    Audit(control_plane::AuditArgs),
    /// Show what requests cost.
    #[command(subcommand)]
    Cost(cost::Command),
    /// Make, list and revoke admin tokens of the control plane.
    #[command(subcommand)]
    Access(access::Command),
    /// Change and list the keys of step-up tokens.
    #[command(subcommand)]
    StepUp(step_up::Command),
    /// Write, sign, list and get exports, and their keys.
    #[command(subcommand, visible_alias = "exports")]
    Export(export::Command),
    /// Build and verify the evidence of a release.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Issue access tokens for development.
    Token(token::Args),
    /// Render configuration that loads the guard.
    #[command(subcommand)]
    Envoy(envoy::Command),
    /// Write a completion script for a shell.
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Schema(command) => schema::run(command),
        Command::Tenant(command) => tenant::run(command),
        Command::Graph(command) => graph::run(command),
        Command::Proxies(args) => control_plane::proxies(&args),
        Command::Decisions(args) => control_plane::decisions(&args),
        Command::Audit(args) => control_plane::audit(&args),
        Command::Cost(command) => cost::run(command),
        Command::Access(command) => access::run(command),
        Command::StepUp(command) => step_up::run(command),
        Command::Catalogue(command) => catalogue::run(command),
        Command::Snapshot(command) => snapshot::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Export(command) => export::run(command),
        Command::Evidence(command) => evidence::run(command),
        Command::Token(args) => token::run(args),
        Command::Envoy(command) => envoy::run(command),
        Command::Completions(args) => completions::run(&args),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        // The reader of a pipe left; that is for it to decide.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::remark(format_args!("error: {error:#}"));
            ExitCode::from(if is_finding(&error) { 1 } else { 2 })
        }
    }
}

/// Whether the control plane read what was sent, and found it wrong.
fn is_finding(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<control_plane::Refusal>();
    refusal.is_some_and(|refusal| matches!(refusal.status, 404 | 409 | 412 | 422))
}
