//! Setting one-time passwords up, while there is still a passkey to prove who
//! does it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use sqlx::{Any, FromRow, Transaction};
use utoipa::ToSchema;

use super::totp::{Code, Totp};
use super::{begin, recovery, secret, throttle};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, User};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::step_up;
use crate::store::now;
use crate::webauthn::step_up_token;

/// What a proof to add them is given for.
const ADD: &str = "otp:add";
/// What a proof to remove them is given for.
const REMOVE: &str = "otp:remove";
/// How long it may take to show the first code, in milliseconds.
pub(super) const PATIENCE: i64 = 10 * 60 * 1000;

/// What is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Enrolment {
    /// In base32, to be typed into an authenticator app.
    secret: String,
    /// The same as a URI (`otpauth:`), to be shown as a QR code.
    uri: String,
    /// Codes that count once each, to be kept on paper.
    recovery_codes: Vec<String>,
}

/// A code of an authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Shown {
    /// Six digits.
    code: String,
}

#[derive(FromRow)]
struct Row {
    secret: String,
    is_active: i64,
    made_at: i64,
}

async fn read(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT secret, is_active, made_at FROM otp_secrets WHERE tenant = $1 AND user_id = $2",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_optional(&mut **transaction)
    .await
}

/// What a user's codes are made of, once they have shown one.
pub(super) async fn active(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<Totp, ApiError> {
    match read(transaction, person).await? {
        Some(row) if row.is_active != 0 => secret::open(&app.break_glass, person, &row.secret),
        _ => Err(ApiError::Conflict(
            "you have set up no one-time passwords; that needs a passkey, and is to be done \
             before it is needed"
                .into(),
        )),
    }
}

/// Takes a code's step, if none as late was taken: no code counts twice.
pub(super) async fn take_step(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    step: i64,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE otp_secrets SET last_step = $1, is_active = 1 WHERE tenant = $2 AND user_id = $3 \
         AND last_step < $1",
    )
    .bind(step)
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Begin to set up one-time passwords of the caller. This needs a step-up token
/// for `otp:add`, as `x-ig-step-up`: of a passkey.
#[utoipa::path(post, path = "/otp/registration", tag = "break-glass",
    security(("bearer" = ["user"])),
    responses((status = 201, body = Enrolment), (status = 409, body = Problem)))]
pub(crate) async fn register(
    State(app): State<App>,
    User { person, .. }: User,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Enrolment>), ApiError> {
    let person = &person;
    let mut transaction = begin(&app, person).await?;
    throttle::check(&mut transaction, person).await?;
    let token = step_up_token(&headers);
    step_up::use_own(&app, &mut transaction, person, token, ADD).await?;
    let known = read(&mut transaction, person).await?;
    if known.is_some_and(|row| row.is_active != 0) {
        return Err(ApiError::Conflict(
            "there are one-time passwords already; remove them first".into(),
        ));
    }
    let totp = Totp::random()?;
    let sealed = secret::seal(&app.break_glass, person, &totp)?;
    sqlx::query(
        "INSERT INTO otp_secrets (tenant, user_id, secret, is_active, last_step, made_at) \
         VALUES ($1, $2, $3, 0, 0, $4) ON CONFLICT (tenant, user_id) DO UPDATE SET \
         secret = EXCLUDED.secret, is_active = 0, last_step = 0, made_at = EXCLUDED.made_at",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(sealed)
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    let recovery_codes = recovery::renew(&mut transaction, &app.break_glass, person).await?;
    transaction.commit().await?;
    let secret = totp.base32();
    let enrolment = Enrolment {
        uri: uri(&app.break_glass.label, &person.session.subject, &secret),
        secret: secret.to_string(),
        recovery_codes,
    };
    Ok((StatusCode::CREATED, Json(enrolment)))
}

/// Set up one-time passwords of the caller, who shows the first.
#[utoipa::path(post, path = "/otp/registration/verify", tag = "break-glass",
    security(("bearer" = ["user"])), request_body = Shown,
    responses((status = 204), (status = 409, body = Problem)))]
pub(crate) async fn activate(
    State(app): State<App>,
    User { by, person }: User,
    Json(Shown { code }): Json<Shown>,
) -> Result<StatusCode, ApiError> {
    let person = &person;
    let code = Code::parse(&code).ok_or_else(|| ApiError::invalid("code: is six digits"))?;
    let mut transaction = begin(&app, person).await?;
    let pending = read(&mut transaction, person).await?.filter(|row| {
        let is_over = row.made_at < now() - PATIENCE;
        row.is_active == 0 && !is_over
    });
    let pending = pending.ok_or_else(|| {
        ApiError::Conflict("nothing is to be set up; begin at /otp/registration".into())
    })?;
    throttle::check(&mut transaction, person).await?;
    let totp = secret::open(&app.break_glass, person, &pending.secret)?;
    let is_right = match totp.step(code, step_up::seconds()) {
        Some(step) => take_step(&mut transaction, person, step).await?,
        None => false,
    };
    if !is_right {
        return Err(throttle::failed(&app, transaction, &by, person).await?);
    }
    throttle::succeeded(&mut transaction, person).await?;
    let change = Change {
        action: "otp.add",
        target: &person.user,
        before: None,
        after: None,
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the caller's one-time passwords and recovery codes. This needs a step-up
/// token for `otp:remove`, as `x-ig-step-up`: of a passkey.
#[utoipa::path(delete, path = "/otp", tag = "break-glass",
    security(("bearer" = ["user"])),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    User { by, person }: User,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let person = &person;
    let mut transaction = begin(&app, person).await?;
    let token = step_up_token(&headers);
    step_up::use_own(&app, &mut transaction, person, token, REMOVE).await?;
    // Failures stay: who removes and adds is locked for as long.
    let removed = sqlx::query("DELETE FROM otp_secrets WHERE tenant = $1 AND user_id = $2")
        .bind(person.tenant.as_str())
        .bind(person.user.as_str())
        .execute(&mut *transaction)
        .await?;
    if removed.rows_affected() == 0 {
        return Err(ApiError::NotFound("what you want to remove".into()));
    }
    recovery::forget(&mut transaction, person).await?;
    // What they were used for does not count any more.
    let change = Change {
        action: "otp.remove",
        target: &person.user,
        before: None,
        after: None,
    };
    step_up::end_with(&app, transaction, &by, &person.tenant, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// As authenticator apps read it.
fn uri(label: &str, account: &str, secret: &str) -> String {
    let (label, account) = (encode(label), encode(account));
    format!(
        "otpauth://totp/{label}:{account}?secret={secret}&issuer={label}\
         &algorithm=SHA1&digits=6&period=30"
    )
}

/// Percent-encodes (RFC 3986, 2.1); a form's `+` is a plus to some apps.
fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_read_the_uri() {
        assert_eq!(
            uri("IntelGraph Guard", "ä:b@c", "GEZD"),
            "otpauth://totp/IntelGraph%20Guard:%C3%A4%3Ab%40c?secret=GEZD\
             &issuer=IntelGraph%20Guard&algorithm=SHA1&digits=6&period=30"
        );
    }
}
