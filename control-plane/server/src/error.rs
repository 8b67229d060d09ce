//! What a request is answered when it does not succeed: problem details
//! (RFC 9457).

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("send a valid token: `authorization: Bearer …`")]
    Unauthenticated,
    #[error("this needs the role {0}")]
    Forbidden(&'static str),
    #[error("{0} is not here")]
    NotFound(String),
    /// What is asked for contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// What was sent is not valid; every problem of it.
    #[error("what was sent is not valid")]
    Invalid(Vec<String>),
    /// Not the caller's fault. The cause is logged, not told.
    #[error("the control plane could not do it; try again later")]
    Store(#[source] sqlx::Error),
    #[error("the control plane could not do it; try again later")]
    Task(#[source] tokio::task::JoinError),
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}

impl ApiError {
    pub(crate) fn invalid(problem: impl ToString) -> Self {
        Self::Invalid(vec![problem.to_string()])
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Store(_) | Self::Task(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[derive(Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Store(_) | Self::Task(_) = &self {
            let cause = std::error::Error::source(&self).map(ToString::to_string);
            tracing::error!(cause, "request failed");
        }
        let problem = Problem {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            problems: match self {
                Self::Invalid(problems) => problems,
                _ => Vec::new(),
            },
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let media_type = header::HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
