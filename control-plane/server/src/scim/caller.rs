//! Who calls, and what was sent.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use ig_scim::{Error, ErrorKind};
use serde_json::Value;

use super::answer::Refusal;
use crate::app::App;
use crate::auth::{Principal, Provisioning};
use crate::error::ApiError;

/// Largest body, in bytes: `bulk.maxPayloadSize`.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;

/// A provisioner of a tenant.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(super) by: Principal,
    pub(super) tenant: String,
    /// Whether it may put users into privileged groups.
    pub(super) may_confer: bool,
    /// What locations begin with.
    pub(super) base: String,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let by = Principal::from_request_parts(parts, app).await?;
        let Some(Provisioning { tenant, may_confer }) = by.provisioning().cloned() else {
            return Err(ApiError::Forbidden("provisioner").into());
        };
        Ok(Self {
            by,
            tenant,
            may_confer,
            base: base(parts, app),
        })
    }
}

/// As the caller came here, unless the configuration says how everybody does.
pub(super) fn base(parts: &Parts, app: &App) -> String {
    let url = app.public_url.as_deref();
    let origin = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let host = host(parts);
            let scheme = if app.is_https { "https" } else { "http" };
            format!("{scheme}://{}", host.unwrap_or("localhost"))
        }
    };
    format!("{origin}/scim/v2")
}

/// HTTP/2 says it in the URI; where both do, `Host` counts for nothing (RFC 9112
/// §3.2.2, RFC 9113 §8.3.1).
fn host(parts: &Parts) -> Option<&str> {
    let authority = parts.uri.authority().map(Authority::as_str);
    authority.or_else(|| parts.headers.get(header::HOST)?.to_str().ok())
}

/// Parameters of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Refusal))]
pub(crate) struct Path<T>(pub(super) T);

/// Parameters of the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Refusal))]
pub(crate) struct Query<T>(pub(super) T);

/// A JSON body, of either media type.
pub(crate) struct Body(pub(super) Value);

impl FromRequest<App> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            let detail = "send application/scim+json or application/json";
            return Err(Error::new(ErrorKind::UnsupportedMediaType, detail).into());
        }
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes.map_err(|rejection| Refusal::from(ApiError::from(rejection)))?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::InvalidSyntax, format!("not JSON: {error}")))?;
        Ok(Self(value))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let value = value.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    ["application/scim+json", "application/json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}
