//! ECDSA keys on P-256 with SHA-256 (FIPS 186-5): what Cosign makes when it is
//! asked for nothing else.

mod encrypted;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{self, SigningKey, VerifyingKey};
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use p256::pkcs8::{
    AssociatedOid as _, DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _,
    EncodePublicKey as _, LineEnding,
};
use p256::{NistP256, SecretKey};
use sec1::der::Decode as _;
use sec1::pem::decode_vec;
use zeroize::Zeroizing;

use crate::Sha256;
use crate::json::{self, base64};

/// The most bytes of a key file.
pub const MAX_BYTES: usize = 16 << 10;

/// Why a file is no key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Longer than it may be.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not one PEM block (RFC 7468).
    #[error("not one block of PEM (RFC 7468)")]
    Pem,
    /// PEM of something else.
    #[error("PEM of \"{}\", not of {expected}", json::shown(found))]
    Label {
        /// What the file says.
        found: String,
        /// What is read here.
        expected: &'static str,
    },
    /// Not a key of P-256.
    #[error("not a key of ECDSA on P-256")]
    NotP256,
    /// Encrypted, and no password was given.
    #[error("the key is encrypted; give its password")]
    NeedsPassword,
    /// An envelope that is not Cosign's.
    #[error("the encrypted key: {0}")]
    Envelope(#[from] json::Error),
    /// Scrypt with other parameters than Cosign's; they could be of any cost.
    #[error("the encrypted key: scrypt's N, r and p are none of those that Cosign writes")]
    Cost,
    /// The password is wrong, or the file was changed.
    #[error("the password is wrong, or the key file was changed")]
    Password,
    /// Another key than the one that is expected.
    #[error("it is the key {found}, and the one to sign with is {expected}")]
    Other {
        /// Its id.
        found: String,
        /// Id of the one that is expected.
        expected: String,
    },
    /// The system has no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
}

/// A signature that does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not the DER of one.
    #[error("the signature is not the DER of an ECDSA signature on P-256")]
    Malformed,
    /// It is not of these bytes by this key.
    #[error("the signature is not of these bytes by this key")]
    Mismatch,
}

/// The password of a private key. It is never shown, and wiped when dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes a password; bytes as Cosign takes them, without a line's end.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    #[cfg(feature = "pkcs11")]
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    #[cfg(feature = "pkcs11")]
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.clone()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A signature: the DER of RFC 3279's `Ecdsa-Sig-Value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature(Vec<u8>);

impl Signature {
    /// The most bytes: two integers of 33 bytes, and their heads.
    pub const MAX_BYTES: usize = 72;

    /// Takes what was read.
    ///
    /// # Errors
    /// When it is not the DER of a signature.
    pub fn from_der(der: Vec<u8>) -> Result<Self, SignatureError> {
        ecdsa::Signature::from_der(&der).map_err(|_| SignatureError::Malformed)?;
        Ok(Self(der))
    }

    /// Of the two numbers as they are, 32 bytes each: what PKCS#11 gives.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn from_fixed(bytes: &[u8]) -> Result<Self, SignatureError> {
        let signature = ecdsa::Signature::from_slice(bytes);
        Ok(Self::of(signature.map_err(|_| SignatureError::Malformed)?))
    }

    /// What we sign has one form: of the two numbers *s* that verify, the lower.
    fn of(signature: ecdsa::Signature) -> Self {
        let signature = signature.normalize_s().unwrap_or(signature);
        Self(signature.to_der().as_bytes().to_vec())
    }

    /// Reads a `.sig` as `cosign sign-blob --output-signature` writes it: one
    /// line of base64.
    ///
    /// # Errors
    /// When it is not the base64 of a signature.
    pub fn from_detached(file: &[u8]) -> Result<Self, SignatureError> {
        if file.len() > 4 * Self::MAX_BYTES {
            return Err(SignatureError::Malformed);
        }
        let der = STANDARD.decode(file.trim_ascii());
        Self::from_der(der.map_err(|_| SignatureError::Malformed)?)
    }

    /// A `.sig`.
    #[must_use]
    pub fn to_detached(&self) -> String {
        base64(&self.0)
    }

    /// DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads a `.pub` or `.pem`: one `PUBLIC KEY` (RFC 5280, RFC 7468).
    ///
    /// # Errors
    /// For any other file.
    pub fn from_pem(file: &[u8]) -> Result<Self, Error> {
        let (label, der) = one_block(file)?;
        if label != "PUBLIC KEY" {
            return Err(Error::Label {
                found: label,
                expected: "a public key",
            });
        }
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280) in DER.
    ///
    /// # Errors
    /// [`Error::NotP256`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::of(VerifyingKey::from_public_key_der(der).map_err(|_| Error::NotP256)?)
    }

    /// Of a point of the curve (SEC1, 2.3.3).
    #[cfg(feature = "pkcs11")]
    pub(crate) fn from_point(point: &[u8]) -> Result<Self, Error> {
        Self::of(VerifyingKey::from_sec1_bytes(point).map_err(|_| Error::NotP256)?)
    }

    fn of(key: VerifyingKey) -> Result<Self, Error> {
        // What was read may have another text for the same key (a compressed
        // point); the id is of this one.
        let spki = key.to_public_key_der().map_err(|_| Error::NotP256)?;
        let spki = spki.into_vec();
        Ok(Self { key, spki })
    }

    /// `PUBLIC KEY` in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // The DER above had no error, so this has none.
        let pem = self.key.to_public_key_pem(LineEnding::LF);
        pem.unwrap_or_default()
    }

    /// `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.spki
    }

    /// What the key is named by: base64 of the SHA-256 of its DER. Bundles have it as
    /// their `hint`.
    #[must_use]
    pub fn key_id(&self) -> String {
        base64(Sha256::of(&self.spki).as_bytes())
    }

    /// Verifies the signature of bytes with this digest.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, digest: &Sha256, signature: &Signature) -> Result<(), SignatureError> {
        let signature =
            ecdsa::Signature::from_der(&signature.0).map_err(|_| SignatureError::Malformed)?;
        self.key
            .verify_prehash(digest.as_bytes(), &signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// A key that signs, in memory: a [`Signer`](crate::Signer). It is wiped when
/// dropped, and never shown.
pub struct PrivateKey {
    secret: SecretKey,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn generate() -> Result<Self, Error> {
        // `SecretKey::random` panics where the system has none.
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            OsRng
                .try_fill_bytes(bytes.as_mut())
                .map_err(|_| Error::Random)?;
            // One in 2^32 is not below the curve's order.
            if let Ok(secret) = SecretKey::from_slice(bytes.as_ref()) {
                return Self::of(secret);
            }
        }
    }

    /// Reads a private key in PEM: PKCS#8 (RFC 5958), SEC1 (RFC 5915), or
    /// Cosign's encrypted one, which needs its password.
    ///
    /// # Errors
    /// For any other file, and for a wrong password.
    pub fn from_pem(file: &[u8], password: Option<&Password>) -> Result<Self, Error> {
        let (label, der) = one_block(file)?;
        let der = Zeroizing::new(der);
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&der),
            "EC PRIVATE KEY" => Self::from_sec1(&der),
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => {
                let password = password.ok_or(Error::NeedsPassword)?;
                Self::from_pkcs8(&encrypted::open(&der, &password.0)?)
            }
            _ => Err(Error::Label {
                found: label,
                expected: "a private key",
            }),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        Self::of(SecretKey::from_pkcs8_der(der).map_err(|_| Error::NotP256)?)
    }

    fn from_sec1(der: &[u8]) -> Result<Self, Error> {
        let key = sec1::EcPrivateKey::from_der(der).map_err(|_| Error::NotP256)?;
        let curve = key.parameters.and_then(|curve| curve.named_curve());
        let is_p256 = curve.is_none_or(|curve| curve.as_bytes() == NistP256::OID.as_bytes());
        if !is_p256 {
            return Err(Error::NotP256);
        }
        Self::of(SecretKey::from_sec1_der(der).map_err(|_| Error::NotP256)?)
    }

    fn of(secret: SecretKey) -> Result<Self, Error> {
        let public = PublicKey::of(VerifyingKey::from(secret.public_key()))?;
        Ok(Self { secret, public })
    }

    /// `ENCRYPTED SIGSTORE PRIVATE KEY` in PEM, as `cosign` reads and writes it.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn to_encrypted_pem(&self, password: &Password) -> Result<String, Error> {
        let der = self.secret.to_pkcs8_der().map_err(|_| Error::NotP256)?;
        let envelope = encrypted::seal(der.as_bytes(), &password.0)?;
        let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
        sec1::pem::encode_string(label, LineEnding::LF, &envelope).map_err(|_| Error::Pem)
    }

    /// `PRIVATE KEY` in PEM (PKCS#8), for who keeps it sealed in a way of their own.
    ///
    /// # Errors
    /// None that is known of; the encoder's library has one.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        let pem = self.secret.to_pkcs8_pem(LineEnding::LF);
        pem.map_err(|_| Error::NotP256)
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs bytes with this digest. The nonce is RFC 6979's: the same bytes
    /// have the same signature, and no random number can be a bad one. Of its two
    /// forms it has the one with the lower *s*.
    ///
    /// # Errors
    /// None that is known of; the signature's library has one.
    pub fn sign(&self, digest: &Sha256) -> Result<Signature, SignatureError> {
        let signature: ecdsa::Signature = SigningKey::from(&self.secret)
            .sign_prehash(digest.as_bytes())
            .map_err(|_| SignatureError::Malformed)?;
        Ok(Signature::of(signature))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.key_id())
    }
}

/// The label and bytes of the only block of a file.
fn one_block(file: &[u8]) -> Result<(String, Vec<u8>), Error> {
    if file.len() > MAX_BYTES {
        return Err(Error::TooLong);
    }
    let (label, bytes) = decode_vec(file.trim_ascii()).map_err(|_| Error::Pem)?;
    Ok((label.to_owned(), bytes))
}
