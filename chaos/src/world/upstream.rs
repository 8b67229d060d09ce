//! Upstreams that note what reaches them, sign for their region, and answer with the
//! tenant's name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use ig_contract::headers;
use ig_e2e::{Listening, open_events, signature};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::history::{Arrival, Event, History, sha256};

/// What Envoy asks hosts in between; nobody's request.
pub(super) const HEALTH: &str = "/health";

/// Three events, and the end (graphql-sse).
fn events(data: &str) -> String {
    let event = format!("event: next\ndata: {data}\n\n");
    format!("{event}{event}{event}event: complete\ndata:\n\n")
}

/// Name of the operation that a text begins with; empty if it has none.
fn operation(text: &str) -> String {
    let kinds = ["query", "mutation", "subscription"];
    let text = text.trim_start();
    let named = kinds.iter().find_map(|kind| text.strip_prefix(*kind));
    let is_of_name = |one: &char| one.is_ascii_alphanumeric() || *one == '_';
    let named = named.unwrap_or_default().trim_start();
    named.chars().take_while(is_of_name).collect()
}

/// One host of a region.
pub struct Upstream {
    of: Arc<Of>,
    listening: Listening,
}

struct Of {
    region: &'static str,
    is_primary: bool,
    /// Where it notes what reaches it, if anybody reads that.
    history: Option<History>,
    /// Whether nothing is answered, as by a process that is stopped.
    paused: watch::Sender<bool>,
}

impl Upstream {
    /// One that does not run yet.
    pub fn new(
        region: &'static str,
        is_primary: bool,
        address: SocketAddr,
        history: Option<History>,
    ) -> Self {
        let of = Of {
            region,
            is_primary,
            history,
            paused: watch::Sender::new(false),
        };
        Self {
            of: Arc::new(of),
            listening: Listening::at(address),
        }
    }

    /// Begins to listen, if it does not.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start(&mut self) -> Result<()> {
        if self.listening.is_running() {
            return Ok(());
        }
        let of = self.of.clone();
        self.listening.start(move |request| {
            let of = of.clone();
            async move { of.answer(request).await }
        })
    }

    /// Ends the listener and every connection at once.
    pub async fn kill(&mut self) {
        self.listening.kill().await;
    }

    /// Answers nothing until told otherwise.
    pub fn pause(&self, is_paused: bool) {
        self.of.paused.send_replace(is_paused);
    }
}

impl Of {
    async fn answer(&self, mut request: http::Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == HEALTH {
            self.wait().await;
            return Response::default();
        }
        // Who notes what arrives expects none, and notes it as what it is not: a request.
        if self.history.is_none() && request.headers().contains_key("upgrade") {
            return open_events(&mut request, json!({"data": {"of": self.region}}));
        }
        let (head, body) = request.into_parts();
        let header = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        // One that broke off is no request: it would be noted as one without a text.
        let Ok(body) = body.collect().await else {
            return Response::default();
        };
        let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
        let query = body["query"].as_str().unwrap_or_default();
        let nonce = header("x-nonce");
        let tenant = header(headers::TENANT);
        if let Some(history) = &self.history {
            history.push(Event::Arrival(Arrival {
                id: nonce.parse().ok(),
                region: self.region.to_owned(),
                is_primary: self.is_primary,
                tenant: tenant.clone(),
                decision: header(headers::DECISION_ID),
                query: sha256(query),
                operation: operation(query),
                is_write: query.trim_start().starts_with("mutation"),
                at: history.now(),
            }));
        }
        self.wait().await;
        let data = json!({"data": {"of": tenant}}).to_string();
        let (kind, body) = match query.trim_start().starts_with("subscription") {
            true => ("text/event-stream", events(&data)),
            false => ("application/json", data),
        };
        let answer = Response::builder()
            .header("content-type", kind)
            .header("x-signature", signature(self.region, &nonce))
            .body(Full::from(body));
        answer.unwrap_or_default()
    }

    /// Until the host goes on.
    async fn wait(&self) {
        let mut paused = self.paused.subscribe();
        let goes_on = paused.wait_for(|is_paused| !is_paused);
        let _ = tokio::time::timeout(Duration::from_secs(60), goes_on).await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn operations_are_known_by_name() {
        for (text, name) in [
            (
                "query CaseById($id: ID!) { case(id: $id) { id } }",
                "CaseById",
            ),
            ("  mutation  Create_2{ a }", "Create_2"),
            ("subscription Events { a }", "Events"),
            ("query { a }", ""),
            ("{ a }", ""),
            ("", ""),
        ] {
            assert_eq!(super::operation(text), name, "{text}");
        }
    }
}
