//! How much upstreams are given, and what is done when they fail.

use std::time::Duration;

/// Retries, ejections and shedding. What one tenant class may use up is in
/// [`Upstream`](crate::Upstream).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backpressure {
    /// What is sent again.
    pub retries: Retries,
    /// When a host is left out for a while.
    pub outliers: OutlierDetection,
    /// When requests are refused before they reach an upstream that fails; none
    /// refuses nothing.
    pub admission: Option<AdmissionControl>,
    /// What hosts are asked in between; none asks nothing.
    pub health_check: Option<HealthCheck>,
}

impl Default for Backpressure {
    fn default() -> Self {
        Self {
            retries: Retries::default(),
            outliers: OutlierDetection::default(),
            admission: Some(AdmissionControl::default()),
            health_check: None,
        }
    }
}

/// What is sent again. A query may be, whatever became of it before; anything
/// else only where it cannot have reached the upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retries {
    /// Most retries of a query.
    pub reads: u32,
    /// Most retries of anything else.
    pub writes: u32,
    /// Pause before the first retry; those of later ones grow exponentially,
    /// and each is a random share of it.
    pub base_interval: Duration,
    /// Longest pause.
    pub max_interval: Duration,
    /// Retries at a time, in percent of the requests under way: when everything
    /// fails, retries must not be most of the load.
    pub budget_percent: u8,
    /// Retries at a time that there may always be.
    pub budget_min: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            reads: 2,
            writes: 1,
            base_interval: Duration::from_millis(25),
            max_interval: Duration::from_millis(250),
            budget_percent: 20,
            budget_min: 3,
        }
    }
}

/// When a host is left out for a while. What counts is that it cannot be
/// reached, and 502, 503 and 504: a 500 is an answer of a host that works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutlierDetection {
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Time between looking who comes back.
    pub interval: Duration,
    /// How long a host is left out the first time; later it is longer.
    pub base_ejection: Duration,
    /// How long at most.
    pub max_ejection: Duration,
    /// Hosts that may be left out at a time, in percent. With fewer than all,
    /// reads would not fall back from dead replicas.
    pub max_ejection_percent: u8,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            // Short, since all of a region's hosts may be left out at once.
            interval: Duration::from_secs(1),
            base_ejection: Duration::from_secs(1),
            max_ejection: Duration::from_secs(5),
            max_ejection_percent: 100,
        }
    }
}

/// When requests are refused before they reach an upstream that fails: the more
/// of the last ones failed, the likelier. 502, 503 and 504 are failures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdmissionControl {
    /// The time that is looked back on, in whole seconds.
    pub window: Duration,
    /// Successes below which requests are refused, in percent. Half of them, so
    /// that queries go on while the primary alone is down.
    pub success_percent: u8,
    /// Requests a second, of one worker, below which none is refused.
    pub min_requests_per_second: u32,
    /// Most that are refused, in percent; the others find out when it is over.
    pub max_rejection_percent: u8,
}

impl Default for AdmissionControl {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            success_percent: 50,
            min_requests_per_second: 10,
            max_rejection_percent: 80,
        }
    }
}

/// What hosts of upstreams are asked in between. Gateways of other regions are
/// not: what they serve is not this proxy's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HealthCheck {
    /// Path of a GET that a healthy host answers 200.
    pub path: String,
    /// Time between two.
    pub interval: Duration,
    /// For the answer.
    pub timeout: Duration,
    /// How often in a row there is no answer before a host is left out. Another
    /// answer than 200 is enough.
    pub unhealthy_threshold: u32,
    /// Answers in a row after which it is back.
    pub healthy_threshold: u32,
}

impl HealthCheck {
    /// The path, every two seconds.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            unhealthy_threshold: 2,
            healthy_threshold: 1,
        }
    }
}

/// Limits that the control plane counts for all proxies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GlobalLimits {
    /// For its answer. After it, the request goes on: the proxy's own limits
    /// still hold.
    pub timeout: Duration,
}

impl Default for GlobalLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(50),
        }
    }
}
