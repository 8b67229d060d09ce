//! A collector: OTLP over gRPC and over HTTP, and what it was sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// One span, in text.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// `service.name` of its resource.
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 2 serves, 3 asks.
    pub(crate) kind: i32,
    pub(crate) attributes: Vec<(String, String)>,
    /// Everything in it.
    pub(crate) debug: String,
}

impl Span {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A service, the kind of a span, its name or none, and how many there are.
pub(crate) type Count<'a> = (&'a str, i32, &'a str, usize);

/// What was sent, until the runtime ends.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    received: Received,
}

#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Span>>>,
    /// `authorization` of each message.
    authorisations: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            grpc: grpc.local_addr().unwrap(),
            http: http.local_addr().unwrap(),
            received: Received::default(),
        };
        let service = TraceServiceServer::new(collector.received.clone());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(grpc);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        tokio::spawn(serve_http(http, collector.received.clone()));
        collector
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.spans.lock().unwrap().clone()
    }

    pub(crate) fn authorisations(&self) -> Vec<String> {
        self.received.authorisations.lock().unwrap().clone()
    }

    /// The spans of a trace, once there are as many of each name, service and kind.
    /// No name is any. What is part of a span ends before it.
    pub(crate) async fn trace(&self, trace: &str, counts: &[Count<'_>]) -> Vec<Span> {
        let mut found = Vec::new();
        for _ in 0..300 {
            found = self.spans();
            found.retain(|span| span.trace == trace);
            let has = |(service, kind, name, count): &Count<'_>| {
                let is_it = |span: &&Span| {
                    span.service == *service
                        && span.kind == *kind
                        && (name.is_empty() || span.name == *name)
                };
                found.iter().filter(is_it).count() >= *count
            };
            if counts.iter().all(has) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not {counts:?}: {found:#?}");
    }
}

impl Received {
    fn take(&self, request: ExportTraceServiceRequest, authorisation: Option<&[u8]>) {
        let authorisation = String::from_utf8_lossy(authorisation.unwrap_or_default());
        let mut all = self.authorisations.lock().unwrap();
        all.push(authorisation.into_owned());
        let mut spans = self.spans.lock().unwrap();
        for group in request.resource_spans {
            let resource = group.resource.unwrap_or_default();
            let service = texts(&resource.attributes)
                .into_iter()
                .find_map(|(name, value)| (name == "service.name").then_some(value))
                .unwrap_or_default();
            for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span {
                    service: service.clone(),
                    debug: format!("{resource:?} {span:?}"),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    name: span.name,
                    kind: span.kind,
                    attributes: texts(&span.attributes),
                });
            }
        }
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let authorisation = request.metadata().get("authorization");
        let authorisation = authorisation.map(|value| value.as_bytes().to_vec());
        self.take(request.into_inner(), authorisation.as_deref());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn serve_http(listener: TcpListener, received: Received) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = received.clone();
        let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
            let received = received.clone();
            async move { Ok::<_, Infallible>(answer(&received, request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    received: &Received,
    request: http::Request<Incoming>,
) -> http::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    assert_eq!(
        (parts.method.as_str(), parts.uri.path()),
        ("POST", "/v1/traces")
    );
    assert_eq!(parts.headers["content-type"], "application/x-protobuf");
    let body = body.collect().await.unwrap().to_bytes();
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let authorisation = parts.headers.get("authorization");
    received.take(request, authorisation.map(http::HeaderValue::as_bytes));
    http::Response::new(Full::default())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    let all = attributes.iter();
    all.map(|one| (one.key.clone(), text(&one.value))).collect()
}
