//! The tampered set: one thing is changed, and the program says what, and how it
//! ends. `docs/verifying.md` has what other programs say of the same.

mod exports;
mod logs;

use std::fs;

use ig_signing::bundle::Content;
use ig_signing::{Bundle, Signature};
use serde_json::Value;

use crate::support::{Export, Logged, code, text};

const MANIFEST: &str = "manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub \
     --files files --trusted-root root.json --checkpoint old.checkpoint --ledger log";
const LEDGER: &str = "ledger log --policy ledger.policy --checkpoint old.checkpoint";
const PROOF: &str = "ledger --policy ledger.policy --proof entry.tlog-proof --entry entry.json";

/// What is changed, what is run, how it ends, which item is named, and why.
type Case = (
    &'static str,
    fn(&mut Logged),
    &'static str,
    i32,
    &'static str,
    &'static str,
);

fn flip(logged: &Logged, name: &str, at: usize) {
    logged.change(name, |bytes| bytes[at] ^= 1);
}

/// Changes the bundle.
fn bundle(logged: &Logged, change: impl FnOnce(&mut Value)) {
    logged.change("m.sigstore.json", |bytes| {
        let mut all = serde_json::from_slice(bytes).unwrap();
        change(&mut all);
        *bytes = all.to_string().into_bytes();
    });
}

/// Base64, as the bundle has it.
fn base64(bytes: &[u8]) -> String {
    let hash = ig_ledger::verify::Hash::from_bytes(bytes.try_into().unwrap());
    hash.to_string()
}

#[test]
fn what_was_tampered_with_is_refused() {
    let good = Logged::new();
    for line in [MANIFEST, LEDGER, PROOF] {
        let out = good.export.run(line);
        assert_eq!(code(&out), 0, "{line}: {}", text(&out));
    }
    for (name, change, line, expected, item, why) in exports::CASES.iter().chain(logs::CASES) {
        let mut logged = Logged::new();
        change(&mut logged);
        let out = logged.export.run(line);
        let said = text(&out);
        assert_eq!(code(&out), *expected, "{name}: {said}");
        let found = said.lines().any(|line| {
            let named = line.contains(&format!(" {item}: ")) || line.contains(&format!(" {item} "));
            let is_failure = line.starts_with("FAILED ") || line.starts_with("error: ");
            is_failure && named && line.contains(why)
        });
        assert!(found, "{name}: no {item}: {why} in\n{said}");
        assert!(!said.contains("\nverified\n"), "{name}: {said}");
    }
}

/// One bit of the bundle, wherever it is; each 61st, since each is a run. But for
/// lines of keys that the trusted root does not know: they say nothing.
#[test]
fn no_bit_of_a_bundle_may_change() {
    let logged = Logged::new();
    let file = logged.export.path().join("m.sigstore.json");
    let good = fs::read(&file).unwrap();
    let text_of = String::from_utf8(good.clone()).unwrap();
    let unknown: Vec<_> = logged.log.checkpoint().lines().skip(4).collect();
    let [ed25519, _p256, witness] = unknown[..] else {
        panic!("{unknown:?}");
    };
    let unknown = [ed25519, witness].map(|line| {
        let start = text_of.find(line).unwrap();
        start..start + line.len()
    });
    let line = "bundle --bundle m.sigstore.json --key cosign.pub --trusted-root root.json m.json";
    assert_eq!(code(&logged.export.run(line)), 0);
    let bits = (0..good.len() * 8).step_by(61);
    for bit in bits.filter(|bit| !unknown.iter().any(|range| range.contains(&(bit / 8)))) {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &changed).unwrap();
        let out = logged.export.run(line);
        assert_eq!(code(&out), 1, "bit {bit}: {}", text(&out));
    }
}

/// ECDSA has two signatures for each: the other verifies, as everywhere, but the
/// log has an entry for one of them only.
#[test]
fn the_other_form_of_a_signature_is_not_in_the_log() {
    let logged = Logged::new();
    let export: &Export = &logged.export;
    let file = fs::read(export.path().join("m.sigstore.json")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    assert!(matches!(bundle.content(), Content::Message { .. }));
    let other = other_form(bundle.signature());
    logged.replace(
        "m.sigstore.json",
        &format!("\"signature\":\"{}\"", bundle.signature().to_detached()),
        &format!("\"signature\":\"{}\"", other.to_detached()),
    );
    let line = "bundle --bundle m.sigstore.json --key cosign.pub m.json";
    assert_eq!(code(&export.run(line)), 0);
    let out = export.run(&format!("{line} --trusted-root root.json"));
    assert_eq!(code(&out), 1, "{}", text(&out));
    assert!(text(&out).contains("its body is not of"), "{}", text(&out));
}

/// (r, n - s), as DER.
fn other_form(signature: &Signature) -> Signature {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let der = signature.as_der();
    let r = &der[2..4 + usize::from(der[3])];
    let s = &der[2 + r.len() + 2..];
    let mut number = [0; 32];
    for (place, byte) in number.iter_mut().rev().zip(s.iter().rev()) {
        *place = *byte;
    }
    let (mut other, mut borrow) = ([0; 32], 0_i16);
    for at in (0..32).rev() {
        let mut digit = i16::from(ORDER[at]) - i16::from(number[at]) - borrow;
        borrow = i16::from(digit < 0);
        digit += 256 * borrow;
        other[at] = u8::try_from(digit).unwrap();
    }
    let mut s: Vec<u8> = other.into_iter().skip_while(|byte| *byte == 0).collect();
    if s[0] >= 0x80 {
        s.insert(0, 0);
    }
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let mut der = vec![0x30, length(r) + 2 + length(&s)];
    der.extend(r);
    der.extend([2, length(&s)]);
    der.extend(&s);
    Signature::from_der(der).unwrap()
}
