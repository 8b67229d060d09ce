//! Certificates, made for a test.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};

/// An authority.
pub struct Authority {
    /// Its certificate, in PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub struct Pair(pub String, pub String);

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When a key cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// A certificate for `localhost`.
    ///
    /// # Errors
    /// When a key cannot be made.
    pub fn server(&self) -> Result<Pair> {
        self.server_of("localhost")
    }

    /// A certificate for a name.
    ///
    /// # Errors
    /// When a key cannot be made, or the name is none.
    pub fn server_of(&self, name: &str) -> Result<Pair> {
        self.sign(CertificateParams::new(vec![name.to_owned()])?)
    }

    /// A certificate for `localhost` that has ended long ago.
    ///
    /// # Errors
    /// When a key cannot be made.
    pub fn server_of_the_past(&self) -> Result<Pair> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 2);
        self.sign(params)
    }

    /// A certificate for a SPIFFE identity.
    ///
    /// # Errors
    /// When a key cannot be made, or the identity is no URI.
    pub fn proxy(&self, uri: &str) -> Result<Pair> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair(certificate.pem(), key.serialize_pem()))
    }
}
