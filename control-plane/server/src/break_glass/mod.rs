//! Break-glass: one-time passwords (RFC 6238) and recovery codes, for who has no
//! passkey at hand. They count in a tenant only while an owner says so, for what
//! the owner names, and change no factor of anybody.

pub(crate) mod declaration;
pub(crate) mod enrolment;
mod recovery;
mod refusal;
mod secret;
mod throttle;
mod totp;
pub(crate) mod verification;

use sqlx::{Any, Transaction};

pub(crate) use declaration::is_declared;
pub(crate) use refusal::Refusal;

use crate::app::App;
use crate::auth::Person;
use crate::error::ApiError;
use crate::step_up;
use crate::store::{Secret, Store, now};

/// What secrets and codes are kept with.
pub(crate) struct Keys {
    /// Seals secrets.
    seal: Secret,
    /// Hashes recovery codes.
    recovery: Secret,
    /// What authenticator apps call this service.
    label: String,
}

impl Keys {
    /// The keys of all replicas.
    ///
    /// # Errors
    /// When they can neither be read nor made.
    pub(crate) async fn prepare(store: &Store, label: &str) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seal: store.secret("otp").await?,
            recovery: store.secret("otp-recovery").await?,
            label: label.to_owned(),
        })
    }
}

/// Begins a change of a user's one-time passwords: one at a time, so that codes
/// and failures are counted one after the other on all replicas. A suspension or
/// logout comes before all of it, or after.
async fn begin(app: &App, person: &Person) -> Result<Transaction<'static, Any>, ApiError> {
    let mut transaction = app.store.begin().await?;
    step_up::hold(&app.store, &mut transaction, &person.tenant, &person.user).await?;
    let lock = format!("otp:{}/{}", person.tenant, person.user);
    app.store.lock(&mut transaction, &lock).await?;
    Ok(transaction)
}

/// Takes away what is a user's, who is deleted.
pub(crate) async fn forget(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    for sql in [
        "DELETE FROM otp_secrets WHERE tenant = $1 AND user_id = $2",
        "DELETE FROM otp_recovery_codes WHERE tenant = $1 AND user_id = $2",
        "DELETE FROM otp_failures WHERE tenant = $1 AND user_id = $2",
    ] {
        sqlx::query(sql)
            .bind(tenant)
            .bind(user)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Takes away what is over: secrets whose users never showed a code, failures of
/// long ago, declarations that have ended.
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    let at = now();
    sqlx::query("DELETE FROM otp_secrets WHERE is_active = 0 AND made_at < $1")
        .bind(at - enrolment::PATIENCE)
        .execute(store.pool())
        .await?;
    sqlx::query(
        "DELETE FROM otp_recovery_codes WHERE NOT EXISTS (SELECT 1 FROM otp_secrets \
         WHERE otp_secrets.tenant = otp_recovery_codes.tenant \
         AND otp_secrets.user_id = otp_recovery_codes.user_id)",
    )
    .execute(store.pool())
    .await?;
    sqlx::query("DELETE FROM otp_failures WHERE failed_at < $1 AND locked_until < $2")
        .bind(at - throttle::REMEMBERED)
        .bind(at)
        .execute(store.pool())
        .await?;
    sqlx::query("DELETE FROM break_glass WHERE until_at < $1")
        .bind(at)
        .execute(store.pool())
        .await?;
    Ok(())
}
