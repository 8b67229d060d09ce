//! One direction of an upgraded stream, written to at any time.
//!
//! Envoy lets a filter write to a stream only where it holds a buffer of it: after
//! a body callback has answered `Pause`. So each callback answers `Pause` and
//! leaves the buffer empty, and what goes on is put into the buffer and continued.
//! From then on the buffer is there between callbacks too, and frames can be sent
//! when nothing comes. What the first callback brings waits for the next tick,
//! since before it there is no buffer to continue.
//!
//! Envoy's own watermarks stay as they are: where the other side does not read,
//! Envoy stops reading, and no callback comes. Its limit of what a filter may hold
//! is another: a stream that goes beyond it is reset while it is written to, within
//! the module's own call, and the module traps. So what goes on goes in pieces.

use proxy_wasm::types::Action;

use crate::host::{self, Buffer, HostError, Stream};

/// Most bytes that go on at a time, below the limit that any Envoy is rendered with;
/// the rest waits for ticks.
const PIECE: usize = 256 * 1024;
/// Most bytes that wait: the longest message that a configuration allows, and what
/// may come with it. Who goes on beyond that is cut.
const MOST: usize = 12 * 1024 * 1024;

/// One direction.
pub(crate) struct Flow {
    buffer: Buffer,
    stream: Stream,
    /// What goes on as soon as it can.
    outbox: Vec<u8>,
    is_held: bool,
}

impl Flow {
    /// From the client to the upstream.
    pub(crate) const fn up() -> Self {
        Self::new(Buffer::RequestBody, Stream::Request)
    }

    /// From the upstream to the client.
    pub(crate) const fn down() -> Self {
        Self::new(Buffer::ResponseBody, Stream::Response)
    }

    const fn new(buffer: Buffer, stream: Stream) -> Self {
        Self {
            buffer,
            stream,
            outbox: Vec::new(),
            is_held: false,
        }
    }

    /// What a callback brings.
    pub(crate) fn arrived(&self) -> Result<Vec<u8>, HostError> {
        Ok(host::buffer(self.buffer, usize::MAX)?.unwrap_or_default())
    }

    /// What a callback before the first one held back, if there was one.
    pub(crate) fn take_held(&mut self) -> Result<Vec<u8>, HostError> {
        let bytes = self.arrived()?;
        if !bytes.is_empty() {
            host::set_buffer(self.buffer, &[])?;
            self.is_held = true;
        }
        Ok(bytes)
    }

    /// Has bytes go on.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        if self.outbox.len().saturating_add(bytes.len()) > MOST {
            return Err(HostError(0));
        }
        self.outbox.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes what goes on now.
    fn piece(&mut self) -> Vec<u8> {
        let rest = self.outbox.split_off(self.outbox.len().min(PIECE));
        std::mem::replace(&mut self.outbox, rest)
    }

    /// Whether something waits that could go on.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Ends the direction's own callback.
    pub(crate) fn pass(&mut self, is_end: bool) -> Result<Action, HostError> {
        match (self.is_held, is_end) {
            (false, true) => {
                host::set_buffer(self.buffer, &std::mem::take(&mut self.outbox))?;
                Ok(Action::Continue)
            }
            (false, false) => {
                host::set_buffer(self.buffer, &[])?;
                self.is_held = true;
                Ok(Action::Pause)
            }
            (true, _) => {
                let out = self.piece();
                host::set_buffer(self.buffer, &out)?;
                if is_end || !out.is_empty() {
                    host::resume(self.stream)?;
                }
                Ok(Action::Pause)
            }
        }
    }

    /// Sends what waits, outside of the direction's own callback.
    pub(crate) fn send(&mut self) -> Result<(), HostError> {
        // What this call into the VM has put there goes only after it.
        if !self.is_held || self.outbox.is_empty() || !self.arrived()?.is_empty() {
            return Ok(());
        }
        host::set_buffer(self.buffer, &self.piece())?;
        host::resume(self.stream)
    }
}
