//! The opening handshake: which sub-protocol is spoken (RFC 6455 §4).

use crate::Protocol;

/// What a client offers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Offer {
    upgrade: Vec<String>,
    version: Vec<String>,
    protocols: Vec<String>,
    has_key: bool,
    is_invalid: bool,
}

/// Why an offer is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Another protocol than WebSocket, or two at a time.
    #[error("only an upgrade to `websocket`, version 13, is accepted")]
    NotWebSocket,
    /// No sub-protocol, or none that is known here.
    #[error("the sub-protocol is one of `graphql-transport-ws` and `graphql-ws`")]
    SubProtocol,
}

impl Offer {
    /// Notes one of the request's headers, if it is one of the handshake's.
    pub fn note(&mut self, name: &[u8], value: &[u8]) {
        let list = match name {
            b"upgrade" => &mut self.upgrade,
            b"sec-websocket-version" => &mut self.version,
            b"sec-websocket-protocol" => &mut self.protocols,
            b"sec-websocket-key" => {
                self.has_key = true;
                return;
            }
            _ => return,
        };
        match std::str::from_utf8(value) {
            Ok(value) => {
                let items = value.split(',').map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                list.extend(items.map(ToOwned::to_owned));
            }
            Err(_) => self.is_invalid = true,
        }
    }

    /// Whether there is a key; within HTTP/2 there is none (RFC 8441 §5).
    pub fn has_key(&self) -> bool {
        self.has_key
    }

    /// The first sub-protocol of the client's list that is known here.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn choose(&self) -> Result<Protocol, Refusal> {
        let is_websocket = match self.upgrade.as_slice() {
            [one] => one.eq_ignore_ascii_case("websocket"),
            _ => false,
        };
        // Not everybody says one within HTTP/2.
        let is_version = self.version.iter().all(|version| version == "13");
        if !is_websocket || !is_version || self.is_invalid {
            return Err(Refusal::NotWebSocket);
        }
        let mut known = self.protocols.iter().filter_map(|name| Protocol::of(name));
        known.next().ok_or(Refusal::SubProtocol)
    }
}

/// Whether a server's answer is the one to what it was offered: the one
/// sub-protocol, and no extension.
pub fn is_answer_of<'a>(
    protocol: Protocol,
    headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> bool {
    let (mut chosen, mut is_plain) = (0, true);
    for (name, value) in headers {
        match name {
            b"sec-websocket-protocol" if value == protocol.as_str().as_bytes() => chosen += 1,
            b"sec-websocket-protocol" | b"sec-websocket-extensions" => is_plain = false,
            _ => {}
        }
    }
    chosen == 1 && is_plain
}
