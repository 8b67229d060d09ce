//! Files of a manifest: found, hashed and compared.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use ig_signing::Sha256;
use ig_signing::manifest::{Item, Manifest};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{Kind, Problem, Report};

/// The most entries of a folder, and of those in it.
const MAX_ENTRIES: usize = 1_000_000;

/// Progress. Shows itself on a terminal only.
pub(crate) struct Meter(ProgressBar);

impl Meter {
    pub(crate) fn new(bytes: u64) -> Self {
        Self::with("{wide_bar} {bytes}/{total_bytes} {eta}", bytes)
    }

    /// Of a log's entries.
    pub(crate) fn entries(entries: u64) -> Self {
        Self::with("{wide_bar} {pos}/{len} entries {eta}", entries)
    }

    fn with(style: &str, length: u64) -> Self {
        let style = ProgressStyle::with_template(style);
        // indicatif draws nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Hashes what a file has, however long it is.
pub(crate) fn hash(file: File, meter: &Meter) -> io::Result<Sha256> {
    Sha256::of_reader(file, |read| {
        meter.0.inc(u64::try_from(read).unwrap_or_default());
    })
}

/// Compares the files below a folder with a manifest. `given` are files of the
/// command line, which an export may bring along.
pub(crate) fn verify(
    manifest: &Manifest,
    folder: &Path,
    given: &[&PathBuf],
    jobs: usize,
    report: &mut Report,
) -> Result<()> {
    let Tree {
        named: mut found,
        unnamed,
    } = walk(folder)?;
    let meter = Meter::new(found.values().map(|file| file.length).sum());
    let problems = compare(manifest.items(), folder, &found, jobs, &meter);
    meter.finish();
    let wrong = problems.len();
    report.problems.extend(problems);

    for item in manifest.items() {
        found.remove(item.id.as_str());
    }
    let given: Vec<_> = given
        .iter()
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let mut extra = |name: String| {
        report.problem(Problem::new(
            Kind::Extra,
            name,
            "the manifest does not name it",
        ));
    };
    for (name, file) in found {
        let path = folder.join(&file.path).canonicalize();
        let is_given = file.is_file && path.is_ok_and(|path| given.contains(&path));
        if !is_given {
            extra(name);
        }
    }
    for path in unnamed {
        extra(path.to_string_lossy().into_owned());
    }
    let good = manifest.items().len().saturating_sub(wrong);
    if good > 0 {
        report.verified(format!("{good} of {} files", manifest.items().len()));
    }
    Ok(())
}

/// The most threads: each has an open file and a buffer.
const MAX_JOBS: usize = 256;

/// Compares all items, by several threads.
fn compare(
    items: &[Item],
    folder: &Path,
    found: &BTreeMap<String, Entry>,
    jobs: usize,
    meter: &Meter,
) -> Vec<Problem> {
    // The longest first: nobody is to wait in the end for who began a long one.
    let length = |item: &Item| found.get(item.id.as_str()).map_or(0, |file| file.length);
    let mut order: Vec<_> = items.iter().enumerate().collect();
    order.sort_by_cached_key(|(_, item)| Reverse(length(item)));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut problems = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(index, item)) = order.get(turn) else {
                return problems;
            };
            if let Err((kind, why)) = check(item, folder, found, meter) {
                let mut problem = Problem::new(kind, &*item.id, why);
                problem.index = Some(index);
                problems.push(problem);
            }
        }
    };
    let threads = jobs.min(items.len()).min(MAX_JOBS);
    let mut problems = thread::scope(|scope| {
        let spawned: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut problems = work();
        for thread in spawned {
            match thread.join() {
                Ok(more) => problems.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        problems
    });
    problems.sort_by_key(|problem| problem.index);
    problems
}

fn check(
    item: &Item,
    folder: &Path,
    found: &BTreeMap<String, Entry>,
    meter: &Meter,
) -> Result<(), (Kind, String)> {
    if !is_safe(&item.id) {
        let why = "the id is no name of a file below the folder";
        return Err((Kind::UnsafeName, why.to_owned()));
    }
    // Only what the walk found is opened: below the folder, and through no link.
    let Some(file) = found.get(item.id.as_str()) else {
        return Err(match folder.join(&item.id).symlink_metadata() {
            Ok(_) => (
                Kind::NotAFile,
                "it is a folder, or behind a link".to_owned(),
            ),
            Err(_) => (Kind::Missing, "there is no such file".to_owned()),
        });
    };
    if !file.is_file {
        return Err((Kind::NotAFile, "it is a link or a device".to_owned()));
    }
    let sha256 = File::open(folder.join(&file.path)).and_then(|file| hash(file, meter));
    match sha256 {
        Ok(sha256) if sha256 == item.sha256 => Ok(()),
        Ok(sha256) => {
            let why = format!("its SHA-256 is {sha256}; the manifest says {}", item.sha256);
            Err((Kind::Changed, why))
        }
        Err(error) => Err((Kind::Unreadable, error.to_string())),
    }
}

/// Whether an id is a relative name that leads nowhere else, on any system.
fn is_safe(id: &str) -> bool {
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    id.split('/').all(is_name)
}

/// What is below a folder, and no folder.
struct Entry {
    /// From the folder on.
    path: PathBuf,
    /// Not a link, nor a device.
    is_file: bool,
    length: u64,
}

#[derive(Default)]
struct Tree {
    /// By the name from the folder on, with `/`.
    named: BTreeMap<String, Entry>,
    /// Those whose name is no text, which no id can be.
    unnamed: Vec<PathBuf>,
}

/// Everything below a folder. Links are not followed.
fn walk(root: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut work = vec![PathBuf::new()];
    let mut entries = 0_usize;
    while let Some(folder) = work.pop() {
        let full = root.join(&folder);
        let context = || format!("cannot read the folder {}", full.display());
        for entry in fs::read_dir(&full).with_context(context)? {
            let entry = entry.with_context(context)?;
            entries = entries.saturating_add(1);
            ensure!(
                entries <= MAX_ENTRIES,
                "{} has more than {MAX_ENTRIES} entries",
                root.display()
            );
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() {
                work.push(path);
                continue;
            }
            let is_file = kind.is_file();
            let length = if is_file {
                entry.metadata().with_context(context)?.len()
            } else {
                0
            };
            let entry = Entry {
                path,
                is_file,
                length,
            };
            match entry.path.to_str() {
                Some(name) => drop(tree.named.insert(name.to_owned(), entry)),
                None => tree.unnamed.push(entry.path),
            }
        }
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for id in ["a", "a/b", "a.b", "..a", "a..", "user:1", "é", " "] {
            assert!(is_safe(id), "{id}");
        }
        for id in [
            "", ".", "..", "/", "/a", "a/", "a//b", "./a", "a/.", "../a", "a/../b", "a/..", "a\\b",
            "..\\a", "C:\\a", "a\0b",
        ] {
            assert!(!is_safe(id), "{id}");
        }
    }
}
