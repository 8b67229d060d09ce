//! `cargo xtask setup`: what the project needs, found or installed.

mod apt;
mod bench;
mod browser;
mod cargo_tools;
mod contract;
mod cosign;
mod database;
mod envoy;
mod go;
mod helm;
mod hsm;
mod images;
mod item;
mod node;
mod opa;
mod prometheus;
mod rust;

use std::cell::Cell;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

pub use item::Extra;
use item::{Context, Item, Line, Need};

/// Install or check what the project needs.
///
/// For a Debian 12 machine with Rust (rustup) and Python 3; safe to repeat.
/// Prints one line per item: what was found or installed, what needs it, how
/// long it took, and for what is missing the command that fixes it. Packages
/// are installed with apt-get, as root or by a sudo that asks for no password.
/// Ends with an error if a required item is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask setup                            install what is missing\n  \
    cargo xtask setup --check                    look, but change nothing\n  \
    cargo xtask setup --with interop,deny,fuzz   the optional items too\n  \
    cargo xtask setup --check --json             for scripts\n  \
    IG_ENVOY=/opt/envoy cargo xtask setup        use this Envoy\n  \
    IG_WASM_TOOLCHAIN=debian cargo xtask setup   Debian's compiler for Wasm (or: rustup)")]
pub struct Args {
    /// Look, but change nothing
    #[arg(long)]
    pub check: bool,
    /// Optional items to require, and to install (repeatable, or separated by commas)
    #[arg(long, value_enum, value_delimiter = ',')]
    pub with: Vec<Extra>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// In this order: the later ones use the earlier ones.
const ITEMS: &[Item] = &[
    Item {
        name: "rust",
        needed_for: "everything",
        need: Need::Always,
        run: rust::host,
    },
    Item {
        name: "wasm target",
        needed_for: "building the Envoy filter",
        need: Need::Always,
        run: rust::wasm,
    },
    Item {
        name: "envoy",
        needed_for: "up, demo, end-to-end tests, bench",
        need: Need::Always,
        run: envoy::envoy,
    },
    Item {
        name: "node",
        needed_for: "interoperability tests",
        need: Need::With(Extra::Interop),
        run: node::node,
    },
    Item {
        name: "npm packages",
        needed_for: "interoperability tests",
        need: Need::With(Extra::Interop),
        run: node::packages,
    },
    Item {
        name: "cosign",
        needed_for: "interoperability tests of signed exports",
        need: Need::With(Extra::Cosign),
        run: cosign::cosign,
    },
    Item {
        name: "opa",
        needed_for: "interoperability tests of policies",
        need: Need::With(Extra::Opa),
        run: opa::opa,
    },
    Item {
        name: "images",
        needed_for: "images of releases, and their tests",
        need: Need::With(Extra::Images),
        run: images::images,
    },
    Item {
        name: "helm",
        needed_for: "interoperability tests of the chart",
        need: Need::With(Extra::Helm),
        run: helm::helm,
    },
    Item {
        name: "helm-docs",
        needed_for: "interoperability tests of the chart",
        need: Need::With(Extra::Helm),
        run: helm::docs,
    },
    Item {
        name: "k8s validator",
        needed_for: "interoperability tests of the chart",
        need: Need::With(Extra::Helm),
        run: contract::kubernetes,
    },
    Item {
        name: "chromium",
        needed_for: "browser tests of the console",
        need: Need::With(Extra::Browser),
        run: browser::chromium,
    },
    Item {
        name: "postgresql",
        needed_for: "control plane's tests on PostgreSQL",
        need: Need::With(Extra::Postgres),
        run: database::postgres,
    },
    Item {
        name: "redis",
        needed_for: "control plane's tests of limits in Redis",
        need: Need::With(Extra::Redis),
        run: database::redis,
    },
    Item {
        name: "prometheus",
        needed_for: "control plane's tests of alerts",
        need: Need::With(Extra::Prometheus),
        run: prometheus::prometheus,
    },
    Item {
        name: "softhsm",
        needed_for: "tests of export keys in PKCS#11 tokens",
        need: Need::With(Extra::Hsm),
        run: hsm::softhsm,
    },
    Item {
        name: "schemathesis",
        needed_for: "contract test of the API",
        need: Need::With(Extra::Contract),
        run: contract::schemathesis,
    },
    Item {
        name: "scim tools",
        needed_for: "conformance and differential tests of SCIM",
        need: Need::With(Extra::Scim),
        run: contract::scim,
    },
    Item {
        name: "audit tools",
        needed_for: "interoperability tests of evidence",
        need: Need::With(Extra::Evidence),
        run: contract::evidence,
    },
    Item {
        name: "wrk",
        needed_for: "bench: makes the load",
        need: Need::With(Extra::Bench),
        run: bench::wrk,
    },
    Item {
        name: "nginx",
        needed_for: "bench: upstream",
        need: Need::With(Extra::Bench),
        run: bench::nginx,
    },
    Item {
        name: "cargo-deny",
        needed_for: "ci: licences and advisories",
        need: Need::With(Extra::Deny),
        run: cargo_tools::deny,
    },
    Item {
        name: "cargo-fuzz",
        needed_for: "ci: fuzz targets",
        need: Need::With(Extra::Fuzz),
        run: cargo_tools::fuzz,
    },
];

#[derive(Serialize)]
struct Report {
    ok: bool,
    items: Vec<Line>,
}

/// Sets up for another subcommand.
///
/// # Errors
/// When something required is missing; what it is has been printed.
pub fn ensure(with: Vec<Extra>) -> Result<()> {
    let code = run(&Args {
        check: false,
        with,
        json: false,
    })?;
    anyhow::ensure!(
        code == ExitCode::SUCCESS,
        "set-up is not complete; see above"
    );
    Ok(())
}

/// Runs `cargo xtask setup`.
///
/// # Errors
/// When the result cannot be printed; a missing item is an exit code.
pub fn run(args: &Args) -> Result<ExitCode> {
    let context = Context {
        root: crate::tools::root(),
        check: args.check,
        with: args.with.iter().copied().collect(),
        apt_updated: Cell::new(false),
    };
    let mut items = Vec::with_capacity(ITEMS.len());
    for item in ITEMS {
        let line = item.line(&context);
        if !args.json {
            line.print();
        }
        items.push(line);
    }
    let failed: Vec<&str> = items
        .iter()
        .filter(|line| line.failed())
        .map(|line| line.name)
        .collect();
    let ok = failed.is_empty();
    if !ok {
        eprintln!("set-up is not complete: {} missing", failed.join(", "));
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Report { ok, items })?);
    }
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
