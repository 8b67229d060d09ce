//! What a load was, in the shape that k6 gives `handleSummary`, so that what reads one
//! reads the other.

use serde_json::{Map, Value, json};

use super::measured::{Measured, Times, milliseconds};
use super::usage::Growth;
use crate::versions::Versions;

/// Quantiles of all requests, and the milliseconds that they must stay below: as in
/// `tests/load/options.js`.
pub const THRESHOLDS: [(f64, &str, f64); 2] = [(0.95, "p(95)", 350.0), (0.99, "p(99)", 900.0)];

/// Share of requests that may fail.
pub const MOST_FAILED: f64 = 0.001;

/// What a load was of.
pub struct Load<'a> {
    /// Its profile's name.
    pub profile: &'a str,
    /// Requests a second at the most.
    pub rate: f64,
    /// Requests a second that there can be, where somebody looked.
    pub capacity: Option<f64>,
    /// Milliseconds that it took.
    pub took: u64,
    /// What was answered.
    pub measured: &'a Measured,
    /// What became of processes.
    pub growth: &'a [Growth],
    /// Of what.
    pub versions: &'a Versions,
}

impl Load<'_> {
    /// Whether every threshold is kept, and nothing grew where that was looked at.
    pub fn holds(&self) -> bool {
        let is_fast = |times: &Times| {
            THRESHOLDS
                .iter()
                .all(|(quantile, _, most)| is_kept(times, *quantile, *most))
        };
        let measured = self.measured;
        measured
            .by_path
            .values()
            .chain([&measured.all])
            .all(is_fast)
            && self.failed() < MOST_FAILED
            && measured.dropped == 0
            && (self.profile != "soak" || self.is_steady())
    }

    /// Whether processes were looked at, and none grew.
    fn is_steady(&self) -> bool {
        !self.growth.is_empty() && self.growth.iter().all(|one| one.holds)
    }

    fn failed(&self) -> f64 {
        self.measured.all_failed() as f64 / (self.measured.all.len().max(1)) as f64
    }

    /// The summary.
    pub fn summary(&self) -> Value {
        let measured = self.measured;
        let seconds = (self.took as f64 / 1000.0).max(0.001);
        let counter = |count: u64| {
            json!({
                "type": "counter", "contains": "default",
                "values": {"count": count, "rate": count as f64 / seconds},
            })
        };
        let (count, failed) = (measured.all.len(), measured.all_failed());
        let mut metrics = Map::new();
        metrics.insert("http_req_duration".into(), trend(&measured.http));
        for (path, times) in &measured.by_path {
            metrics.insert(path.metric(), trend(times));
        }
        metrics.insert("http_reqs".into(), counter(count));
        metrics.insert("iterations".into(), counter(count));
        metrics.insert(
            "dropped_iterations".into(),
            with_threshold(counter(measured.dropped), "count<1", measured.dropped == 0),
        );
        let rate = json!({
            "type": "rate", "contains": "default",
            // As k6 has it: what fails is what passes.
            "values": {"rate": self.failed(), "passes": failed, "fails": count - failed},
        });
        let said = format!("rate<{MOST_FAILED}");
        metrics.insert(
            "http_req_failed".into(),
            with_threshold(rate, &said, self.failed() < MOST_FAILED),
        );
        json!({
            // No field of k6's: which program sent the requests.
            "engine": {
                "name": "ig-load",
                "about": "open loop; times are from when a request was to be sent",
                "profile": self.profile, "rate": self.rate, "capacity": self.capacity,
                "holds": self.holds(), "versions": self.versions,
                "answers": measured.outcomes, "growth": self.growth,
            },
            "root_group": {
                "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e",
                "groups": [], "checks": [],
            },
            "options": {
                "summaryTrendStats": ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"],
                "summaryTimeUnit": "", "noColor": false,
            },
            "state": {"isStdOutTTY": false, "isStdErrTTY": false, "testRunDurationMs": self.took},
            "metrics": metrics,
        })
    }
}

fn with_threshold(mut metric: Value, threshold: &str, is_kept: bool) -> Value {
    metric["thresholds"] = json!({threshold: {"ok": is_kept}});
    metric
}

/// What nobody asked for was not in time.
fn is_kept(times: &Times, quantile: f64, most: f64) -> bool {
    !times.is_empty() && milliseconds(times, quantile) < most
}

fn trend(times: &Times) -> Value {
    let at = |quantile| milliseconds(times, quantile);
    let mut thresholds = Map::new();
    for (quantile, name, most) in THRESHOLDS {
        thresholds.insert(
            format!("{name}<{most}"),
            json!({"ok": is_kept(times, quantile, most)}),
        );
    }
    json!({
        "type": "trend", "contains": "time",
        "values": {
            "avg": times.mean() / 1000.0, "min": times.min() as f64 / 1000.0, "med": at(0.5),
            "max": times.max() as f64 / 1000.0, "p(90)": at(0.9), "p(95)": at(0.95),
            "p(99)": at(0.99),
        },
        "thresholds": thresholds,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{Answer, Path};

    fn measured(milliseconds: u64, failed: u64) -> Measured {
        measured_of(&Path::ALL, milliseconds, failed)
    }

    fn measured_of(paths: &[Path], milliseconds: u64, failed: u64) -> Measured {
        let mut measured = Measured::new().unwrap();
        for (number, path) in (0..1_000).zip(paths.iter().cycle()) {
            let is_served = number >= failed;
            let answer = Answer {
                path: *path,
                due: Duration::from_millis(number),
                took: Duration::from_millis(milliseconds),
                outcome: if is_served { "200" } else { "503" }.into(),
                is_served,
            };
            measured.count(&answer).unwrap();
        }
        measured
    }

    fn growth(percent: f64) -> Growth {
        Growth {
            name: "Envoy".into(),
            memory_warm: 1,
            memory_end: 1,
            memory_percent: percent,
            files: [1, 1],
            holds: percent <= 5.0,
        }
    }

    #[test]
    fn what_is_slow_fails_is_left_unsent_or_grows_does_not_hold() {
        let versions = Versions::now();
        let of = |profile, measured: &Measured, grown: f64| {
            let growth = [growth(grown)];
            let load = Load {
                profile,
                rate: 200.0,
                capacity: None,
                took: 1_000,
                measured,
                growth: &growth,
                versions: &versions,
            };
            (load.holds(), load.summary())
        };
        let mut unsent = measured(10, 0);
        unsent.dropped = 1;
        for (profile, measured, grown, expected) in [
            ("stress", measured(10, 0), 9.0, true),
            ("soak", measured(10, 0), 4.0, true),
            ("soak", measured(10, 0), 9.0, false),
            ("stress", measured(400, 0), 0.0, false),
            ("stress", measured(10, 2), 0.0, false),
            ("stress", unsent, 0.0, false),
            ("stress", measured_of(&Path::ALL[..3], 10, 0), 0.0, false),
        ] {
            let (holds, summary) = of(profile, &measured, grown);
            assert_eq!(holds, expected, "{summary}");
            assert_eq!(summary["engine"]["holds"], expected);
        }
    }

    #[test]
    fn a_soak_that_looked_at_no_process_does_not_hold() {
        let (measured, versions) = (measured(10, 0), Versions::now());
        let holds = |profile| {
            let load = Load {
                profile,
                rate: 200.0,
                capacity: None,
                took: 1_000,
                measured: &measured,
                growth: &[],
                versions: &versions,
            };
            load.holds()
        };
        assert!(holds("stress"));
        assert!(!holds("soak"));
    }

    #[test]
    fn the_summary_has_the_shape_of_k6() {
        let (measured, versions) = (measured(10, 1), Versions::now());
        let load = Load {
            profile: "stress",
            rate: 200.0,
            capacity: None,
            took: 2_000,
            measured: &measured,
            growth: &[],
            versions: &versions,
        };
        let summary = load.summary();
        assert_eq!(summary["engine"]["name"], "ig-load");
        assert_eq!(summary["state"]["testRunDurationMs"], 2_000);
        let metrics = &summary["metrics"];
        assert_eq!(metrics["http_reqs"]["values"]["count"], 1_000);
        assert_eq!(metrics["http_reqs"]["values"]["rate"], 500.0);
        assert_eq!(metrics["http_req_failed"]["values"]["rate"], 0.001);
        // By these names controls ask for them (evidence/controls.toml).
        let failed = &metrics["http_req_failed"]["thresholds"];
        assert_eq!(failed["rate<0.001"]["ok"], false);
        for name in [
            "http_req_duration",
            "http_req_duration{path:write}",
            "ws_subscription_duration",
        ] {
            let trend = &metrics[name];
            assert_eq!(trend["type"], "trend");
            let p95 = trend["values"]["p(95)"].as_f64().unwrap();
            assert!((9.9..10.1).contains(&p95), "{p95}");
            assert_eq!(trend["thresholds"]["p(95)<350"]["ok"], true);
            assert_eq!(trend["thresholds"]["p(99)<900"]["ok"], true);
        }
    }
}
