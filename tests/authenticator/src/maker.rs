//! A maker of authenticators, who vouches for a model (W3C WebAuthn L3, §8.2).

use anyhow::Result;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A maker with one model.
#[derive(Clone)]
pub struct Maker {
    /// The certificate of its authority, in PEM.
    pub pem: String,
    /// AAGUID of the model.
    pub model: [u8; 16],
    certificate: Vec<u8>,
    key: SigningKey,
}

impl Maker {
    /// A new one, whose model is made of a seed.
    ///
    /// # Errors
    /// When a key cannot be made.
    pub fn new(name: &str, model: u8) -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority.distinguished_name.push(DnType::CommonName, name);
        let authority_key = KeyPair::generate()?;
        let pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut batch = CertificateParams::new(Vec::new())?;
        batch.is_ca = IsCa::ExplicitNoCa;
        for (kind, value) in [
            (DnType::CountryName, "SE"),
            (DnType::OrganizationName, name),
            (DnType::OrganizationalUnitName, "Authenticator Attestation"),
            (DnType::CommonName, "Batch"),
        ] {
            batch.distinguished_name.push(kind, value);
        }
        let key = KeyPair::generate()?;
        Ok(Self {
            pem,
            model: [model; 16],
            certificate: batch.signed_by(&key, &issuer)?.der().to_vec(),
            key: SigningKey::from_pkcs8_der(key.serialized_der())?,
        })
    }

    /// `fmt` and `attStmt` of an attestation object, in CBOR: `packed`.
    pub(crate) fn statement(&self, signed: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.key.sign(signed);
        let mut parts = vec![0x63];
        parts.extend(b"fmt\x66packed\x67attStmt\xa3\x63alg\x26\x63sig\x59");
        parts.extend(super::authenticator::length(signature.as_bytes().len()));
        parts.extend(signature.as_bytes());
        parts.extend(b"\x63x5c\x81\x59");
        parts.extend(super::authenticator::length(self.certificate.len()));
        parts.extend(&self.certificate);
        parts
    }
}
