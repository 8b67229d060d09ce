//! As whom the console asks a tenant's issuer to log its users in.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
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

/// The console, as the issuer knows it. Each client has a redirect URI of its own.
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
    /// What to register at the issuer: one for each origin of the console. They
    /// are shown, and what is sent of them counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(read_only)]
    pub(super) redirect_uris: Vec<String>,
}

/// Where an issuer sends the users of a client back to: the path of its redirect
/// URI. No two clients have the same, so what one issuer was sent, another cannot
/// have answered for it (RFC 9700, 4.4.2.2).
pub(crate) fn callback(tenant: &str, issuer: &str, client: &str) -> String {
    let mut hash = Sha256::new();
    for part in [tenant, issuer, client] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hex::encode(hash.finalize());
    format!("/console/callback/{}", hash.get(..32).unwrap_or(&hash))
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
        client.redirect_uris.clear();
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

/// Refuses a client whose id is an audience at the same issuer, of whatever tenant:
/// its ID tokens would be access tokens, and the other way around.
pub(super) async fn check_apart(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
) -> Result<(), ApiError> {
    let both: Option<(String, String)> = sqlx::query_as(
        "SELECT console_clients.client, console_clients.issuer FROM console_clients \
         JOIN tenant_logins ON tenant_logins.issuer = console_clients.issuer \
         AND tenant_logins.audience = console_clients.client \
         WHERE console_clients.tenant = $1 OR tenant_logins.tenant = $1 LIMIT 1",
    )
    .bind(tenant)
    .fetch_optional(&mut **transaction)
    .await?;
    match both {
        None => Ok(()),
        Some((client, issuer)) => Err(ApiError::Conflict(format!(
            "logins: {client} at {issuer} is a client or an audience, not both"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_callback() {
        let all = [
            callback("a", "b", "c"),
            callback("ab", "", "c"),
            callback("a", "bc", ""),
            callback("a", "b", "d"),
            callback("b", "b", "c"),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let sent = r#"{"id": "console", "secret": "hidden"}"#;
        let client: Client = serde_json::from_str(sent).unwrap();
        assert!(!format!("{client:?}").contains("hidden"));
        assert!(!serde_json::to_string(&client).unwrap().contains("hidden"));
    }
}
