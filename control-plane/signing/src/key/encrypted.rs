//! Cosign's encrypted private key: JSON in PEM, scrypt (RFC 7914) of the password
//! as the key of NaCl's secretbox (XSalsa20-Poly1305).

use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Error, MAX_BYTES};
use crate::json::{self, base64};

/// The base-two logarithms of `N` that Cosign has written; `r` is 8 and `p` 1.
/// Others are refused: they are the file's to choose, and cost memory and time.
const LOG_N: [u8; 3] = [15, 16, 17];
/// Which one it writes.
const LOG_N_WRITTEN: u8 = 16;
const R: u32 = 8;
const P: u32 = 1;
const SALT: usize = 32;

pub(super) fn open(envelope: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut object = json::read(envelope, MAX_BYTES)?.object()?;
    let mut kdf = object.required("kdf")?.object()?;
    let mut cipher = object.required("cipher")?.object()?;
    let ciphertext = object.required("ciphertext")?.base64()?;
    object.end()?;

    kdf.required("name")?.literal("scrypt")?;
    let mut params = kdf.required("params")?.object()?;
    let salt = kdf.required("salt")?.base64()?;
    kdf.end()?;
    let n = params.required("N")?.int64()?;
    let r = params.required("r")?.int64()?;
    let p = params.required("p")?.int64()?;
    params.end()?;
    let log_n = LOG_N.into_iter().find(|log_n| n == 1 << log_n);
    let log_n = log_n.filter(|_| r == u64::from(R) && p == u64::from(P));
    let log_n = log_n.ok_or(Error::Cost)?;

    cipher.required("name")?.literal("nacl/secretbox")?;
    let nonce: [u8; 24] = cipher.required("nonce")?.bytes()?;
    cipher.end()?;

    let opened = secretbox(password, &salt, log_n)?
        .decrypt(Nonce::from_slice(&nonce), ciphertext.as_slice());
    Ok(Zeroizing::new(opened.map_err(|_| Error::Password)?))
}

pub(super) fn seal(der: &[u8], password: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut salt, mut nonce) = ([0; SALT], [0; 24]);
    for random in [&mut salt[..], &mut nonce[..]] {
        OsRng.try_fill_bytes(random).map_err(|_| Error::Random)?;
    }
    let sealed = secretbox(password, &salt, LOG_N_WRITTEN)?
        .encrypt(Nonce::from_slice(&nonce), der)
        .map_err(|_| Error::Password)?;
    Ok(json::canonical(&json!({
        "kdf": {
            "name": "scrypt",
            "params": {"N": 1_u64 << LOG_N_WRITTEN, "r": R, "p": P},
            "salt": base64(&salt),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": base64(&nonce)},
        "ciphertext": base64(&sealed),
    })))
}

fn secretbox(password: &[u8], salt: &[u8], log_n: u8) -> Result<XSalsa20Poly1305, Error> {
    let params = scrypt::Params::new(log_n, R, P).map_err(|_| Error::Cost)?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password, salt, &params, key.as_mut()).map_err(|_| Error::Cost)?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(key.as_ref())))
}
