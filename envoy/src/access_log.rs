//! The access log: one JSON object a line, decisions included.

use ig_contract::decision::FILTER_STATE_KEY;
use serde_json::{Value, json};

use crate::options::{Guard, SnapshotFrom, StaticOptions};
use crate::{AccessLog, control_plane};

/// Envoy's text format does not escape, so nothing a client can choose stands
/// here. What clients choose is in the decisions, which the guard writes as
/// JSON; its key has the prefix that Envoy gives filter state of Wasm modules.
fn line() -> String {
    let decisions = format!("%FILTER_STATE(wasm.{FILTER_STATE_KEY}:PLAIN)%");
    let members = [
        ("startTime", r#""%START_TIME%""#),
        ("protocol", r#""%PROTOCOL%""#),
        ("status", "%RESPONSE_CODE%"),
        ("flags", r#""%RESPONSE_FLAGS%""#),
        ("durationMs", "%DURATION%"),
        ("bytesReceived", "%BYTES_RECEIVED%"),
        ("bytesSent", "%BYTES_SENT%"),
        ("upstreamCluster", r#""%UPSTREAM_CLUSTER%""#),
        ("upstreamHost", r#""%UPSTREAM_HOST%""#),
        ("decisions", &format!("[{decisions}]")),
    ];
    let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}\n", members.join(","))
}

/// The log, and one to the control plane for each guard that it feeds.
pub(crate) fn all(options: &StaticOptions) -> Vec<Value> {
    std::iter::once(render(&options.access_log))
        .chain(decisions(options))
        .collect()
}

/// The logs to the control plane.
pub(crate) fn decisions(options: &StaticOptions) -> Vec<Value> {
    let is_fed = |guard: &&Guard| guard.snapshot == SnapshotFrom::ControlPlane;
    let fed = options.guards.iter().filter(is_fed);
    fed.map(control_plane::access_log).collect()
}

fn render(log: &AccessLog) -> Value {
    // `omit_empty_values`: a request without a decision logs an empty list.
    let format = json!({
        "text_format_source": {"inline_string": line()},
        "omit_empty_values": true,
    });
    match log {
        AccessLog::Stdout => json!({
            "name": "envoy.access_loggers.stdout",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": format,
            },
        }),
        AccessLog::File(path) => json!({
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path.to_string_lossy(),
                "log_format": format,
            },
        }),
    }
}
