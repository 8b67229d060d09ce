//! Messages of `graphql-transport-ws` and of the legacy `graphql-ws`.
//!
//! Read strictly: a member twice, a missing one or one of another type is an
//! error, and what the sub-protocol does not have is none of its messages. What is
//! written here is written from values, never from a client's bytes; payloads are
//! JSON that somebody else has checked.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A sub-protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// `graphql-transport-ws`, of the package `graphql-ws`.
    Transport,
    /// `graphql-ws`, of the package `subscriptions-transport-ws`.
    Legacy,
}

/// Longest id of an operation, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// A message that the sub-protocol does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no message of the sub-protocol")]
pub struct InvalidMessage;

/// What a client says.
#[derive(Debug)]
pub enum ClientMessage<'a> {
    /// `connection_init`
    Init(Option<&'a RawValue>),
    /// `ping`
    Ping,
    /// `pong`
    Pong,
    /// `subscribe`, or `start`.
    Subscribe {
        /// Of the operation.
        id: String,
        /// The GraphQL request.
        payload: &'a RawValue,
    },
    /// `complete`, or `stop`.
    Complete(String),
    /// `connection_terminate`, legacy only.
    Terminate,
}

/// What a server says, as far as it matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerMessage {
    /// `connection_ack`
    Ack,
    /// `ping`
    Ping,
    /// Nothing of an operation: `pong`, `ka`, `connection_error`.
    Other,
    /// `next`, or `data`.
    Next(String),
    /// `error` or `complete`: the operation is over.
    Over(String),
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// A derived struct would read an array as well.
    fn read(text: &'a str) -> Result<Self, InvalidMessage> {
        match text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('{')
        {
            true => serde_json::from_str(text).map_err(|_| InvalidMessage),
            false => Err(InvalidMessage),
        }
    }

    fn id(&mut self) -> Result<String, InvalidMessage> {
        let id = self.id.take().ok_or(InvalidMessage)?;
        match (1..=MAX_ID_BYTES).contains(&id.len()) {
            true => Ok(id),
            false => Err(InvalidMessage),
        }
    }

    /// A payload that is an object.
    fn object(&self) -> Result<&'a RawValue, InvalidMessage> {
        let payload = self.payload.ok_or(InvalidMessage)?;
        match payload.get().starts_with('{') {
            true => Ok(payload),
            false => Err(InvalidMessage),
        }
    }

    /// A payload that is an object, null or absent.
    fn optional(&self) -> Result<Option<&'a RawValue>, InvalidMessage> {
        match self.payload {
            None => Ok(None),
            Some(payload) if payload.get() == "null" => Ok(None),
            Some(_) => self.object().map(Some),
        }
    }
}

impl Protocol {
    /// The sub-protocol of a name; names are case-sensitive.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "graphql-transport-ws" => Some(Self::Transport),
            "graphql-ws" => Some(Self::Legacy),
            _ => None,
        }
    }

    /// The name, as in the handshake.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "graphql-transport-ws",
            Self::Legacy => "graphql-ws",
        }
    }

    /// Reads what a client says.
    ///
    /// # Errors
    /// [`InvalidMessage`].
    pub fn client<'a>(self, text: &'a str) -> Result<ClientMessage<'a>, InvalidMessage> {
        let mut message = Message::read(text)?;
        let kind = std::mem::take(&mut message.kind);
        Ok(match (self, kind.as_str()) {
            (_, "connection_init") => ClientMessage::Init(message.optional()?),
            (Self::Transport, "ping") => ClientMessage::Ping,
            (Self::Transport, "pong") => ClientMessage::Pong,
            (Self::Transport, "subscribe") | (Self::Legacy, "start") => ClientMessage::Subscribe {
                id: message.id()?,
                payload: message.object()?,
            },
            (Self::Transport, "complete") | (Self::Legacy, "stop") => {
                ClientMessage::Complete(message.id()?)
            }
            (Self::Legacy, "connection_terminate") => ClientMessage::Terminate,
            _ => return Err(InvalidMessage),
        })
    }

    /// Reads what a server says.
    ///
    /// # Errors
    /// [`InvalidMessage`].
    pub fn server(self, text: &str) -> Result<ServerMessage, InvalidMessage> {
        let mut message = Message::read(text)?;
        let kind = std::mem::take(&mut message.kind);
        Ok(match (self, kind.as_str()) {
            (_, "connection_ack") => ServerMessage::Ack,
            (Self::Transport, "ping") => ServerMessage::Ping,
            (Self::Transport, "pong") | (Self::Legacy, "ka" | "connection_error") => {
                ServerMessage::Other
            }
            (Self::Transport, "next") | (Self::Legacy, "data") => {
                ServerMessage::Next(message.id()?)
            }
            (_, "error" | "complete") => ServerMessage::Over(message.id()?),
            _ => return Err(InvalidMessage),
        })
    }
}

fn quoted(text: &str) -> String {
    // A string always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

/// `connection_init` with a payload that is JSON.
pub fn init_to_upstream(payload: &str) -> String {
    format!(r#"{{"type":"connection_init","payload":{payload}}}"#)
}

/// An operation that goes on; `payload` is JSON.
pub fn subscribe_to_upstream(protocol: Protocol, id: &str, payload: &str) -> String {
    let kind = match protocol {
        Protocol::Transport => "subscribe",
        Protocol::Legacy => "start",
    };
    format!(
        r#"{{"id":{},"type":"{kind}","payload":{payload}}}"#,
        quoted(id)
    )
}

/// The client wants no more of an operation, or may have no more.
pub fn complete_to_upstream(protocol: Protocol, id: &str) -> String {
    let kind = match protocol {
        Protocol::Transport => "complete",
        Protocol::Legacy => "stop",
    };
    format!(r#"{{"id":{},"type":"{kind}"}}"#, quoted(id))
}

/// An operation has ended well.
pub fn complete_to_client(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, quoted(id))
}

/// An operation does not run, or not any more; `error` is one GraphQL error in
/// JSON. The legacy protocol has it bare.
pub fn error_to_client(protocol: Protocol, id: &str, error: &str) -> String {
    let id = quoted(id);
    match protocol {
        Protocol::Transport => format!(r#"{{"id":{id},"type":"error","payload":[{error}]}}"#),
        Protocol::Legacy => format!(r#"{{"id":{id},"type":"error","payload":{error}}}"#),
    }
}

/// The answer to a `ping`.
pub fn pong() -> &'static str {
    r#"{"type":"pong"}"#
}
