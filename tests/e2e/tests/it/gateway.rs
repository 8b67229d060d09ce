//! A fixture with an Envoy in front, and the requests most tests send.

use std::sync::atomic::{AtomicUsize, Ordering};

use ig_e2e::{Envoy, Fixture, RawRequest, RawResponse, Recorded, TokenClaims, http1};
use serde_json::{Value, json};

pub(crate) struct Gateway {
    pub(crate) fixture: Fixture,
    pub(crate) envoy: Envoy,
}

/// What a request was answered, and what the upstream saw of it.
pub(crate) struct Outcome {
    pub(crate) response: RawResponse,
    pub(crate) seen: Vec<Recorded>,
}

impl Outcome {
    /// Status and code, for assertions.
    pub(crate) fn verdict(&self) -> (u16, Option<String>) {
        (self.response.status, self.response.extension("code"))
    }

    pub(crate) fn rule(&self) -> Option<String> {
        self.response.extension("rule")
    }
}

/// A verdict to compare with.
pub(crate) fn denied(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

pub(crate) const ALLOWED: (u16, Option<String>) = (200, None);

static CASE: AtomicUsize = AtomicUsize::new(0);

impl Gateway {
    /// Starts Envoy with one worker and the bootstrap that `edit` makes.
    pub(crate) async fn start(fixture: Fixture, edit: impl Fn(&mut Value)) -> Self {
        Self::with_workers(1, fixture, edit).await
    }

    pub(crate) async fn with_workers(
        workers: u32,
        fixture: Fixture,
        edit: impl Fn(&mut Value),
    ) -> Self {
        let make = |gateway, admin| {
            let mut bootstrap = ig_envoy::render(&fixture.options(gateway, admin)?);
            edit(&mut bootstrap);
            Ok(bootstrap)
        };
        let envoy = Envoy::start(workers, make).await.unwrap();
        Self { fixture, envoy }
    }

    /// Starts Envoy with one worker and the options that `edit` makes.
    pub(crate) async fn with_options(
        fixture: Fixture,
        edit: impl Fn(&mut ig_envoy::StaticOptions),
    ) -> Self {
        Self::of_workers(1, fixture, edit).await
    }

    /// The same with more workers.
    pub(crate) async fn of_workers(
        workers: u32,
        fixture: Fixture,
        edit: impl Fn(&mut ig_envoy::StaticOptions),
    ) -> Self {
        let make = |gateway, admin| {
            let mut options = fixture.options(gateway, admin)?;
            edit(&mut options);
            Ok(ig_envoy::render(&options))
        };
        let envoy = Envoy::start(workers, make).await.unwrap();
        Self { fixture, envoy }
    }

    /// A POST of `body` with the demo's headers.
    pub(crate) fn request(&self, body: &str) -> RawRequest {
        let token = self.fixture.issuer.token(&TokenClaims::alpha());
        request_with_token(&token, body)
    }

    pub(crate) async fn send(&self, mut request: RawRequest) -> Outcome {
        let case = format!("request-{}", CASE.fetch_add(1, Ordering::Relaxed));
        request
            .headers
            .push(("x-case".into(), case.clone().into_bytes()));
        let response = http1(self.envoy.gateway, &request).await.unwrap();
        Outcome {
            response,
            seen: self.fixture.recorder.take(&case),
        }
    }

    /// Sends a catalogued operation by its short name.
    pub(crate) async fn send_id(&self, name: &str) -> Outcome {
        self.send(self.request(&self.id(name))).await
    }

    pub(crate) async fn send_text(&self, text: &str) -> Outcome {
        self.send(self.request(&json!({"query": text}).to_string()))
            .await
    }

    /// Body of a request by id.
    pub(crate) fn id(&self, name: &str) -> String {
        json!({"documentId": format!("sha256:{}", self.fixture.hash(name))}).to_string()
    }

    /// The access log's decisions once there are `count` lines.
    pub(crate) async fn decisions(&self, count: usize) -> Vec<Value> {
        for _ in 0..100 {
            // Envoy flushes access logs every ten seconds, or on this.
            let _ = self.envoy.post_admin("/reopen_logs").await;
            let lines = self.envoy.access_log();
            if lines.len() >= count {
                return lines
                    .into_iter()
                    .map(|line| line["decisions"].clone())
                    .collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        panic!("no {count} lines in the access log");
    }
}

pub(crate) fn request_with_token(token: &str, body: &str) -> RawRequest {
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("x-ig-purpose", "investigation".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    RawRequest {
        method: "POST".into(),
        target: "/graphql".into(),
        headers: headers
            .map(|(name, value)| (name.into(), value.into_bytes()))
            .into(),
        chunks: vec![body.as_bytes().to_vec()],
        ..RawRequest::default()
    }
}

/// The HTTP filters of a bootstrap.
pub(crate) fn filters(bootstrap: &mut Value) -> &mut Vec<Value> {
    connection_manager(bootstrap)["http_filters"]
        .as_array_mut()
        .unwrap()
}

pub(crate) fn connection_manager(bootstrap: &mut Value) -> &mut Value {
    &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}
