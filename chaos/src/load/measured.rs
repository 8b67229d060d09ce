//! What was answered, and how long it took from when each request was to be sent: a
//! system that is slow does not make its own clock wait.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// A query.
    Read,
    /// A mutation.
    Write,
    /// A subscription: all of its few events.
    Subscription,
    /// The same over a WebSocket of its own.
    WebSocket,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Subscription, Self::WebSocket];

    /// Its name, as k6's tag has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Subscription => "subscription",
            Self::WebSocket => "websocket",
        }
    }

    /// The metric of its times, as k6 has it.
    pub(super) fn metric(self) -> String {
        match self {
            Self::WebSocket => "ws_subscription_duration".to_owned(),
            path => format!("http_req_duration{{path:{}}}", path.name()),
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it did.
    pub path: Path,
    /// When it was to be sent, from the beginning on.
    pub due: Duration,
    /// From then until the whole answer was there, or none came.
    pub took: Duration,
    /// Status, or the code of the first error; `none` for no answer.
    pub outcome: String,
    /// Whether it was served.
    pub is_served: bool,
}

/// Longest time that is told apart, in microseconds.
const LONGEST: u64 = 120_000_000;

/// Times, in microseconds.
pub(super) type Times = Histogram<u64>;

fn times() -> Result<Times> {
    Ok(Histogram::new_with_max(LONGEST, 3)?)
}

/// A second of the load.
#[derive(Clone, Debug)]
pub struct Second {
    /// Times of all that were due in it.
    pub times: Times,
    /// Of those, how many were not served.
    pub failed: u64,
}

/// All answers of a load.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Times of each path's requests, served or not.
    pub by_path: BTreeMap<Path, Times>,
    /// Times of all.
    pub all: Times,
    /// Times of all but WebSockets, as k6 counts them.
    pub http: Times,
    /// By path: how many were not served.
    pub failed: BTreeMap<Path, u64>,
    /// Answers by status or code.
    pub outcomes: BTreeMap<String, u64>,
    /// Requests that were not sent, for too many were under way.
    pub dropped: u64,
    /// Second by second.
    pub seconds: Vec<Second>,
}

impl Measured {
    /// Nothing yet.
    ///
    /// # Errors
    /// Never, in practice: the bounds are constants.
    pub fn new() -> Result<Self> {
        let mut by_path = BTreeMap::new();
        for path in Path::ALL {
            by_path.insert(path, times()?);
        }
        Ok(Self {
            by_path,
            all: times()?,
            http: times()?,
            failed: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            dropped: 0,
            seconds: Vec::new(),
        })
    }

    /// Counts an answer.
    ///
    /// # Errors
    /// Never, in practice.
    pub fn count(&mut self, answer: &Answer) -> Result<()> {
        let micros = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
        self.all.saturating_record(micros);
        if answer.path != Path::WebSocket {
            self.http.saturating_record(micros);
        }
        if let Some(times) = self.by_path.get_mut(&answer.path) {
            times.saturating_record(micros);
        }
        *self.outcomes.entry(answer.outcome.clone()).or_default() += 1;
        let second = usize::try_from(answer.due.as_secs())?;
        while self.seconds.len() <= second {
            // A second has few: fewer digits keep half an hour of them small.
            let times = Histogram::new_with_max(LONGEST, 2)?;
            self.seconds.push(Second { times, failed: 0 });
        }
        let failed = u64::from(!answer.is_served);
        *self.failed.entry(answer.path).or_default() += failed;
        if let Some(second) = self.seconds.get_mut(second) {
            second.times.saturating_record(micros);
            second.failed += failed;
        }
        Ok(())
    }

    /// How many were not served.
    pub fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// A quantile of times, in milliseconds.
pub fn milliseconds(times: &Times, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_path_and_second() {
        let mut measured = Measured::new().unwrap();
        for number in 0..1_000 {
            let answer = Answer {
                path: if number % 10 == 0 {
                    Path::Write
                } else {
                    Path::Read
                },
                due: Duration::from_millis(number * 2),
                took: Duration::from_millis(number),
                outcome: if number < 5 { "none" } else { "200" }.into(),
                is_served: number >= 5,
            };
            measured.count(&answer).unwrap();
        }
        assert_eq!(measured.all.len(), 1_000);
        assert_eq!(measured.by_path[&Path::Write].len(), 100);
        assert_eq!(measured.all_failed(), 5);
        assert_eq!(measured.seconds.len(), 2);
        assert_eq!(measured.seconds[0].failed, 5);
        assert_eq!(measured.outcomes["none"], 5);
        let median = milliseconds(&measured.all, 0.5);
        assert!((495.0..505.0).contains(&median), "{median}");
    }
}
