//! `cargo xtask build`: the Wasm modules.

mod exports;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

pub use exports::{KEEP, REQUIRED, Stripped, require_exports, strip_exports};
pub use toolchain::{
    TARGET, Toolchain, VARIABLE, debian_missing, debian_packages, portable_flags, rust_needed,
    without_cargo,
};

/// The package of the modules.
const PACKAGE: &str = "ig-guard-wasm";

/// Build the Wasm modules.
///
/// Compiles for wasm32-wasip1 into target/wasm, takes the callbacks that the
/// guard does not use from the module's exports (Envoy does not call what is not
/// exported), and prints each module's size.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask build                                 target/wasm/ig_guard.wasm\n  \
    cargo xtask build --variant persisted-query       target/wasm/ig_guard_persisted_query.wasm\n  \
    cargo xtask build --variant all --json            every module, sizes as JSON\n  \
    IG_WASM_TOOLCHAIN=debian cargo xtask build        with Debian's compiler")]
pub struct Args {
    /// Which modules to build (repeatable, or separated by commas)
    #[arg(
        long = "variant",
        value_enum,
        value_delimiter = ',',
        default_value = "full"
    )]
    pub variants: Vec<Variant>,
    /// Cargo profile
    #[arg(long, default_value = "release")]
    pub profile: String,
    /// Print what was built as JSON
    #[arg(long)]
    pub json: bool,
}

/// A module: the guard with all its features or one, or the benchmarks' probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Every guard
    Full,
    /// Persisted queries only
    PersistedQuery,
    /// Policy only
    Policy,
    /// Every guard, and reads what the release before read: for tests
    Previous,
    /// Does nothing, or single host calls: for benchmarks
    Probe,
    /// Says how long checks take: for benchmarks
    Stopwatch,
    /// All of these
    All,
}

impl Variant {
    /// The modules that `all` stands for.
    pub const EACH: [Self; 6] = [
        Self::Full,
        Self::PersistedQuery,
        Self::Policy,
        Self::Previous,
        Self::Probe,
        Self::Stopwatch,
    ];

    fn cargo_args(self) -> &'static [&'static str] {
        match self {
            Self::Full | Self::All => &["--lib"],
            Self::PersistedQuery => &[
                "--lib",
                "--no-default-features",
                "--features",
                "persisted-query",
            ],
            Self::Policy => &["--lib", "--no-default-features", "--features", "policy"],
            Self::Previous => &["--lib", "--features", "previous-format"],
            Self::Probe => &["--example", "probe"],
            Self::Stopwatch => &["--example", "stopwatch"],
        }
    }

    /// Cargo's folder for it. Every module that is called `ig_guard.wasm` has
    /// its own: in one folder a build would replace what another toolchain or
    /// feature set left there, and each switch would link anew (18 s).
    fn target_dir(self, root: &Path, toolchain: Toolchain) -> PathBuf {
        let base = match toolchain {
            Toolchain::Rustup => output_dir(root),
            Toolchain::Debian => output_dir(root).join("debian"),
        };
        match self {
            Self::PersistedQuery => base.join("persisted-query"),
            Self::Policy => base.join("policy"),
            Self::Previous => base.join("previous"),
            Self::Full | Self::Probe | Self::Stopwatch | Self::All => base,
        }
    }

    /// Where cargo puts it, below the profile's folder.
    fn cargo_output(self) -> &'static str {
        match self {
            Self::Probe => "examples/probe.wasm",
            Self::Stopwatch => "examples/stopwatch.wasm",
            _ => "ig_guard.wasm",
        }
    }

    /// The finished module's file name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Full | Self::All => "ig_guard.wasm",
            Self::PersistedQuery => "ig_guard_persisted_query.wasm",
            Self::Policy => "ig_guard_policy.wasm",
            Self::Previous => "ig_guard_previous.wasm",
            Self::Probe => "probe.wasm",
            Self::Stopwatch => "stopwatch.wasm",
        }
    }
}

/// A module that was built.
#[derive(Debug, Serialize)]
pub struct Built {
    /// Which one.
    pub variant: Variant,
    /// The finished module.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its exports.
    pub exports: Vec<String>,
    /// The exports that were taken out.
    pub removed: Vec<String>,
    /// How long compiling and finishing took.
    pub millis: u128,
}

#[derive(Serialize)]
struct Report<'a> {
    toolchain: Toolchain,
    profile: &'a str,
    modules: &'a [Built],
}

/// Runs `cargo xtask build`.
///
/// # Errors
/// When there is no toolchain, or a module does not compile or lacks an export.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = crate::tools::root();
    let toolchain = Toolchain::choose(&root)?;
    let all = args.variants.contains(&Variant::All);
    let wanted: &[Variant] = if all { &Variant::EACH } else { &args.variants };
    let mut modules = Vec::new();
    for variant in wanted {
        let built = build(&root, toolchain, *variant, &args.profile)?;
        if !args.json {
            println!(
                "{:<16} {:>6.1} KiB  {:>2} exports, {:>2} taken out  {:>5.1} s  {}",
                variant
                    .to_possible_value()
                    .map_or_else(String::new, |v| v.get_name().to_owned()),
                kibibytes(built.bytes),
                built.exports.len(),
                built.removed.len(),
                seconds(built.millis),
                built.path.display(),
            );
        }
        modules.push(built);
    }
    if args.json {
        let report = Report {
            toolchain,
            profile: &args.profile,
            modules: &modules,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the finished modules are.
pub fn output_dir(root: &Path) -> PathBuf {
    root.join("target/wasm")
}

/// Builds and finishes one module.
///
/// # Errors
/// As [`run`].
pub fn build(root: &Path, toolchain: Toolchain, variant: Variant, profile: &str) -> Result<Built> {
    let started = Instant::now();
    let target_dir = variant.target_dir(root, toolchain);
    toolchain
        .cargo_build(root, &target_dir)
        .args(["--package", PACKAGE, "--profile", profile])
        .args(variant.cargo_args())
        .inherit_as_log()
        .with_context(|| format!("{PACKAGE} does not build for {TARGET}"))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let compiled = target_dir
        .join(TARGET)
        .join(folder)
        .join(variant.cargo_output());
    let path = output_dir(root).join(variant.file_name());
    let stripped = finish(&compiled, &path)?;
    Ok(Built {
        variant,
        path,
        bytes: stripped.bytes.len(),
        exports: stripped.kept,
        removed: stripped.removed,
        millis: started.elapsed().as_millis(),
    })
}

/// Takes the unused exports from a compiled module and writes it to `path`.
///
/// # Errors
/// When the module cannot be read or written, or lacks an export it needs.
pub fn finish(compiled: &Path, path: &Path) -> Result<Stripped> {
    let bytes =
        fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let stripped = strip_exports(&bytes, KEEP)
        .and_then(|stripped| require_exports(&stripped.kept, REQUIRED).map(|()| stripped))
        .with_context(|| format!("{} is no guard module", compiled.display()))?;
    wasmparser::validate(&stripped.bytes).context("the finished module is not valid")?;
    // An unchanged module keeps its time stamp: others rebuild by it.
    if fs::read(path).ok().as_deref() != Some(&stripped.bytes) {
        fs::write(path, &stripped.bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(stripped)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn kibibytes(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn seconds(millis: u128) -> f64 {
    millis as f64 / 1000.0
}
