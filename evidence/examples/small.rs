//! Writes a small bundle with a key of its own, for tests of other programs:
//! `small FOLDER` makes `FOLDER/v0.2`, `FOLDER/v0.2.tar` and `FOLDER/cosign.pub`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "shared with the tests, and fails like them"
)]

#[path = "../tests/it/small.rs"]
mod small;

fn main() {
    let folder = std::env::args_os().nth(1).expect("a folder");
    let folder = std::path::PathBuf::from(folder);
    let small = small::Small::new();
    let sealed = small.seal(&small::parts());
    ig_evidence::read::write(&sealed.files, &folder.join("v0.2")).unwrap();
    std::fs::write(folder.join("v0.2.tar"), sealed.files.to_tar().unwrap()).unwrap();
    std::fs::write(folder.join("cosign.pub"), small.key.public().to_pem()).unwrap();
}
