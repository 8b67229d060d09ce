//! Spans, over OTLP: how much more work one kind of request is than another.
//!
//! A span counts that says whose request it is of, by attributes of its own or of its
//! resource: `ig.graph`, `ig.tenant`, `ig.operation`, and `ig.route` if it knows it.
//! Its work is what `ig.cpu.nanoseconds` says, or how long it took.

use axum::extract::{FromRequestParts as _, State};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Request as HttpRequest, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use ig_cost::Key;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::MAX_BODY_BYTES;
use super::served::name;
use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::Binary;

/// Most work of one span that is believed: a day.
const MOST_NANOS: u64 = 24 * 3600 * 1_000_000_000;
/// Most spans of one request that are looked at.
const MAX_SPANS: usize = 10_000;

const GRAPH: &str = "ig.graph";
const TENANT: &str = "ig.tenant";
const OPERATION: &str = "ig.operation";
const ROUTE: &str = "ig.route";
const CPU: &str = "ig.cpu.nanoseconds";

/// What senders are told of spans that weigh nothing.
const REJECTED: &str = "these weigh nothing: a span needs ig.graph, ig.tenant and ig.operation, a \
                        time or ig.cpu.nanoseconds of a day at most, and to be one of 10,000 of a \
                        message and of 10,000 kinds of an hour";

const MEDIA_TYPE: &str = "application/x-protobuf";

/// Take spans, as OTLP/HTTP has them, in Protobuf and not compressed. What a span says
/// is a weight, never a quantity. Off, unless the configuration says `cost.spans`.
#[utoipa::path(post, path = "/v1/traces", tag = "cost", security(("bearer" = ["publisher"])),
    request_body(content = Vec<u8>, content_type = "application/x-protobuf"),
    responses((status = 200, body = Vec<u8>, content_type = "application/x-protobuf"),
        (status = 404, description = "Spans are not taken", body = Problem)))]
pub(crate) async fn traces(
    State(app): State<App>,
    by: Principal,
    headers: HeaderMap,
    Binary(body): Binary,
) -> Result<HttpResponse, ApiError> {
    by.require(Role::Publisher)?;
    if !app.cost_config.spans {
        return Err(ApiError::NotFound(
            "a receiver of spans (`[cost] spans = true` makes one)".into(),
        ));
    }
    let is = |name, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    let is_plain = !headers.contains_key(CONTENT_ENCODING) || is(CONTENT_ENCODING, "identity");
    if !is(CONTENT_TYPE, MEDIA_TYPE) || !is_plain {
        return Err(ApiError::Unreadable(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("send {MEDIA_TYPE}, not compressed"),
        ));
    }
    let request = ExportTraceServiceRequest::decode(body).map_err(|error| {
        ApiError::Unreadable(
            StatusCode::BAD_REQUEST,
            format!("these are no spans: {error}"),
        )
    })?;
    let answer = take(&app, &request).encode_to_vec();
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], answer).into_response())
}

/// The same over gRPC.
pub(crate) struct Spans {
    app: App,
}

impl Spans {
    /// The service; it refuses everybody while spans are not taken.
    pub(crate) fn service(app: App) -> TraceServiceServer<Self> {
        TraceServiceServer::new(Self { app }).max_decoding_message_size(MAX_BODY_BYTES)
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if !self.app.cost_config.spans {
            return Err(Status::unimplemented("spans are not taken: `[cost] spans`"));
        }
        let by = caller(&self.app, &request).await?;
        by.require(Role::Publisher)
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        Ok(Response::new(take(&self.app, request.get_ref())))
    }
}

/// Who calls: by the same tokens as at the API, and counted like there.
async fn caller<T>(app: &App, request: &Request<T>) -> Result<Principal, Status> {
    let mut http = HttpRequest::new(());
    if let Some(value) = request.metadata().get(AUTHORIZATION.as_str()) {
        let value = value.as_bytes().try_into();
        let value = value.map_err(|_| Status::unauthenticated("no valid token"))?;
        http.headers_mut().insert(AUTHORIZATION, value);
    }
    let (mut parts, ()) = http.into_parts();
    let found = Principal::from_request_parts(&mut parts, app).await;
    found.map_err(|error| match error {
        ApiError::Unauthenticated => Status::unauthenticated(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    })
}

/// Takes what weighs, and says how many weigh nothing: senders have no other way to
/// learn it.
fn take(app: &App, request: &ExportTraceServiceRequest) -> ExportTraceServiceResponse {
    let (mut looked_at, mut rejected_spans) = (0, 0);
    for of_resource in &request.resource_spans {
        let shared = of_resource.resource.as_ref().map(|one| &*one.attributes);
        let shared = shared.unwrap_or_default();
        for span in of_resource
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans)
        {
            looked_at += 1;
            let weighed = (looked_at <= MAX_SPANS)
                .then(|| weigh(span, shared))
                .flatten();
            let counted = weighed.is_some_and(|(at, key, nanos)| app.cost.weigh(at, key, nanos));
            if counted {
                app.metrics.cost.spans.inc();
            } else {
                app.metrics.cost.spans_dropped.inc();
                rejected_spans += 1;
            }
        }
    }
    let told = || ExportTracePartialSuccess {
        rejected_spans,
        error_message: REJECTED.to_owned(),
    };
    ExportTraceServiceResponse {
        partial_success: (rejected_spans > 0).then(told),
    }
}

/// When a span ended, whose it is, and its work in nanoseconds.
fn weigh(span: &Span, shared: &[KeyValue]) -> Option<(i64, Key, u64)> {
    let find = |name: &str| {
        let mut all = span.attributes.iter().chain(shared);
        all.find(|one| one.key == name)?
            .value
            .as_ref()?
            .value
            .as_ref()
    };
    let text = |key: &str| match find(key) {
        Some(Value::StringValue(text)) if !text.is_empty() => Some(name(text)),
        _ => None,
    };
    let took = span
        .end_time_unix_nano
        .checked_sub(span.start_time_unix_nano);
    let nanos = match find(CPU) {
        Some(Value::IntValue(nanos)) => u64::try_from(*nanos).ok(),
        Some(_) => None,
        None => took,
    };
    let key = Key {
        graph: text(GRAPH)?,
        tenant: Some(text(TENANT)?),
        route: text(ROUTE).unwrap_or_default(),
        operation: text(OPERATION)?,
    };
    let at = i64::try_from(span.end_time_unix_nano / 1_000_000).ok()?;
    let nanos = nanos.filter(|nanos| *nanos <= MOST_NANOS)?;
    Some((at, key, nanos))
}
