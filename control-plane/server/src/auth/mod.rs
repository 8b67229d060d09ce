//! Who calls the API, and what they may.

mod token;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sqlx::Row as _;

#[expect(unreachable_pub, reason = "a source of the public error")]
pub use token::CannotBootstrap;
pub(crate) use token::{bootstrap, hash};

use crate::app::App;
use crate::error::ApiError;
use crate::store::now;

/// Roles, each with the rights of those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Role {
    /// Reads.
    Viewer,
    /// Pushes schemas, operations and policies, and publishes.
    Publisher,
    /// Tenants and everything else.
    Owner,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Owner => "owner",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Publisher, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    role: Role,
}

impl Principal {
    /// # Errors
    /// 403 below the role.
    pub(crate) fn require(&self, role: Role) -> Result<(), ApiError> {
        match self.role >= role {
            true => Ok(()),
            false => Err(ApiError::Forbidden(role.as_str())),
        }
    }
}

impl FromRequestParts<App> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ApiError::Unauthenticated);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or(ApiError::Unauthenticated)?;
        // Looked up by its hash, so that no comparison tells how much of a
        // guess was right.
        let row = sqlx::query(
            "SELECT name, role FROM tokens WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(hash(token))
        .bind(now())
        .fetch_optional(app.store.read())
        .await?;
        let row = row.ok_or(ApiError::Unauthenticated)?;
        let role = Role::parse(&row.try_get::<String, _>("role")?);
        Ok(Self {
            name: row.try_get("name")?,
            role: role.ok_or(ApiError::Unauthenticated)?,
        })
    }
}
