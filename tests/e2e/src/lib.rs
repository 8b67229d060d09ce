//! A test bench around the real Envoy: it starts one with the guard's module,
//! in front of an upstream that records what reaches it, and speaks to it in
//! raw HTTP/1.1 and HTTP/2.

#![forbid(unsafe_code)]

mod authority;
mod client;
mod control_plane;
mod envoy;
mod events;
mod fixture;
mod listening;
mod load;
mod postgres;
mod process;
mod recorder;
mod redis;
mod regional;
mod scim;
mod socket;
mod socket_http2;
mod softhsm;

pub use authority::{Authority, Pair};
pub use client::{RawRequest, RawResponse, http1, http2};
pub use control_plane::{ControlPlane, call, fill, policy_bundle};
pub use envoy::{Envoy, Found, envoy_binary, free_address, module, workspace};
pub use events::open_events;
pub use fixture::{Fixture, Issuer, TokenClaims, demo};
pub use ig_authenticator::{Authenticator, Maker, flags};
pub use listening::Listening;
pub use load::{Answers, Connection, LoadRequest, Pace, load};
pub use postgres::{Postgres, postgres_binaries};
pub use process::{ControlPlaneProcess, as_from_a_shell, built};
pub use recorder::{Recorded, Recorder};
pub use redis::{Redis, redis_server};
pub use regional::{Host, RegionalUpstream, Served, signature};
pub use scim::{Scim, ScimAnswer, encoded};
pub use socket::{End, RawSocket, SocketUpstream, client_frame};
pub use softhsm::{SoftHsm, softhsm_module};
