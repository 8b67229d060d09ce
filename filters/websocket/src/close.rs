//! Close codes and reasons (RFC 6455 §7.4, and those of the sub-protocols).

use crate::Failure;

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Close {
    /// Code, as it is sent.
    pub code: u16,
    /// Reason, at most 123 bytes.
    pub reason: &'static str,
}

impl Close {
    /// The other side closed without a code.
    pub const NORMAL: Self = Self::new(1000, "");
    /// The connection has done what one connection may: come again.
    pub const COME_AGAIN: Self = Self::new(1012, "Connect again");
    /// It cannot be found out whether the client may go on.
    pub const TRY_LATER: Self = Self::new(1013, "Try again later");
    /// A message that the sub-protocol does not have.
    pub const BAD_REQUEST: Self = Self::new(4400, "Invalid message received");
    /// Something was asked before `connection_ack`.
    pub const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    /// The client may not be here, or not any more.
    pub const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    /// No `connection_init` in time.
    pub const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// An id that is in use.
    pub const ID_IN_USE: Self = Self::new(4409, "Subscriber already exists");
    /// A second `connection_init`.
    pub const SECOND_INIT: Self = Self::new(4429, "Too many initialisation requests");
    /// More messages, or more at a time, than allowed.
    pub const TOO_MUCH: Self = Self::new(4429, "Too many requests");
    /// Neither side said anything for too long.
    pub const IDLE: Self = Self::new(1001, "Idle for too long");
    /// The upstream said something that is no message.
    pub const UPSTREAM: Self = Self::new(1011, "The upstream broke the protocol");

    /// A code and its reason.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// What the side is told whose bytes could not be read.
    pub const fn of(failure: Failure) -> Self {
        Self::new(failure.code(), failure.reason())
    }
}

/// Whether a peer may send a code (RFC 6455 §7.4, and IANA's registry).
pub(crate) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
