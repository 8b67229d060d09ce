//! Any bytes as a proof, and as a request to a witness: what is read is written
//! alike.
#![no_main]

use ig_ledger::verify::{Proof, WitnessRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = Proof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
    if let Ok(request) = WitnessRequest::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
});
