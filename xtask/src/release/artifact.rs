//! A Wasm module as an OCI artefact: two layers, as Istio and Envoy Gateway fetch it
//! (the "OCI variant" of <https://github.com/solo-io/wasm/blob/master/spec/spec.md>).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::dist::hex;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// What the module is for.
const CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// The module, not compressed.
const CONTENT: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// A module and what is said about it.
#[derive(Clone, Debug)]
pub struct Artifact<'a> {
    /// The module.
    pub module: &'a [u8],
    /// Version of the release.
    pub version: &'a str,
    /// The commit that it was built of.
    pub revision: &'a str,
    /// When that was made, as RFC 3339 has it: the same commit gives the same bytes.
    pub created: &'a str,
}

impl Artifact<'_> {
    /// Writes an OCI image layout with it, and returns the manifest's digest (`sha256:…`).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<String> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        let blob = |media: &str, bytes: &[u8], title: Option<&str>| -> Result<Value> {
            let digest = hex(&Sha256::digest(bytes));
            fs::write(blobs.join(&digest), bytes).context("cannot write a blob")?;
            let mut said = json!({
                "mediaType": media, "digest": format!("sha256:{digest}"), "size": bytes.len(),
            });
            if let Some(title) = title {
                said["annotations"] = json!({"org.opencontainers.image.title": title});
            }
            Ok(said)
        };
        let module = hex(&Sha256::digest(self.module));
        let runtime = json!({
            "type": "envoy_proxy", "abiVersions": ["v0-2-1"], "config": {"rootIds": ["ig"]},
        });
        let runtime = runtime.to_string();
        let about = hex(&Sha256::digest(runtime.as_bytes()));
        // Clients of registries want the configuration of an image.
        let config = json!({
            "architecture": "wasm", "os": "wasi", "created": self.created, "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [format!("sha256:{about}"), format!("sha256:{module}")],
            },
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob(IMAGE_CONFIG, config.to_string().as_bytes(), None)?,
            "layers": [
                blob(CONFIG, runtime.as_bytes(), Some("runtime-config.json"))?,
                blob(CONTENT, self.module, Some("plugin.wasm"))?,
            ],
            "annotations": {
                "org.opencontainers.image.created": self.created,
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                "org.opencontainers.image.revision": self.revision,
                "org.opencontainers.image.source": super::dist::source(),
                "org.opencontainers.image.title": "IntelGraph Guard, the filter",
                "org.opencontainers.image.version": self.version,
            },
        });
        let manifest = blob(MANIFEST, manifest.to_string().as_bytes(), None)?;
        let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
        let mut entry = manifest;
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": self.version});
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        fs::write(folder.join("index.json"), index.to_string())?;
        fs::write(
            folder.join("oci-layout"),
            json!({"imageLayoutVersion": "1.0.0"}).to_string(),
        )?;
        Ok(digest)
    }
}
