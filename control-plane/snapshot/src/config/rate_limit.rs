//! How much callers may ask for.

use std::collections::BTreeMap;

use ig_contract::snapshot::{
    ClassLimits, MAX_RATE_PERCENT, MAX_RATES, OperationClass, Rate, RateLimit,
};
use serde::Deserialize;

use super::check::{NAME, is_visible};
use crate::Problems;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawRateLimit {
    #[serde(default)]
    classes: BTreeMap<OperationClass, RawClass>,
    #[serde(default)]
    clients: BTreeMap<String, u32>,
    #[serde(default = "RateLimit::default_slots")]
    slots: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawClass {
    #[serde(default)]
    subject: Vec<RawRate>,
    #[serde(default)]
    tenant: Vec<RawRate>,
    #[serde(default)]
    fleet: Vec<RawRate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawRate {
    cost: u32,
    #[serde(default = "one")]
    seconds: u32,
    /// What comes in the time, where it is not said.
    burst: Option<u32>,
}

const fn one() -> u32 {
    1
}

impl From<RawRateLimit> for RateLimit {
    fn from(raw: RawRateLimit) -> Self {
        let classes = raw.classes.into_iter();
        Self {
            classes: classes.map(|(class, raw)| (class, raw.into())).collect(),
            clients: raw.clients,
            slots: raw.slots,
        }
    }
}

impl From<RawClass> for ClassLimits {
    fn from(raw: RawClass) -> Self {
        let rates = |raw: Vec<RawRate>| raw.into_iter().map(Into::into).collect();
        Self {
            subject: rates(raw.subject),
            tenant: rates(raw.tenant),
            fleet: rates(raw.fleet),
        }
    }
}

impl From<RawRate> for Rate {
    fn from(raw: RawRate) -> Self {
        Self {
            cost: raw.cost,
            seconds: raw.seconds,
            burst: raw.burst.unwrap_or(raw.cost),
        }
    }
}

pub(super) fn check(limits: &RateLimit, problems: &mut Problems) {
    problems.range("rate-limit.slots", limits.slots, 64, 4_194_304);
    for (client, percent) in &limits.clients {
        let path = format!("rate-limit.clients.{client}");
        problems.check(is_visible(client), &path, NAME);
        problems.range(path, *percent, 1, MAX_RATE_PERCENT);
    }
    for (class, limits) in &limits.classes {
        let path = format!("rate-limit.classes.{}", class.as_str());
        let lists = [
            ("subject", &limits.subject),
            ("tenant", &limits.tenant),
            ("fleet", &limits.fleet),
        ];
        for (list, rates) in lists {
            let path = format!("{path}.{list}");
            let message = format!("has {} rates; {MAX_RATES} is the most", rates.len());
            problems.check(rates.len() <= MAX_RATES, &path, message);
            for one in rates {
                rate(one, &path, problems);
            }
        }
    }
}

fn rate(rate: &Rate, path: &str, problems: &mut Problems) {
    // Buckets are counted in nanoseconds.
    const PER_SECOND: u32 = 1_000_000;
    problems.range(format!("{path}.seconds"), rate.seconds, 1, 7 * 24 * 60 * 60);
    let most = rate.seconds.saturating_mul(PER_SECOND);
    problems.range(format!("{path}.cost"), rate.cost, 1, most);
    problems.range(format!("{path}.burst"), rate.burst, 1, 1_000_000_000);
}
