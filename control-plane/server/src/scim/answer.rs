//! Answers: resources and lists as `application/scim+json`, refusals as SCIM
//! errors (RFC 7644 §3.12).

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ig_scim::{Error, ErrorKind};
use serde_json::Value;

use crate::error::ApiError;
use crate::store::{is_conflict, is_too_long};

const MEDIA_TYPE: &str = "application/scim+json";

/// Why a request did not succeed.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(super) error: Error,
    /// Seconds after which to come back.
    retry_after: Option<u64>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let retry_after = (error.kind == ErrorKind::Unavailable).then_some(2);
        Self { error, retry_after }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        if is_conflict(&error) {
            let detail = "a resource with this name is here already";
            return Error::new(ErrorKind::Uniqueness, detail).into();
        }
        if is_too_long(&error) {
            // RFC 7644 §3.12.
            let detail = "this takes too long; ask for something more exact";
            return Error::new(ErrorKind::TooMany, detail).into();
        }
        ApiError::from(error).into()
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let kind = match error.status().as_u16() {
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            405 => ErrorKind::MethodNotAllowed,
            408 => ErrorKind::Timeout,
            409 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            415 => ErrorKind::UnsupportedMediaType,
            429 => ErrorKind::TooManyRequests,
            400 | 422 => ErrorKind::InvalidValue,
            _ => ErrorKind::Unavailable,
        };
        error.log();
        let detail = match &error {
            ApiError::Invalid(problems) => problems.join("; "),
            other => other.to_string(),
        };
        let retry_after = error.retry_after();
        Self {
            error: Error::new(kind, detail),
            retry_after,
        }
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        ApiError::from(rejection).into()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        ApiError::from(rejection).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &self.error.body());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn json(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body.to_string()).into_response()
}

/// What went well.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    /// `None` for 204 and 304.
    pub(super) body: Option<Value>,
    /// Entity tag of the resource.
    pub(super) version: Option<String>,
    /// Where the resource is.
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body),
            version: None,
            location: None,
        }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: None,
            version: None,
            location: None,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match &self.body {
            Some(body) => json(self.status, body),
            None => self.status.into_response(),
        };
        let headers = response.headers_mut();
        set(headers, header::ETAG, self.version);
        set(headers, header::LOCATION, self.location);
        response
    }
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}
