//! What verifying the files of an export takes, beside `sha256sum` and beside
//! reading them: `cargo build --release -p ig-verify && cargo run --release -p
//! ig-verify --example files -- [GIGABYTES] [FOLDER]`.
//!
//! Writes files into a new folder below FOLDER (or `TMPDIR`), which is deleted in
//! the end. Arms alternate, since machines are noisy; each is told in bytes a
//! second, and as a ratio to one `sha256sum`. Once with the files in memory, as far
//! as they fit, and once with each file dropped from it before.

#![allow(
    clippy::unwrap_used,
    reason = "a figure that cannot be measured ends the run"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use ig_signing::manifest::Item;
use ig_signing::{Bundle, Manifest, PrivateKey, Sha256};

const ROUNDS: usize = 3;
const MIB: usize = 1 << 20;

/// Files as exports have them: most of the bytes in some large ones, most of the
/// files small.
const SIZES: [(usize, usize); 4] = [
    // Bytes, and which share of all bytes in 16ths.
    (512 * MIB, 8),
    (64 * MIB, 5),
    (MIB, 2),
    (64 << 10, 1),
];

struct Files {
    folder: tempfile::TempDir,
    names: Vec<PathBuf>,
    bytes: usize,
}

impl Files {
    fn write(place: &Path, bytes: usize) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        let (mut items, mut names, mut all) = (Vec::new(), Vec::new(), 0);
        for (size, share) in SIZES {
            for _ in 0..(bytes / 16 * share / size).max(1) {
                let id = format!("{:03}/{:06}", names.len() / 1000, names.len());
                let path = folder.path().join("files").join(&id);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let sha256 = noise.write(&path, size);
                items.push(Item { id, sha256 });
                names.push(path);
                all += size;
            }
        }
        let manifest = Manifest::new(items, "user:a:a", "a", "figures").unwrap();
        let manifest = manifest.to_bytes();
        let key = PrivateKey::generate().unwrap();
        let bundle = Bundle::sign(&key, Sha256::of(&manifest)).unwrap();
        let this = Self {
            folder,
            names,
            bytes: all,
        };
        let write = |name: &str, bytes: &[u8]| fs::write(this.path(name), bytes).unwrap();
        write("m.json", &manifest);
        write("m.sigstore.json", &bundle.to_bytes());
        write("cosign.pub", key.public().to_pem().as_bytes());
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Out of the page cache, as GNU dd can do it for its files.
    fn drop_from_memory(&self) {
        for name in &self.names {
            let mut input = std::ffi::OsString::from("if=");
            input.push(name);
            let status = Command::new("dd")
                .arg(input)
                .args(["iflag=nocache", "count=0", "status=none"])
                .status();
            assert!(status.unwrap().success());
        }
    }
}

/// Bytes that no file system makes smaller.
struct Noise(u64);

impl Noise {
    fn write(&mut self, path: &Path, bytes: usize) -> Sha256 {
        let mut file = File::create(path).unwrap();
        let mut piece = vec![0_u8; MIB.min(bytes)];
        for _ in 0..bytes / piece.len() {
            for word in piece.chunks_exact_mut(8) {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                word.copy_from_slice(&self.0.to_le_bytes());
            }
            file.write_all(&piece).unwrap();
        }
        // On the disk, so that what is measured does not wait for it.
        file.sync_all().unwrap();
        Sha256::of_reader(File::open(path).unwrap(), |_| {}).unwrap()
    }
}

/// Reads all files, by one thread.
fn read(files: &Files) {
    let mut buffer = vec![0; MIB];
    for name in &files.names {
        let mut file = File::open(name).unwrap();
        while file.read(&mut buffer).unwrap() > 0 {}
    }
}

fn sha256sum(files: &Files) {
    // In portions that a command line can have.
    for names in files.names.chunks(1000) {
        let mut command = Command::new("sha256sum");
        let status = command.args(names).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
    }
}

fn verify(program: &Path, files: &Files, jobs: usize) {
    let mut command = Command::new(program);
    command.arg("manifest");
    for (option, name) in [
        ("--manifest", "m.json"),
        ("--bundle", "m.sigstore.json"),
        ("--key", "cosign.pub"),
        ("--files", "files"),
    ] {
        command.arg(option).arg(files.path(name));
    }
    command.args(["--jobs", &jobs.to_string()]);
    let status = command.stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let gigabytes = arguments.next().map_or(10, |text| {
        let text = text.into_string().unwrap();
        text.parse::<usize>().unwrap()
    });
    let place = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    // This is target/release/examples/files.
    let this = std::env::current_exe().unwrap();
    let program = this.parent().unwrap().with_file_name("ig-verify");
    assert!(program.exists(), "cargo build --release -p ig-verify");
    let processors = thread::available_parallelism().unwrap().get();

    let files = Files::write(&place, gigabytes * 1_000_000_000);
    let (count, bytes) = (files.names.len(), files.bytes);
    println!("{count} files of {bytes} bytes, {processors} processors");
    type Arm<'a> = (String, Box<dyn Fn() + 'a>);
    let verify = |jobs| -> Arm<'_> {
        let (program, files) = (&program, &files);
        let run = Box::new(move || self::verify(program, files, jobs));
        (format!("ig-verify manifest --files --jobs {jobs}"), run)
    };
    let mut arms: Vec<Arm<'_>> = vec![
        (
            "sha256sum, one after the other".into(),
            Box::new(|| sha256sum(&files)),
        ),
        ("reading, one thread".into(), Box::new(|| read(&files))),
        verify(1),
    ];
    if processors > 1 {
        arms.push(verify(processors));
    }
    for is_cold in [false, true] {
        println!(
            "{}",
            if is_cold {
                "not in memory:"
            } else {
                "in memory:"
            }
        );
        let mut took = vec![Vec::new(); arms.len()];
        if !is_cold {
            read(&files);
        }
        for _ in 0..ROUNDS {
            for (seconds, (_, run)) in took.iter_mut().zip(&arms) {
                if is_cold {
                    files.drop_from_memory();
                }
                let begin = Instant::now();
                run();
                seconds.push(begin.elapsed().as_secs_f64());
            }
        }
        // The middle one of three.
        let middle = |seconds: &Vec<f64>| {
            let mut sorted = seconds.clone();
            sorted.sort_by(f64::total_cmp);
            sorted[sorted.len() / 2]
        };
        let one = middle(&took[0]);
        for (seconds, (name, _)) in took.iter().zip(&arms) {
            let took = middle(seconds);
            let rate = bytes as f64 / took / 1e6;
            println!(
                "| {name} | {took:.2} s | {rate:.0} MB/s | {:.2} |",
                one / took
            );
        }
    }
}
