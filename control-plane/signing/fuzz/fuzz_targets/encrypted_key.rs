//! Any JSON as the envelope of an encrypted key: refused before scrypt is asked
//! for more than it may cost, and never a key, since nobody has sealed it.
#![no_main]

use ig_signing::{Password, PrivateKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|envelope: &[u8]| {
    // What is in PEM may be anything; the block itself is the target `key`'s.
    let file = pem(envelope);
    if is_costly(envelope) {
        return;
    }
    let password = Password::new(b"password".to_vec());
    assert!(PrivateKey::from_pem(file.as_bytes(), Some(&password)).is_err());
    assert!(PrivateKey::from_pem(file.as_bytes(), None).is_err());
});

/// With one of the three costs that are taken, a run would be scrypt only.
fn is_costly(envelope: &[u8]) -> bool {
    ["32768", "65536", "131072"].iter().any(|cost| {
        envelope
            .windows(cost.len())
            .any(|found| found == cost.as_bytes())
    })
}

/// RFC 7468, by hand: what is tested has to read what others write.
fn pem(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk
            .iter()
            .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
        let number = number << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit <= chunk.len() {
                text.push(char::from(
                    ALPHABET[(number >> (18 - 6 * digit)) as usize & 63],
                ));
            } else {
                text.push('=');
            }
        }
    }
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
