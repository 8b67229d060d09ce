//! What a module exports, and nothing else.
//!
//! Envoy looks up each callback by name when it loads a module, and never
//! enters the VM for one that is missing; each entry costs about 0.4 µs. The SDK
//! exports all callbacks, used or not.

use anyhow::{Context, Result, bail};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportSection, Module, RawSection};
use wasmparser::{Encoding, Parser, Payload};

/// What the guard's modules keep. A callback that the guard starts to use must
/// be added here, or it is never called.
pub const KEEP: &[&str] = &[
    // Envoy refuses a module without these: memory, an allocator under either
    // name, the ABI version, and an entry point for the SDK's registration.
    "memory",
    "malloc",
    "proxy_on_memory_allocate",
    "proxy_abi_version_0_2_1",
    "_initialize",
    "_start",
    // The SDK needs these: contexts are made and dropped by them.
    "proxy_on_context_create",
    "proxy_on_delete",
    // The guard's own.
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_http_call_response",
    "proxy_on_tick",
];

/// What a module must have, each as a choice of names. Without the first four
/// Envoy cannot run it; without a request callback Envoy lets requests pass
/// unseen, so a build without one must fail.
pub const REQUIRED: &[&[&str]] = &[
    &["memory"],
    &["malloc", "proxy_on_memory_allocate"],
    &["proxy_abi_version_0_2_1"],
    &["_initialize", "_start"],
    &["proxy_on_context_create"],
    &["proxy_on_delete"],
    &["proxy_on_configure"],
    &["proxy_on_request_headers"],
    &["proxy_on_request_body"],
    &["proxy_on_request_trailers"],
    &["proxy_on_response_body"],
];

/// A module with fewer exports.
#[derive(Debug)]
pub struct Stripped {
    /// The module.
    pub bytes: Vec<u8>,
    /// The exports it has.
    pub kept: Vec<String>,
    /// The exports it no longer has.
    pub removed: Vec<String>,
}

/// Takes all exports but `keep` from a module's export section; the other
/// sections stay byte for byte.
///
/// # Errors
/// When the bytes are no WebAssembly module.
pub fn strip_exports(bytes: &[u8], keep: &[&str]) -> Result<Stripped> {
    let mut module = Module::new();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.context("not a WebAssembly module")?;
        match &payload {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => {
                bail!("a WebAssembly component, not a module");
            }
            Payload::ExportSection(reader) => {
                let mut exports = ExportSection::new();
                for export in reader.clone() {
                    let export = export.context("a broken export section")?;
                    if keep.contains(&export.name) {
                        let kind = RoundtripReencoder.export_kind(export.kind)?;
                        exports.export(export.name, kind, export.index);
                        kept.push(export.name.to_owned());
                    } else {
                        removed.push(export.name.to_owned());
                    }
                }
                module.section(&exports);
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                    let data = bytes
                        .get(range)
                        .context("a section beyond the end of the module")?;
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(Stripped {
        bytes: module.finish(),
        kept,
        removed,
    })
}

/// Fails when a module lacks an export that it cannot do without.
///
/// # Errors
/// Which export is missing.
pub fn require_exports(present: &[String], required: &[&[&str]]) -> Result<()> {
    for names in required {
        if !names
            .iter()
            .any(|name| present.iter().any(|export| export == name))
        {
            bail!("the module does not export {}", names.join(" or "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 1024))
        (table $t 1 funcref)
        (func (export "_initialize"))
        (func (export "proxy_on_log") (param i32))
        (func $headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            i32.const 7)
        (elem (i32.const 0) $headers)
        (data (i32.const 8) "hello")
        (@custom "note" "kept as it is"))"#;

    fn sections(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Parser::new(0)
            .parse_all(bytes)
            .filter_map(|payload| payload.unwrap().as_section())
            .map(|(id, range)| (id, bytes[range.start as usize..range.end as usize].to_vec()))
            .collect()
    }

    #[test]
    fn only_the_export_section_changes() {
        let module = wat::parse_str(TINY).unwrap();
        let stripped = strip_exports(
            &module,
            &["memory", "_initialize", "proxy_on_request_headers"],
        )
        .unwrap();
        assert_eq!(
            stripped.kept,
            ["memory", "_initialize", "proxy_on_request_headers"]
        );
        assert_eq!(stripped.removed, ["__heap_base", "proxy_on_log"]);
        wasmparser::validate(&stripped.bytes).unwrap();
        let (before, after) = (sections(&module), sections(&stripped.bytes));
        assert_eq!(before.len(), after.len());
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old.0, new.0, "sections keep their order");
            // 7 is the export section.
            assert_eq!(old.0 == 7, old.1 != new.1, "section {}", old.0);
        }
    }

    #[test]
    fn a_module_with_nothing_to_strip_keeps_its_bytes() {
        let module = wat::parse_str(TINY).unwrap();
        let all: Vec<String> = strip_exports(&module, &[]).unwrap().removed;
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(all.len(), 5);
        assert_eq!(strip_exports(&module, &all).unwrap().bytes, module);
    }

    #[test]
    fn a_missing_export_is_named() {
        let present = ["memory".to_owned(), "malloc".to_owned()];
        let choice: &[&[&str]] = &[&["memory"], &["proxy_on_memory_allocate", "malloc"]];
        require_exports(&present, choice).unwrap();
        let error = require_exports(&present, &[&["_initialize", "_start"]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module does not export _initialize or _start"
        );
    }

    #[test]
    fn what_is_required_is_kept() {
        for names in REQUIRED {
            assert!(names.iter().all(|name| KEEP.contains(name)), "{names:?}");
        }
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b"no module"[..], b"", b"\0asm\x0d\0\x01\0"] {
            assert!(strip_exports(bytes, KEEP).is_err(), "{bytes:?}");
        }
    }
}
