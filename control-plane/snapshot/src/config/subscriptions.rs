//! GraphQL over WebSocket.

use std::collections::BTreeSet;

use ig_contract::snapshot::{Retired, Subscriptions};
use serde::Deserialize;
use url::Url;

use crate::Problems;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawSubscriptions {
    max_message_bytes: Option<u32>,
    max_operations: Option<u16>,
    messages_per_second: Option<u16>,
    max_connections: Option<u32>,
    init_timeout_seconds: Option<u32>,
    idle_timeout_seconds: Option<u32>,
    #[serde(default)]
    retired: Retired,
    origins: Option<BTreeSet<String>>,
}

impl From<RawSubscriptions> for Subscriptions {
    fn from(raw: RawSubscriptions) -> Self {
        let base = Self::default();
        Self {
            max_message_bytes: raw.max_message_bytes.unwrap_or(base.max_message_bytes),
            max_operations: raw.max_operations.unwrap_or(base.max_operations),
            messages_per_second: raw.messages_per_second.unwrap_or(base.messages_per_second),
            max_connections: raw.max_connections.unwrap_or(base.max_connections),
            init_timeout_seconds: raw
                .init_timeout_seconds
                .unwrap_or(base.init_timeout_seconds),
            idle_timeout_seconds: raw
                .idle_timeout_seconds
                .unwrap_or(base.idle_timeout_seconds),
            retired: raw.retired,
            origins: raw.origins,
        }
    }
}

pub(super) fn check(settings: &Subscriptions, problems: &mut Problems) {
    const MIB: u32 = 1024 * 1024;
    let numbers = [
        (
            "max-message-bytes",
            settings.max_message_bytes,
            1_024,
            8 * MIB,
        ),
        ("max-operations", settings.max_operations.into(), 1, 1_000),
        (
            "messages-per-second",
            settings.messages_per_second.into(),
            1,
            10_000,
        ),
        ("max-connections", settings.max_connections, 1, 1_000_000),
        ("init-timeout-seconds", settings.init_timeout_seconds, 1, 60),
        (
            "idle-timeout-seconds",
            settings.idle_timeout_seconds,
            1,
            86_400,
        ),
    ];
    for (key, value, least, most) in numbers {
        problems.range(format!("subscriptions.{key}"), value, least, most);
    }
    let origins = settings.origins.iter().flatten();
    for origin in origins.filter(|origin| !is_origin(origin)) {
        let message = format!(
            "`{origin}` is no origin as browsers write it, like `https://app.example:8443`"
        );
        problems.add("subscriptions.origins", message);
    }
    problems.check(
        settings
            .origins
            .as_ref()
            .is_none_or(|all| all.len() <= MOST_ORIGINS),
        "subscriptions.origins",
        format!("more than {MOST_ORIGINS}"),
    );
}

/// Most origins of a graph.
const MOST_ORIGINS: usize = 100;

/// Scheme, host and port as browsers write them (WHATWG URL): another spelling would never
/// be sent, and nobody could connect.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}
