//! Memory and open files of processes, and whether they grow.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Part of the time after which what is needed is there.
const WARM: f64 = 0.2;

/// Part of the time at the end that is compared with what there was then.
const LAST: f64 = 0.2;

/// Growth of memory that is none, in percent.
const MOST_PERCENT: f64 = 5.0;

/// Files more, both times at rest, that are none lost: a connection of our own may come
/// up late.
const MOST_FILES: u64 = 4;

/// Memory of a process, at a time.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// Seconds since the load began.
    pub at: f64,
    /// Resident bytes.
    pub memory: u64,
}

impl Use {
    /// Of a process, now.
    ///
    /// # Errors
    /// If it is gone.
    pub fn of(process: u32, at: Duration) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))
            .with_context(|| format!("the process {process} is gone"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.context("no VmRSS")?.trim().trim_end_matches("kB");
        Ok(Self {
            at: at.as_secs_f64(),
            memory: resident.trim().parse::<u64>()? * 1024,
        })
    }
}

/// Open files of a process now, sockets among them.
///
/// # Errors
/// If it is gone.
pub(super) fn open_files(process: u32) -> Result<u64> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd"))
        .with_context(|| format!("the process {process} is gone"))?;
    Ok(u64::try_from(files.count())?)
}

/// Whether a process grew after it was warm.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Growth {
    /// Which process.
    pub name: String,
    /// Bytes once it was warm, the median.
    pub memory_warm: u64,
    /// Bytes at the end, the median.
    pub memory_end: u64,
    /// How much more that is, in percent.
    pub memory_percent: f64,
    /// Files while nobody asked for anything, before and after: under a load they are as
    /// many as requests that wait.
    pub files: [u64; 2],
    /// Whether it did not grow.
    pub holds: bool,
}

impl Growth {
    /// Of what was seen of a process under a load, and of its files at rest before and
    /// after; nothing where that is too little.
    pub fn of(name: &str, seen: &[Use], files: [u64; 2]) -> Option<Self> {
        let end = seen.last()?.at;
        let within = |from: f64, until: f64| {
            let span = end * from..=end * until;
            seen.iter().filter(move |one| span.contains(&one.at))
        };
        let median = |from, until| {
            let mut all: Vec<_> = within(from, until).map(|one| one.memory).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied()
        };
        let memory = [median(WARM, WARM + LAST)?, median(1.0 - LAST, 1.0)?];
        let percent = (memory[1] as f64 / memory[0].max(1) as f64 - 1.0) * 100.0;
        Some(Self {
            name: name.to_owned(),
            memory_warm: memory[0],
            memory_end: memory[1],
            memory_percent: percent,
            files,
            holds: percent <= MOST_PERCENT && files[1] <= files[0] + MOST_FILES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(memory: impl Fn(u64) -> u64, files: [u64; 2]) -> Growth {
        let one = |second| Use {
            at: second as f64,
            memory: memory(second),
        };
        let all: Vec<_> = (0..100).map(one).collect();
        Growth::of("one", &all, files).unwrap()
    }

    #[test]
    fn what_grows_after_it_is_warm_is_found() {
        let warms_up = seen(|at| 1_000_000 * at.min(20), [20, 20]);
        assert!(warms_up.holds, "{warms_up:?}");
        let leaks = seen(|at| 1_000_000 + 2_000 * at, [10, 10]);
        assert!(!leaks.holds, "{leaks:?}");
        let loses_files = seen(|_| 1_000_000, [10, 15]);
        assert!(!loses_files.holds, "{loses_files:?}");
        let once_much = seen(|at| if at == 50 { 9_000_000 } else { 1_000_000 }, [15, 10]);
        assert!(once_much.holds, "{once_much:?}");
    }

    #[test]
    fn this_process_uses_something() {
        let one = Use::of(std::process::id(), Duration::ZERO).unwrap();
        assert!(one.memory > 100_000, "{one:?}");
        assert!(open_files(std::process::id()).unwrap() > 2);
        assert!(Growth::of("none", &[], [1, 1]).is_none());
    }
}
