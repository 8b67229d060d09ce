//! A load test, as k6 summarises one: thresholds are computed again from the values.

use serde_json::Value;

use super::Outcome;
use crate::json;

/// A threshold: `p(95)<350`.
struct Threshold<'a> {
    value: &'a str,
    sign: &'a str,
    bound: f64,
}

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let metrics = report.get("metrics").and_then(Value::as_object);
    let metrics = metrics.ok_or("metrics is not an object")?;
    let mut outcome = Outcome::default();
    for (name, metric) in metrics {
        let Some(thresholds) = metric.get("thresholds").and_then(Value::as_object) else {
            continue;
        };
        if name.len() > json::MAX_NAME_BYTES {
            return Err("a metric has a name that is too long".into());
        }
        for (text, said) in thresholds {
            let threshold = Threshold::parse(text)
                .ok_or_else(|| format!("{name}: {text:?} is no threshold that is known"))?;
            let found = threshold.found(metric);
            let found =
                found.ok_or_else(|| format!("{name} has no value {:?}", threshold.value))?;
            // Of k6's two forms, one says `ok`, and the other whether it was crossed.
            let says = match said {
                Value::Bool(crossed) => !crossed,
                other => other.get("ok") == Some(&Value::Bool(true)),
            };
            outcome.add(format!("{name}: {text}"), threshold.holds(found) && says);
        }
    }
    let requests = metrics
        .get("http_reqs")
        .and_then(|metric| value(metric, "count"));
    outcome.add(
        "requests were made",
        requests.is_some_and(|count| count > 0.0),
    );
    match outcome.passed.len() + outcome.failed.len() {
        1 => Err("it has no thresholds".into()),
        _ => Ok(outcome),
    }
}

fn value(metric: &Value, name: &str) -> Option<f64> {
    let values = metric.get("values").unwrap_or(metric);
    let of = |name: &str| values.get(name).and_then(Value::as_f64);
    if name != "rate" {
        return of(name);
    }
    // A share is computed of what was counted; of nothing there is none.
    let count = |name: &str| of(name).filter(|count| *count >= 0.0);
    let (passes, fails) = (count("passes")?, count("fails")?);
    Some(passes / (passes + fails)).filter(|share| share.is_finite())
}

impl<'a> Threshold<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // The longer signs first: each begins with a shorter one.
        let sign = ["<=", ">=", "<", ">"]
            .into_iter()
            .find(|sign| text.contains(sign))?;
        let (value, bound) = text.split_once(sign)?;
        Some(Self {
            value: value.trim(),
            sign,
            bound: bound
                .trim()
                .parse()
                .ok()
                .filter(|bound: &f64| bound.is_finite())?,
        })
    }

    fn found(&self, metric: &Value) -> Option<f64> {
        // The rate of an older summary is called `value`.
        let older = match self.value {
            "rate" => Some("value"),
            _ => None,
        };
        value(metric, self.value).or_else(|| value(metric, older?))
    }

    fn holds(&self, found: f64) -> bool {
        match self.sign {
            "<=" => found <= self.bound,
            ">=" => found >= self.bound,
            "<" => found < self.bound,
            _ => found > self.bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thresholds_are_computed_and_not_believed() {
        let of = |p95: f64, said: Value| {
            json!({"metrics": {
                "http_reqs": {"values": {"count": 10}},
                "http_req_duration": {"values": {"p(95)": p95}, "thresholds": {"p(95)<350": said}},
            }})
        };
        for (report, good) in [
            (of(349.0, json!({"ok": true})), true),
            (of(349.0, json!(false)), true),
            (of(350.0, json!({"ok": true})), false),
            (of(349.0, json!({"ok": false})), false),
            (of(349.0, json!(true)), false),
        ] {
            assert_eq!(
                outcome(&report).unwrap().failed.is_empty(),
                good,
                "{report}"
            );
        }
        let failed = |passes: Value, fails: Value| {
            let values = json!({"rate": 0.0, "passes": passes, "fails": fails});
            json!({"metrics": {
                "http_reqs": {"values": {"count": 10}},
                "http_req_failed": {"values": values, "thresholds": {"rate<0.5": {"ok": true}}},
            }})
        };
        for (report, good) in [
            (failed(json!(4), json!(6)), true),
            (failed(json!(6), json!(4)), false),
        ] {
            assert_eq!(
                outcome(&report).unwrap().failed.is_empty(),
                good,
                "{report}"
            );
        }
        for report in [
            json!({}),
            json!({"metrics": {"http_reqs": {"values": {"count": 10}}}}),
            failed(json!(0), json!(0)),
            failed(json!(-2), json!(6)),
            failed(json!("0"), json!(6)),
            failed(json!(0), Value::Null),
            json!({"metrics": {"a": {"values": {}, "thresholds": {"p(95)<1": {"ok": true}}}}}),
            json!({"metrics": {"a": {"values": {"x": 1}, "thresholds": {"x~1": {"ok": true}}}}}),
        ] {
            assert!(outcome(&report).is_err(), "{report}");
        }
    }
}
