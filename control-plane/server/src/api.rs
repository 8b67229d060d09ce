//! Every route, and what the OpenAPI document says of it.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ig_ledger::verify::MAX_REQUEST_BYTES;
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{review, tokens};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::linger::linger;
use crate::{
    alerts, audit, break_glass, catalogue, console, cost, decisions, exports, graphs, ledger,
    metrics, policies, proxies, schemas, scim, snapshots, step_up, telemetry, tenants, webauthn,
};

/// Largest body: a catalogue or SDL of a large graph.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "IntelGraph Guard control plane",
        description = "Schemas, operations, policies and tenants in; guard snapshots out. \
            Errors are problem details (RFC 9457). Users and groups are below /scim/v2, \
            which describes itself as RFC 7644 has it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(ledger::routes::tile),
    components(schemas(Problem)),
    modifiers(&Common)
)]
struct Document;

/// What every operation has.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token of this API, or an access token of the configured OIDC issuer",
            ))
            .build();
        components
            .security_schemes
            .insert("bearer".into(), RefOr::T(SecurityScheme::Http(bearer)));
    }
}

/// Answers that any operation may give.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "The request cannot be read"),
    ("401", "No valid token"),
    ("403", "The token's role is not enough"),
    ("408", "It did not arrive, or was not done, in time"),
    ("413", "The body is too large"),
    ("415", "The body is not of this media type"),
    ("422", "What was sent is not valid"),
    (
        "429",
        "Too many calls without a valid token from this address, or too many wrong codes",
    ),
    (
        "503",
        "The database, or the issuer of the token, cannot be reached",
    ),
];

fn add_refusals(openapi: &mut utoipa::openapi::OpenApi) {
    for item in openapi.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let is_open = operation.security.is_none();
            for (status, description) in REFUSALS {
                if is_open && status != "503" {
                    continue;
                }
                let content = Content::new(Some(Ref::from_schema_name("Problem")));
                let response = ResponseBuilder::new()
                    .description(description)
                    .content("application/problem+json", content)
                    .build();
                let responses = &mut operation.responses.responses;
                responses.entry(status.into()).or_insert(RefOr::T(response));
            }
            for response in operation.responses.responses.values_mut() {
                // Problems are described once, as what they are.
                if let RefOr::T(response) = response
                    && let Some(content) = response.content.get("application/json")
                    && is_problem(content)
                    && let Some(content) = response.content.shift_remove("application/json")
                {
                    response
                        .content
                        .insert("application/problem+json".into(), content);
                }
            }
        }
    }
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(content) = content else {
        return false;
    };
    matches!(&content.schema, Some(RefOr::Ref(reference))
        if reference.ref_location.ends_with("/Problem"))
}

fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(openapi))
        .routes(routes!(metrics::get))
        .routes(routes!(schemas::list))
        .routes(routes!(schemas::push, schemas::get))
        .routes(routes!(catalogue::push, catalogue::list))
        .routes(routes!(catalogue::retire))
        .routes(routes!(policies::push, policies::list))
        .routes(routes!(policies::get))
        .routes(routes!(graphs::list))
        .routes(routes!(graphs::put, graphs::get))
        .routes(routes!(policies::activate, policies::activations))
        .routes(routes!(snapshots::preview))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::put, tenants::get, tenants::delete))
        .routes(routes!(
            tenants::identity::put_identity,
            tenants::identity::get_identity
        ))
        .routes(routes!(webauthn::administration::list))
        .routes(routes!(webauthn::administration::remove))
        .routes(routes!(
            break_glass::declaration::put,
            break_glass::declaration::get,
            break_glass::declaration::delete
        ))
        .routes(routes!(snapshots::publish, snapshots::list))
        .routes(routes!(snapshots::roll_back, snapshots::get))
        .routes(routes!(proxies::list))
        .routes(routes!(decisions::list))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(review::roles))
        .routes(routes!(review::holders))
        .routes(routes!(audit::list))
        .routes(routes!(step_up::keys::jwks))
        .routes(routes!(step_up::rotation::rotate, step_up::rotation::list))
        .routes(routes!(alerts::webhook::list))
        .merge(of_anybody())
        .merge(of_alertmanager())
        .merge(exports::routes())
        .merge(cost::routes())
        .merge(of_users())
}

/// What anybody may read and ask for: bodies are a checkpoint with its path.
fn of_anybody() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(ledger::routes::checkpoint))
        // OpenAPI has no paths of several parts: the document says so by itself.
        .route("/ledger/tile/{*path}", get(ledger::routes::tile))
        .routes(routes!(ledger::routes::proof))
        .routes(routes!(ledger::routes::public_keys))
        .routes(routes!(ledger::witness::add_checkpoint))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
}

/// What Alertmanager tells.
fn of_alertmanager() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(alerts::webhook::receive))
        .layer(DefaultBodyLimit::max(alerts::webhook::MAX_BODY_BYTES))
}

/// Largest body of a user's request: an authenticator's answer, with certificates.
const MAX_USER_BODY_BYTES: usize = 64 << 10;

/// What any user of a tenant may call: their bodies are small.
fn of_users() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(break_glass::enrolment::register))
        .routes(routes!(break_glass::enrolment::activate))
        .routes(routes!(break_glass::enrolment::remove))
        .routes(routes!(break_glass::verification::verify))
        .routes(routes!(webauthn::registration::registration_options))
        .routes(routes!(webauthn::registration::registration_verify))
        .routes(routes!(webauthn::authentication::authentication_options))
        .routes(routes!(webauthn::authentication::authentication_verify))
        .routes(routes!(webauthn::passkeys::list))
        .routes(routes!(webauthn::passkeys::remove))
        .routes(routes!(step_up::end_own))
        .layer(DefaultBodyLimit::max(MAX_USER_BODY_BYTES))
}

/// The OpenAPI 3.1 document of the API.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = router().into_openapi();
    add_refusals(&mut document);
    document
}

/// The API.
pub(crate) fn routes(app: App) -> Router {
    let (router, _) = router().split_for_parts();
    router
        .merge(scim::routes())
        .merge(console::routes())
        .fallback(|| async { ApiError::NoRoute })
        .method_not_allowed_fallback(|| async { ApiError::NoMethod })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(linger))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(app.clone(), metrics::count))
        .layer(from_fn_with_state(app.clone(), telemetry::of_api))
        .with_state(app)
}

/// A request that takes longer is given up: its body does not come, or its
/// catalogue is larger than this machine.
const PATIENCE: Duration = Duration::from_secs(240);

async fn in_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out(&path),
    }
}

fn timed_out(path: &str) -> Response {
    let of_scim = scim::timed_out(path);
    of_scim.unwrap_or_else(|| ApiError::Timeout.into_response())
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "probes", responses((status = 200)))]
async fn health() {}

/// Whether it can do its work.
#[derive(Serialize, ToSchema)]
struct Ready {
    status: &'static str,
}

/// Whether the database answers, and the ledger can be appended to.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses((status = 200, body = Ready)))]
async fn ready(State(app): State<App>) -> Result<Json<Ready>, ApiError> {
    sqlx::query("SELECT 1").execute(app.store.pool()).await?;
    if let Some(fault) = app.ledger.fault() {
        return Err(ledger::Error::Closed(fault).into());
    }
    Ok(Json(Ready { status: "ready" }))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "probes",
    responses((status = 200, body = Object)))]
async fn openapi() -> Response {
    // Anybody may ask, so it is made once.
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    let media_type = [(CONTENT_TYPE, "application/json")];
    (media_type, DOCUMENT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_told_in_its_callers_words() {
        for (path, media_type) in [
            ("/scim/v2", "application/scim+json"),
            ("/scim/v2/", "application/scim+json"),
            ("/scim/v2/Users/x", "application/scim+json"),
            ("/scim/v2x", "application/problem+json"),
            ("/scim", "application/problem+json"),
            ("/tenants/scim/v2", "application/problem+json"),
        ] {
            let answer = timed_out(path);
            assert_eq!(answer.status().as_u16(), 408, "{path}");
            assert_eq!(answer.headers()[CONTENT_TYPE], media_type, "{path}");
        }
    }
}
