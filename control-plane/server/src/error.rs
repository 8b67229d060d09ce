//! What a request is answered when it does not succeed: problem details
//! (RFC 9457).

use axum::Json;
use axum::extract::rejection::{
    BytesRejection, JsonRejection, PathRejection, QueryRejection, StringRejection,
};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ig_contract::DenyCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::break_glass;
use crate::exports::Denied;
use crate::ledger;
use crate::webauthn::Refusal;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("send a valid token: `authorization: Bearer …`")]
    Unauthenticated,
    #[error("this needs the role {0}")]
    Forbidden(&'static str),
    #[error("{0} is not here")]
    NotFound(String),
    #[error("there is nothing at this path; see /openapi.json")]
    NoRoute,
    #[error("this path does not take the method")]
    NoMethod,
    /// What is asked for contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// It is not any more what the caller has seen (RFC 9110, 13.1.1).
    #[error("{0} was changed meanwhile; get it again")]
    Changed(String),
    /// What was sent is not valid; every problem of it.
    #[error("what was sent is not valid")]
    Invalid(Vec<String>),
    #[error("this took too long, and may or may not have been done")]
    Timeout,
    /// It could not even be read as what it should be.
    #[error("{1}")]
    Unreadable(StatusCode, String),
    /// Not the caller's fault. The cause is logged, not told.
    #[error("the control plane could not do it; try again later")]
    Store(#[source] sqlx::Error),
    #[error("the control plane could not do it; try again later")]
    Task(#[source] tokio::task::JoinError),
    /// Too many calls without a valid token; come back after so many seconds.
    #[error("too many calls without a valid token from this address; wait {0} s")]
    Locked(u64),
    /// A request with the console's cookie that no page of it has made.
    #[error("this did not come from a page of the console; reload the page and try again")]
    Forged(&'static str),
    /// A proof of presence does not count.
    #[error("{}", .0.detail())]
    Presence(Refusal),
    /// A one-time password does not count.
    #[error("{}", .0.detail())]
    BreakGlass(break_glass::Refusal),
    /// Too many wrong codes of a user; come back after so many seconds.
    #[error("too many wrong codes; wait {0} s")]
    TooManyCodes(u64),
    /// A proof of presence for this action is needed (RFC 9470).
    #[error("{detail}")]
    StepUp {
        reason: String,
        detail: String,
        action: &'static str,
    },
    /// A login that is no older than so many seconds is needed (RFC 9470).
    #[error(
        "log in again first: this needs a login of the last {0} s, and a token that says when \
         (`auth_time`)"
    )]
    StaleLogin(u64),
    /// The ledger cannot do what is asked now.
    #[error("{0}")]
    Ledger(ledger::Error),
    /// A checkpoint of somebody else's log is not cosigned.
    #[error("{0}")]
    Witness(ledger::witness::Refusal),
    /// An export is not allowed: what a guard would answer.
    #[error("{}", .0.deny.message)]
    Denied(Box<Denied>),
    /// One caller asks for too much of something; come back after so many seconds.
    #[error("{detail}")]
    TooMany {
        reason: &'static str,
        detail: &'static str,
        seconds: u64,
    },
    /// Something of an export cannot be done now, and may be later.
    #[error("{0}")]
    Later(&'static str),
    /// The issuer's keys cannot be had.
    #[error("the token's issuer cannot be asked for its keys; try again later")]
    Issuer,
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            // PostgreSQL has no text with a zero byte in it.
            Some("22021" | "22P05") => Self::invalid("a zero byte is not text"),
            _ => Self::Store(error),
        }
    }
}

impl From<ledger::Error> for ApiError {
    fn from(error: ledger::Error) -> Self {
        match error {
            ledger::Error::TooLong => Self::invalid(error),
            ledger::Error::Unknown => Self::NotFound("this entry of the ledger".into()),
            ledger::Error::Store(error) => error.into(),
            ledger::Error::Overdue | ledger::Error::Closed(_) | ledger::Error::Busy => {
                Self::Ledger(error)
            }
        }
    }
}

macro_rules! unreadable {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                Self::Unreadable(rejection.status(), rejection.body_text())
            }
        }
    )*};
}
unreadable!(
    BytesRejection,
    JsonRejection,
    PathRejection,
    QueryRejection,
    StringRejection
);

impl ApiError {
    pub(crate) fn invalid(problem: impl ToString) -> Self {
        Self::Invalid(vec![problem.to_string()])
    }

    /// An error with all its causes.
    pub(crate) fn chain(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Self::Invalid(causes.map(ToString::to_string).collect())
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated | Self::StepUp { .. } | Self::StaleLogin(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden(_) | Self::Presence(_) | Self::BreakGlass(_) | Self::Forged(_) => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Changed(_) => StatusCode::PRECONDITION_FAILED,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Locked(_) | Self::TooManyCodes(_) | Self::TooMany { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unreadable(status, _) => *status,
            Self::Witness(refusal) => refusal.status(),
            Self::Denied(denied) => {
                let status = StatusCode::from_u16(denied.deny.code.status());
                status.unwrap_or(StatusCode::FORBIDDEN)
            }
            Self::Store(_) | Self::Task(_) | Self::Later(_) | Self::Issuer | Self::Ledger(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl ApiError {
    /// Which of the reasons that one status may have.
    fn reason(&self) -> Option<String> {
        match self {
            Self::Presence(refusal) => Some(refusal.reason().to_owned()),
            Self::BreakGlass(refusal) => Some(refusal.reason().to_owned()),
            Self::TooManyCodes(_) => Some("code-locked".to_owned()),
            Self::TooMany { reason, .. } => Some((*reason).to_owned()),
            Self::StepUp { reason, .. } => Some(reason.clone()),
            Self::Forged(reason) => Some((*reason).to_owned()),
            Self::StaleLogin(_) => Some("stale-login".to_owned()),
            Self::Denied(denied) => Some(denied.deny.rule.clone().into_owned()),
            _ => None,
        }
    }

    /// As guards call the answer, where they have it too.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.deny.code.as_str()),
            Self::Unauthenticated => Some(DenyCode::Unauthenticated.as_str()),
            Self::TooMany { .. } => Some(DenyCode::RateLimited.as_str()),
            _ => None,
        }
    }

    /// What a caller has to prove (RFC 6750 §3, RFC 9470 §3).
    fn challenge(&self) -> Option<String> {
        const ERROR: &str = "Bearer error=\"insufficient_user_authentication\"";
        match self {
            Self::StepUp { action, .. } => Some(format!(
                "{ERROR}, acr_values=\"phr\", max_age=\"120\", actions=\"{action}\""
            )),
            Self::StaleLogin(seconds) => Some(format!("{ERROR}, max_age=\"{seconds}\"")),
            Self::Denied(denied) => denied.challenge.as_ref().map(|challenge| {
                let (acr, age) = (challenge.acr.as_str(), challenge.max_age_seconds);
                let action = &challenge.action;
                format!("{ERROR}, acr_values=\"{acr}\", max_age=\"{age}\", actions=\"{action}\"")
            }),
            _ if self.status() == StatusCode::UNAUTHORIZED => Some("Bearer".to_owned()),
            _ => None,
        }
    }

    /// Logs what callers are not told.
    pub(crate) fn log(&self) {
        if let Self::Store(_) | Self::Task(_) = self {
            let cause = std::error::Error::source(self).map(ToString::to_string);
            tracing::error!(cause, "request failed");
        }
    }

    /// Seconds after which to come back, where that may help.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Locked(seconds) | Self::TooManyCodes(seconds) | Self::TooMany { seconds, .. } => {
                Some(*seconds)
            }
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(2),
            _ => None,
        }
    }
}

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The status, in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// Which of the reasons that one status may have, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What guards call the same answer, where they have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Of the decision that this is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", rename = "decisionId")]
    decision_id: Option<String>,
    /// Everything that is wrong, where it is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = self.retry_after();
        let challenge = self.challenge();
        self.log();
        let problem = Problem {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            reason: self.reason(),
            code: self.code(),
            decision_id: match &self {
                Self::Denied(denied) => Some(denied.decision_id.clone()),
                _ => None,
            },
            problems: match self {
                Self::Invalid(problems) => problems,
                _ => Vec::new(),
            },
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
