//! Clients of the gateways.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::response::Parts;
use http_body_util::Full;
use ig_e2e::{Connection, LoadRequest, signature};
use serde_json::{Value, json};

use super::{Shared, User};
use crate::history::{Event, Kind, Request};
use crate::numbers::Numbers;
use crate::world::{REGIONS, TENANTS, Tokens, World, analyst};

/// How long a client waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Of a hundred requests, how many are of a kind. The rest are reads.
const SHARES: [(Kind, usize); 9] = [
    (Kind::Write, 15),
    (Kind::AdHoc, 6),
    (Kind::UnknownId, 4),
    (Kind::ForeignPurpose, 5),
    (Kind::Anonymous, 4),
    (Kind::Expired, 3),
    (Kind::Early, 3),
    (Kind::Skewed, 5),
    (Kind::Deactivated, 8),
];

/// A client with a connection to each gateway.
pub(super) struct Client {
    shared: Arc<Shared>,
    numbers: Numbers,
    gateways: Vec<(SocketAddr, Connection)>,
    bodies: Arc<Bodies>,
    tokens: Arc<Analysts>,
}

struct Bodies {
    read: String,
    write: String,
    ad_hoc: String,
    unknown: String,
}

/// Access tokens of analysts, by tenant.
struct Analysts {
    valid: Vec<String>,
    expired: Vec<String>,
    maker: Tokens,
}

/// From when and until when a token is good whose issuer's clock differs by as much as
/// clocks may: seconds from now.
const SKEWED: [(i64, i64); 2] = [(3, 7200), (-7200, -3)];
const EARLY: (i64, i64) = (60, 7200);

impl Client {
    /// One that knows the world's addresses.
    ///
    /// # Errors
    /// If the demo lacks an operation.
    pub(super) fn new(world: &World, shared: Arc<Shared>, numbers: Numbers) -> Result<Self> {
        let bodies = Bodies {
            read: World::by_id("CaseById", json!({"id": "case-1"}))?,
            write: World::by_id(
                "CreateAsset",
                json!({"input": {"caseId": "case-1", "label": "a", "retention": "short-30d"}}),
            )?,
            ad_hoc: json!({"query": "{ cases(first: 1) { id } }"}).to_string(),
            unknown: json!({"documentId": format!("sha256:{}", "0".repeat(64))}).to_string(),
        };
        let token = |tenant: usize, seconds| world.tokens().of(tenant, &analyst(tenant), seconds);
        let tokens = Analysts {
            valid: (0..TENANTS).map(|tenant| token(tenant, 7200)).collect(),
            expired: (0..TENANTS).map(|tenant| token(tenant, -60)).collect(),
            maker: world.tokens(),
        };
        let gateways = world.gateways.iter();
        Ok(Self {
            shared,
            numbers,
            gateways: gateways
                .map(|gateway| (gateway.address, Connection::new(gateway.address)))
                .collect(),
            bodies: Arc::new(bodies),
            tokens: Arc::new(tokens),
        })
    }

    /// Another one with connections of its own, that draws numbers of its own.
    pub(super) fn fork(&mut self) -> Self {
        let gateways = self.gateways.iter();
        let gateways = gateways.map(|(address, _)| (*address, Connection::new(*address)));
        Self {
            shared: self.shared.clone(),
            numbers: self.numbers.fork(),
            gateways: gateways.collect(),
            bodies: self.bodies.clone(),
            tokens: self.tokens.clone(),
        }
    }

    /// One request after the other, each at its time, until the workload is over.
    pub(super) async fn run(mut self, gap: Duration) {
        let mut due = tokio::time::Instant::now();
        while !self.shared.is_over() {
            tokio::time::sleep_until(due).await;
            self.any().await;
            due = (due + gap).max(tokio::time::Instant::now());
        }
    }

    async fn any(&mut self) {
        let mut share = self.numbers.below(100);
        let mut kind = Kind::Read;
        for (other, part) in SHARES {
            if share < part {
                kind = other;
                break;
            }
            share -= part;
        }
        let gateway = self.numbers.below(REGIONS.len());
        if kind == Kind::Deactivated {
            // Drawn in any case: what comes after it does not depend on the time things take.
            let drawn = self.numbers.below(usize::MAX);
            let user = {
                let deactivated = self.shared.deactivated();
                let Some(at) = drawn.checked_rem(deactivated.len()) else {
                    return;
                };
                deactivated[at].clone()
            };
            self.ask_as(&user, kind, gateway).await;
            return;
        }
        let tenant = self.numbers.below(TENANTS);
        let user = self.analyst(tenant, kind);
        self.ask_as(&user, kind, gateway).await;
    }

    /// A tenant's analyst, with the token that a request of the kind has.
    pub(super) fn analyst(&mut self, tenant: usize, kind: Kind) -> User {
        let numbers = &mut self.numbers;
        let tokens = &*self.tokens;
        let name = analyst(tenant);
        let made = |(from, until)| tokens.maker.between(tenant, &name, from, until);
        let token = match kind {
            Kind::Expired => tokens.expired[tenant].clone(),
            Kind::Early => made(EARLY),
            Kind::Skewed => made(*numbers.one_of(&SKEWED)),
            _ => tokens.valid[tenant].clone(),
        };
        User {
            tenant,
            token,
            name,
            id: String::new(),
        }
    }

    /// One request of a user; whether it was served.
    pub(super) async fn ask_as(&mut self, user: &User, kind: Kind, gateway: usize) -> bool {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let request = self.request(user, kind, id);
        let at = self.shared.history.now();
        let (address, connection) = &mut self.gateways[gateway];
        let answer = match tokio::time::timeout(PATIENCE, connection.send(request)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(_)) | Err(_) => {
                *connection = Connection::new(*address);
                None
            }
        };
        let took = self.shared.history.now().saturating_sub(at);
        let mut seen = Request {
            id,
            kind,
            tenant: user.tenant,
            user: user.name.clone(),
            gateway,
            at,
            took,
            status: 0,
            code: None,
            rule: None,
            is_well_formed: true,
            signed_by: None,
            data_of: None,
        };
        if let Some((head, body)) = answer {
            read(&mut seen, &head, &body);
        }
        let is_served = seen.status == 200;
        if kind.is_due() && !is_served {
            self.shared.failed(at + took);
        }
        self.shared.history.push(Event::Request(seen));
        is_served
    }

    fn request(&self, user: &User, kind: Kind, id: u64) -> LoadRequest {
        let body = match kind {
            Kind::Write => &self.bodies.write,
            Kind::AdHoc => &self.bodies.ad_hoc,
            Kind::UnknownId => &self.bodies.unknown,
            _ => &self.bodies.read,
        };
        let purpose = match kind {
            Kind::ForeignPurpose => "audit",
            _ => "investigation",
        };
        let mut headers = BTreeMap::from([
            ("host", "edge".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("x-ig-purpose", purpose.to_owned()),
            ("x-nonce", id.to_string()),
        ]);
        if kind != Kind::Anonymous {
            headers.insert("authorization", format!("Bearer {}", user.token));
        }
        let mut request = LoadRequest::new(Full::new(Bytes::from(body.clone())));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("/graphql");
        for (name, value) in headers {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                request.headers_mut().insert(name, value);
            }
        }
        request
    }
}

/// What an answer says.
fn read(seen: &mut Request, head: &Parts, body: &[u8]) {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    seen.status = head.status.as_u16();
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let body = body.unwrap_or(Value::Null);
    let error = &body["errors"][0];
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    seen.code = text(&error["extensions"]["code"]);
    seen.rule = text(&error["extensions"]["rule"]);
    let is_json = header("content-type").is_some_and(|said| said.contains("json"));
    seen.is_well_formed = is_json
        && match seen.status {
            200 => body["data"].is_object(),
            _ => error["message"].is_string() && seen.code.is_some(),
        };
    seen.data_of = text(&body["data"]["of"]);
    let nonce = seen.id.to_string();
    let signed = header("x-signature").unwrap_or_default();
    let signer = REGIONS
        .into_iter()
        .find(|region| signature(region, &nonce) == signed);
    seen.signed_by = signer.map(ToOwned::to_owned);
}
