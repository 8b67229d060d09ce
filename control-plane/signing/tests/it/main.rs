//! What is signed verifies; nothing else does, and what cannot be read says why.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "that is how tests fail"
)]

mod bundle;
mod hostile;
mod keys;
mod manifest;
mod sources;
mod trusted_root;

use ig_signing::PrivateKey;
use serde_json::Value;

pub(crate) const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

pub(crate) fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

pub(crate) fn key() -> PrivateKey {
    PrivateKey::from_pem(&data("openssl/p256.pkcs8.pem"), None).unwrap()
}

/// Each row: where, what is put there, and the error.
pub(crate) fn rows(text: &str) -> Vec<(String, Value, String)> {
    serde_json::from_str(text).unwrap()
}

/// The JSON with a value put somewhere.
pub(crate) fn with(bytes: &[u8], at: &str, value: Value) -> Vec<u8> {
    let mut all: Value = serde_json::from_slice(bytes).unwrap();
    let (parent, name) = at.rsplit_once('/').unwrap();
    match all.pointer_mut(parent).unwrap() {
        Value::Array(parent) => parent[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    serde_json::to_vec(&all).unwrap()
}
