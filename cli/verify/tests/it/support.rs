//! Exports in folders, and logs that have them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ig_ledger::Log;
use ig_ledger::sign::{LogSigner, WitnessKey};
use ig_ledger::storage::{Disk, Folder};
use ig_ledger::verify::{Policy, TreeHead};
use ig_signing::bundle::{InclusionProof, LogEntry};
use ig_signing::manifest::Item;
use ig_signing::statement::Subject;
use ig_signing::trusted_root::TrustedLog;
use ig_signing::{Bundle, Manifest, PrivateKey, PublicKey, Sha256, Statement, TrustedRoot, rekord};
use serde_json::{Map, Value};
use tempfile::TempDir;

/// An export in a folder, and its key.
pub(crate) struct Export {
    folder: TempDir,
    pub(crate) key: PrivateKey,
}

pub(crate) const FILES: [(&str, &str); 3] = [("a.txt", "a"), ("b/c.txt", "c"), ("b/d/é.txt", "é")];

impl Export {
    pub(crate) fn new() -> Self {
        Self::of(&FILES.map(|(id, text)| (id, Sha256::of(text.as_bytes()))))
    }

    pub(crate) fn of(items: &[(&str, Sha256)]) -> Self {
        let export = Self {
            folder: TempDir::new().unwrap(),
            key: PrivateKey::generate().unwrap(),
        };
        for (name, text) in FILES {
            export.write(&format!("files/{name}"), text.as_bytes());
        }
        let items = items.iter().map(|(id, sha256)| Item {
            id: (*id).to_owned(),
            sha256: *sha256,
        });
        let manifest = Manifest::new(items.collect(), "user:alpha:a", "alpha", "p").unwrap();
        export.sign(&manifest.to_bytes());
        export.write("cosign.pub", export.key.public().to_pem().as_bytes());
        export
    }

    /// Signs anything as a manifest.
    pub(crate) fn sign(&self, manifest: &[u8]) {
        let bundle = Bundle::sign(&self.key, Sha256::of(manifest)).unwrap();
        self.write("m.json", manifest);
        self.write("m.sigstore.json", &bundle.to_bytes());
        self.write("m.json.sig", bundle.signature().to_detached().as_bytes());
    }

    pub(crate) fn attest(&self) {
        let subjects = vec![Subject::of(
            "m",
            &fs::read(self.path().join("m.json")).unwrap(),
        )];
        let statement = Statement::new(subjects, "https://t", Map::new()).unwrap();
        let bundle = Bundle::attest(&self.key, &statement).unwrap();
        self.write("a.sigstore.json", &bundle.to_bytes());
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ig-verify"));
        // Hosts of tests are here, and behind no proxy.
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        command
            .args(line.split_whitespace())
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    pub(crate) fn manifest(&self, more: &str) -> Output {
        self.run(&format!(
            "manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub {more}"
        ))
    }

    /// What is wrong, as `kind item`, and the exit code.
    pub(crate) fn problems(&self, more: &str) -> (Vec<String>, i32) {
        let out = self.manifest(&format!("--json {more}"));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let problems = report["problems"].as_array().unwrap();
        let one = |problem: &Value| {
            assert!(!problem["why"].as_str().unwrap().is_empty());
            format!(
                "{} {}",
                problem["kind"].as_str().unwrap(),
                problem["item"].as_str().unwrap()
            )
        };
        assert_eq!(report["ok"], problems.is_empty());
        (problems.iter().map(one).collect(), code(&out))
    }
}

pub(crate) fn code(out: &Output) -> i32 {
    out.status.code().unwrap()
}

pub(crate) fn text(out: &Output) -> String {
    let all = [&*out.stdout, &*out.stderr].concat();
    String::from_utf8(all).unwrap()
}

pub(crate) const ORIGIN: &str = "ledger.example";

/// Keys of a log. Another seed: other keys.
pub(crate) fn signer(origin: &str, seed: u8) -> LogSigner {
    LogSigner::from_bytes(origin.parse().unwrap(), &[seed; 32], &[seed + 1; 32]).unwrap()
}

pub(crate) fn witness() -> WitnessKey {
    WitnessKey::from_bytes("witness.example/w1", &[9; 32]).unwrap()
}

/// An export whose signature is in a log, and everything about that log, in
/// files: `log/`, `ledger.policy`, `root.json`, checkpoints and a proof.
pub(crate) struct Logged {
    pub(crate) export: Export,
    pub(crate) log: Log<Disk>,
}

/// The place of the export's entry.
pub(crate) const PLACE: u64 = 270;
/// How many entries the log has.
pub(crate) const SIZE: u64 = 300;

impl Logged {
    pub(crate) fn new() -> Self {
        let export = Export::new();
        let log = create(&export, "log", signer(ORIGIN, 1));
        let mut this = Self { export, log };
        this.append(100);
        this.write_checkpoint("old.checkpoint");
        this.append(PLACE);
        let body = this.body();
        this.log.append(&[body]).unwrap();
        this.append(SIZE);
        this.cosign();
        this.write_checkpoint("same.checkpoint");
        this.write_policy();
        this.write_root(&signer(ORIGIN, 1), |_| {});
        this.write_bundle(|_| {});
        let proof = this.log.prove(PLACE).unwrap().to_string();
        this.export.write("entry.tlog-proof", proof.as_bytes());
        let body = this.body();
        this.export.write("entry.json", &body);
        this
    }

    /// The leaf of the export's signature.
    pub(crate) fn body(&self) -> Vec<u8> {
        let file = fs::read(self.export.path().join("m.sigstore.json")).unwrap();
        Bundle::parse(&file)
            .unwrap()
            .log_body(self.export.key.public())
    }

    /// Appends entries until there are so many.
    pub(crate) fn append(&mut self, size: u64) {
        append(&mut self.log, "entry", size);
    }

    pub(crate) fn cosign(&mut self) {
        let verified = self.log.policy();
        let verified = verified.checkpoint(self.log.checkpoint().as_bytes());
        let checkpoint = verified.unwrap().checkpoint;
        let line = witness().cosign(&TreeHead::EMPTY, &[], &checkpoint, 1_800_000_000);
        let witnesses = vec![witness().key().clone()];
        let keys = signer(ORIGIN, 1).keys().to_vec();
        let policy = Policy::of_keys(keys, witnesses, 1).unwrap();
        self.log.cosign(&policy, &line.unwrap()).unwrap();
    }

    pub(crate) fn write_checkpoint(&self, name: &str) {
        self.export.write(name, self.log.checkpoint().as_bytes());
    }

    fn write_policy(&self) {
        let mut text = String::from("# Whom to believe.\n");
        for key in signer(ORIGIN, 1).keys() {
            text += &format!("log {key} https://ledger.example\n");
        }
        let witness = witness();
        text += &format!("witness w1 {}\nquorum w1\n", witness.key());
        self.export.write("ledger.policy", text.as_bytes());
    }

    /// Writes a trusted root of the log that has these keys.
    pub(crate) fn write_root(&self, signer: &LogSigner, change: impl FnOnce(&mut TrustedLog)) {
        let key = PublicKey::from_der(&signer.keys()[1].bytes()).unwrap();
        let mut log = TrustedLog {
            base_url: format!("https://{}", signer.origin()),
            log_id: Sha256::of(key.as_der()).as_bytes().to_vec(),
            key: Some(key),
            valid_for: (Some("2026-01-01T00:00:00Z".to_owned()), None),
        };
        change(&mut log);
        let root = TrustedRoot::new(vec![log]).unwrap();
        self.export.write("root.json", &root.to_bytes());
    }

    /// Writes the bundle with the log's entry.
    pub(crate) fn write_bundle(&self, change: impl FnOnce(&mut LogEntry)) {
        let file = fs::read(self.export.path().join("m.sigstore.json")).unwrap();
        let mut bundle = Bundle::parse(&file).unwrap();
        let mut entry = self.entry(PLACE);
        change(&mut entry);
        bundle.log_entries = vec![entry];
        self.export.write("m.sigstore.json", &bundle.to_bytes());
    }

    fn entry(&self, place: u64) -> LogEntry {
        let proof = self.log.prove(place).unwrap();
        let head = self.log.head();
        let key = signer(ORIGIN, 1).keys()[1].bytes();
        LogEntry {
            log_index: place,
            log_id: Sha256::of(&key).as_bytes().to_vec(),
            kind: rekord::KIND.to_owned(),
            version: rekord::VERSION.to_owned(),
            integrated_time: None,
            inclusion_promise: None,
            inclusion_proof: InclusionProof {
                log_index: place,
                root_hash: *head.root.as_bytes(),
                tree_size: head.size,
                hashes: proof.path.iter().map(|hash| *hash.as_bytes()).collect(),
                checkpoint: proof.checkpoint,
            },
            canonicalized_body: self.body(),
        }
    }

    /// Another log with the same keys: what a log that forks has.
    pub(crate) fn fork(&self, size: u64) -> Log<Disk> {
        let mut fork = create(&self.export, "fork", signer(ORIGIN, 1));
        append(&mut fork, "another", size);
        fork
    }

    /// Changes a file of the export's folder.
    pub(crate) fn change(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.export.path().join(name)).unwrap();
        how(&mut bytes);
        self.export.write(name, &bytes);
    }

    /// Replaces a text, which has to be there.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        self.change(name, |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "{name} has no {from}");
            *bytes = text.replacen(from, to, 1).into_bytes();
        });
    }

    pub(crate) fn files(&self) -> Folder {
        Folder::new(self.export.path().join("log"))
    }
}

pub(crate) fn create(export: &Export, name: &str, signer: LogSigner) -> Log<Disk> {
    let disk = Disk::open(export.path().join(name)).unwrap();
    Log::create(disk, signer).unwrap()
}

pub(crate) fn append(log: &mut Log<Disk>, what: &str, size: u64) {
    let entries: Vec<_> = (log.head().size..size)
        .map(|index| format!("{what} {index}"))
        .collect();
    for batch in entries.chunks(ig_ledger::MAX_BATCH_ENTRIES) {
        log.append(batch).unwrap();
    }
}
