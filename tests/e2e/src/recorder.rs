//! An upstream that records what reaches it, byte for byte, and answers with a
//! constant. Tests find their requests by the header `x-case`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// One request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Request target.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body.
    pub body: Vec<u8>,
    /// Names of trailers, in lower case.
    pub trailers: Vec<String>,
}

impl Recorded {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }
}

#[derive(Default)]
struct State {
    by_case: HashMap<String, Vec<Recorded>>,
    texts: HashMap<String, String>,
    text_requests: usize,
    total: usize,
}

/// The recording upstream; it listens until the runtime ends.
#[derive(Clone)]
pub struct Recorder {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Recorder {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let recorder = Self {
            address: listener.local_addr()?,
            state: Arc::new(Mutex::default()),
        };
        let serving = recorder.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let recorder = serving.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let recorder = recorder.clone();
                        async move { Ok::<_, Infallible>(recorder.record(request).await) }
                    });
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(recorder)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves `text` at `/texts/{hash}`.
    pub fn serve_text(&self, hash: String, text: String) {
        self.state().texts.insert(hash, text);
    }

    /// Takes what arrived for a case.
    pub fn take(&self, case: &str) -> Vec<Recorded> {
        self.state().by_case.remove(case).unwrap_or_default()
    }

    /// How many requests arrived in all, those for texts aside.
    pub fn total(&self) -> usize {
        self.state().total
    }

    /// How many requests for texts arrived.
    pub fn text_requests(&self) -> usize {
        self.state().text_requests
    }

    async fn record(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let collected = body.collect().await.ok();
        let trailers = collected.as_ref().and_then(|body| body.trailers());
        let trailers = trailers
            .map(|trailers| {
                trailers
                    .keys()
                    .map(|name| name.as_str().to_owned())
                    .collect()
            })
            .unwrap_or_default();
        let body = collected.map(|body| body.to_bytes().to_vec());
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned();
        let headers: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut state = self.state();
        if let Some(hash) = target.strip_prefix("/texts/") {
            state.text_requests += 1;
            let text = state.texts.get(hash).cloned();
            let status = if text.is_some() { 200 } else { 404 };
            return answer(status, text.unwrap_or_default());
        }
        let recorded = Recorded {
            method: head.method.to_string(),
            target,
            headers,
            body: body.unwrap_or_default(),
            trailers,
        };
        let case = recorded.header("x-case").concat();
        state.total += 1;
        state.by_case.entry(case).or_default().push(recorded);
        answer(200, r#"{"data":{"recorded":true}}"#.to_owned())
    }
}

fn answer(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}
