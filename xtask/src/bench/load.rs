//! Load by wrk, and its result.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::Process;
use crate::tools;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// A catalogued query by id; the policy's answer is remembered.
    Read,
    /// A mutation with other facts each time: the policy is evaluated.
    Write,
    /// The query with one proof of presence.
    Proved,
    /// The query with a proof of many in turn.
    ProvedAnew,
}

/// One run of wrk.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    /// Microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Anything but 200, or no answer.
    pub(super) errors: u64,
}

impl Load {
    pub(super) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// What every request of a run has.
pub(super) struct Script<'a> {
    pub(super) token: &'a str,
    pub(super) read_id: &'a str,
    pub(super) write_id: &'a str,
}

impl Script<'_> {
    /// Writes the script for wrk, with the proofs that requests bring.
    pub(super) fn write(
        &self,
        folder: &Path,
        request: Request,
        proofs: &[String],
    ) -> Result<PathBuf> {
        let mut lua = format!(
            "wrk.method = 'POST'\n\
             wrk.headers['content-type'] = 'application/json'\n\
             wrk.headers['accept'] = 'application/json'\n\
             wrk.headers['user-agent'] = 'bench/1.0'\n\
             wrk.headers['x-ig-purpose'] = 'investigation'\n\
             wrk.headers['authorization'] = 'Bearer {}'\n",
            self.token
        );
        if let (Request::Proved, Some(proof)) = (request, proofs.first()) {
            writeln!(lua, "wrk.headers['x-ig-step-up'] = '{proof}'")?;
        }
        match request {
            Request::Read | Request::Proved | Request::ProvedAnew => writeln!(
                lua,
                "wrk.body = '{{\"documentId\":\"sha256:{}\",\"variables\":{{\"caseId\":\"case-1\",\"first\":10}}}}'",
                self.read_id
            )?,
            Request::Write => writeln!(
                lua,
                "local n = 0\n\
                 request = function()\n  \
                   n = n + 1\n  \
                   return wrk.format(nil, nil, nil, string.format('{{\"documentId\":\"sha256:{}\",\"variables\":{{\"input\":{{\"caseId\":\"case-1\",\"label\":\"bench %d\",\"retention\":\"short-30d\"}}}}}}', n))\n\
                 end",
                self.write_id
            )?,
        }
        if request == Request::ProvedAnew {
            lua.push_str("local proofs = {\n");
            for proof in proofs {
                writeln!(lua, "'{proof}',")?;
            }
            lua.push_str(
                "}\nlocal at = 0\n\
                 request = function()\n  \
                   at = at % #proofs + 1\n  \
                   wrk.headers['x-ig-step-up'] = proofs[at]\n  \
                   return wrk.format()\n\
                 end\n",
            );
        }
        lua.push_str(
            "done = function(summary, latency, requests)\n  \
               local e = summary.errors\n  \
               io.write(string.format('\\nRESULT {\"requests\":%d,\"seconds\":%f,\"p50\":%f,\"p99\":%f,\"errors\":%d}\\n',\n    \
                 summary.requests, summary.duration / 1000000, latency:percentile(50), latency:percentile(99),\n    \
                 e.connect + e.read + e.write + e.status + e.timeout))\n\
             end\n",
        );
        let name = match request {
            Request::Read => "read.lua",
            Request::Write => "write.lua",
            Request::Proved => "proved.lua",
            Request::ProvedAnew => "proved-anew.lua",
        };
        let file = folder.join(name);
        std::fs::write(&file, lua).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

/// Eight connections on one thread, as in the design's measurements.
const CONNECTIONS: &str = "8";

/// Puts load on a port.
///
/// # Errors
/// When wrk fails or prints no result.
pub(super) fn run(port: u16, script: &Path, time: Duration) -> Result<Load> {
    let out = Process::new(tools::wrk()?.path)
        .args(["--threads", "1", "--connections", CONNECTIONS])
        .args(["--duration", &format!("{}s", time.as_secs().max(1))])
        .arg("--script")
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}/graphql"))
        .capture()?;
    let result = out
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .with_context(|| format!("wrk gave no result:\n{}", out.stdout))?;
    serde_json::from_str(result).context("wrk's result is not what its script prints")
}
