//! What a gateway's configuration says to its guards of traces.
//!
//! A guard cannot see whether [`headers::TRACE`](crate::headers::TRACE) is the gateway's or
//! a client's. So a gateway that writes it says so in the metadata of its node, which no
//! client reaches.

/// Member of the node's metadata.
pub const METADATA: &str = "ig.trace";
/// Its value where the gateway writes the header, over whatever a client has sent.
pub const WRITTEN: &str = "written";
