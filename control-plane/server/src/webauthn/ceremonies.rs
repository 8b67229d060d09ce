//! What was begun and not ended. A ceremony is the caller's own, of one kind and
//! one session, and is taken away before its answer is looked at: so there is
//! one answer, right or wrong.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Any, FromRow, Transaction};

use super::PATIENCE;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Person;
use crate::error::ApiError;
use crate::step_up;
use crate::store::now;

/// Open ceremonies of a user; the oldest makes room.
const MAX_OPEN: i64 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Registration,
    Authentication,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Authentication => "authentication",
        }
    }
}

/// Begins a ceremony, and returns its id.
pub(super) async fn begin(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    kind: Kind,
    purpose: &impl Serialize,
    state: &impl Serialize,
) -> Result<String, ApiError> {
    sqlx::query(
        "DELETE FROM ceremonies WHERE tenant = $1 AND user_id = $2 AND id NOT IN \
         (SELECT id FROM ceremonies WHERE tenant = $1 AND user_id = $2 \
          ORDER BY ends_at DESC, id LIMIT $3)",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(MAX_OPEN - 1)
    .execute(&mut **transaction)
    .await?;
    let mut id = [0; 32];
    getrandom::fill(&mut id).map_err(ApiError::invalid)?;
    let id = hex::encode(id);
    let ends = step_up::ends(transaction, &person.tenant, &person.user).await?;
    let patience = i64::try_from(PATIENCE.as_millis()).unwrap_or_default();
    sqlx::query(
        "INSERT INTO ceremonies (id, kind, tenant, user_id, issuer, subject, session, purpose, \
         state, ends, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.as_str())
    .bind(kind.as_str())
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(person.session.issuer.as_str())
    .bind(person.session.subject.as_str())
    .bind(person.session.id.as_str())
    .bind(serde_json::to_string(purpose).map_err(ApiError::invalid)?)
    .bind(serde_json::to_string(state).map_err(ApiError::invalid)?)
    .bind(ends)
    .bind(now() + patience)
    .execute(&mut **transaction)
    .await?;
    Ok(id)
}

#[derive(FromRow)]
struct Row {
    kind: String,
    purpose: String,
    state: String,
    ends: i64,
    ends_at: i64,
}

/// A ceremony that has its answer.
pub(super) struct Ended<P, S> {
    /// What it was for.
    pub(super) purpose: P,
    /// What its answer is verified with.
    pub(super) state: S,
    pub(super) begun: Begun,
}

/// The last end of its user's tokens when a ceremony began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Begun(i64);

impl Begun {
    /// Begins the transaction in which the answer counts. While it was verified, its
    /// user may have been suspended, also for a moment, or have logged out: the row
    /// was gone by then, so nothing else would end it.
    ///
    /// # Errors
    /// 401 for who is suspended, [`Refusal`] after a logout.
    pub(super) async fn hold(
        self,
        app: &App,
        person: &Person,
    ) -> Result<Transaction<'static, Any>, ApiError> {
        let mut transaction = app.store.begin().await?;
        let (tenant, user) = (&person.tenant, &person.user);
        let ends = step_up::hold(&app.store, &mut transaction, tenant, user).await?;
        match ends <= self.0 {
            true => Ok(transaction),
            false => Err(ApiError::Presence(Refusal::Ceremony)),
        }
    }
}

/// Ends a ceremony of the caller: what it was for, and what its answer is
/// verified with. It is gone then, whatever comes of it.
///
/// # Errors
/// [`Refusal`] for one of somebody else, of another session, of another kind, or
/// that is over.
pub(super) async fn end<P: DeserializeOwned, S: DeserializeOwned>(
    app: &App,
    person: &Person,
    kind: Kind,
    id: &str,
) -> Result<Ended<P, S>, ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "DELETE FROM ceremonies WHERE id = $1 AND tenant = $2 AND user_id = $3 AND issuer = $4 \
         AND subject = $5 AND session = $6 RETURNING kind, purpose, state, ends, \
         ends_at",
    )
    .bind(id)
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(person.session.issuer.as_str())
    .bind(person.session.subject.as_str())
    .bind(person.session.id.as_str())
    .fetch_optional(app.store.pool())
    .await?;
    let row = row.ok_or(ApiError::Presence(Refusal::Ceremony))?;
    if row.kind != kind.as_str() {
        return Err(ApiError::Presence(Refusal::Type));
    }
    if row.ends_at <= now() {
        return Err(ApiError::Presence(Refusal::CeremonyExpired));
    }
    let unreadable = |_| ApiError::Presence(Refusal::Ceremony);
    Ok(Ended {
        purpose: serde_json::from_str(&row.purpose).map_err(unreadable)?,
        state: serde_json::from_str(&row.state).map_err(unreadable)?,
        begun: Begun(row.ends),
    })
}
