//! What a client says.

use std::time::Duration;

use ig_contract::headers;
use ig_websocket::{
    ClientMessage, Close, Event, Protocol, complete_to_upstream, init_to_upstream, pong,
};
use serde_json::value::RawValue;

use super::cause::Cause;
use super::turn::{To, Turn};
use super::{Socket, Stage, inputs};

impl Socket {
    /// Reads until there is no more, or a question has to be answered first.
    pub(super) fn read_client(&mut self, mut bytes: &[u8], now: Duration, turn: &mut Turn) {
        while self.stage < Stage::Over {
            let event = match self.client.next(&mut bytes) {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(failure) => return self.close_for(Cause::of(To::Client, failure), turn),
            };
            let per_second = self.settings().messages_per_second;
            let is_close = matches!(event, Event::Close { .. });
            if !is_close && !self.allowance.spend(now, per_second) {
                return self.close_for(Cause::RATE, turn);
            }
            self.on_client_event(event, now, turn);
            if self.pending.is_some() {
                return self.keep(bytes, turn);
            }
        }
    }

    fn on_client_event(&mut self, event: Event, now: Duration, turn: &mut Turn) {
        let mut writer = Self::writer(&self.entropy, turn);
        let went = match event {
            Event::Text(text) => return self.on_client_text(&text, now, turn),
            Event::Binary(_) => return self.close_for(Cause::BINARY, turn),
            Event::Ping(payload) => writer.ping(To::Upstream, &payload),
            Event::Pong(payload) => writer.pong(To::Upstream, &payload),
            Event::Close { code, reason } => {
                self.stage = self.stage_after_close();
                writer.close(To::Upstream, code, &reason)
            }
        };
        if went.is_none() {
            self.end(turn);
        }
    }

    pub(super) fn stage_after_close(&self) -> Stage {
        if self.stage < Stage::Closing {
            Stage::Closing
        } else {
            self.stage
        }
    }

    fn on_client_text(&mut self, text: &str, now: Duration, turn: &mut Turn) {
        let Ok(message) = self.protocol.client(text) else {
            return self.close_for(Cause::MESSAGE, turn);
        };
        match message {
            ClientMessage::Init(payload) => self.on_init(payload, turn),
            ClientMessage::Ping => self.say(To::Upstream, r#"{"type":"ping"}"#, turn),
            ClientMessage::Pong => self.say(To::Upstream, pong(), turn),
            ClientMessage::Subscribe { id, payload } => self.on_subscribe(id, payload, now, turn),
            ClientMessage::Complete(id) => {
                // It may have ended meanwhile.
                if self.running.remove(&id).is_some() {
                    let text = complete_to_upstream(self.protocol, &id);
                    self.say(To::Upstream, &text, turn);
                }
            }
            ClientMessage::Terminate => self.close(Close::NORMAL, turn),
        }
    }

    fn on_init(&mut self, payload: Option<&RawValue>, turn: &mut Turn) {
        if self.stage != Stage::Begun {
            return self.close_for(Cause::SECOND_INIT, turn);
        }
        if !inputs::take(&mut self.head, payload) {
            return self.close_for(Cause::INIT, turn);
        }
        self.stage = Stage::Initialising;
        let (actor, tenant) = self.who();
        let annotations = inputs::annotations(&[
            (headers::ACTOR, actor.as_deref()),
            (headers::TENANT, tenant.as_deref()),
            (headers::PURPOSE, self.head.purpose()),
            (headers::AUTHORITY, self.head.authority()),
        ]);
        self.say(To::Upstream, &init_to_upstream(&annotations), turn);
    }

    fn on_subscribe(&mut self, id: String, payload: &RawValue, now: Duration, turn: &mut Turn) {
        // Legacy clients do not wait for the acknowledgement, and servers queue.
        let least = match self.protocol {
            Protocol::Transport => Stage::Acknowledged,
            Protocol::Legacy => Stage::Initialising,
        };
        if self.stage < least {
            return self.close_for(Cause::BEFORE_ACK, turn);
        }
        if self.stage >= Stage::Closing {
            return;
        }
        if self.running.contains_key(&id) {
            return self.close_for(Cause::ID, turn);
        }
        self.begin(id, payload, now, turn);
    }
}
