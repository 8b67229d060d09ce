//! Keys in tokens: SoftHSM.

use std::process::Command;

use ig_e2e::{SoftHsm, softhsm_module};
use ig_signing::{Bundle, PrivateKey, Sha256};

use crate::{Ran, Work};

/// Of other curves than ours, for tests only.
const P384: &str =
    include_str!("../../../control-plane/signing/tests/data/openssl/secp384r1.pkcs8.pem");

/// A token with keys, and a manifest to sign; nothing, loudly, where there is no
/// SoftHSM. In CI that fails.
struct Place {
    hsm: SoftHsm,
    work: Work,
    key: PrivateKey,
}

impl Place {
    fn new() -> Option<Self> {
        if let Err(missing) = softhsm_module() {
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        }
        let hsm = SoftHsm::new().unwrap();
        hsm.token("exports").unwrap();
        let key = PrivateKey::generate().unwrap();
        let other = PrivateKey::generate().unwrap();
        let pem = |key: &PrivateKey| key.to_pem().unwrap();
        hsm.import("exports", "key", "01", &pem(&key)).unwrap();
        // Two of one name, that ids tell apart.
        hsm.import("exports", "twin", "02", &pem(&key)).unwrap();
        hsm.import("exports", "twin", "03", &pem(&other)).unwrap();
        hsm.import("exports", "p384", "04", P384).unwrap();
        let work = Work::new();
        crate::export::with_files(&work);
        let place = Self { hsm, work, key };
        let manifest = "export manifest --files export --tenant alpha --purpose p \
                        --created-by user:alpha:a -o m.json";
        place.work.ig(manifest).ok();
        Some(place)
    }

    fn ig(&self, line: &str) -> Ran {
        let (name, value) = self.hsm.env();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ig"));
        command.args(line.split_whitespace()).env(name, value);
        self.work.run(&mut command)
    }

    fn sign(&self, key: &str, more: &str) -> Ran {
        self.ig(&format!(
            "export sign --manifest m.json --out out {more} --key {key}"
        ))
    }

    fn verify(&self) {
        let digest = Sha256::of(self.work.read("m.json").as_bytes());
        let bundle = Bundle::parse(self.work.read("out/m.sigstore.json").as_bytes()).unwrap();
        bundle.verify(self.key.public(), &digest).unwrap();
        assert_eq!(self.work.read("out/m.json.pem"), self.key.public().to_pem());
        std::fs::remove_dir_all(self.work.file("out")).unwrap();
    }
}

#[test]
fn a_key_in_a_token_signs() {
    let Some(place) = Place::new() else { return };
    let uri = place.hsm.uri("exports", "key");
    let told = place.sign(&uri, "--json").ok().json();
    assert_eq!(told["keyId"], place.key.public().key_id());
    place.verify();
    // By its id alone, or beside a name that is not enough.
    for key in [
        "id=%01",
        "id=%02",
        "object=twin;id=%02",
        "object=key;type=private",
    ] {
        place.sign(&uri.replace("object=key", key), "").ok();
        place.verify();
    }
    // The PIN and the library otherwise.
    let (bare, _) = uri.split_once('?').unwrap();
    let pin = place.hsm.file("pin");
    let module = place.hsm.module().display();
    let more = format!("--password-file {} --pkcs11-module {module}", pin.display());
    place.sign(bare, &more).ok();
    place.verify();
    let attest = format!("export attest m.json --type t --predicate review.json --key {uri} -o a");
    place.ig(&attest).ok();
    let bundle = Bundle::parse(place.work.read("a").as_bytes()).unwrap();
    let statement = bundle.verify_statement(place.key.public()).unwrap();
    assert_eq!(statement.subjects()[0].name, "m.json");
}

/// (what is changed of the URI, into what, what is said)
#[test]
fn what_is_wrong_with_a_token_is_said() {
    let Some(place) = Place::new() else { return };
    let uri = place.hsm.uri("exports", "key");
    let module = place.hsm.module().display().to_string();
    let no_library = place.work.file("m.json").display().to_string();
    for (change, to, says) in [
        ("/pin&", "/wrong-pin&", "the token refuses the PIN"),
        ("/pin&", "/no-pin&", "the PIN: cannot read"),
        (
            "pin-source=",
            "pin-value=271828&pin-source=",
            "put it into a file",
        ),
        (
            "token=exports",
            "token=none",
            "there is no such token; there are \"exports\"",
        ),
        ("token=exports", "slot-id=99", "there is no such token"),
        (
            "token=exports",
            "token=exports;serial=00",
            "there is no such token",
        ),
        (
            "object=key",
            "object=none",
            "the token has no such private key",
        ),
        (
            "object=key",
            "object=key;id=%02",
            "the token has no such private key",
        ),
        ("object=key", "object=twin", "name it by its id and object"),
        ("object=key", "object=p384", "not a key of ECDSA on P-256"),
        (&module, "/none.so", "/none.so is no PKCS#11 module"),
        (&module, &no_library, "m.json is no PKCS#11 module"),
        (&module, "libsofthsm2.so", "an absolute path"),
    ] {
        assert!(uri.contains(change), "{change}");
        let ran = place
            .sign(&uri.replacen(change, to, 1), "")
            .exits(2)
            .says(says);
        let said = [ran.stdout, ran.stderr].concat();
        assert!(
            !said.contains("271828") && !said.contains("314159"),
            "{said}"
        );
    }
    // A library of another kind.
    let other = "libc.so.6";
    for folder in ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"] {
        let path = std::path::Path::new(folder).join(other);
        if path.is_file() {
            let uri = uri.replace(&module, &path.display().to_string());
            place.sign(&uri, "").exits(2).says("is no PKCS#11 module");
        }
    }
    let without_pin = uri
        .replace("pin-source=file:", "")
        .replace(&format!("{}&", place.hsm.file("pin").display()), "");
    place
        .sign(&without_pin, "")
        .exits(2)
        .says("the token asks for a PIN");
    assert!(!place.work.file("out").exists());
    place.hsm.take_away().unwrap();
    place.sign(&uri, "").exits(2).says("there are none");
    place.hsm.bring_back().unwrap();
    place.sign(&uri, "").ok();
}
