//! The request that opens a WebSocket. Who asks is decided here, as for any
//! request; what is asked is decided message by message.

use std::rc::Rc;

#[cfg(feature = "policy")]
use ig_contract::Mode;
use ig_contract::{Deny, DenyCode};
use ig_websocket::Protocol;

use crate::effect::{Forward, Step};
use crate::exchange::By;
use crate::record::Ruling;
use crate::{Exchange, Guard};

const TOO_MANY: Deny = Deny::new(
    DenyCode::RateLimited,
    "websocket-connections",
    "Your tenant has as many WebSockets open as it may; close one, or try again later.",
);

/// A key of this request's: 16 bytes in base64 (RFC 6455 §4.1), of whose alphabet
/// the digits of its id are. It is no secret; the last digits are random.
fn key(decision_id: &str) -> String {
    let digits = decision_id.chars().rev().filter(char::is_ascii_hexdigit);
    let digits: String = digits.chain(std::iter::repeat('0')).take(21).collect();
    // The last character has two bits of the 16 bytes, and four that are none.
    format!("{digits}A==")
}

impl Exchange {
    /// The sub-protocol of a handshake that went on; nothing for other requests,
    /// and for those that another gateway decides on.
    pub fn opens(&self) -> Option<Protocol> {
        #[cfg(feature = "policy")]
        if self.is_elsewhere() {
            return None;
        }
        self.protocol
    }

    /// Denies a handshake of a tenant that has as many connections as it may.
    pub fn deny_connection(&self) -> Step {
        self.finish(
            self.guard.as_deref(),
            &[Ruling::deny(self.judge_of_sockets(), TOO_MANY, None)],
        )
    }

    pub(crate) fn on_handshake(&mut self, guard: &Rc<Guard>) -> Step {
        let settings = guard.subscriptions();
        let origins = settings.and_then(|settings| settings.origins.as_ref());
        let may_come = self.head.check_origin(origins);
        let chosen = may_come.and_then(|()| self.head.choose_protocol());
        let ruling = self.check_with(guard, || chosen.clone().map(|_| ()));
        #[cfg(feature = "policy")]
        if !self.is_denied(ruling.as_slice())
            && let Some(step) = self.leave(guard)
        {
            return step;
        }
        if let Some(ruling) = ruling {
            return self.finish(Some(guard), &[ruling]);
        }
        self.protocol = chosen.ok();
        #[cfg(feature = "policy")]
        if let Some(step) = self.find_actor() {
            return step;
        }
        self.go_on()
    }

    /// Lets the handshake go on: with one sub-protocol, and without extensions,
    /// since what an extension does to frames nobody here could read.
    pub(crate) fn admit(&self, protocol: Protocol) -> Step {
        let Some(guard) = &self.guard else {
            return self.finish(None, &[Ruling::admitted(By::PersistedQuery)]);
        };
        #[cfg(feature = "policy")]
        if guard.guards.policy
            && self.mode(By::Policy) == Mode::Enforce
            && let Err(deny) = self.asker.actor()
        {
            return self.finish(Some(guard), &[Ruling::deny(By::Policy, deny, None)]);
        }
        let mut forward = Forward::default();
        let name = protocol.as_str().to_owned();
        forward.set.push(("sec-websocket-protocol", name));
        forward.set.push(("sec-websocket-version", "13".to_owned()));
        // Upstreams demand a key. Within HTTP/2 there is none, and Envoy makes none.
        if !self.head.has_key() {
            forward
                .set
                .push(("sec-websocket-key", key(&self.decision_id)));
        }
        let endpoint = &guard.snapshot().head().endpoint;
        if self.head.target() != endpoint {
            forward.set.push((":path", endpoint.clone()));
        }
        let rulings = [Ruling::admitted(self.judge_of_sockets())];
        let mut step = self.finish_as(Some(guard), &rulings, false, forward);
        if let Step::Forward(forward) = &mut step {
            forward.remove.push("sec-websocket-extensions".to_owned());
            // A body comes before the first frame (RFC 9110 §7.8): with a length, the
            // upstream would read frames from elsewhere than the guard.
            forward.remove.push("content-length".to_owned());
            forward.remove.push("transfer-encoding".to_owned());
        }
        step
    }

    /// Whose decision it is that somebody may be here.
    fn judge_of_sockets(&self) -> By {
        #[cfg(feature = "policy")]
        if self.decides_who() {
            return By::Policy;
        }
        By::PersistedQuery
    }
}
