//! An authenticator whose every bit can be made wrong (W3C WebAuthn L3, §6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::maker::Maker;

/// Flags of authenticator data.
pub mod flags {
    /// Somebody touched it.
    pub const USER_PRESENT: u8 = 0x01;
    /// It knows who.
    pub const USER_VERIFIED: u8 = 0x04;
    /// The key may be copied.
    pub const BACKUP_ELIGIBLE: u8 = 0x08;
    /// The key was copied.
    pub const BACKED_UP: u8 = 0x10;
    /// Data of a credential follow.
    pub(super) const HAS_CREDENTIAL: u8 = 0x40;
}

/// An authenticator with one passkey, and the browser around it.
#[derive(Clone)]
pub struct Authenticator {
    key: SigningKey,
    /// Id of the credential.
    pub credential: Vec<u8>,
    /// What it counts; it goes on by one with each use.
    pub counter: u32,
    /// See [`flags`].
    pub flags: u8,
    /// The site that asks, as the browser says.
    pub origin: String,
    /// The site that the credential is of.
    pub rp_id: String,
    /// Answers this challenge instead of the one that is asked.
    pub challenge: Option<String>,
    /// Says that it is of this kind: `webauthn.create` or `webauthn.get`.
    pub kind: Option<&'static str>,
    /// Whether the page is inside of another site's.
    pub cross_origin: bool,
    /// Whose the credential is, as it says.
    pub user_handle: Option<Vec<u8>>,
    /// Who vouches for it.
    pub maker: Option<Maker>,
}

impl Authenticator {
    /// One whose key and id are made of a seed.
    ///
    /// # Panics
    /// For the seed 0.
    pub fn new(seed: u8, origin: &str, rp_id: &str) -> Self {
        #[expect(clippy::expect_used, reason = "a seed that is not 0 is a key")]
        let key = SigningKey::from_slice(&[seed; 32]).expect("a key");
        Self {
            key,
            credential: vec![seed; 32],
            counter: 0,
            flags: flags::USER_PRESENT | flags::USER_VERIFIED,
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            challenge: None,
            kind: None,
            cross_origin: false,
            user_handle: None,
            maker: None,
        }
    }

    /// Answers `navigator.credentials.create`, as `toJSON()` writes it.
    pub fn create(&mut self, options: &Value) -> Value {
        let client_data = self.client_data(options, "webauthn.create");
        let mut data = self.data(flags::HAS_CREDENTIAL);
        data.extend(self.maker.as_ref().map_or([0; 16], |maker| maker.model));
        data.extend(length(self.credential.len()));
        data.extend(&self.credential);
        data.extend(self.public_key());
        // A map of three: `fmt`, `attStmt`, `authData`.
        let mut object = vec![0xa3];
        match &self.maker {
            None => object.extend(b"\x63fmt\x64none\x67attStmt\xa0"),
            Some(maker) => {
                let mut signed = data.clone();
                signed.extend(Sha256::digest(&client_data));
                object.extend(maker.statement(&signed));
            }
        }
        object.extend(b"\x68authData\x59");
        object.extend(length(data.len()));
        object.extend(data);
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "attestationObject": URL_SAFE_NO_PAD.encode(object),
        }))
    }

    /// Answers `navigator.credentials.get`, as `toJSON()` writes it.
    pub fn get(&mut self, options: &Value) -> Value {
        let client_data = self.client_data(options, "webauthn.get");
        let data = self.data(0);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        let signature: DerSignature = self.key.sign(&signed);
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature.as_bytes()),
            "userHandle": self.user_handle.as_ref().map(|handle| URL_SAFE_NO_PAD.encode(handle)),
        }))
    }

    fn answer(&self, response: Value) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.credential);
        json!({
            "id": id, "rawId": id, "type": "public-key", "response": response,
            "clientExtensionResults": {},
        })
    }

    fn client_data(&self, options: &Value, kind: &str) -> Vec<u8> {
        let asked = options["challenge"].as_str().unwrap_or_default();
        let challenge = self.challenge.as_deref().unwrap_or(asked);
        let mut client_data = json!({
            "type": self.kind.unwrap_or(kind), "challenge": challenge, "origin": self.origin,
        });
        if self.cross_origin {
            client_data["crossOrigin"] = json!(true);
        }
        client_data.to_string().into_bytes()
    }

    fn data(&mut self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(self.flags | more);
        if self.counter > 0 {
            self.counter += 1;
        }
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// A COSE key (RFC 9053): EC2, ES256, P-256.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_encoded_point(false);
        let part = |part: Option<&p256::FieldBytes>| part.map(|part| part.to_vec());
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        key.extend(part(point.x()).unwrap_or_default());
        key.extend([0x22, 0x58, 0x20]);
        key.extend(part(point.y()).unwrap_or_default());
        key
    }
}

pub(crate) fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
