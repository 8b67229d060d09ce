//! What a socket has to say after something happened to it.

use ig_websocket::{Mask, close_frame, ping_frame, pong_frame, text_frame};

use super::Entropy;
use crate::effect::{Step, Verdict};

/// What goes out, and what has to be asked.
#[derive(Default, Debug)]
pub struct Turn {
    /// Frames to the client.
    pub to_client: Vec<u8>,
    /// Frames to the upstream.
    pub to_upstream: Vec<u8>,
    /// Decision records, comma-separated.
    pub records: String,
    /// What the records say, for counters.
    pub verdicts: Vec<Verdict>,
    /// The question whose answer the socket waits for: [`Step::FetchFacts`],
    /// [`Step::FetchTexts`] or [`Step::SpendToken`].
    pub ask: Option<Step>,
    /// Both sides were told that it is over.
    pub is_over: bool,
}

impl Turn {
    /// Whether nothing goes out.
    pub fn is_silent(&self) -> bool {
        self.to_client.is_empty() && self.to_upstream.is_empty()
    }

    pub(super) fn note(&mut self, records: &str, verdicts: &[Verdict]) {
        if !self.records.is_empty() && !records.is_empty() {
            self.records.push(',');
        }
        self.records.push_str(records);
        self.verdicts.extend_from_slice(verdicts);
    }
}

/// Which way a frame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum To {
    Client,
    Upstream,
}

/// Writes frames.
pub(super) struct Writer<'a> {
    pub(super) turn: &'a mut Turn,
    pub(super) entropy: &'a dyn Entropy,
}

impl Writer<'_> {
    /// Where a frame goes, and its mask; nothing where there is none to be had, as
    /// a frame to a server has to have one.
    fn to(&mut self, to: To) -> Option<(&mut Vec<u8>, Mask)> {
        match to {
            To::Client => Some((&mut self.turn.to_client, None)),
            To::Upstream => {
                let mask = self.entropy.mask()?;
                Some((&mut self.turn.to_upstream, Some(mask)))
            }
        }
    }

    pub(super) fn text(&mut self, to: To, text: &str) -> Option<()> {
        let (out, mask) = self.to(to)?;
        text_frame(out, text, mask);
        Some(())
    }

    pub(super) fn ping(&mut self, to: To, payload: &[u8]) -> Option<()> {
        let (out, mask) = self.to(to)?;
        ping_frame(out, payload, mask);
        Some(())
    }

    pub(super) fn pong(&mut self, to: To, payload: &[u8]) -> Option<()> {
        let (out, mask) = self.to(to)?;
        pong_frame(out, payload, mask);
        Some(())
    }

    pub(super) fn close(&mut self, to: To, code: Option<u16>, reason: &str) -> Option<()> {
        let (out, mask) = self.to(to)?;
        close_frame(out, code, reason, mask);
        Some(())
    }
}
