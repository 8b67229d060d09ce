//! Keys in tokens: SoftHSM, with a control plane of its own process, since the library
//! takes its settings from the environment.

use std::process::{Command, Output};

use ig_e2e::{SoftHsm, softhsm_module};
use ig_signing::{Bundle, Manifest, PrivateKey, PublicKey, Sha256};
use serde_json::{Value, json};

use super::rate::used;
use super::{Stage, of, relayed, stock, url};
use crate::databases::Database;
use crate::ledger::Killed;

/// `None`, loudly, where there is no SoftHSM; in CI that fails.
fn softhsm() -> Option<SoftHsm> {
    if let Err(missing) = softhsm_module() {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    let hsm = SoftHsm::new().unwrap();
    hsm.token("exports").unwrap();
    Some(hsm)
}

/// Makes a key, and puts it into the token: what there is of it here is what the
/// token has to have.
fn import(hsm: &SoftHsm, object: &str, id: &str) -> PublicKey {
    let key = PrivateKey::generate().unwrap();
    hsm.import("exports", object, id, &key.to_pem().unwrap())
        .unwrap();
    key.public().clone()
}

/// A database whose users have proofs for these many exports, and the control plane
/// that signs them with a token.
struct Place<'a> {
    hsm: &'a SoftHsm,
    database: &'a Database,
    /// Header of the service.
    service: String,
    owner: String,
}

impl<'a> Place<'a> {
    fn new(hsm: &'a SoftHsm, database: &'a Database, exports: usize) -> Self {
        let stage = Stage::start(database);
        let user = stage.analyst("ada", 3).person.id.clone();
        used(&stage, &user, exports);
        let service = stage.service.clone();
        let owner = format!("Bearer {}", stage.bench.control.token.as_ref().unwrap());
        stage.bench.control.stop().unwrap();
        Self {
            hsm,
            database,
            service,
            owner,
        }
    }

    /// The lines of `[exports]`.
    fn configure(&self, command: &mut Command, exports: &str) {
        let file = self.hsm.file("control-plane.toml");
        std::fs::write(&file, format!("version = 1\n[exports]\n{exports}")).unwrap();
        let (name, value) = self.hsm.env();
        command.env(name, value).arg("--config").arg(file);
    }

    fn start(&self, exports: &str) -> Killed {
        Killed::start_with(&self.database.url, |command| {
            self.configure(command, exports)
        })
    }

    /// One that does not start.
    fn refuse(&self, exports: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ig-control-plane"));
        command.args(["--database", &self.database.url]);
        command.args(["--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        self.configure(&mut command, exports);
        let Output { status, stderr, .. } = command.output().unwrap();
        assert!(!status.success(), "{exports}");
        String::from_utf8(stderr).unwrap()
    }

    fn call(
        &self,
        of: &Killed,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        ig_e2e::call(
            &format!("http://{}", of.http),
            headers,
            method,
            path,
            body.as_bytes(),
        )
        .unwrap()
    }

    fn export(&self, of_: &Killed, number: usize) -> (u16, Value) {
        let decision = format!("decision-{number}");
        let mut body = of(2);
        body["items"][0]["id"] = json!(decision);
        let headers = relayed(&self.service, &decision);
        self.call(of_, &headers, "POST", "/exports", &body)
    }

    fn get(&self, of: &Killed, path: &str) -> Value {
        let headers = [("authorization", self.owner.as_str())];
        let (status, said) = self.call(of, &headers, "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {said}");
        said
    }

    /// What anybody can get verifies, and is by this key.
    fn verify(&self, of: &Killed, made: &Value, key: &PublicKey) {
        assert_eq!(made["keyId"], key.key_id());
        let pem = self.get(of, &format!("/exports/keys/{}", url(&key.key_id())));
        assert_eq!(
            PublicKey::from_pem(pem.as_str().unwrap().as_bytes()).unwrap(),
            *key
        );
        let manifest = Manifest::parse(made["manifest"].to_string().as_bytes()).unwrap();
        let bundle = Bundle::parse(made["bundle"].to_string().as_bytes()).unwrap();
        bundle
            .verify(key, &Sha256::of(&manifest.to_bytes()))
            .unwrap();
        assert!(is_low(bundle.signature().as_der()));
        let root = self.get(of, "/exports/trusted-root.json");
        stock::verify(made, pem.as_str().unwrap(), &root);
    }
}

/// Whether *s* is the lower of its two forms: its DER is then at most 32 bytes, the
/// first below half of the order's, which begins with `7fffffff`.
fn is_low(der: &[u8]) -> bool {
    let r = usize::from(der[3]);
    let s = &der[4 + r + 2..];
    s.len() < 32 || (s.len() == 32 && s[0] < 0x80)
}

fn uri(hsm: &SoftHsm, object: &str) -> String {
    format!("key = \"{}\"\n", hsm.uri("exports", object))
}

#[test]
fn a_key_in_a_token_signs_until_another_does() {
    let Some(hsm) = softhsm() else { return };
    let (mut first, mut second) = (String::new(), String::new());
    for (round, database) in Database::each().enumerate() {
        first = format!("first-{round}");
        second = format!("second-{round}");
        let keys = [
            import(&hsm, &first, &format!("{round}1")),
            import(&hsm, &second, &format!("{round}2")),
        ];
        let place = Place::new(&hsm, &database, 4);
        let running = place.start(&uri(&hsm, &first));
        let (status, made) = place.export(&running, 0);
        assert_eq!(status, 201, "{made}");
        place.verify(&running, &made, &keys[0]);
        // It is the configuration that changes it.
        let owner = [("authorization", place.owner.as_str())];
        let rotated = place.call(&running, &owner, "POST", "/exports/keys", &json!({}));
        assert_eq!(rotated.0, 409, "{rotated:?}");
        drop(running);
        let running = place.start(&uri(&hsm, &second));
        let (status, next) = place.export(&running, 1);
        assert_eq!(status, 201, "{next}");
        place.verify(&running, &next, &keys[1]);
        // What the one before signed verifies on; it is listed as retired.
        place.verify(&running, &made, &keys[0]);
        let listed = place.get(&running, "/exports/keys");
        assert_eq!(listed[0]["keyId"], keys[1].key_id());
        assert_eq!(listed[1]["keyId"], keys[0].key_id());
        assert!(listed[1]["retiredAt"].is_i64());
        // Somebody else may have it: at once, with no restart.
        let path = format!("/exports/keys/{}", url(&keys[1].key_id()));
        let retired = place.call(&running, &owner, "DELETE", &path, &Value::Null);
        assert_eq!(retired.0, 204, "{retired:?}");
        assert_eq!(place.export(&running, 2).0, 503);
        drop(running);
        for object in [&first, &second] {
            let said = place.refuse(&uri(&hsm, object));
            assert!(said.contains("was retired"), "{said}");
        }
    }
    assert!(!first.is_empty() && !second.is_empty());
}

#[test]
fn while_a_token_is_away_nothing_is_exported() {
    let Some(hsm) = softhsm() else { return };
    let key = import(&hsm, "key", "01");
    let public = hsm.file("key.pub");
    std::fs::write(&public, key.to_pem()).unwrap();
    let with_key = format!(
        "{}public-key = \"{}\"\n",
        uri(&hsm, "key"),
        public.display()
    );
    for database in Database::each() {
        let place = Place::new(&hsm, &database, 8);
        let running = place.start(&uri(&hsm, "key"));
        assert_eq!(place.export(&running, 0).0, 201);
        for number in 1..3 {
            hsm.take_away().unwrap();
            for _ in 0..2 {
                let (status, said) = place.export(&running, number);
                assert_eq!(status, 503, "{said}");
            }
            let listed = place.get(&running, "/exports");
            assert_eq!(listed["items"].as_array().unwrap().len(), number);
            hsm.bring_back().unwrap();
            // The proof of presence was not used up by what failed.
            let (status, made) = place.export(&running, number);
            assert_eq!(status, 201, "{made}");
            place.verify(&running, &made, &key);
        }
        drop(running);
        // At the start it may be away where the key is said that it has to be.
        hsm.take_away().unwrap();
        let said = place.refuse(&uri(&hsm, "key"));
        assert!(
            said.contains("there is no such token; there are none"),
            "{said}"
        );
        let running = place.start(&with_key);
        assert_eq!(place.export(&running, 5).0, 503);
        hsm.bring_back().unwrap();
        let (status, made) = place.export(&running, 5);
        assert_eq!(status, 201, "{made}");
        place.verify(&running, &made, &key);
    }
}

#[test]
fn a_token_with_another_key_does_not_start() {
    let Some(hsm) = softhsm() else { return };
    import(&hsm, "key", "01");
    let other = PrivateKey::generate().unwrap().public().clone();
    let public = hsm.file("key.pub");
    std::fs::write(&public, other.to_pem()).unwrap();
    let database = Database::sqlite();
    let place = Place::new(&hsm, &database, 1);
    let said = place.refuse(&format!(
        "{}public-key = \"{}\"\n",
        uri(&hsm, "key"),
        public.display()
    ));
    assert!(
        said.contains(&format!("the one to sign with is {}", other.key_id())),
        "{said}"
    );
    let wrong = uri(&hsm, "key").replace("/pin&", "/wrong-pin&");
    let said = place.refuse(&wrong);
    assert!(said.contains("refuses the PIN"), "{said}");
    assert!(!said.contains("314159"), "{said}");
}
