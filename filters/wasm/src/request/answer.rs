//! The answer to a request: whether a host of the right region gave it.

use ig_contract::decision;
use ig_guard::{Breach, Exchange, Reply};
use proxy_wasm::types::Action;

use super::{HttpRequest, UNAVAILABLE, as_headers};
use crate::host::{self, HostError, Level};

impl HttpRequest {
    /// Looks at which host answers, where that matters. Answers with what the
    /// client gets instead.
    fn check_answer(&self, exchange: &Exchange) -> Result<Option<Reply>, HostError> {
        if !exchange.is_placed() {
            return Ok(None);
        }
        // Answers of Envoy's own have no upstream.
        let Some(address) = host::property("upstream\0address")? else {
            return Ok(None);
        };
        let locality = || host::property("upstream\0locality\0region").ok().flatten();
        let Some(Breach { record, reply }) = exchange.on_answer(&address, locality) else {
            return Ok(None);
        };
        let id = exchange.decision_id();
        host::log(
            Level::Error,
            &format!("ig-guard: ALERT: decision {id}: an answer from another region"),
        );
        if let Some(breaches) = self.breaches {
            host::count(breaches)?;
        }
        let earlier = host::property(decision::FILTER_STATE_KEY)?.unwrap_or_default();
        let earlier = String::from_utf8_lossy(&earlier);
        host::set_filter_state(decision::FILTER_STATE_KEY, &format!("{earlier},{record}"))?;
        Ok(reply)
    }

    /// The action to take where what the client gets is not the answer.
    pub(super) fn withhold(&self) -> Option<Action> {
        let reply = match self.check_answer(self.exchange.as_ref()?) {
            Ok(reply) => reply?,
            Err(error) => {
                host::log(
                    Level::Error,
                    &format!("ig-guard: host call failed: {error:?}"),
                );
                let _ = host::reply(503, &[("content-type", "application/json")], UNAVAILABLE);
                return Some(Action::Pause);
            }
        };
        let headers = as_headers(&reply);
        let _ = host::reply(reply.status, &headers, &reply.body);
        Some(Action::Pause)
    }
}
