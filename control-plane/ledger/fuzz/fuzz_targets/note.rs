//! Any bytes as a signed note, its text as a checkpoint, any text as a key: what
//! is read is written alike, and nobody signed it.
#![no_main]

use std::sync::LazyLock;

use ig_ledger::sign::LogSigner;
use ig_ledger::verify::note::Note;
use ig_ledger::verify::{Checkpoint, Policy, VerifierKey};
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let origin = "ledger.example".parse().expect("an origin");
    let signer = LogSigner::from_bytes(origin, &[1; 32], &[2; 32]).expect("keys");
    let origin = signer.origin().clone();
    Policy::new(origin, signer.keys().to_vec(), Vec::new(), 0).expect("a policy")
});

fuzz_target!(|bytes: &[u8]| {
    // What is in the seeds is signed: it says so, and no more.
    if let Ok(verified) = POLICY.checkpoint(bytes) {
        assert_eq!(verified.checkpoint.origin.as_str(), "ledger.example");
    }
    if let Ok(note) = Note::parse(bytes) {
        let lines: String = note.signatures.iter().map(|line| line.line()).collect();
        assert_eq!(format!("{}\n{lines}", note.text).as_bytes(), bytes);
        if let Ok(checkpoint) = Checkpoint::parse(note.text) {
            assert_eq!(checkpoint.to_string(), note.text);
        }
    }
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
});
