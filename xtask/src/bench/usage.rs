//! What a process used, from `/proc`.

use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of a process so far, user and system.
///
/// # Errors
/// When the process is gone.
pub(super) fn cpu_time(id: u32) -> Result<Duration> {
    let path = format!("/proc/{id}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name in parentheses may hold blanks; `utime` and `stime` are the
    // 12th and 13th fields after it (proc_pid_stat(5)).
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
    let ticks: u64 = fields
        .into_iter()
        .flat_map(|fields| fields.split_ascii_whitespace().skip(11).take(2))
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second.max(1)))
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// When the process is gone.
pub(super) fn resident_bytes(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .with_context(|| format!("no VmRSS in {path}"))?;
    let kib: u64 = line
        .trim_end_matches("kB")
        .trim()
        .parse()
        .with_context(|| format!("VmRSS is no number in {path}"))?;
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let id = std::process::id();
        assert!(resident_bytes(id).unwrap() > 100_000);
        let before = cpu_time(id).unwrap();
        let mut spins = 0_u64;
        while cpu_time(id).unwrap() == before {
            spins = std::hint::black_box(spins + 1);
        }
    }
}
