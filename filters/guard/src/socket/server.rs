//! What an upstream says.

use ig_websocket::{Event, ServerMessage};

use super::cause::Cause;
use super::turn::{To, Turn};
use super::{Socket, Stage};

impl Socket {
    pub(super) fn read_server(&mut self, mut bytes: &[u8], turn: &mut Turn) {
        while !self.is_over() {
            match self.server.next(&mut bytes) {
                Ok(Some(event)) => self.on_server_event(event, turn),
                Ok(None) => return,
                Err(failure) => return self.close_for(Cause::of(To::Upstream, failure), turn),
            }
        }
    }

    fn on_server_event(&mut self, event: Event, turn: &mut Turn) {
        let mut writer = Self::writer(&self.entropy, turn);
        match event {
            Event::Text(text) => self.on_server_text(&text, turn),
            Event::Binary(_) => self.close_for(Cause::UPSTREAM_BINARY, turn),
            Event::Ping(payload) => {
                writer.ping(To::Client, &payload);
            }
            Event::Pong(payload) => {
                writer.pong(To::Client, &payload);
            }
            Event::Close { code, reason } => {
                writer.close(To::Client, code, &reason);
                self.stage = self.stage_after_close();
                self.running.clear();
            }
        }
    }

    fn on_server_text(&mut self, text: &str, turn: &mut Turn) {
        let Ok(message) = self.protocol.server(text) else {
            return self.close_for(Cause::UPSTREAM_MESSAGE, turn);
        };
        let goes_on = match message {
            ServerMessage::Ack => {
                if self.stage == Stage::Begun {
                    return self.close_for(Cause::UPSTREAM_MESSAGE, turn);
                }
                self.stage = self.stage.max_with(Stage::Acknowledged);
                true
            }
            ServerMessage::Ping | ServerMessage::Other => true,
            // What was completed meanwhile, or denied, has nothing to say.
            ServerMessage::Next(id) => self.running.contains_key(&id),
            ServerMessage::Over(id) => self.running.remove(&id).is_some(),
        };
        if goes_on {
            self.say(To::Client, text, turn);
        }
    }
}

impl Stage {
    fn max_with(self, other: Self) -> Self {
        if self < other { other } else { self }
    }
}
