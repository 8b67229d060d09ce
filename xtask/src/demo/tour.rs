//! The stops of the tour, as data.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ig_authenticator::Authenticator;
use serde_json::{Value, json};

use super::{Outcome, exports, published};
use crate::stack::{Stack, decisions};
use crate::{net, tools};

/// Who sends.
#[derive(Clone, Copy)]
enum Who {
    Alpha,
    Bravo,
    Nobody,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Sent {
    /// A catalogued operation by POST.
    Id(&'static str, &'static str),
    /// The same by GET.
    Get(&'static str),
    /// A body as it stands.
    Body(&'static str),
    /// A protocol upgrade.
    Upgrade,
}

/// What must come back.
#[derive(Clone, Copy)]
enum Expected {
    /// 200, with this somewhere in the data.
    Data(&'static str),
    /// A deny: status, code and rule.
    Deny(u16, &'static str, &'static str),
    /// A status of Envoy itself.
    Status(u16),
}

struct Stop(&'static str, Who, Option<&'static str>, Sent, Expected);

use Expected::{Data, Deny, Status};
use Sent::{Body, Get, Id, Upgrade};
use Who::{Alpha, Bravo, Nobody};

const INVESTIGATION: Option<&str> = Some("investigation");
const ASSET: &str = r#"{"input":{"caseId":"case-1","label":"demo","retention":"short-30d"}}"#;
const FOREVER: &str = r#"{"input":{"caseId":"case-1","label":"demo","retention":"forever"}}"#;
const EXPORT: &str = r#"{"ids":["asset-1"]}"#;
const INCOMPATIBLE: &str =
    r#"{"ids":["asset-2"],"licenseClass":"proprietary","destination":{"tos":"public"}}"#;

const STOPS: [Stop; 20] = [
    Stop(
        "a catalogued query by id",
        Alpha,
        INVESTIGATION,
        Id("Cases", "{}"),
        Data("\"cases\""),
    ),
    Stop(
        "the same by GET",
        Alpha,
        INVESTIGATION,
        Get("Cases"),
        Data("\"cases\""),
    ),
    Stop(
        "what the upstream sees of a caller",
        Alpha,
        INVESTIGATION,
        Id("RequestHeaders", "{}"),
        Data("a@alpha.io"),
    ),
    Stop(
        "a spoofed x-ig-tenant",
        Alpha,
        INVESTIGATION,
        Id("CurrentTenant", "{}"),
        Data("alpha"),
    ),
    Stop(
        "another tenant's caller",
        Bravo,
        INVESTIGATION,
        Id("CurrentTenant", "{}"),
        Data("bravo"),
    ),
    Stop(
        "introspection that is catalogued",
        Alpha,
        INVESTIGATION,
        Id("IntrospectionQuery", "{}"),
        Data("__schema"),
    ),
    Stop(
        "free text",
        Alpha,
        INVESTIGATION,
        Body(r#"{"query":"{ cases { id } }"}"#),
        Deny(400, "PERSISTED_QUERY_ID_REQUIRED", "id-required"),
    ),
    Stop(
        "an id and a text",
        Alpha,
        INVESTIGATION,
        Body(r#"{"query":"{ cases { id } }","id":"x"}"#),
        Deny(400, "CANNOT_SEND_PQ_ID_AND_BODY", "id-and-text"),
    ),
    Stop(
        "an unknown id",
        Alpha,
        INVESTIGATION,
        Body(r#"{"id":"unknown"}"#),
        Deny(404, "PERSISTED_QUERY_NOT_IN_LIST", "not-in-list"),
    ),
    Stop(
        "a key twice",
        Alpha,
        INVESTIGATION,
        Body(r#"{"id":"x","id":"y"}"#),
        Deny(400, "BAD_REQUEST", "json"),
    ),
    Stop(
        "a batch, which is off",
        Alpha,
        INVESTIGATION,
        Body(r#"[{"id":"x"}]"#),
        Deny(400, "BATCHING_NOT_ENABLED", "batch-off"),
    ),
    Stop(
        "no access token",
        Nobody,
        INVESTIGATION,
        Id("Cases", "{}"),
        Deny(401, "UNAUTHENTICATED", "token"),
    ),
    Stop(
        "no purpose",
        Alpha,
        None,
        Id("Cases", "{}"),
        Deny(403, "PURPOSE_REQUIRED", "purpose-required"),
    ),
    Stop(
        "a purpose not granted",
        Bravo,
        Some("audit"),
        Id("Cases", "{}"),
        Deny(403, "PURPOSE_DENIED", "purpose-not-granted"),
    ),
    Stop(
        "a write with a short retention",
        Alpha,
        INVESTIGATION,
        Id("CreateAsset", ASSET),
        Data("createAsset"),
    ),
    Stop(
        "a write to keep forever",
        Alpha,
        INVESTIGATION,
        Id("CreateAsset", FOREVER),
        Deny(403, "POLICY_DENIED", "retention-too-long"),
    ),
    Stop(
        "an export without a proof of presence",
        Alpha,
        Some("export"),
        Id("ExportAssets", EXPORT),
        Deny(401, "STEP_UP_REQUIRED", "step-up-required"),
    ),
    Stop(
        "an export against its licence",
        Alpha,
        Some("export"),
        Id("ExportAssets", INCOMPATIBLE),
        Deny(403, "POLICY_DENIED", "license-incompatible"),
    ),
    Stop(
        "a search across tenants",
        Alpha,
        INVESTIGATION,
        Id("CrossTenantSearch", r#"{"term":"x"}"#),
        Deny(403, "POLICY_DENIED", "cross-tenant"),
    ),
    Stop("a WebSocket", Alpha, INVESTIGATION, Upgrade, Status(403)),
];

/// Sends everything.
pub(super) fn run(tour: &Tour<'_>, key: &mut Authenticator) -> Result<Vec<Outcome>> {
    let mut outcomes = STOPS
        .iter()
        .map(|stop| tour.visit(stop))
        .collect::<Result<Vec<_>>>()?;
    outcomes.extend(exports::run(tour, key)?);
    outcomes.push(tour.stream()?);
    outcomes.push(tour.record()?);
    outcomes.extend(published::run(tour)?);
    Ok(outcomes)
}

pub(super) struct Tour<'a> {
    pub(super) stack: &'a Stack,
    agent: ureq::Agent,
    ids: BTreeMap<String, String>,
}

impl<'a> Tour<'a> {
    pub(super) fn new(stack: &'a Stack) -> Result<Self> {
        let manifest = tools::root().join("persisted-queries/manifest.json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
        let operations = manifest["operations"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ids = operations
            .iter()
            .map(|one| (text(&one["name"]), text(&one["id"])))
            .collect();
        let agent = net::agent(Duration::from_secs(20));
        Ok(Self { stack, agent, ids })
    }

    /// Sends all for so long, whatever comes of it.
    pub(super) fn repeat(&self, time: Duration) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < time {
            for stop in &STOPS {
                self.visit(stop)?;
            }
        }
        Ok(())
    }

    pub(super) fn id(&self, name: &str) -> Result<&str> {
        self.ids
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("{name} is not catalogued"))
    }

    pub(super) fn by_id(&self, name: &str, variables: &str) -> Result<String> {
        let variables: Value = serde_json::from_str(variables)?;
        Ok(
            json!({"documentId": format!("sha256:{}", self.id(name)?), "variables": variables})
                .to_string(),
        )
    }

    fn headers(&self, who: Who, purpose: Option<&str>) -> Vec<(&'static str, String)> {
        let token = match who {
            Alpha => Some(&self.stack.token_alpha),
            Bravo => Some(&self.stack.token_bravo),
            Nobody => None,
        };
        let mut headers = vec![("x-ig-tenant", "spoofed".to_owned())];
        headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
        headers.extend(purpose.map(|purpose| ("x-ig-purpose", purpose.to_owned())));
        headers
    }

    /// Status of a catalogued query.
    pub(super) fn status(&self, name: &str) -> Result<u16> {
        let mut request = http::Request::post(format!("{}/graphql", self.stack.gateway_url))
            .header("content-type", "application/json");
        for (name, value) in self.headers(Alpha, INVESTIGATION) {
            request = request.header(name, value);
        }
        let body = self.by_id(name, "{}")?;
        Ok(self.agent.run(request.body(body)?)?.status().as_u16())
    }

    /// Status and body of an export by a@alpha.io.
    pub(super) fn export(&self, variables: &str, step_up: Option<&str>) -> Result<(u16, Value)> {
        let mut request = http::Request::post(format!("{}/graphql", self.stack.gateway_url))
            .header("content-type", "application/json");
        for (name, value) in self.headers(Alpha, Some("export")) {
            request = request.header(name, value);
        }
        if let Some(step_up) = step_up {
            request = request.header("x-ig-step-up", step_up);
        }
        let body = self.by_id("ExportAssets", variables)?;
        let mut answer = self.agent.run(request.body(body)?)?;
        let text = answer.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((answer.status().as_u16(), body))
    }

    fn visit(&self, Stop(sent, who, purpose, request, expected): &Stop) -> Result<Outcome> {
        let endpoint = format!("{}/graphql", self.stack.gateway_url);
        let headers = self.headers(*who, *purpose);
        let with = |mut builder: http::request::Builder| {
            for (name, value) in &headers {
                builder = builder.header(*name, value);
            }
            builder
        };
        let post = |body: String| {
            let request = with(http::Request::post(&endpoint));
            let request = request
                .header("content-type", "application/json")
                .body(body)?;
            Ok::<_, anyhow::Error>(self.agent.run(request)?)
        };
        let mut response = match request {
            Id(name, variables) => post(self.by_id(name, variables)?)?,
            Body(body) => post((*body).to_owned())?,
            Get(name) => {
                let target = format!("{endpoint}?documentId=sha256:{}", self.id(name)?);
                self.agent.run(with(http::Request::get(target)).body(())?)?
            }
            Upgrade => {
                let request = with(http::Request::get(&endpoint))
                    .header("connection", "Upgrade")
                    .header("upgrade", "websocket")
                    .header("sec-websocket-version", "13")
                    .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
                self.agent.run(request.body(())?)?
            }
        };
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().unwrap_or_default();
        Ok(judge(sent, expected, status, &body))
    }

    /// Three events of a subscription arrive one by one.
    fn stream(&self) -> Result<Outcome> {
        let mut request = http::Request::post(format!("{}/graphql", self.stack.gateway_url))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream");
        for (name, value) in self.headers(Alpha, INVESTIGATION) {
            request = request.header(name, value);
        }
        let body = self.by_id("CaseEvents", r#"{"caseId":"case-1","count":3}"#)?;
        let response = self.agent.run(request.body(body)?)?;
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        let started = Instant::now();
        let mut arrivals = Vec::new();
        for line in lines {
            if line?.starts_with("event: next") {
                arrivals.push(started.elapsed());
            }
        }
        let span = match (arrivals.first(), arrivals.last()) {
            (Some(first), Some(last)) => *last - *first,
            _ => Duration::ZERO,
        };
        Ok(Outcome {
            sent: "a subscription over SSE",
            expected: "3 events, one by one".into(),
            got: format!("{} events over {} ms", arrivals.len(), span.as_millis()),
            // The upstream sends one each 100 ms; all at once would be 0.
            holds: arrivals.len() == 3 && span > Duration::from_millis(50),
        })
    }

    /// The access log has the records.
    fn record(&self) -> Result<Outcome> {
        // Envoy writes its log every ten seconds, or when asked to.
        self.agent
            .post(format!("{}/reopen_logs", self.stack.admin_url))
            .send_empty()?;
        let started = Instant::now();
        let wanted = STOPS.len();
        let mut found = decisions(&self.stack.access_log).unwrap_or_default();
        while found.len() < wanted && started.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(100));
            found = decisions(&self.stack.access_log).unwrap_or_default();
        }
        let members = [
            "decisionId",
            "tenantId",
            "purpose",
            "rule",
            "revision",
            "operation",
            "outcome",
        ];
        let is_whole = |one: &Value| members.iter().all(|name| one.get(*name).is_some());
        let is_deny = |one: &Value| one["rule"] == "retention-too-long" && one["outcome"] == "deny";
        Ok(Outcome {
            sent: "the access log",
            expected: "a record for every decision".into(),
            got: format!("{} records", found.len()),
            holds: found.len() >= wanted - 1
                && found.iter().all(is_whole)
                && found.iter().any(is_deny)
                && net::http_get(&format!("{}/ready", self.stack.admin_url)).is_ok(),
        })
    }
}

fn judge(sent: &'static str, expected: &Expected, status: u16, body: &str) -> Outcome {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let extension = |name: &str| {
        json["errors"][0]["extensions"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (code, rule) = (extension("code"), extension("rule"));
    let (wanted, holds) = match expected {
        Data(text) => (
            "200, data".to_owned(),
            status == 200
                && json.get("errors").is_none()
                && body.contains(text)
                && !body.contains("spoofed"),
        ),
        Deny(wanted, wanted_code, wanted_rule) => (
            format!("{wanted} {wanted_code} ({wanted_rule})"),
            (status, code.as_str(), rule.as_str()) == (*wanted, *wanted_code, *wanted_rule),
        ),
        Status(wanted) => (wanted.to_string(), status == *wanted),
    };
    let got = match (code.is_empty(), holds) {
        (false, _) => format!("{status} {code} ({rule})"),
        (true, true) => status.to_string(),
        (true, false) => format!("{status} {}", body.chars().take(120).collect::<String>()),
    };
    Outcome {
        sent,
        expected: wanted,
        got,
        holds,
    }
}
