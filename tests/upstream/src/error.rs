//! Failures before execution, and how a GraphQL response becomes JSON.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::media::MediaType;

/// A request that never became a GraphQL request.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    message: String,
    allow: Option<&'static str>,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            allow: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn method_not_allowed(allow: &'static str, message: &str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }

    /// The error in the shape of a GraphQL response, in the media type the client accepts.
    pub(crate) fn respond(self, accepted: MediaType) -> Response {
        // An event stream that never opened is answered in plain JSON.
        let content_type = match accepted {
            MediaType::EventStream => MediaType::Json.content_type(),
            other => other.content_type(),
        };
        let body = serde_json::json!({ "errors": [{ "message": self.message }] }).to_string();
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body,
        )
            .into_response();
        if let Some(allow) = self.allow {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// Whether execution never began. Errors of execution have a path; those of
/// syntax, validation and variables have none.
pub(crate) fn is_request_error(response: &async_graphql::Response) -> bool {
    response.is_err()
        && response.data == async_graphql::Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// The response's JSON; a request error has no `data` entry at all.
pub(crate) fn to_json(response: &async_graphql::Response) -> serde_json::Result<String> {
    if is_request_error(response) {
        serde_json::to_string(&serde_json::json!({ "errors": response.errors }))
    } else {
        serde_json::to_string(response)
    }
}
