//! Admin tokens: 256 random bits, shown once, stored as their hash.

use sha2::{Digest as _, Sha256};
use sqlx::AnyConnection;

use super::{Grant, Principal, Role};
use crate::error::ApiError;
use crate::store::{Store, now};

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
pub enum CannotBootstrap {
    /// The system has no randomness.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The database failed.
    #[error("the first token cannot be stored")]
    Store(#[from] sqlx::Error),
}

/// What a token begins with, so that people and scanners know it.
pub(super) const PREFIX: &str = "ig_";

/// A new token.
pub(super) fn generate() -> Result<String, getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(format!("{PREFIX}{}", hex::encode(secret)))
}

/// The hash under which a token is stored.
pub(super) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Makes the first token, for an owner, where there is none yet.
///
/// # Errors
/// [`CannotBootstrap`]
pub(crate) async fn bootstrap(store: &Store) -> Result<Option<String>, CannotBootstrap> {
    let token = generate().map_err(CannotBootstrap::Random)?;
    // Two replicas may start at once; the name is unique, so one wins.
    let inserted = sqlx::query(
        "INSERT INTO tokens (id, hash, name, role, created_at, created_by) \
         SELECT 'bootstrap', $1, 'bootstrap', $2, $3, 'bootstrap' \
         WHERE NOT EXISTS (SELECT 1 FROM tokens) ON CONFLICT DO NOTHING",
    )
    .bind(hash(&token))
    .bind(Role::Owner.as_str())
    .bind(now())
    .execute(store.pool())
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(token))
}

/// The caller that a token stands for. It is looked up by its hash, so that no
/// comparison tells how much of a guess was right.
pub(super) async fn find(store: &Store, token: &str) -> Result<Principal, ApiError> {
    Ok(read(store, token).await?.1)
}

/// A token's id, and the caller that it stands for.
///
/// # Errors
/// 401
pub(crate) async fn read(store: &Store, token: &str) -> Result<(String, Principal), ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, name, role, tenant, may_confer FROM tokens WHERE hash = $1 \
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(hash(token))
    .bind(now())
    .fetch_optional(store.pool())
    .await?;
    principal(store, row).await
}

/// The caller that the token of an id stands for, as long as it is good.
///
/// # Errors
/// 401
pub(crate) async fn of_id(store: &Store, id: &str) -> Result<Principal, ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, name, role, tenant, may_confer FROM tokens WHERE id = $1 \
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(id)
    .bind(now())
    .fetch_optional(store.pool())
    .await?;
    Ok(principal(store, row).await?.1)
}

/// Id, name, role, tenant, whether it may confer.
type Row = (String, String, String, Option<String>, i64);

async fn principal(store: &Store, row: Option<Row>) -> Result<(String, Principal), ApiError> {
    let (id, name, role, tenant, may_confer) = row.ok_or(ApiError::Unauthenticated)?;
    let grant = Role::parse(&role).and_then(|role| Grant::new(role, tenant, may_confer != 0));
    let mut grant = grant.ok_or(ApiError::Unauthenticated)?;
    if let Grant::Exporter(tenants) = &mut grant {
        let listed: Vec<String> =
            sqlx::query_scalar("SELECT tenant FROM token_tenants WHERE token = $1")
                .bind(id.as_str())
                .fetch_all(store.pool())
                .await?;
        tenants.extend(listed);
    }
    Ok((id, Principal { name, grant }))
}

/// Whether a tenant's token, found before, is still good, and its tenant there.
///
/// # Errors
/// 401
pub(crate) async fn check_still(
    connection: &mut AnyConnection,
    by: &Principal,
    tenant: &str,
) -> Result<(), ApiError> {
    let found: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM tokens t WHERE t.name = $1 AND t.tenant = $2 AND t.revoked_at IS NULL \
         AND (t.expires_at IS NULL OR t.expires_at > $3) \
         AND EXISTS (SELECT 1 FROM tenants WHERE id = $2)",
    )
    .bind(by.name.as_str())
    .bind(tenant)
    .bind(now())
    .fetch_optional(connection)
    .await?;
    found.map(drop).ok_or(ApiError::Unauthenticated)
}
