//! GraphQL over WebSocket: whether it is let in, and how much of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Whether and how WebSockets are let in. Without it every upgrade is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Subscriptions {
    /// Longest message of an upstream, in bytes. Messages of clients are bounded by
    /// `limits.maxBodyBytes`.
    pub max_message_bytes: u32,
    /// Most operations of a connection at a time.
    pub max_operations: u16,
    /// Most messages of a client in a second; a second's worth may come at once.
    pub messages_per_second: u16,
    /// Most connections of a tenant in one worker of a gateway.
    pub max_connections: u32,
    /// Seconds from the handshake to `connection_init`.
    pub init_timeout_seconds: u32,
    /// Seconds without a byte in either direction, after which a connection is
    /// closed. Envoy's own time-outs for streams have to be longer.
    pub idle_timeout_seconds: u32,
    /// What becomes of an operation that runs when a release takes it out of the
    /// catalogue.
    pub retired: Retired,
    /// Origins whose pages may open a WebSocket, as browsers write them (RFC 6454
    /// §6.2); every one where there are none. Who is no browser sends none, and may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<BTreeSet<String>>,
}

/// What becomes of an operation that runs when it is not in the catalogue any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retired {
    /// It goes on to its end; nobody can begin it any more.
    #[default]
    Drain,
    /// It ends at once, with an error.
    Close,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self {
            max_message_bytes: 1 << 20,
            max_operations: 64,
            messages_per_second: 50,
            max_connections: 10_000,
            init_timeout_seconds: 10,
            idle_timeout_seconds: 3_600,
            retired: Retired::Drain,
            origins: None,
        }
    }
}
