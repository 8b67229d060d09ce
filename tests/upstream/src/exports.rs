//! Who signs exports: the control plane's export service.
//!
//! What the guard said of the request is relayed as it came. It is the service
//! that decides whether there was such a decision.

use std::fmt;
use std::time::Duration;

use async_graphql::{Error, ErrorExtensions as _};
use axum::http::HeaderMap;
use serde_json::{Value, json};

/// What the guard set, and the service asks for.
const RELAYED: [&str; 5] = [
    "x-ig-tenant",
    "x-ig-actor",
    "x-ig-purpose",
    "x-ig-authority",
    "x-ig-decision-id",
];

/// Waits for the ledger too, which says after ten seconds that it takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest answer: a manifest and its bundle.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// The export service. Its token is shown to nobody.
#[derive(Clone)]
pub struct ExportService {
    agent: ureq::Agent,
    url: String,
    token: String,
}

/// What was signed.
pub(crate) struct Signed {
    pub(crate) manifest_sha: String,
    pub(crate) sig: String,
}

impl ExportService {
    /// A service at the URL of a control plane, and a token of the role `exporter`.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build();
        Self {
            agent: agent.into(),
            url: format!("{}/exports", url.trim_end_matches('/')),
            token: token.to_owned(),
        }
    }

    /// Has an export signed. One decision makes one export, so its id is the key by
    /// which the request can be sent again.
    pub(crate) async fn sign(&self, caller: &HeaderMap, body: Value) -> Result<Signed, Error> {
        let text = |name: &str| caller.get(name).and_then(|value| value.to_str().ok());
        let mut request = ureq::http::Request::post(&self.url)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .header(
                "idempotency-key",
                text("x-ig-decision-id").unwrap_or_default(),
            );
        for name in RELAYED {
            if let Some(value) = text(name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(body.to_string())?;
        let agent = self.agent.clone();
        let ask = move || -> Result<(u16, Value), ureq::Error> {
            let mut answer = agent.run(request)?;
            let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES);
            let body = body.read_to_vec()?;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Ok((answer.status().as_u16(), body))
        };
        // A second time, where the answer was lost or is late: the same export.
        let again = ask.clone();
        let first = tokio::task::spawn_blocking(ask).await?;
        let answer = match first {
            Ok((status, _)) if status < 500 => first,
            _ => tokio::task::spawn_blocking(again).await?,
        };
        let (status, answer) = answer.map_err(|_| Error::new("the export service is away"))?;
        signed(status, &answer)
    }
}

fn signed(status: u16, answer: &Value) -> Result<Signed, Error> {
    let text = |name: &str| answer[name].as_str().map(ToOwned::to_owned);
    match (status, text("manifestSha"), text("sig")) {
        (201, Some(manifest_sha), Some(sig)) => Ok(Signed { manifest_sha, sig }),
        _ => {
            let detail = text("detail").unwrap_or_else(|| "no answer".to_owned());
            let refused = Error::new(format!("the export was not signed: {detail}"));
            Err(refused.extend_with(|_, extensions| {
                for (name, of) in [("code", "code"), ("rule", "reason")] {
                    if let Some(value) = text(of) {
                        extensions.set(name, value);
                    }
                }
            }))
        }
    }
}

impl fmt::Debug for ExportService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExportService").field(&self.url).finish()
    }
}

/// What the service is told of an export: the true licence classes of its assets,
/// and where it goes.
pub(crate) fn body(items: Vec<Value>, classes: Vec<String>, destination: Option<String>) -> Value {
    let mut facts = json!({"licenseClass": classes});
    if let Some(tos) = destination {
        facts["destination.tos"] = json!([tos]);
    }
    json!({"action": "export:assets", "items": items, "facts": facts})
}
