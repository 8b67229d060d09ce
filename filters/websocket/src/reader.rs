//! From bytes to messages and control frames (RFC 6455 §5), as they come: a frame
//! may end in the midst of any callback.

use crate::close::may_be_sent;

/// Whose bytes they are. Clients mask, servers do not (§5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Bytes of a client.
    Client,
    /// Bytes of a server.
    Server,
}

/// Bounds of what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest message, in bytes, all fragments together.
    pub message_bytes: usize,
    /// Most fragments of one message, empty ones included: they cost time, if no
    /// memory.
    pub fragments: u32,
}

/// Something whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A text message, valid UTF-8.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, 125 bytes at most.
    Ping(Vec<u8>),
    /// A pong, 125 bytes at most.
    Pong(Vec<u8>),
    /// The last frame. What comes behind it is not read (§5.5.1).
    Close {
        /// The code, where there is one.
        code: Option<u16>,
        /// The reason, valid UTF-8.
        reason: String,
    },
}

/// Why bytes are no frames. Nothing is read after one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Failure {
    /// A reserved bit is set: no extension was agreed on (§5.2).
    Reserved,
    /// An opcode that does not exist (§5.2).
    Opcode,
    /// A client that does not mask, or a server that does (§5.1).
    Masking,
    /// A control frame that is fragmented or longer than 125 bytes (§5.5).
    Control,
    /// A length that is written longer than it has to be, or has its first bit set
    /// (§5.2).
    Length,
    /// A continuation of nothing, or a new message within another (§5.4).
    Continuation,
    /// A close frame of one byte, or of a code that nobody may send (§7.4).
    CloseCode,
    /// Text that is not UTF-8 (§8.1).
    Utf8,
    /// More than the limit allows.
    TooBig,
    /// More fragments than the limit allows.
    TooManyFragments,
}

impl Failure {
    /// The code to close with (§7.4.1).
    pub const fn code(self) -> u16 {
        match self {
            Self::Utf8 => 1007,
            Self::TooManyFragments => 1008,
            Self::TooBig => 1009,
            _ => 1002,
        }
    }

    /// What was wrong, for the close frame and for records.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Reserved => "A reserved bit is set",
            Self::Opcode => "Unknown opcode",
            Self::Masking => "Wrong masking",
            Self::Control => "A control frame is fragmented or too long",
            Self::Length => "A length is not minimal",
            Self::Continuation => "Fragments do not belong together",
            Self::CloseCode => "Invalid close frame",
            Self::Utf8 => "Text is not UTF-8",
            Self::TooBig => "Message too big",
            Self::TooManyFragments => "Too many fragments",
        }
    }
}

/// Reads one direction of a connection.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    limits: Limits,
    state: State,
    /// The header so far; its longest form has 14 bytes.
    header: [u8; 14],
    header_len: usize,
    /// The message so far, of whole fragments and of the one that is coming.
    message: Vec<u8>,
    /// Of these bytes it is known that they are UTF-8.
    valid: usize,
    /// What the message is, between its first fragment and its last.
    kind: Option<Kind>,
    fragments: u32,
    control: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Binary,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opcode {
    Continuation,
    Data(Kind),
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0x0 => Self::Continuation,
            0x1 => Self::Data(Kind::Text),
            0x2 => Self::Data(Kind::Binary),
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame whose header is read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_final: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    /// Bytes of the payload that were read, and that are to come.
    read: usize,
    left: usize,
}

#[derive(Debug)]
enum State {
    Header,
    Payload(Frame),
    /// After a close frame, or a failure.
    Over(Option<Failure>),
}

impl Reader {
    /// Reads from the first byte behind the handshake.
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            state: State::Header,
            header: [0; 14],
            header_len: 0,
            message: Vec::new(),
            valid: 0,
            kind: None,
            fragments: 0,
            control: Vec::new(),
        }
    }

    /// Whether a close frame or a failure has ended what is read.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// Whether nothing is kept: the bytes so far were whole messages.
    pub fn is_between_messages(&self) -> bool {
        let is_between = matches!(self.state, State::Header | State::Over(_));
        is_between && self.header_len == 0 && self.kind.is_none()
    }

    /// Reads up to the next whole thing and takes what it read off `bytes`. `None`
    /// once all of `bytes` is read.
    ///
    /// # Errors
    /// A [`Failure`], from then on each time.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, Failure> {
        loop {
            let outcome = match self.state {
                State::Over(None) => {
                    *bytes = &[];
                    return Ok(None);
                }
                State::Over(Some(failure)) => return Err(failure),
                State::Header => match self.read_header(bytes) {
                    Ok(Some(frame)) => {
                        self.state = State::Payload(frame);
                        self.header_len = 0;
                        continue;
                    }
                    Ok(None) => return Ok(None),
                    Err(failure) => Err(failure),
                },
                State::Payload(frame) => self.read_payload(frame, bytes),
            };
            match outcome {
                Ok(Progress::Event(event)) => return Ok(Some(event)),
                Ok(Progress::Frame) => {}
                Ok(Progress::NeedsMore) => return Ok(None),
                Err(failure) => {
                    self.end(Some(failure));
                    return Err(failure);
                }
            }
        }
    }

    /// Keeps nothing any more.
    fn end(&mut self, failure: Option<Failure>) {
        self.state = State::Over(failure);
        self.header_len = 0;
        self.kind = None;
        self.message = Vec::new();
        self.control = Vec::new();
    }

    /// Reads the header byte by byte, each rule as soon as it can be known.
    fn read_header(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Failure> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            if let Some(slot) = self.header.get_mut(self.header_len) {
                *slot = *byte;
            }
            self.header_len += 1;
            match self.header_len {
                1 => self.check_first(*byte)?,
                2 => self.check_second(*byte)?,
                _ => {}
            }
            if self.header_len >= 2
                && let Some(frame) = self.whole_header()?
            {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn check_first(&self, byte: u8) -> Result<(), Failure> {
        if byte & 0x70 != 0 {
            return Err(Failure::Reserved);
        }
        let opcode = Opcode::of(byte & 0x0f).ok_or(Failure::Opcode)?;
        let is_final = byte & 0x80 != 0;
        match (opcode, self.kind) {
            (Opcode::Continuation, None) | (Opcode::Data(_), Some(_)) => Err(Failure::Continuation),
            _ if opcode.is_control() && !is_final => Err(Failure::Control),
            _ => Ok(()),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), Failure> {
        let is_masked = byte & 0x80 != 0;
        if is_masked != (self.role == Role::Client) {
            return Err(Failure::Masking);
        }
        let [first, ..] = self.header;
        let is_control = Opcode::of(first & 0x0f).is_some_and(Opcode::is_control);
        match is_control && byte & 0x7f > 125 {
            true => Err(Failure::Control),
            false => Ok(()),
        }
    }

    /// The frame, once its header is here.
    fn whole_header(&mut self) -> Result<Option<Frame>, Failure> {
        let [first, second, rest @ ..] = self.header;
        let Some(opcode) = Opcode::of(first & 0x0f) else {
            return Err(Failure::Opcode);
        };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header_len < 2 + extended {
            return Ok(None);
        }
        let (length, key) = rest.split_at(extended);
        let length = match (second & 0x7f, length) {
            (126, [high, low]) => u64::from(u16::from_be_bytes([*high, *low])),
            (127, _) => length
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            (short, _) => u64::from(short),
        };
        let least: u64 = match extended {
            2 => 126,
            8 => 1 << 16,
            _ => 0,
        };
        if length < least || length >> 63 != 0 {
            return Err(Failure::Length);
        }
        let left = usize::try_from(length).unwrap_or(usize::MAX);
        let is_first_look = self.header_len == 2 + extended;
        if is_first_look && !opcode.is_control() {
            self.check_size(left)?;
        }
        let mask = match second & 0x80 != 0 {
            true if self.header_len < 2 + extended + 4 => return Ok(None),
            true => key.first_chunk().copied(),
            false => None,
        };
        if let Opcode::Data(kind) = opcode {
            self.kind = Some(kind);
        }
        Ok(Some(Frame {
            is_final: first & 0x80 != 0,
            opcode,
            mask,
            read: 0,
            left,
        }))
    }

    /// Counts a fragment before anything of it is kept.
    fn check_size(&mut self, more: usize) -> Result<(), Failure> {
        if self.message.len().saturating_add(more) > self.limits.message_bytes {
            return Err(Failure::TooBig);
        }
        self.fragments = self.fragments.saturating_add(1);
        match self.fragments > self.limits.fragments {
            true => Err(Failure::TooManyFragments),
            false => Ok(()),
        }
    }

    fn read_payload(&mut self, frame: Frame, bytes: &mut &[u8]) -> Result<Progress, Failure> {
        let count = frame.left.min(bytes.len());
        let Some((payload, rest)) = bytes.split_at_checked(count) else {
            return Ok(Progress::NeedsMore);
        };
        *bytes = rest;
        let into = match frame.opcode.is_control() {
            true => &mut self.control,
            false => &mut self.message,
        };
        match frame.mask {
            None => into.extend_from_slice(payload),
            Some(mask) => {
                let mut key = mask.iter().cycle().skip(frame.read % 4);
                let unmasked = payload.iter();
                into.extend(unmasked.map(|byte| byte ^ key.next().copied().unwrap_or_default()));
            }
        }
        if self.kind == Some(Kind::Text) && !frame.opcode.is_control() {
            self.check_text()?;
        }
        let frame = Frame {
            read: frame.read + count,
            left: frame.left - count,
            ..frame
        };
        if frame.left > 0 {
            self.state = State::Payload(frame);
            return Ok(Progress::NeedsMore);
        }
        self.state = State::Header;
        self.finish(frame)
    }

    /// Fails as soon as no more bytes could make it UTF-8.
    fn check_text(&mut self) -> Result<(), Failure> {
        let new = self.message.get(self.valid..).unwrap_or_default();
        match std::str::from_utf8(new) {
            Ok(_) => self.valid = self.message.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(Failure::Utf8),
        }
        Ok(())
    }

    fn finish(&mut self, frame: Frame) -> Result<Progress, Failure> {
        let event = match frame.opcode {
            Opcode::Ping => Event::Ping(std::mem::take(&mut self.control)),
            Opcode::Pong => Event::Pong(std::mem::take(&mut self.control)),
            Opcode::Close => {
                let event = close(&self.control)?;
                self.end(None);
                event
            }
            Opcode::Continuation | Opcode::Data(_) if !frame.is_final => {
                return Ok(Progress::Frame);
            }
            Opcode::Continuation | Opcode::Data(_) => {
                let message = std::mem::take(&mut self.message);
                self.valid = 0;
                self.fragments = 0;
                match self.kind.take() {
                    Some(Kind::Text) => {
                        Event::Text(String::from_utf8(message).map_err(|_| Failure::Utf8)?)
                    }
                    _ => Event::Binary(message),
                }
            }
        };
        Ok(Progress::Event(event))
    }
}

enum Progress {
    Event(Event),
    /// A frame that makes nothing whole.
    Frame,
    NeedsMore,
}

fn close(payload: &[u8]) -> Result<Event, Failure> {
    let (code, reason) = match payload {
        [] => (None, &[][..]),
        [_] => return Err(Failure::CloseCode),
        [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
    };
    if code.is_some_and(|code| !may_be_sent(code)) {
        return Err(Failure::CloseCode);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Failure::Utf8)?;
    Ok(Event::Close {
        code,
        reason: reason.to_owned(),
    })
}
