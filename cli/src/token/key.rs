//! Keys of the issuer.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::TextHash;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};

use crate::files;

/// Folder of the development issuer.
pub(super) const DEFAULT_FOLDER: &str = "target/dev/keys";

/// A private key for ES256. It is never shown: this type has no `Debug`, and
/// the key is wiped from memory when it goes.
pub(super) struct PrivateKey(SigningKey);

impl PrivateKey {
    pub(super) fn generate() -> Self {
        Self(SigningKey::random(&mut OsRng))
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let pem = files::read_text(path)?;
        // The parser's error could quote what it read; ours does not.
        SigningKey::from_pkcs8_pem(&pem)
            .ok()
            .map(Self)
            .with_context(|| {
                format!(
                    "{} is not an unencrypted P-256 key in PKCS #8 PEM",
                    path.display()
                )
            })
    }

    /// Writes the key where there is none, readable for its owner only.
    fn create(&self, path: &Path) -> std::io::Result<()> {
        let pem = self
            .0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(std::io::Error::other)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(pem.as_bytes())
    }

    /// The public key, as a JWK whose `kid` is its thumbprint (RFC 7638).
    pub(super) fn public(&self) -> Value {
        let point = self.0.verifying_key().to_encoded_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| {
            bytes
                .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
                .unwrap_or_default()
        };
        let (x, y) = (coordinate(point.x()), coordinate(point.y()));
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(TextHash::of(members.as_bytes()).0);
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y,
        })
    }

    /// Signs claims: a JWT (RFC 7519) with ES256.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.public()["kid"]});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// The keys of an issuer, in a folder.
pub(super) struct KeyFolder<'a>(pub(super) &'a Path);

impl KeyFolder<'_> {
    pub(super) fn private_path(&self) -> PathBuf {
        self.0.join("issuer.pem")
    }

    pub(super) fn public_path(&self) -> PathBuf {
        self.0.join("jwks.json")
    }

    /// The key, made if there is none. Two processes may come here at once:
    /// one makes the key, and both use it.
    pub(super) fn key(&self) -> Result<PrivateKey> {
        let path = self.private_path();
        if path.exists() {
            return PrivateKey::read(&path);
        }
        fs::create_dir_all(self.0)
            .with_context(|| format!("cannot make the folder {}", self.0.display()))?;
        let key = PrivateKey::generate();
        match key.create(&path) {
            Ok(()) => {
                self.publish(&[key.public()])?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => PrivateKey::read(&path),
            Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// Makes a new key. The public one of the old key stays, so that tokens
    /// that are out remain valid; it goes with the next rotation.
    pub(super) fn rotate(&self) -> Result<PrivateKey> {
        let old = self.key()?.public();
        let key = PrivateKey::generate();
        let next = self.0.join(format!(".issuer.{}.pem", std::process::id()));
        let context = || format!("cannot write {}", next.display());
        key.create(&next).with_context(context)?;
        // Verifiers have to know a key before it signs.
        self.publish(&[key.public(), old])?;
        fs::rename(&next, self.private_path()).with_context(context)?;
        Ok(key)
    }

    pub(super) fn publish(&self, keys: &[Value]) -> Result<()> {
        let text = serde_json::to_string_pretty(&json!({"keys": keys}))? + "\n";
        files::write(&self.public_path(), text.as_bytes())
    }
}
