//! Of what a run was.

use std::path::Path;
use std::process::Command;

use ig_e2e::{envoy_binary, postgres_binaries, redis_server, workspace};
use serde::Serialize;

/// What ran, where and when. What is not known is left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// Of this workspace.
    pub version: &'static str,
    /// The commit.
    pub commit: Option<String>,
    /// Whether something was changed since the commit.
    pub is_dirty: Option<bool>,
    /// What Envoy says of itself.
    pub envoy: Option<String>,
    /// What PostgreSQL says of itself.
    pub postgres: Option<String>,
    /// What Redis says of itself.
    pub redis: Option<String>,
    /// Cores and their model.
    pub machine: String,
    /// When it began, in UTC (RFC 3339).
    pub date: Option<String>,
}

impl Versions {
    /// Those of here and now.
    pub fn now() -> Self {
        let git = |words: &[&str]| {
            let root = workspace();
            let mut all = vec!["-C".to_owned(), root.display().to_string()];
            all.extend(words.iter().map(|word| (*word).to_owned()));
            said(Path::new("git"), &all)
        };
        let version = |program: &Path, word: &str| said(program, &[word.to_owned()]);
        let envoy = envoy_binary().ok();
        let postgres = postgres_binaries().ok();
        let redis = redis_server().ok();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: git(&["rev-parse", "HEAD"]),
            is_dirty: git(&["status", "--porcelain"]).map(|changed| !changed.is_empty()),
            envoy: envoy
                .and_then(|path| version(&path, "--version"))
                .map(|said| without_path(&said).to_owned()),
            postgres: postgres.and_then(|bin| version(&bin.join("postgres"), "--version")),
            redis: redis.and_then(|path| version(&path, "--version")),
            machine: machine(),
            date: said(
                Path::new("date"),
                &["-u".to_owned(), "+%Y-%m-%dT%H:%M:%SZ".to_owned()],
            ),
        }
    }
}

/// What a program wrote, if it succeeded.
fn said(program: &Path, words: &[String]) -> Option<String> {
    let ran = Command::new(program).args(words).output().ok()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    ran.status.success().then(|| said.trim().to_owned())
}

/// What Envoy says behind its own path, which is of nobody's concern.
fn without_path(said: &str) -> &str {
    said.rsplit_once(" version: ").map_or("", |(_, rest)| rest)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{cores} cores, {}", model.unwrap_or("of an unknown model"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_has_no_path() {
        let said = "/home/a version: 1/bin/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL";
        let without = super::without_path(said);
        assert_eq!(without, "9e55/1.40.0/Clean/RELEASE/BoringSSL");
        assert_eq!(super::without_path("/usr/bin/envoy"), "");
    }
}
