//! Writes a small log with its keys' public halves and proofs, to check with other
//! tools: `cargo run -p ig-ledger --example write -- FOLDER [ENTRY_FILE]`.

#![allow(clippy::unwrap_used, reason = "what cannot be written ends the run")]

use ig_ledger::Log;
use ig_ledger::sign::{LogSigner, WitnessKey};
use ig_ledger::storage::Disk;
use ig_ledger::verify::{Policy, TreeHead};

fn main() {
    let folder: std::path::PathBuf = std::env::args_os().nth(1).unwrap().into();
    // Keys of this example, and of nothing else.
    let signer = LogSigner::from_bytes("ledger.example".parse().unwrap(), &[1; 32], &[2; 32]);
    let signer = signer.unwrap();
    let witness = WitnessKey::from_bytes("witness.example/w1", &[3; 32]).unwrap();
    let (origin, keys) = (signer.origin().clone(), signer.keys().clone());
    let witnesses = vec![witness.key().clone()];
    let policy = Policy::new(origin, keys.to_vec(), witnesses, 1).unwrap();

    let mut log = Log::create(Disk::open(folder.join("log")).unwrap(), signer).unwrap();
    let entries: Vec<_> = (0..70_000).map(|index| format!("entry {index}")).collect();
    for batch in entries.chunks(1000) {
        log.append(batch).unwrap();
    }
    if let Some(file) = std::env::args_os().nth(2) {
        log.append(&[std::fs::read(file).unwrap()]).unwrap();
    }
    let verified = log
        .policy()
        .checkpoint(log.checkpoint().as_bytes())
        .unwrap();
    let line = witness.cosign(&TreeHead::EMPTY, &[], &verified.checkpoint, 1_800_000_000);
    log.cosign(&policy, &line.unwrap()).unwrap();

    let vkeys = keys
        .iter()
        .chain([witness.key()])
        .map(|key| format!("{key}\n"));
    std::fs::write(folder.join("keys.txt"), vkeys.collect::<String>()).unwrap();
    for index in [68_000, log.head().size - 1] {
        let proof = log.prove(index).unwrap().to_string();
        std::fs::write(folder.join(format!("{index}.tlog-proof")), proof).unwrap();
    }
}
