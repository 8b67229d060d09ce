//! `[rate-limit]` of the control plane's configuration.

use std::time::Duration;

use serde::Deserialize;

/// Where the fleet's buckets are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RateLimitConfig {
    /// Redis that replicas share. Without it each replica has its own buckets.
    pub redis: Option<RedisUrl>,
    /// How long Redis may take to answer, in milliseconds; then the replica does.
    pub redis_timeout_ms: u32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            redis: None,
            // Envoy waits 50 ms by default.
            redis_timeout_ms: 20,
        }
    }
}

impl RateLimitConfig {
    pub(crate) fn redis_timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout_ms.into())
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // The URL itself may hold a password.
        let is_url = |url: &RedisUrl| redis::Client::open(url.as_str()).is_ok();
        if !self.redis.as_ref().is_none_or(is_url) {
            problems.push(
                "rate-limit.redis: must be `redis://…`, `rediss://…` or `unix://…`".to_owned(),
            );
        }
        if !(1..=10_000).contains(&self.redis_timeout_ms) {
            problems.push("rate-limit.redis-timeout-ms: must be from 1 to 10000".to_owned());
        }
        problems
    }
}

/// URL of a Redis. It may hold a password, so it shows itself to whoever asks
/// for it only.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}
