//! Versions as tools print them.

use std::fmt;

/// `major.minor.patch`; what follows (`-nightly`, `+dfsg`) is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// Additions.
    pub minor: u32,
    /// Fixes.
    pub patch: u32,
}

impl Version {
    /// Builds a version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// The first version in a tool's output: `1.40.0` in
    /// `envoy  version: 9e55…/1.40.0/Clean/RELEASE/BoringSSL`.
    pub fn find_in(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || matches!(c, '/' | '-' | '+' | ',' | '~'))
            .find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word
            .trim_start_matches('v')
            .split('.')
            .map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        // A lone number is a year or a count, not a version.
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().transpose().ok()?.unwrap_or(0);
        Some(Self::new(major, minor, patch))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        let cases = [
            (
                "envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL",
                Some(Version::new(1, 40, 0)),
            ),
            (
                "envoy  version: 0/1.35.0-dev/Clean/RELEASE/BoringSSL",
                Some(Version::new(1, 35, 0)),
            ),
            (
                "rustc 1.96.0-nightly (ac68faa20 2026-05-25)",
                Some(Version::new(1, 96, 0)),
            ),
            ("v20.20.2", Some(Version::new(20, 20, 2))),
            ("nginx version: nginx/1.22.1", Some(Version::new(1, 22, 1))),
            (
                "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012",
                Some(Version::new(4, 1, 0)),
            ),
            ("Python 3.11.7", Some(Version::new(3, 11, 7))),
            ("1.95", Some(Version::new(1, 95, 0))),
            ("released 2026-05-25", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Version::find_in(text), expected, "{text}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(Version::new(1, 40, 0) > Version::new(1, 9, 9));
    }
}
