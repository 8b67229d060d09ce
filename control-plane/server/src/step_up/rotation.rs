//! Changing the key that signs. The next one is told to proxies before it signs,
//! and the one before is told until the last token that it signed is over.

use axum::extract::State;
use axum::http::StatusCode;
use ig_contract::step_up::{LEEWAY_SECONDS, MAX_LIFE_SECONDS};
use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, FromRow, Transaction};
use utoipa::ToSchema;

use super::keys;
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::snapshots;
use crate::store::now;

/// How long proxies have to learn of a key before it signs, in seconds.
const OVERLAP_SECONDS: u32 = 600;
const MAX_OVERLAP_SECONDS: u32 = 86_400;
/// How long a key is told after the next one signs, in milliseconds: the life of
/// a token that it signed in its last moment, dated ahead after a logout, by a
/// replica whose clock is behind, for a guard whose clock is, too.
const TOLD_ON: i64 = 1000 * (MAX_LIFE_SECONDS + 3 * LEEWAY_SECONDS).cast_signed();

/// Keys that proxies are told of at once.
const MOST_KEYS: usize = 8;

/// How to change the key.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rotation {
    /// After how many seconds the next key signs; 600, if nothing is said. Proxies
    /// know it by then.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 86400)]
    overlap_seconds: Option<u32>,
    /// Whether a key is compromised: all keys end at once, and what they signed
    /// with them.
    #[serde(default)]
    force: bool,
}

/// What a key is there for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum KeyState {
    /// It is told, and will sign.
    Next,
    /// It signs.
    Current,
    /// It does not sign any more; what it signed counts.
    Retiring,
}

/// A key that proxies know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedKey {
    kid: String,
    /// Milliseconds since the epoch, as all times here.
    made_at: i64,
    signs_from: i64,
    ends_at: Option<i64>,
    state: KeyState,
}

/// The key that was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotated {
    #[serde(flatten)]
    key: ListedKey,
    /// Graphs whose proxies could not be given the keys of now: after a forced
    /// change they take the keys of before. It is tried again until it is done.
    pending: Vec<String>,
}

#[derive(FromRow)]
struct Row {
    kid: String,
    made_at: i64,
    signs_from: i64,
    ends_at: Option<i64>,
}

/// Keys that are told, the last that signs first.
async fn all(connection: &mut AnyConnection, at: i64) -> Result<Vec<ListedKey>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT kid, made_at, signs_from, ends_at FROM step_up_keys \
         ORDER BY signs_from DESC, kid",
    )
    .fetch_all(connection)
    .await?;
    // In this order the first that has begun to sign is the one that does.
    let current = rows.iter().position(|row| row.signs_from <= at);
    let state = |number: usize| match current {
        Some(current) if number == current => KeyState::Current,
        Some(current) if number > current => KeyState::Retiring,
        _ => KeyState::Next,
    };
    let listed = |(number, row): (usize, Row)| ListedKey {
        kid: row.kid,
        made_at: row.made_at,
        signs_from: row.signs_from.max(row.made_at),
        ends_at: row.ends_at,
        state: state(number),
    };
    Ok(rows.into_iter().enumerate().map(listed).collect())
}

/// List the keys of step-up tokens: which signs, which will, and which are
/// still told.
#[utoipa::path(get, path = "/step-up/keys", tag = "step-up", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<ListedKey>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ListedKey>>, ApiError> {
    by.require(Role::Viewer)?;
    let keys = all(&mut *app.store.pool().acquire().await?, now()).await?;
    Ok(Json(keys))
}

/// Change the key that signs step-up tokens.
///
/// What is published gets the new keys, and nothing that is not published yet.
#[utoipa::path(post, path = "/step-up/keys", tag = "step-up", security(("bearer" = ["owner"])),
    request_body = Rotation,
    responses(
        (status = 201, body = Rotated),
        (status = 409, description = "A key is about to be changed already", body = Problem),
    ))]
pub(crate) async fn rotate(
    State(app): State<App>,
    by: Principal,
    Json(rotation): Json<Rotation>,
) -> Result<(StatusCode, Json<Rotated>), ApiError> {
    by.require(Role::Owner)?;
    let overlap = check(&rotation)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, keys::LOCK).await?;
    let at = keys::clock(&app.store, &mut transaction).await?;
    let before = all(&mut transaction, at).await?;
    if !rotation.force {
        check_known(&before)?;
    }
    // What is forced depends on nobody's clock.
    let (signs_from, ends_at) = match rotation.force {
        true => (0, end_all(&mut transaction, at).await?),
        false => {
            let signs_from = at + 1000 * i64::from(overlap);
            let ends_at = retire(&mut transaction, signs_from + TOLD_ON).await?;
            (signs_from, ends_at)
        }
    };
    let kid = keys::insert(&mut transaction, at, signs_from).await?;
    let known: Vec<&str> = before.iter().map(|key| key.kid.as_str()).collect();
    let after = serde_json::json!({
        "kid": kid, "signsFrom": signs_from.max(at), "othersEndAt": ends_at, "force": rotation.force,
    });
    let change = Change {
        action: "step-up.rotate",
        target: &kid,
        before: Some(&known.join(" ")),
        after: Some(&after.to_string()),
    };
    audit::record(&mut transaction, &by, change).await?;
    let graphs = snapshots::graphs(&mut transaction).await?;
    transaction.commit().await?;
    if rotation.force {
        tracing::warn!(kid, by = by.name, "all keys of step-up tokens were ended");
    }
    // The rotation is durable: whatever fails now is done by the next look.
    let pending = snapshots::rekey(&app, graphs).await;
    let state = match signs_from > at {
        true => KeyState::Next,
        false => KeyState::Current,
    };
    let key = ListedKey {
        kid,
        made_at: at,
        signs_from: signs_from.max(at),
        ends_at: None,
        state,
    };
    Ok((StatusCode::CREATED, Json(Rotated { key, pending })))
}

/// After how many seconds the next key signs.
fn check(rotation: &Rotation) -> Result<u32, ApiError> {
    match (rotation.force, rotation.overlap_seconds) {
        (true, Some(overlap)) if overlap > 0 => Err(ApiError::invalid(
            "overlapSeconds: what is forced happens at once",
        )),
        (true, _) => Ok(0),
        (false, Some(overlap)) if overlap > MAX_OVERLAP_SECONDS => Err(ApiError::invalid(format!(
            "overlapSeconds: is 0 to {MAX_OVERLAP_SECONDS}"
        ))),
        (false, overlap) => Ok(overlap.unwrap_or(OVERLAP_SECONDS)),
    }
}

/// Whether another key may be made beside those that there are.
fn check_known(known: &[ListedKey]) -> Result<(), ApiError> {
    let problem = if known.iter().any(|key| key.state == KeyState::Next) {
        "a key is about to be changed already; wait until the next one signs, or force it"
    } else if known.len() >= MOST_KEYS {
        "too many keys have tokens that count; wait until one ends, or force it"
    } else {
        return Ok(());
    };
    Err(ApiError::Conflict(problem.into()))
}

/// Lets the key that signs end once the next one does.
async fn retire(
    transaction: &mut Transaction<'static, Any>,
    ends_at: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query("UPDATE step_up_keys SET ends_at = $1 WHERE ends_at IS NULL")
        .bind(ends_at)
        .execute(&mut **transaction)
        .await?;
    Ok(ends_at)
}

/// Takes every key away, and ends every token that is not used: whoever has a key may
/// have made some with the numbers of others.
async fn end_all(transaction: &mut Transaction<'static, Any>, at: i64) -> Result<i64, sqlx::Error> {
    sqlx::query("DELETE FROM step_up_keys")
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM step_up_tokens WHERE spent_at IS NULL")
        .execute(&mut **transaction)
        .await?;
    Ok(at)
}
