//! Admin tokens: 256 random bits, shown once, stored as their hash.

use sha2::{Digest as _, Sha256};

use super::Role;
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

/// The hash under which a token is stored.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Makes the first token, for an owner, where there is none yet.
///
/// # Errors
/// [`CannotBootstrap`]
pub(crate) async fn bootstrap(store: &Store) -> Result<Option<String>, CannotBootstrap> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(CannotBootstrap::Random)?;
    let token = format!("ig_{}", hex::encode(secret));
    let mut transaction = store.begin().await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM tokens")
        .fetch_one(&mut *transaction)
        .await?;
    if count > 0 {
        return Ok(None);
    }
    sqlx::query(
        "INSERT INTO tokens (id, hash, name, role, created_at) VALUES ('bootstrap', $1, 'bootstrap', $2, $3)",
    )
    .bind(hash(&token))
    .bind(Role::Owner.as_str())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Some(token))
}
