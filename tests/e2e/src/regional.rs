//! Upstreams of regions: each signs its answers with its region's key, so that
//! a client knows which region served it, whatever proxies say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use crate::Listening;

/// What signs a region's answers: one secret a region, which the client has too.
pub fn signature(region: &str, nonce: &str) -> String {
    let digest = Sha256::digest(format!("secret of {region}\0{nonce}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One host of a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its region.
    pub region: String,
    /// Whether it may write.
    pub is_primary: bool,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a host has served.
#[derive(Clone, Default, Debug)]
pub struct Served {
    /// Requests by tenant.
    pub by_tenant: BTreeMap<String, u64>,
    /// Mutations.
    pub writes: u64,
}

/// A host that can be stopped and started again.
pub struct RegionalUpstream {
    /// Which it is.
    pub host: Host,
    served: Arc<Mutex<Served>>,
    listening: Listening,
}

impl RegionalUpstream {
    /// A host that is not running yet.
    pub fn new(host: Host) -> Self {
        Self {
            listening: Listening::at(host.address),
            host,
            served: Arc::default(),
        }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start(&mut self) -> Result<()> {
        let (host, served) = (Arc::new(self.host.clone()), self.served.clone());
        self.listening.start(move |request| {
            let (host, served) = (host.clone(), served.clone());
            async move { answer(&host, &served, request).await }
        })
    }

    /// Ends the listener and every connection at once.
    pub async fn kill(&mut self) {
        self.listening.kill().await;
    }

    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        self.listening.is_running()
    }

    /// What it has served.
    pub fn served(&self) -> Served {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.clone()
    }
}

async fn answer(
    host: &Host,
    served: &Mutex<Served>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let body = body.collect().await.ok().map(|body| body.to_bytes());
    let body = String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
    {
        let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
        *served.by_tenant.entry(header("x-ig-tenant")).or_default() += 1;
        served.writes += u64::from(body.contains("\"query\":\"mutation"));
    }
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header(
            "x-served-by",
            if host.is_primary {
                "primary"
            } else {
                "replica"
            },
        )
        .header("x-signature", signature(&host.region, &header("x-nonce")))
        .body(Full::new(Bytes::from_static(b"{\"data\":{}}")));
    answer.unwrap_or_default()
}
