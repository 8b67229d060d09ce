//! One WebSocket, from the answer to its handshake to its end: frames of both
//! sides in, frames to both sides out. Each `subscribe` is an [`Exchange`] of its
//! own, decided as the same request would be by POST.
//!
//! Everything that is kept is bounded: a message of each side, what a client sends
//! while a question is under way, and the operations that run.

mod cause;
mod client;
mod handshake;
mod inputs;
mod operation;
mod server;
mod standing;
mod turn;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ig_contract::snapshot::Subscriptions;
use ig_websocket::{Close, Limits, Protocol, Reader, Role};

use self::cause::Cause;
use self::operation::{Pending, Running};
pub use self::standing::Standing;
pub use self::turn::Turn;
use self::turn::{To, Writer};
#[cfg(feature = "policy")]
use crate::VerifiedToken;
use crate::{Exchange, Guard, RequestHead};

/// Randomness, which only the host has.
pub trait Entropy {
    /// A fresh key for a frame to a server.
    fn mask(&self) -> Option<[u8; 4]>;
    /// A fresh id of a decision.
    fn decision_id(&self) -> Option<String>;
}

/// What happened to a socket, beside bytes that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The upstream took the handshake.
    Opened,
    /// The upstream gave another answer than the one to the handshake.
    Mismatched,
}

/// One WebSocket.
pub struct Socket {
    guard: Rc<Guard>,
    protocol: Protocol,
    /// The handshake's head, and what `connection_init` adds to it.
    head: RequestHead,
    #[cfg(feature = "policy")]
    verified: Option<VerifiedToken>,
    entropy: Rc<dyn Entropy>,
    client: Reader,
    server: Reader,
    stage: Stage,
    is_open: bool,
    running: BTreeMap<String, Running>,
    pending: Option<Pending>,
    /// What the client sent that was not read yet.
    backlog: Vec<u8>,
    decisions: u32,
    allowance: Allowance,
    /// When it was opened, and when anything came last.
    since: Duration,
    last: Duration,
    /// When the token ends.
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "only policy asks who")
    )]
    expires: u64,
    seen: standing::Seen,
}

/// How far the sub-protocol got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Stage {
    /// Nothing was said.
    Begun,
    /// `connection_init` went on.
    Initialising,
    /// `connection_ack` came.
    Acknowledged,
    /// Somebody said that it is over.
    Closing,
    /// Both sides were told.
    Over,
}

/// Bytes of a message of the sub-protocol beside its payload.
const ENVELOPE_BYTES: usize = 1_024;
/// Most fragments of a message.
const FRAGMENTS: u32 = 1_024 * 72;
/// Most bytes that a client may send ahead of an answer, beside one message.
const AHEAD_BYTES: usize = 64 * 1_024;
/// Most decisions of one connection: its records are kept until it is logged.
const MOST_DECISIONS: u32 = 512;
/// How long the sides have to hang up after a close frame.
const LINGER: Duration = Duration::from_secs(5);

/// Messages that a client may still send, refilled with time.
struct Allowance {
    left: f64,
    at: Duration,
}

impl Allowance {
    fn spend(&mut self, now: Duration, per_second: u16) -> bool {
        let most = f64::from(per_second);
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + passed * most).min(most);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

impl Socket {
    /// The socket that a handshake opens. Nothing of a client is read before the
    /// upstream has taken it: [`Socket::on_notice`].
    pub fn new(
        exchange: &Exchange,
        guard: &Rc<Guard>,
        entropy: Rc<dyn Entropy>,
        now: Duration,
    ) -> Option<Self> {
        let protocol = exchange.opens()?;
        let settings = guard.subscriptions()?;
        let limits = |message_bytes: usize| Limits {
            message_bytes,
            fragments: FRAGMENTS,
        };
        let from_client = guard.limits().max_body_bytes as usize + ENVELOPE_BYTES;
        let head = exchange.head.of_message(&guard.snapshot().head().endpoint);
        Some(Self {
            #[cfg(feature = "policy")]
            expires: head.jwt_payload().map_or(u64::MAX, crate::identity::expiry),
            #[cfg(not(feature = "policy"))]
            expires: u64::MAX,
            #[cfg(feature = "policy")]
            verified: None,
            #[cfg(feature = "policy")]
            seen: standing::Seen::of(exchange),
            #[cfg(not(feature = "policy"))]
            seen: standing::Seen::default(),
            guard: guard.clone(),
            protocol,
            head,
            entropy,
            client: Reader::new(Role::Client, limits(from_client)),
            server: Reader::new(Role::Server, limits(settings.max_message_bytes as usize)),
            stage: Stage::Begun,
            is_open: false,
            running: BTreeMap::new(),
            pending: None,
            backlog: Vec::new(),
            decisions: 0,
            allowance: Allowance {
                left: f64::from(settings.messages_per_second),
                at: now,
            },
            since: now,
            last: now,
        })
    }

    /// Says whom the host's metadata says that the handshake's token is about.
    /// Without it nobody is asking.
    #[cfg(feature = "policy")]
    pub fn set_verified(&mut self, verified: Option<VerifiedToken>) {
        self.verified = verified;
    }

    /// The sub-protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether nothing is read or written any more.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Operations that run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    fn settings(&self) -> Subscriptions {
        // A revision without the setting ends its sockets; see `standing`.
        match self.guard.subscriptions() {
            // Origins are the handshake's, and are not copied for each frame.
            Some(known) => Subscriptions {
                origins: None,
                ..*known
            },
            None => Subscriptions::default(),
        }
    }

    /// Takes what became of the handshake.
    pub fn on_notice(&mut self, notice: Notice, now: Duration) -> Turn {
        let mut turn = Turn::default();
        match notice {
            Notice::Opened => {
                self.is_open = true;
                self.read_backlog(now, &mut turn);
            }
            Notice::Mismatched => {
                // The client gets an answer of HTTP; nobody reads frames.
                self.record_end(Cause::ANSWER, &mut turn);
                self.end(&mut turn);
            }
        }
        turn
    }

    /// Takes bytes of the client.
    pub fn on_client(&mut self, bytes: &[u8], now: Duration) -> Turn {
        let mut turn = Turn::default();
        self.note_sound(now);
        if self.stage >= Stage::Closing && self.client.is_over() || self.is_over() {
            return turn;
        }
        if self.is_open && self.pending.is_none() {
            self.read_client(bytes, now, &mut turn);
        } else {
            self.keep(bytes, &mut turn);
        }
        turn
    }

    /// Takes bytes of the upstream.
    pub fn on_server(&mut self, bytes: &[u8], now: Duration) -> Turn {
        let mut turn = Turn::default();
        self.note_sound(now);
        if !self.is_over() {
            self.read_server(bytes, &mut turn);
        }
        turn
    }

    /// Notes that something came. Once somebody has said that it is over, nothing
    /// that comes puts the end off.
    fn note_sound(&mut self, now: Duration) {
        if self.stage < Stage::Closing {
            self.last = now;
        }
    }

    /// Looks at the clock: closes what took too long.
    pub fn on_time(&mut self, now: Duration) -> Turn {
        let mut turn = Turn::default();
        let settings = self.settings();
        let seconds = |number: u32| Duration::from_secs(number.into());
        let silence = now.saturating_sub(self.last);
        let age = now.saturating_sub(self.since);
        match self.stage {
            Stage::Over => {}
            Stage::Closing if silence >= LINGER => self.end(&mut turn),
            Stage::Closing => {}
            Stage::Begun if age >= seconds(settings.init_timeout_seconds) => {
                self.close_for(Cause::INIT_TIMEOUT, &mut turn);
            }
            _ if silence >= seconds(settings.idle_timeout_seconds) => {
                self.close_for(Cause::IDLE, &mut turn);
            }
            _ => self.on_expiry(now, &mut turn),
        }
        turn
    }

    /// Keeps what the client sends ahead; more than it may is the end.
    fn keep(&mut self, bytes: &[u8], turn: &mut Turn) {
        let most = self.guard.limits().max_body_bytes as usize + ENVELOPE_BYTES + AHEAD_BYTES;
        if self.backlog.len().saturating_add(bytes.len()) > most {
            return self.close_for(Cause::AHEAD, turn);
        }
        self.backlog.extend_from_slice(bytes);
    }

    fn read_backlog(&mut self, now: Duration, turn: &mut Turn) {
        let backlog = std::mem::take(&mut self.backlog);
        if !backlog.is_empty() && !self.is_over() {
            self.read_client(&backlog, now, turn);
        }
    }

    fn writer<'a>(entropy: &'a Rc<dyn Entropy>, turn: &'a mut Turn) -> Writer<'a> {
        Writer {
            turn,
            entropy: entropy.as_ref(),
        }
    }

    /// Writes a text message; without randomness it is all over.
    fn say(&mut self, to: To, text: &str, turn: &mut Turn) {
        if Self::writer(&self.entropy, turn).text(to, text).is_none() {
            self.end(turn);
        }
    }

    /// Tells both sides that it is over.
    fn close(&mut self, close: Close, turn: &mut Turn) {
        if self.is_over() {
            return;
        }
        let mut writer = Self::writer(&self.entropy, turn);
        if self.stage < Stage::Closing {
            writer.close(To::Client, Some(close.code), close.reason);
            // The upstream is not to blame, whatever it was.
            writer.close(To::Upstream, Some(1001), "");
        }
        self.end(turn);
    }

    fn end(&mut self, turn: &mut Turn) {
        self.stage = Stage::Over;
        self.running.clear();
        self.pending = None;
        self.backlog = Vec::new();
        turn.ask = None;
        turn.is_over = true;
    }
}
