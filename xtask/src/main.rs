//! `cargo xtask`: set-up, builds, demo, tests and benchmarks.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, chaos, demo, evidence, fuzz, load, release, setup, stack, tiers, wasm};

/// Everything a contributor runs in this workspace.
#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    version,
    after_help = "Examples:\n  \
        cargo xtask demo           a tour of every guard\n  \
        cargo xtask test           all tests\n  \
        cargo xtask setup          install or check what the project needs\n  \
        cargo xtask build          build target/wasm/ig_guard.wasm\n  \
        cargo xtask help setup     what a subcommand takes"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Args),
    Build(wasm::Args),
    Up(stack::UpArgs),
    Down(stack::DownArgs),
    Demo(demo::Args),
    Test(tiers::TestArgs),
    Ci(tiers::CiArgs),
    Bench(bench::Args),
    Chaos(chaos::Args),
    Load(load::Args),
    Evidence(evidence::Args),
    Fuzz(fuzz::Args),
    Dist(release::DistArgs),
    Image(release::ImageArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Build(args) => wasm::run(&args),
        Command::Up(args) => stack::run(&args),
        Command::Down(args) => stack::run_down(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => tiers::run_test(&args),
        Command::Ci(args) => tiers::run_ci(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Evidence(args) => evidence::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Dist(args) => release::run_dist(&args),
        Command::Image(args) => release::run_image(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
