//! The API of a tracker: GitHub's (REST, version 2022-11-28), or Gitea's and
//! Forgejo's (`/api/v1`). Calls block.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use zeroize::Zeroizing;

use super::config::{IssuesConfig, TrackerKind};
use crate::auth::{encoded, system_authorities};
use crate::store::now;

/// How long a call may take.
const CALL: Duration = Duration::from_secs(10);
/// How long a turn's calls may begin, of all of them; the last may take [`CALL`] more.
/// A claim is longer than both.
const TURN: Duration = Duration::from_secs(60);
/// Largest answer that is read: a page of issues with long texts.
const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// Issues of a page, at most: what each API gives.
const fn page(kind: TrackerKind) -> usize {
    match kind {
        TrackerKind::Github => 100,
        TrackerKind::Gitea => 50,
    }
}
/// Pages that are looked through for an issue that may be there.
const MAX_PAGES: usize = 20;
/// The longest wait that a tracker may ask for, in milliseconds.
const LONGEST_WAIT: i64 = 60 * 60 * 1000;

/// Why a call did not do what it was to.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// Before any call.
    #[error("{0}")]
    Unable(String),
    /// No answer, or none that can be read: it may or may not be done.
    #[error("no answer: {0}")]
    Lost(String),
    /// No such issue, or no more.
    #[error("the issue is not there (any more)")]
    Gone,
    /// Not before this time, in milliseconds since the epoch.
    #[error("the tracker asks to wait ({status})")]
    Wait { status: u16, until: i64 },
    /// It is refused.
    #[error("the tracker answers {status}{}", hint(*.status))]
    Refused { status: u16 },
}

const fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => ": it has moved; put its new place in `[issues]`",
        401 => ": the token is not valid; put another in `issues.token-file`",
        403 => ": the token may not write issues there",
        404 => ": there is no such repository, or the token may not see it",
        410 => ": the repository has no issues; turn them on",
        _ => "",
    }
}

/// Until when the calls of a turn may begin.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// That of a turn that begins now.
    pub(super) fn of_turn() -> Self {
        Self(Instant::now() + TURN)
    }
}

/// What an issue is to say.
pub(super) struct Draft<'a> {
    pub(super) title: &'a str,
    /// What it is recognised by; its first line.
    pub(super) marker: &'a str,
    pub(super) body: &'a str,
    pub(super) is_open: bool,
}

impl Draft<'_> {
    fn text(&self) -> String {
        format!("{}\n{}", self.marker, self.body)
    }
}

/// Labels as the tracker takes them: names, or ids.
pub(super) struct Labels(Value);

/// An issue, as both APIs have it.
#[derive(Deserialize)]
struct Issue {
    number: i64,
    #[serde(default)]
    body: Option<String>,
    /// GitHub lists pull requests too.
    #[serde(default)]
    pull_request: Option<Value>,
}

/// A label, as Gitea has it.
#[derive(Deserialize)]
struct Label {
    id: i64,
    name: String,
}

/// Calls of one turn.
pub(super) struct Tracker<'a> {
    config: &'a IssuesConfig,
    agent: ureq::Agent,
    token: Zeroizing<String>,
    until: Deadline,
}

impl<'a> Tracker<'a> {
    /// # Errors
    /// [`CallError::Unable`] without a token, or authorities to trust.
    pub(super) fn new(config: &'a IssuesConfig, until: Deadline) -> Result<Self, CallError> {
        let token = config.token().map_err(CallError::Unable)?;
        let mut builder = ureq::Agent::config_builder()
            .timeout_global(Some(CALL))
            .http_status_as_error(false)
            // The token is for whom it was given, and nobody that they name.
            .max_redirects(0)
            .max_redirects_will_error(false);
        if config.url.starts_with("https://") {
            let ca = config.ca.clone().unwrap_or_else(system_authorities);
            let pem = std::fs::read(&ca)
                .map_err(|error| CallError::Unable(format!("{}: {error}", ca.display())))?;
            let authorities: Vec<_> = ureq::tls::parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&authorities));
            builder = builder.tls_config(tls.build());
        } else {
            // Without TLS a proxy of the environment's would read the token.
            builder = builder.proxy(None);
        }
        Ok(Self {
            config,
            agent: builder.build().new_agent(),
            token,
            until,
        })
    }

    /// The oldest issue that has a marker, of those that were changed since a time (in
    /// milliseconds since the epoch).
    ///
    /// # Errors
    /// [`CallError::Unable`] where there are more issues than are looked through: whether
    /// it is there is not known then.
    pub(super) fn find(&self, marker: &str, since: i64) -> Result<Option<i64>, CallError> {
        let since = encoded(&rfc3339(since));
        let most = page(self.config.kind);
        let mut found = None;
        for page in 1..=MAX_PAGES {
            let size = match self.config.kind {
                TrackerKind::Github => format!("per_page={most}&sort=created&direction=desc"),
                TrackerKind::Gitea => format!("limit={most}&type=issues"),
            };
            let path = format!("issues?state=all&since={since}&{size}&page={page}");
            let issues: Vec<Issue> = self.call("GET", &path, None)?;
            let own = issues.iter().filter(|issue| {
                let body = issue.body.as_deref().unwrap_or_default();
                issue.pull_request.is_none() && body.starts_with(marker)
            });
            found = own.map(|issue| issue.number).chain(found).min();
            // Fewer than asked for may be a page of a smaller limit.
            if issues.is_empty() {
                return Ok(found);
            }
        }
        Err(CallError::Unable(format!(
            "too many issues were changed since {since} to know whether one is there; give alerts \
             a repository of their own"
        )))
    }

    /// Whether the repository is where it was.
    pub(super) fn probe(&self) -> Result<(), CallError> {
        let size = match self.config.kind {
            TrackerKind::Github => "per_page",
            TrackerKind::Gitea => "limit",
        };
        let path = format!("issues?state=all&{size}=1&page=1");
        self.call("GET", &path, None).map(|_: Value| ())
    }

    /// Opens an issue; its number.
    pub(super) fn open(&self, draft: &Draft<'_>, labels: &Labels) -> Result<i64, CallError> {
        let new = json!({ "title": draft.title, "body": draft.text(), "labels": labels.0 });
        let issue: Issue = self.call("POST", "issues", Some(&new))?;
        Ok(issue.number)
    }

    /// Adds labels to an issue; those that it has stay, whoever put them there.
    pub(super) fn label(&self, number: i64, labels: &Labels) -> Result<(), CallError> {
        if labels.0.as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let more = json!({ "labels": labels.0 });
        let path = format!("issues/{number}/labels");
        self.call("POST", &path, Some(&more)).map(|_: Value| ())
    }

    /// Makes an issue say what it is to.
    ///
    /// # Errors
    /// [`CallError::Gone`] where it is deleted.
    pub(super) fn change(&self, number: i64, draft: &Draft<'_>) -> Result<(), CallError> {
        let state = if draft.is_open { "open" } else { "closed" };
        let change = json!({ "title": draft.title, "body": draft.text(), "state": state });
        let changed = self.call("PATCH", &format!("issues/{number}"), Some(&change));
        changed.map(|_: Issue| ())
    }

    /// Labels as the tracker takes them. Those that a repository of Gitea's has not are
    /// left out.
    pub(super) fn labels(&self, names: &[&str]) -> Result<Labels, CallError> {
        if names.is_empty() || self.config.kind == TrackerKind::Github {
            return Ok(Labels(json!(names)));
        }
        let size = page(self.config.kind);
        let labels: Vec<Label> = self.call("GET", &format!("labels?limit={size}"), None)?;
        let named = labels.iter().filter(|label| names.contains(&&*label.name));
        let ids: Vec<i64> = named.map(|label| label.id).collect();
        Ok(Labels(json!(ids)))
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, CallError> {
        if Instant::now() > self.until.0 {
            return Err(CallError::Unable("the tracker is too slow".into()));
        }
        let base = self.config.url.trim_end_matches('/');
        let url = format!("{base}/repos/{}/{path}", self.config.repository);
        let (scheme, media_type) = match self.config.kind {
            TrackerKind::Github => ("Bearer", "application/vnd.github+json"),
            TrackerKind::Gitea => ("token", "application/json"),
        };
        let authorization = Zeroizing::new(format!("{scheme} {}", self.token.as_str()));
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("authorization", authorization.as_str())
            .header("accept", media_type)
            .header("user-agent", "ig-control-plane");
        if self.config.kind == TrackerKind::Github {
            request = request.header("x-github-api-version", "2022-11-28");
        }
        let answer = match body {
            None => request.body(()).map(|request| self.agent.run(request)),
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map(|request| self.agent.run(request)),
        };
        let answer = answer.map_err(|_| CallError::Unable("issues.url: it is no URL".into()))?;
        let mut answer = answer.map_err(|error| CallError::Lost(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(refused(&answer, path, now()));
        }
        let limited = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        limited
            .read_json()
            .map_err(|error| CallError::Lost(error.to_string()))
    }
}

/// What an answer that is no success means, at this time.
fn refused<B>(answer: &Response<B>, path: &str, at: i64) -> CallError {
    let status = answer.status().as_u16();
    let number = |name: &str| -> Option<i64> {
        let value = answer.headers().get(name)?.to_str().ok()?;
        value.trim().parse().ok().filter(|number| *number >= 0)
    };
    if status >= 500 {
        // It may have been done all the same.
        if let Some(seconds) = number("retry-after") {
            return wait(status, at, seconds);
        }
        return CallError::Lost(format!("{status}"));
    }
    let is_issue = path.starts_with("issues/");
    match status {
        // GitHub says of an issue that is in another repository now where that is. It
        // is somebody else's; a repository that has moved is found out by its list.
        301 | 404 | 410 if is_issue => CallError::Gone,
        // GitHub's limits: the first has a header of its own, the second `retry-after`.
        403 | 429 => match (number("retry-after"), number("x-ratelimit-remaining")) {
            (Some(seconds), _) => wait(status, at, seconds),
            (None, Some(0)) => {
                let reset = number("x-ratelimit-reset").unwrap_or_default();
                wait(status, at, reset.saturating_sub(at / 1000))
            }
            (None, _) if status == 429 => wait(status, at, 60),
            (None, _) => CallError::Refused { status },
        },
        status => CallError::Refused { status },
    }
}

fn wait(status: u16, at: i64, seconds: i64) -> CallError {
    let millis = seconds.saturating_mul(1000).clamp(1000, LONGEST_WAIT);
    CallError::Wait {
        status,
        until: at + millis,
    }
}

/// A time of these, in UTC (days to a date after Hinnant, `civil_from_days`).
fn rfc3339(millis: i64) -> String {
    let seconds = millis.div_euclid(1000).max(0);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1000), expected);
        }
    }

    #[test]
    fn a_tracker_that_asks_to_wait_is_waited_for() {
        let at = 1_000_000;
        let of = |status: u16, headers: &[(&str, &str)]| {
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            refused(&answer.body(()).unwrap(), "issues", at)
        };
        for (status, headers, seconds) in [
            (403, &[("retry-after", "7")][..], 7),
            (429, &[("retry-after", "0")], 1),
            (429, &[], 60),
            (503, &[("retry-after", "9")], 9),
            (
                403,
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1030"),
                ],
                30,
            ),
            (403, &[("x-ratelimit-remaining", "0")], 1),
            (403, &[("retry-after", "999999999999")], 3600),
        ] {
            let until = at + seconds * 1000;
            let got = of(status, headers);
            assert!(
                matches!(got, CallError::Wait { until: then, .. } if then == until),
                "{status} {headers:?}: {got:?}"
            );
        }
        let refusal = of(
            403,
            &[("x-ratelimit-remaining", "12"), ("retry-after", "soon")],
        );
        assert!(matches!(refusal, CallError::Refused { status: 403 }));
        assert!(matches!(of(502, &[]), CallError::Lost(_)));
        let moved = Response::builder().status(301).body(()).unwrap();
        for (path, is_gone) in [
            ("issues/7", true),
            ("issues?page=1", false),
            ("issues", false),
        ] {
            let got = refused(&moved, path, at);
            assert_eq!(matches!(got, CallError::Gone), is_gone, "{path}: {got:?}");
        }
        assert!(matches!(of(404, &[]), CallError::Refused { status: 404 }));
    }
}
