//! `/console`: the pages where people log in, keep their passkeys, approve
//! actions and look at what is decided. Rendered here, with one script and one
//! style sheet, and nothing from elsewhere.

mod admin;
mod approve;
mod assets;
mod cookie;
mod home;
mod layout;
mod login;
mod logout;
mod refusal;
mod sealed;
mod session;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};

pub(crate) use session::{caller, end_all, end_others, prune};

use crate::app::App;
use refusal::Refused;

/// Largest form.
const MAX_BODY_BYTES: usize = 64 << 10;

/// No script, style or frame of anybody else, and none inside of a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";
/// What pages need of a browser is passkeys, and the clipboard for a token.
const PERMISSIONS: &str = "publickey-credentials-create=(self), publickey-credentials-get=(self), \
    clipboard-write=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/console", get(home::page))
        .route("/console/login", get(login::begin).post(login::with_token))
        .route("/console/callback/{client}", get(login::callback))
        .route("/console/logout", post(logout::logout))
        .route("/console/step-up", get(approve::page))
        .route("/console/proxies", get(admin::proxies))
        .route("/console/revisions", get(admin::revisions))
        .route("/console/catalogue", get(admin::catalogue))
        .route("/console/tenants", get(admin::tenants))
        .route("/console/decisions", get(admin::decisions))
        .route("/console/assets/{file}", get(assets::get))
        .route("/console/{*rest}", get(nothing))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(protect))
}

async fn nothing() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "There is no such page.")
}

/// Headers of every answer of the console, whatever made it.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
