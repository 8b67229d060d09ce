//! As whom the console asks a tenant's issuer to log its users in.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, Transaction};
use utoipa::ToSchema;

use super::identity::Login;
use crate::error::ApiError;
use crate::store::is_conflict;

/// Longest id or secret of a client, in bytes.
const MAX_BYTES: usize = 1024;

/// What a client proves itself with. It is taken, and never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct ClientSecret(String);

impl ClientSecret {
    /// For the issuer, and for storing it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientSecret")
    }
}

/// The console, as the issuer knows it. Its redirect URI is `/console/callback`
/// at the console's origin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    /// Its id; ID tokens name it as their audience.
    pub(super) id: String,
    /// Its secret, which is never shown. None for a public client.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only)]
    secret: Option<ClientSecret>,
    /// Whether there is a secret. Sent back without one, it stays as it is.
    #[serde(default)]
    has_secret: bool,
}

impl Client {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let is_text = |text: &str| {
            (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        let secret = self.secret.as_ref().map(ClientSecret::reveal);
        match is_text(&self.id) && secret.is_none_or(is_text) {
            true => Ok(()),
            false => Err(ApiError::invalid(format!(
                "logins: a client's id and secret are visible ASCII of 1 to {MAX_BYTES} bytes"
            ))),
        }
    }
}

/// The secret of a tenant's client, if it has one.
pub(crate) async fn secret(
    connection: &mut AnyConnection,
    tenant: &str,
    issuer: &str,
    client: &str,
) -> Result<Option<ClientSecret>, sqlx::Error> {
    let secret: Option<Option<String>> = sqlx::query_scalar(
        "SELECT secret FROM console_clients WHERE tenant = $1 AND issuer = $2 AND client = $3",
    )
    .bind(tenant)
    .bind(issuer)
    .bind(client)
    .fetch_optional(connection)
    .await?;
    Ok(secret.flatten().map(ClientSecret))
}

/// Stores the clients of a tenant's logins, and leaves of each login what may be
/// shown.
pub(super) async fn put(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    logins: &mut [Login],
) -> Result<(), ApiError> {
    for login in logins.iter_mut() {
        let Some(client) = &mut login.client else {
            continue;
        };
        if client.secret.is_none() && client.has_secret {
            client.secret = secret(transaction, tenant, &login.issuer, &client.id).await?;
        }
        client.has_secret = client.secret.is_some();
    }
    sqlx::query("DELETE FROM console_clients WHERE tenant = $1")
        .bind(tenant)
        .execute(&mut **transaction)
        .await?;
    for login in logins.iter_mut() {
        let Some(client) = &mut login.client else {
            continue;
        };
        let secret = client.secret.take();
        sqlx::query(
            "INSERT INTO console_clients (issuer, client, tenant, secret) VALUES ($1, $2, $3, $4)",
        )
        .bind(login.issuer.as_str())
        .bind(client.id.as_str())
        .bind(tenant)
        .bind(secret.as_ref().map(ClientSecret::reveal))
        .execute(&mut **transaction)
        .await
        .map_err(|error| match is_conflict(&error) {
            true => ApiError::Conflict(format!(
                "logins: the client {} at {} is there already",
                client.id, login.issuer
            )),
            false => error.into(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let sent = r#"{"id": "console", "secret": "hidden"}"#;
        let client: Client = serde_json::from_str(sent).unwrap();
        assert!(!format!("{client:?}").contains("hidden"));
        assert!(!serde_json::to_string(&client).unwrap().contains("hidden"));
    }
}
