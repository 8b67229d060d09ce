//! Keys that tokens are signed with. A key is told before it signs, and told on
//! until the last token that it signed is over.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::snapshot::VerificationKey;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Any, AnyConnection, Transaction};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::Json;
use crate::store::{Store, now};

/// What changes of keys wait for.
pub(super) const LOCK: &str = "step-up-keys";

/// How long ends of tokens are kept, in seconds: far longer than a token counts.
const ENDS_KEPT: i64 = 3600;

/// What a key is made of, in hex; it is wiped where it was.
type Seed = Zeroizing<String>;

/// A key that signs. It shows itself to nobody.
pub(crate) struct Signer {
    pub(super) kid: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn of_seed(seed: &Seed) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&**seed, &mut *bytes).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*bytes).ok()?;
        let kid = thumbprint(&x(&pair));
        Some(Self { kid, pair })
    }

    pub(super) fn sign(&self, message: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()))
    }
}

fn x(pair: &Ed25519KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(pair.public_key())
}

/// RFC 7638, as RFC 8037 has it for this kind of key.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

/// Makes the first key, where there is none.
///
/// # Errors
/// When it can neither be read nor made.
pub(crate) async fn prepare(store: &Store) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, LOCK).await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM step_up_keys")
        .fetch_one(&mut *transaction)
        .await?;
    if count == 0 {
        let at = clock(store, &mut transaction).await?;
        insert(&mut transaction, at, 0).await?;
    }
    fill(&mut transaction).await?;
    transaction.commit().await
}

/// Takes away keys that have ended, and ends of tokens that are over anyway. A
/// key is told while its row is there, so that replicas agree whatever their
/// clocks say.
///
/// # Errors
/// When it can neither be read nor done.
pub(crate) async fn settle(store: &Store) -> Result<(), sqlx::Error> {
    let at = clock(store, &mut *store.pool().acquire().await?).await?;
    let before = at / 1000 - ENDS_KEPT;
    let over: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM step_up_keys WHERE ends_at <= $1 OR x IS NULL) \
         + (SELECT COUNT(*) FROM step_up_ends WHERE tokens_from < $2)",
    )
    .bind(at)
    .bind(before)
    .fetch_one(store.pool())
    .await?;
    if over == 0 {
        return Ok(());
    }
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, LOCK).await?;
    sqlx::query("DELETE FROM step_up_keys WHERE ends_at <= $1")
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM step_up_ends WHERE tokens_from < $1")
        .bind(before)
        .execute(&mut *transaction)
        .await?;
    fill(&mut transaction).await?;
    transaction.commit().await
}

/// Milliseconds since the epoch, by the clock that replicas share.
pub(super) async fn clock(
    store: &Store,
    connection: &mut AnyConnection,
) -> Result<i64, sqlx::Error> {
    if !store.is_shared() {
        return Ok(now());
    }
    sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
        .fetch_one(connection)
        .await
}

/// Keeps the public halves of keys that a release before made.
async fn fill(transaction: &mut Transaction<'static, Any>) -> Result<(), sqlx::Error> {
    let seeds: Vec<String> = sqlx::query_scalar("SELECT seed FROM step_up_keys WHERE x IS NULL")
        .fetch_all(&mut **transaction)
        .await?;
    let signers = seeds.into_iter().map(Seed::new);
    for signer in signers.filter_map(|seed| Signer::of_seed(&seed)) {
        sqlx::query("UPDATE step_up_keys SET x = $1 WHERE kid = $2")
            .bind(x(&signer.pair))
            .bind(signer.kid)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Makes a key that signs from a time on, and returns its `kid`.
pub(super) async fn insert(
    transaction: &mut Transaction<'static, Any>,
    made_at: i64,
    signs_from: i64,
) -> Result<String, sqlx::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    let seed = Seed::new(hex::encode(bytes.as_slice()));
    let signer = Signer::of_seed(&seed);
    let signer = signer.ok_or_else(|| sqlx::Error::Protocol("no key".into()))?;
    sqlx::query(
        "INSERT INTO step_up_keys (kid, seed, x, made_at, signs_from) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(signer.kid.as_str())
    .bind(seed.as_str())
    .bind(x(&signer.pair))
    .bind(made_at)
    .bind(signs_from)
    .execute(&mut **transaction)
    .await?;
    Ok(signer.kid)
}

/// The key that signs now: the last that began to. Where none has, as by a clock
/// that is behind, the first that will.
pub(super) async fn signer(
    store: &Store,
    connection: &mut AnyConnection,
) -> Result<Signer, sqlx::Error> {
    let at = clock(store, connection).await?;
    let seed: String = sqlx::query_scalar(
        "SELECT seed FROM step_up_keys ORDER BY \
         CASE WHEN signs_from <= $1 THEN -signs_from ELSE signs_from END, kid LIMIT 1",
    )
    .bind(at)
    .fetch_one(connection)
    .await?;
    Signer::of_seed(&Seed::new(seed))
        .ok_or_else(|| sqlx::Error::Protocol("a key is not readable".into()))
}

/// The keys that proxies have to know.
pub(crate) async fn public(
    connection: &mut AnyConnection,
) -> Result<Vec<VerificationKey>, sqlx::Error> {
    let keys: Vec<(String, String)> =
        sqlx::query_as("SELECT kid, x FROM step_up_keys WHERE x IS NOT NULL ORDER BY made_at, kid")
            .fetch_all(connection)
            .await?;
    let key = |(kid, x)| VerificationKey { kid, x };
    Ok(keys.into_iter().map(key).collect())
}

/// What a snapshot says of step-up, as `guard.toml` has it.
pub(crate) async fn settings(
    connection: &mut AnyConnection,
    issuer: &Arc<str>,
) -> Result<toml::Table, sqlx::Error> {
    let keys = public(connection).await?;
    let keys = keys.into_iter().map(|VerificationKey { kid, x }| {
        let mut key = toml::Table::new();
        key.insert("kid".into(), kid.into());
        key.insert("x".into(), x.into());
        toml::Value::Table(key)
    });
    let mut settings = toml::Table::new();
    settings.insert("issuer".into(), issuer.to_string().into());
    settings.insert("keys".into(), toml::Value::Array(keys.collect()));
    Ok(settings)
}

/// Public keys (RFC 7517).
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Serialize, ToSchema)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: String,
    x: String,
}

/// Get the keys that step-up tokens are signed with.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "step-up",
    responses((status = 200, body = Jwks)))]
pub(crate) async fn jwks(State(app): State<App>) -> Result<Json<Jwks>, ApiError> {
    let keys = public(&mut *app.store.pool().acquire().await?).await?;
    let keys = keys.into_iter().map(|VerificationKey { kid, x }| Jwk {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid,
        x,
    });
    Ok(Json(Jwks {
        keys: keys.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, A.1 and A.3.
    #[test]
    fn keys_have_the_thumbprints_of_the_rfc() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let signer = Signer::of_seed(&Seed::new(seed.to_owned())).unwrap();
        assert_eq!(signer.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(
            x(&signer.pair),
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
    }
}
