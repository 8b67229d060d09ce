//! Why a connection ends, where no operation was denied: its record, and its close
//! frame.

use std::time::Duration;

use ig_contract::{Deny, DenyCode};
use ig_websocket::{Close, Failure};

use super::Socket;
use super::turn::{To, Turn};
use crate::effect::Step;
use crate::exchange::By;
use crate::record::Ruling;

/// What a record says of an end, and what the client is told.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    rule: &'static str,
    code: DenyCode,
    close: Close,
}

/// Nobody is told it: the client gets a close frame.
const ENDED: &str = "The connection has ended.";

const fn broken(rule: &'static str, close: Close) -> Cause {
    Cause {
        rule,
        code: DenyCode::BadRequest,
        close,
    }
}

const fn too_much(rule: &'static str, close: Close) -> Cause {
    Cause {
        rule,
        code: DenyCode::RateLimited,
        close,
    }
}

const fn of_upstream(rule: &'static str) -> Cause {
    Cause {
        rule,
        code: DenyCode::UpstreamUnavailable,
        close: Close::UPSTREAM,
    }
}

impl Cause {
    pub(super) const BINARY: Self =
        broken("websocket-binary", Close::new(1003, "Messages are text"));
    pub(super) const MESSAGE: Self = broken("websocket-message", Close::BAD_REQUEST);
    pub(super) const INIT: Self = broken("websocket-init", Close::BAD_REQUEST);
    pub(super) const SECOND_INIT: Self = broken("websocket-second-init", Close::SECOND_INIT);
    pub(super) const BEFORE_ACK: Self = broken("websocket-before-ack", Close::UNAUTHORIZED);
    pub(super) const ID: Self = broken("websocket-id", Close::ID_IN_USE);
    pub(super) const INIT_TIMEOUT: Self = broken("websocket-init-timeout", Close::INIT_TIMEOUT);
    pub(super) const IDLE: Self = broken("websocket-idle", Close::IDLE);
    #[cfg(feature = "policy")]
    pub(super) const EXPIRED: Self = broken("websocket-expired", Close::FORBIDDEN);
    pub(super) const RATE: Self = too_much("websocket-rate", Close::TOO_MUCH);
    pub(super) const AHEAD: Self = too_much("websocket-ahead", Close::TOO_MUCH);
    pub(super) const DECISIONS: Self = too_much("websocket-decisions", Close::COME_AGAIN);
    /// A release takes the setting out.
    pub(super) const OFF: Self = Self {
        rule: "websocket-off",
        code: DenyCode::UpgradeRefused,
        close: Close::FORBIDDEN,
    };
    /// Whoever connects again is sent to where its tenant lives now.
    #[cfg(feature = "policy")]
    pub(super) const MOVED: Self = Self {
        rule: "websocket-moved",
        code: DenyCode::RegionMisdirected,
        close: Close::COME_AGAIN,
    };
    #[cfg(feature = "policy")]
    pub(super) const DIRECTORY: Self = Self {
        rule: "websocket-directory",
        code: DenyCode::GuardUnavailable,
        close: Close::TRY_LATER,
    };
    pub(super) const ANSWER: Self = of_upstream("websocket-answer");
    pub(super) const UPSTREAM_BINARY: Self = of_upstream("websocket-upstream-binary");
    pub(super) const UPSTREAM_MESSAGE: Self = of_upstream("websocket-upstream-message");

    /// Bytes that are no frames.
    pub(super) const fn of(from: To, failure: Failure) -> Self {
        match from {
            To::Client => broken("websocket-frame", Close::of(failure)),
            To::Upstream => of_upstream("websocket-upstream-frame"),
        }
    }
}

impl Socket {
    /// Ends the connection: leaves a record, and tells both sides.
    pub(super) fn close_for(&mut self, cause: Cause, turn: &mut Turn) {
        if self.is_over() {
            return;
        }
        self.record_end(cause, turn);
        self.close(cause.close, turn);
    }

    pub(super) fn record_end(&self, cause: Cause, turn: &mut Turn) {
        let Some(exchange) = self.exchange(Duration::ZERO, None) else {
            return;
        };
        let deny = Deny::new(cause.code, cause.rule, ENDED);
        let ruling = Ruling::deny(By::PersistedQuery, deny, None);
        match exchange.finish(Some(&self.guard), &[ruling]) {
            Step::Reply(reply) => turn.note(&reply.records, &reply.verdicts),
            // In shadow it is no answer; it is closed all the same, as no upstream
            // could read it.
            Step::Forward(forward) => turn.note(&forward.records, &forward.verdicts),
            _ => {}
        }
    }
}
