//! The request that opens a WebSocket, and the answer to it.

use std::cell::RefCell;
use std::rc::Rc;

use ig_guard::{Forward, Notice, Socket, Step};
use ig_websocket::is_answer_of;
use proxy_wasm::types::Action;

use super::{HttpRequest, Stage};
use crate::host::{self, Buffer, HostError, Map, Pairs, UNREADABLE};
use crate::socket::{self, Connection, with_registry};

/// The answer where the upstream's is none to the handshake.
const BROKEN: &[u8] = br#"{"errors":[{"message":"The upstream did not take the WebSocket as it was offered.","extensions":{"code":"UPSTREAM_UNAVAILABLE","rule":"websocket-answer"}}]}"#;

impl HttpRequest {
    /// The answer to a handshake of a tenant that has as many connections as it may.
    /// Where that is only watched, there is none.
    pub(super) fn refuse_connection(&self) -> Option<Step> {
        let exchange = self.exchange.as_ref().filter(|_| self.is_one_too_many())?;
        match exchange.deny_connection() {
            refusal @ Step::Reply(_) => Some(refusal),
            _ => None,
        }
    }

    /// Leaves nothing of what a client sends.
    pub(super) fn drop_body() -> Action {
        match host::set_buffer(Buffer::RequestBody, &[]) {
            Ok(()) => Action::Continue,
            Err(_) => Action::Pause,
        }
    }

    fn is_one_too_many(&self) -> bool {
        let opens = self
            .exchange
            .as_ref()
            .is_some_and(|one| one.opens().is_some());
        let guard = self.guard.as_ref();
        let Some(settings) = guard
            .and_then(|guard| guard.subscriptions())
            .filter(|_| opens)
        else {
            return false;
        };
        with_registry(|registry| registry.count(&self.tenant())) >= settings.max_connections
    }

    fn tenant(&self) -> String {
        let exchange = self.exchange.as_ref();
        let tenant = exchange.and_then(|exchange| exchange.tenant_id());
        tenant.unwrap_or_default().to_owned()
    }

    /// Makes the socket of a handshake that goes on.
    pub(super) fn open(&mut self, forward: &Forward) -> Result<(), HostError> {
        let (Some(guard), Some(exchange)) = (&self.guard, &self.exchange) else {
            return Ok(());
        };
        if exchange.opens().is_none() {
            return Ok(());
        }
        let socket = Socket::new(exchange, guard, socket::entropy(), socket::now()?);
        #[cfg_attr(
            not(feature = "policy"),
            expect(unused_mut, reason = "only policy asks who")
        )]
        let mut socket = socket.ok_or(UNREADABLE)?;
        #[cfg(feature = "policy")]
        socket.set_verified(self.verified.read());
        let records = forward.records.clone();
        let mut connection = Connection::new(guard.clone(), socket, self.trace(), records);
        // What came before it was known who asks must not go on as it came.
        connection.take_early()?;
        let connection = Rc::new(RefCell::new(connection));
        with_registry(|all| all.add(self.context, &connection, self.tenant(), guard));
        self.socket = Some(connection);
        Ok(())
    }

    /// Has the next tick send what waits.
    pub(super) fn await_tick(&self) {
        let socket = self.socket.as_ref();
        if socket.is_some_and(|socket| socket.borrow().is_waiting()) {
            with_registry(|registry| registry.wait(self.context));
        }
    }

    /// Looks at the answer to a handshake. Answers with the action to take, where
    /// that is not the one for any other answer.
    pub(super) fn on_upgrade_answer(&mut self) -> Option<Action> {
        let socket = self.socket.clone()?;
        let protocol = socket.borrow().protocol();
        let pairs = Pairs::read(Map::Response).ok();
        let pairs = pairs.as_ref().and_then(Pairs::iter).unwrap_or_default();
        let mut status = pairs.iter().filter(|(name, _)| *name == b":status");
        // HTTP/2 has no 101: Envoy makes one of it.
        let is_switched = status.next().is_some_and(|(_, value)| *value == b"101");
        if is_switched && is_answer_of(protocol, pairs) {
            let opened = socket.borrow_mut().on_notice(Notice::Opened);
            self.await_tick();
            return opened.err().map(|_| self.refuse_answer());
        }
        if is_switched {
            // A record that cannot be kept lets nothing through.
            let _ = socket.borrow_mut().on_notice(Notice::Mismatched);
            return Some(self.refuse_answer());
        }
        // No frames come, whatever it is.
        self.close_socket();
        None
    }

    fn refuse_answer(&mut self) -> Action {
        self.close_socket();
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
        ];
        let _ = host::reply(502, &headers, BROKEN);
        Action::Pause
    }

    /// Nothing for requests that open no WebSocket.
    pub(super) fn close_socket(&mut self) {
        if self.socket.take().is_some() {
            with_registry(|registry| registry.remove(self.context));
            self.stage = Stage::Refused;
        }
    }
}

impl Drop for HttpRequest {
    fn drop(&mut self) {
        if self.socket.is_some() {
            with_registry(|registry| registry.remove(self.context));
        }
    }
}
