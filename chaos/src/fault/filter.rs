//! Envoy's own fault filter, in front of every other, by its runtime.

use serde::Serialize;
use serde_json::{Value, json};

/// What the filter does, to so many of a hundred requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Half a second late.
    pub delayed: u8,
    /// Answered 503 by the filter.
    pub aborted: u8,
}

const DELAYED: &str = "chaos.delayed";
const ABORTED: &str = "chaos.aborted";

impl Filter {
    /// What the admin interface is asked for.
    pub(crate) fn path(self) -> String {
        let Self { delayed, aborted } = self;
        format!("/runtime_modify?{DELAYED}={delayed}&{ABORTED}={aborted}")
    }
}

/// A bootstrap with the filter, which does nothing until it is told to.
pub fn with_filter(mut bootstrap: Value) -> Value {
    let none = json!({"numerator": 0, "denominator": "HUNDRED"});
    let filter = json!({
        "name": "envoy.filters.http.fault",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"fixed_delay": "0.5s", "percentage": none},
            "abort": {"http_status": 503, "percentage": none},
            "delay_percent_runtime": DELAYED,
            "abort_percent_runtime": ABORTED,
        },
    });
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut();
    for listener in listeners.into_iter().flatten() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        if let Some(filters) = manager["http_filters"].as_array_mut() {
            filters.insert(0, filter.clone());
        }
    }
    bootstrap["layered_runtime"] = json!({"layers": [{"name": "admin", "admin_layer": {}}]});
    bootstrap
}
