//! What a SCIM client is told (RFC 7644 §3.12, RFC 9865 §2.2).

use serde_json::{Value, json};

/// Schema of an error's body.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What is wrong, as the status and `scimType` that say so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The filter is not one, or not one on these attributes.
    InvalidFilter,
    /// The body cannot be read.
    InvalidSyntax,
    /// The path of a PATCH is not one of this resource.
    InvalidPath,
    /// The path of a PATCH names nothing that is there.
    NoTarget,
    /// A value has another type, or is required, or too long.
    InvalidValue,
    /// An attribute is the server's to set.
    Mutability,
    /// The server does not do this.
    InvalidVersion,
    /// More than the server takes at once.
    TooMany,
    /// The cursor is not one of this query.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The count is not that of the cursor.
    InvalidCount,
    /// Another resource has this value.
    Uniqueness,
    /// No valid token.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// The token may not see or do this, by value.
    Sensitive,
    /// No such resource or path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The request did not arrive, or was not done, in time.
    Timeout,
    /// Neither `application/scim+json` nor `application/json`.
    UnsupportedMediaType,
    /// The resource is not the one that the caller read.
    PreconditionFailed,
    /// Operations refer to each other in a circle.
    Conflict,
    /// The request is larger than the server takes.
    TooLarge,
    /// The caller has to wait.
    TooManyRequests,
    /// The server does not do this.
    NotImplemented,
    /// The server cannot do it now.
    Unavailable,
}

impl ErrorKind {
    /// HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden | Self::Sensitive => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::Uniqueness | Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests => 429,
            Self::NotImplemented => 501,
            Self::Unavailable => 503,
            _ => 400,
        }
    }

    /// `scimType`, where RFC 7644 or 9865 has one.
    pub const fn scim_type(self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::InvalidVersion => "invalidVers",
            Self::TooMany => "tooMany",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
            Self::Uniqueness => "uniqueness",
            Self::Sensitive => "sensitive",
            _ => return None,
        })
    }
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// What is wrong and what to do, for people.
    pub detail: String,
}

impl Error {
    /// A refusal.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind, detail }
    }

    /// The body of an answer. `status` is a string, as RFC 7644 §3.12 has it.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [SCHEMA],
            "status": self.kind.status().to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(body)) = (self.kind.scim_type(), body.as_object_mut()) {
            body.insert("scimType".into(), scim_type.into());
        }
        body
    }
}
