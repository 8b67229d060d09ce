//! Times as text: RFC 3339 in UTC, to the second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The latest time that is read: the year 9999.
const MOST: u64 = 253_402_300_799;

/// Seconds of a day.
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// Seconds since 1970, now.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Seconds since 1970 as text.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(MOST));
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Reads a time in UTC. A day alone is its first second.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let time = match text.len() {
        10 => humantime::parse_rfc3339(&format!("{text}T00:00:00Z")),
        _ => humantime::parse_rfc3339(text),
    };
    let since = time.ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs()).filter(|seconds| *seconds <= MOST)
}
