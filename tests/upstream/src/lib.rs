//! Demo GraphQL upstream of the investigation domain: what the guard protects
//! in the demo and in end-to-end tests.
//!
//! It trusts its caller: `x-ig-tenant` scopes every answer, and a request
//! without that header gets errors for everything that belongs to a tenant.
//! It decides no policy, so that a test sees what the guard alone decides. Exports
//! are signed by the control plane, where it is told of one.

mod error;
mod exports;
mod media;
mod params;
mod schema;
mod socket;
mod sse;
mod store;

use std::path::PathBuf;

use axum::{
    Router,
    body::Bytes,
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tokio::net::TcpListener;

pub use crate::exports::ExportService;
use crate::{
    error::HttpError,
    media::MediaType,
    params::{OperationKind, Params},
    schema::InvestigationSchema,
};

/// Answers GraphQL at `/graphql` and `/`, and `GET /healthz`, until the task is dropped.
///
/// # Errors
/// When the listener can no longer accept connections.
pub async fn serve(listener: TcpListener, with: Options) -> std::io::Result<()> {
    axum::serve(listener, router(with)).await
}

/// What the demo has beside its data.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who signs exports; nobody, without.
    pub exports: Option<ExportService>,
    /// Keys of the dev issuer, a file that is served at `/issuer/keys`: where people
    /// log in stands beside the demo, and has no server of its own.
    pub issuer_keys: Option<PathBuf>,
}

/// The routes over fresh demo data.
pub fn router(with: Options) -> Router {
    let routes = match with.issuer_keys {
        Some(file) => Router::new().route("/issuer/keys", get(move || keys(file.clone()))),
        None => Router::new(),
    };
    routes
        .route("/graphql", any(graphql))
        .route("/", any(graphql))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(schema::schema(with.exports))
}

/// The executable schema in SDL, without the guard's directives.
#[must_use]
pub fn sdl() -> String {
    schema::schema(None).sdl()
}

/// Read anew each time: keys are changed by `ig token keys --rotate`.
async fn keys(file: PathBuf) -> Result<impl IntoResponse, StatusCode> {
    let keys = tokio::fs::read(file).await;
    let keys = keys.map_err(|_| StatusCode::NOT_FOUND)?;
    Ok(([(header::CONTENT_TYPE, "application/jwk-set+json")], keys))
}

async fn graphql(
    State(schema): State<InvestigationSchema>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return socket::open(upgrade, schema, headers);
    }
    let Some(accepted) = media::negotiate(&headers) else {
        return HttpError::new(StatusCode::NOT_ACCEPTABLE, "no acceptable media type")
            .respond(MediaType::Json);
    };
    match execute(&schema, &method, &uri, headers, &body, accepted).await {
        Ok(response) => response,
        Err(error) => error.respond(accepted),
    }
}

async fn execute(
    schema: &InvestigationSchema,
    method: &Method,
    uri: &Uri,
    headers: HeaderMap,
    body: &[u8],
    accepted: MediaType,
) -> Result<Response, HttpError> {
    let params = match *method {
        Method::GET => Params::from_url(uri.query().unwrap_or_default())?,
        Method::POST => {
            media::require_json_body(&headers)?;
            Params::from_json(body)?
        }
        _ => {
            return Err(HttpError::method_not_allowed(
                "GET, POST",
                "use GET or POST",
            ));
        }
    };
    let (request, kind) = params.into_request();
    if *method == Method::GET && kind == Some(OperationKind::Mutation) {
        return Err(HttpError::method_not_allowed(
            "POST",
            "a mutation must use POST",
        ));
    }
    let request = request.data(schema::Caller::new(headers));

    if accepted == MediaType::EventStream {
        return Ok(sse::stream(schema.execute_stream(request)));
    }
    let response = schema.execute(request).await;
    Ok(answer(&response, accepted))
}

/// A request error (syntax, validation, variables) is 400 for
/// `application/graphql-response+json` and 200 for `application/json`, where
/// clients expect the GraphQL errors whatever the transport says.
fn answer(response: &async_graphql::Response, accepted: MediaType) -> Response {
    let status = if error::is_request_error(response) && accepted == MediaType::GraphqlResponse {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let content_type = HeaderValue::from_static(accepted.content_type());
    match error::to_json(response) {
        Ok(body) => (status, [(header::CONTENT_TYPE, content_type)], body).into_response(),
        Err(_) => HttpError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot serialise the answer",
        )
        .respond(accepted),
    }
}
