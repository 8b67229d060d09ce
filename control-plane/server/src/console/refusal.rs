//! What is answered where a page cannot be: a page that says why, in words.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::{layout, login};
use crate::error::ApiError;

/// Why there is no page.
pub(super) enum Refused {
    /// Nobody is logged in.
    Login {
        next: String,
        tenant: Option<String>,
    },
    Said {
        status: StatusCode,
        why: String,
        retry_after: Option<u64>,
    },
}

impl Refused {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self::Said {
            status,
            why: why.into(),
            retry_after: None,
        }
    }

    /// Asks for a login, and comes back to where the request was for.
    pub(super) fn login(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let tenant = form_value(query, "tenant");
        let next = match (parts.method.is_safe(), query.is_empty()) {
            (true, true) => parts.uri.path().to_owned(),
            (true, false) => format!("{}?{query}", parts.uri.path()),
            (false, _) => "/console".to_owned(),
        };
        Self::Login { next, tenant }
    }
}

/// A value of a query.
fn form_value(query: &str, name: &str) -> Option<String> {
    let uri: axum::http::Uri = format!("/?{query}").parse().ok()?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let found = pairs.0.into_iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value)
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        error.log();
        let why = match &error {
            // That of the API is for programs.
            ApiError::Unauthenticated => "This login is not valid. Log in again.".to_owned(),
            ApiError::Issuer => {
                "The login page of this tenant cannot be reached; try again later.".to_owned()
            }
            ApiError::Forbidden(_) => "You may not see this page.".to_owned(),
            ApiError::Invalid(problems) => problems.join("; "),
            other => other.to_string(),
        };
        Self::Said {
            status: error.status(),
            why,
            retry_after: error.retry_after(),
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Login { next, tenant } => {
                let page = login::form(&next, tenant.as_deref(), None);
                (StatusCode::UNAUTHORIZED, page).into_response()
            }
            Self::Said {
                status,
                why,
                retry_after,
            } => {
                let content = html! {
                    div role="alert" class="message bad" { p { (why) } }
                    p { a href="/console" { "To the start page" } }
                };
                let page = layout::page("This did not work", None, content);
                let mut response = (status, page).into_response();
                if let Some(seconds) = retry_after {
                    let value = HeaderValue::from(seconds);
                    response.headers_mut().insert(header::RETRY_AFTER, value);
                }
                response
            }
        }
    }
}
