//! Both ways to build for Wasm make a module that Envoy can load.
//!
//! Not part of a plain `cargo test`: needs both toolchains and the network, and
//! the Debian one compiles the standard library.
//! `cargo test -p xtask --test toolchains -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use xtask::wasm::{REQUIRED, TARGET, Toolchain, finish, require_exports};

const MANIFEST: &str = r#"
[package]
name = "scratch"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
proxy-wasm = "0.2.5"

[profile.release]
lto = "fat"
panic = "abort"

[workspace]
"#;

const SOURCE: &str = r#"
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Scratch));
}}

struct Scratch;

impl Context for Scratch {}

impl RootContext for Scratch {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Scratch))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl HttpContext for Scratch {}
"#;

fn builds(toolchain: Toolchain) {
    let dir = scratch(&format!("{toolchain:?}"));
    let version = toolchain.usable(&dir).unwrap();
    let started = Instant::now();
    toolchain
        .cargo_build(&dir, &dir.join("target"))
        .arg("--release")
        .inherit_as_log()
        .unwrap();
    let took = started.elapsed().as_secs();
    let compiled = dir.join("target").join(TARGET).join("release/scratch.wasm");
    let stripped = finish(&compiled, &dir.join("scratch.wasm")).unwrap();
    require_exports(&stripped.kept, REQUIRED).unwrap();
    for gone in [
        "proxy_on_log",
        "proxy_on_done",
        "proxy_on_response_body",
        "proxy_on_tick",
    ] {
        assert!(
            stripped.removed.iter().any(|name| name == gone),
            "{gone}: {stripped:?}"
        );
    }
    println!(
        "{toolchain:?} {version}: {} bytes in {took} s; kept {:?}; removed {:?}",
        stripped.bytes.len(),
        stripped.kept,
        stripped.removed
    );
    fs::remove_dir_all(dir).unwrap();
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
    write(&dir.join("Cargo.toml"), MANIFEST);
    write(&dir.join("src/lib.rs"), SOURCE);
    // A folder with a toolchain file: Debian's cargo must not heed it.
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust-toolchain.toml");
    write(
        &dir.join("rust-toolchain.toml"),
        &fs::read_to_string(pinned).unwrap(),
    );
    dir
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
#[ignore = "needs the rustup target"]
fn rustup_builds() {
    builds(Toolchain::Rustup);
}

#[test]
#[ignore = "needs the Debian packages, compiles the standard library"]
fn debian_builds() {
    builds(Toolchain::Debian);
}
