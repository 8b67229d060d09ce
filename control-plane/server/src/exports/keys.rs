//! Keys that exports are signed with. One signs; those before it are listed on,
//! so that what they signed verifies.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_signing::{PrivateKey, PublicKey};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;
use sqlx::{Any, AnyConnection, FromRow, Transaction};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::config::CannotSign;
use super::limits::Seats;
use super::signing::Signing;
use super::{Exports, ExportsConfig, FILES, LISTS, WRITERS};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::{Secret, Store, now};

/// What changes of keys wait for, and what signs shares.
const LOCK: &str = "export-keys";
/// Longest that a key may take to be opened when the control plane starts.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the key that signs is kept.
pub(super) enum Keeper {
    /// Where the configuration of this replica says: in a file, or in a token.
    Configured(Arc<Signing>),
    /// In the database, sealed with this.
    Database(Secret),
}

/// A key.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportKey {
    /// As bundles name it (`hint`): base64 of the SHA-256 of its DER.
    key_id: String,
    /// `PUBLIC KEY` in PEM: ECDSA on P-256.
    pem: String,
    /// Since when it signs, in milliseconds since the epoch.
    not_before: i64,
    /// Since when it signs no more; none of the one that signs.
    retired_at: Option<i64>,
}

/// Makes the first key, where there is none, or takes the one of the
/// configuration.
pub(super) async fn prepare(store: &Store, config: &ExportsConfig) -> Result<Keeper, CannotSign> {
    let asked = config.clone();
    // A token may be slow to answer, or never do.
    let loading = tokio::task::spawn_blocking(move || asked.load());
    let loaded = tokio::time::timeout(PATIENCE, loading).await;
    let Ok(Ok(loaded)) = loaded else {
        return Err(CannotSign::Silent(PATIENCE));
    };
    let keeper = match loaded? {
        Some(key) => Keeper::Configured(Arc::new(Signing::new(key))),
        None => Keeper::Database(store.secret("export-keys").await?),
    };
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, LOCK).await?;
    let current = current(&mut transaction).await?;
    match &keeper {
        Keeper::Configured(key) => {
            let key_id = key.public().key_id();
            let known: Option<Option<i64>> =
                sqlx::query_scalar("SELECT retired_at FROM export_keys WHERE hint = $1")
                    .bind(key_id.as_str())
                    .fetch_optional(&mut *transaction)
                    .await?;
            match known {
                Some(None) => {}
                Some(Some(_)) => return Err(CannotSign::Retired(key_id)),
                None => {
                    follow(&mut transaction, key.public(), None).await?;
                    let before = current.as_ref().map(|(key_id, _)| key_id.as_str());
                    configured(&mut transaction, before, &key_id).await?;
                }
            }
        }
        Keeper::Database(secret) if current.is_none() => {
            let key = PrivateKey::generate().map_err(|_| CannotSign::Sealed)?;
            let sealed = seal(secret, &key).ok_or(CannotSign::Sealed)?;
            follow(&mut transaction, key.public(), Some(&sealed)).await?;
        }
        Keeper::Database(_) if current.is_some_and(|(_, sealed)| sealed.is_none()) => {
            tracing::warn!(
                "the key that signs exports is not here, and `exports.key` does not name it; nothing \
                 is signed here until it does, or an owner changes the key: POST /exports/keys"
            );
        }
        Keeper::Database(_) => {}
    }
    transaction.commit().await?;
    Ok(keeper)
}

/// Records that an operator has another key sign.
async fn configured(
    transaction: &mut Transaction<'static, Any>,
    before: Option<&str>,
    key_id: &str,
) -> Result<(), CannotSign> {
    let by = Principal::of_system("system:configuration");
    let change = Change {
        action: "export-key.configure",
        target: key_id,
        before,
        after: Some(key_id),
    };
    let recorded = audit::record(transaction, &by, change).await;
    recorded.map_err(|error| match error {
        ApiError::Store(error) => CannotSign::Store(error),
        _ => CannotSign::Sealed,
    })
}

/// Id of the key that signs, and what is sealed of it.
async fn current(
    connection: &mut AnyConnection,
) -> Result<Option<(String, Option<String>)>, sqlx::Error> {
    sqlx::query_as("SELECT hint, sealed FROM export_keys WHERE retired_at IS NULL")
        .fetch_optional(connection)
        .await
}

/// Makes a key the one that signs.
async fn follow(
    transaction: &mut Transaction<'static, Any>,
    key: &PublicKey,
    sealed: Option<&str>,
) -> Result<(), sqlx::Error> {
    let at = now();
    sqlx::query("UPDATE export_keys SET retired_at = $1 WHERE retired_at IS NULL")
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO export_keys (hint, pem, sealed, not_before) VALUES ($1, $2, $3, $4)")
        .bind(key.key_id())
        .bind(key.to_pem())
        .bind(sealed)
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// This key is the one that signs, for as long as the transaction: no other follows it
/// before.
///
/// # Errors
/// 503 where another followed it meanwhile.
pub(super) async fn keep(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    key: &PublicKey,
) -> Result<(), ApiError> {
    app.store.lock_shared(transaction, LOCK).await?;
    let current = current(transaction).await?;
    if current.is_some_and(|(key_id, _)| key_id == key.key_id()) {
        return Ok(());
    }
    Err(ApiError::Later(
        "another key signs exports from now on, and nothing was exported; send the same request again",
    ))
}

/// The key that signs now.
///
/// # Errors
/// 503 where this replica does not have it.
pub(super) async fn signer(app: &App) -> Result<Arc<Signing>, ApiError> {
    let current = current(&mut *app.store.pool().acquire().await?).await?;
    let (key_id, sealed) = current.ok_or(ApiError::Later("there is no key that signs exports"))?;
    match &app.exports.keeper {
        Keeper::Configured(key) if key.public().key_id() == key_id => Ok(key.clone()),
        Keeper::Configured(_) => Err(ApiError::Later(
            "the key of this replica was retired; its operator has to configure the new one",
        )),
        Keeper::Database(secret) => {
            let sealed = sealed.ok_or(ApiError::Later(
                "the key that signs exports is one that this replica does not have; its \
                 operator has to configure it, or an owner to change the key",
            ))?;
            open(secret, &key_id, &sealed)
                .map(|key| Arc::new(Signing::new(Box::new(key))))
                .ok_or(ApiError::Later(
                    "the key that signs exports is not readable; an owner has to change it",
                ))
        }
    }
}

/// Seals a key for its own row.
fn seal(secret: &Secret, key: &PrivateKey) -> Option<String> {
    let pem = key.to_pem().ok()?;
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    // Long enough that the tag moves it nowhere.
    let mut sealed = Zeroizing::new(Vec::with_capacity(pem.len().saturating_add(32)));
    sealed.extend_from_slice(pem.as_bytes());
    sealing(secret)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(key.public().key_id()),
            &mut *sealed,
        )
        .ok()?;
    Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

fn open(secret: &Secret, key_id: &str, sealed: &str) -> Option<PrivateKey> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk()?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let pem = sealing(secret)?
        .open_in_place(nonce, Aad::from(key_id), &mut sealed)
        .ok()?;
    PrivateKey::from_pem(pem, None).ok()
}

fn sealing(secret: &Secret) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, secret.bytes()).ok()?;
    Some(LessSafeKey::new(key))
}

/// List the keys that exports are or were signed with, the one that signs first.
#[utoipa::path(get, path = "/exports/keys", tag = "exports",
    responses((status = 200, body = Vec<ExportKey>), (status = 503, body = Problem)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<ExportKey>>, ApiError> {
    let _turn = app.ledger.turn().await?;
    let keys = sqlx::query_as(
        "SELECT hint AS key_id, pem, not_before, retired_at FROM export_keys \
         ORDER BY CASE WHEN retired_at IS NULL THEN 0 ELSE 1 END, retired_at DESC, hint",
    )
    .fetch_all(app.store.pool())
    .await?;
    Ok(Json(keys))
}

/// Get one of the keys as a file, as `ig-verify` and `cosign` take it.
///
/// Its id may be spelt in base64url, which needs no escapes in a path.
#[utoipa::path(get, path = "/exports/keys/{keyId}", tag = "exports",
    params(("keyId" = String, Path)),
    responses(
        (status = 200, body = String, content_type = "application/x-pem-file"),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 503, body = Problem),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    Path(key_id): Path<String>,
) -> Result<Response, ApiError> {
    let key_id = standard(&key_id);
    let _turn = app.ledger.turn().await?;
    let pem: Option<String> = sqlx::query_scalar("SELECT pem FROM export_keys WHERE hint = $1")
        .bind(key_id)
        .fetch_optional(app.store.pool())
        .await?;
    let pem = pem.ok_or_else(|| ApiError::NotFound("the key".into()))?;
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response())
}

/// An id in base64, where it was spelt in base64url.
fn standard(key_id: &str) -> String {
    let mut key_id = key_id.replace('-', "+").replace('_', "/");
    if key_id.len() == 43 {
        key_id.push('=');
    }
    key_id
}

/// Retire the key that signs exports, without another: somebody else may have it.
///
/// Nothing is exported until another one signs: `POST /exports/keys` makes one, or an
/// operator configures one. What it has signed verifies as it did.
#[utoipa::path(delete, path = "/exports/keys/{keyId}", tag = "exports",
    security(("bearer" = ["owner"])),
    params(("keyId" = String, Path)),
    responses(
        (status = 204),
        (status = 404, description = "It is none, or does not sign", body = Problem),
    ))]
pub(crate) async fn retire(
    State(app): State<App>,
    by: Principal,
    Path(key_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let key_id = standard(&key_id);
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, LOCK).await?;
    let retired = sqlx::query(
        "UPDATE export_keys SET retired_at = $1 WHERE hint = $2 AND retired_at IS NULL",
    )
    .bind(now())
    .bind(key_id.as_str())
    .execute(&mut *transaction)
    .await?;
    if retired.rows_affected() == 0 {
        return Err(ApiError::NotFound("the key, as one that signs,".into()));
    }
    let change = Change {
        action: "export-key.retire",
        target: &key_id,
        before: Some(&key_id),
        after: None,
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the key that signs exports. The one before is listed on.
///
/// Of a key in a file or a token, it is the configuration that changes, and the control
/// plane is restarted.
#[utoipa::path(post, path = "/exports/keys", tag = "exports", security(("bearer" = ["owner"])),
    responses(
        (status = 201, body = ExportKey),
        (status = 409, description = "The key is in a file or a token", body = Problem),
    ))]
pub(crate) async fn rotate(
    State(app): State<App>,
    by: Principal,
) -> Result<(StatusCode, Json<ExportKey>), ApiError> {
    by.require(Role::Owner)?;
    let Keeper::Database(secret) = &app.exports.keeper else {
        return Err(ApiError::Conflict(
            "the key that signs exports is in a file or a token: configure another one, and restart".into(),
        ));
    };
    let broken = || ApiError::Later("a key can be neither made nor sealed");
    let key = PrivateKey::generate().map_err(|_| broken())?;
    let sealed = seal(secret, &key).ok_or_else(broken)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, LOCK).await?;
    let before = current(&mut transaction).await?;
    follow(&mut transaction, key.public(), Some(&sealed)).await?;
    let key_id = key.public().key_id();
    let made = sqlx::query_as(
        "SELECT hint AS key_id, pem, not_before, retired_at FROM export_keys WHERE hint = $1",
    )
    .bind(key_id.as_str())
    .fetch_one(&mut *transaction)
    .await?;
    let change = Change {
        action: "export-key.rotate",
        target: &key_id,
        before: before.as_ref().map(|(key_id, _)| key_id.as_str()),
        after: Some(&key_id),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

impl Exports {
    /// Prepares what signs.
    ///
    /// # Errors
    /// [`CannotSign`]
    pub(crate) async fn prepare(store: &Store, config: &ExportsConfig) -> Result<Self, CannotSign> {
        Ok(Self {
            keeper: prepare(store, config).await?,
            rules: Default::default(),
            reading: Default::default(),
            deciding: Default::default(),
            lists: Seats::new(LISTS),
            files: Seats::new(FILES),
            denies: Default::default(),
            writers: Semaphore::new(WRITERS),
            under_way: Default::default(),
        })
    }
}
