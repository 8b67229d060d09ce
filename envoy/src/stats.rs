//! What Envoy's own metrics are made of: bounds of histograms, and labels.

use serde_json::{Value, json};

/// Milliseconds. Envoy's own bounds, with 350 and 900 beside them: those of the
/// service's objectives, so that the share of requests below them is counted
/// and not interpolated.
const BOUNDS_MS: [f64; 21] = [
    0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 350.0, 500.0, 900.0, 1e3, 2.5e3, 5e3, 1e4, 3e4,
    6e4, 3e5, 6e5, 1.8e6, 3.6e6,
];

/// Labels of the module's counters: each is `.name.value` in the counter's own
/// name, and one of a few words; a graph comes last, for its name may have dots.
const LABELS: [(&str, &str); 5] = [
    ("outcome", "[a-z-]+"),
    ("code", "[A-Z_]+|none"),
    ("call", "[a-z]+"),
    ("result", "[a-z]+"),
    ("graph", r"[A-Za-z0-9._-]+$"),
];

pub(crate) fn config() -> Value {
    let labels = LABELS.map(|(name, values)| {
        json!({
            "tag_name": name,
            "regex": format!(r"^wasmcustom\.ig_guard_.*?(\.{name}\.({values}))"),
        })
    });
    json!({
        "stats_tags": labels,
        "histogram_bucket_settings": [{
            "match": {"suffix": "_rq_time"},
            "buckets": BOUNDS_MS,
        }],
    })
}
