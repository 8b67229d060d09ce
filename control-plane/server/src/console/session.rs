//! Who is logged in. A session is a row; the browser has a random number whose
//! hash finds it. With every request it is looked at again whether the user is
//! active, or the token still good.

use axum::extract::FromRequestParts;
use axum::http::header::{HeaderMap, ORIGIN};
use axum::http::request::Parts;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{Any, FromRow, Transaction};

use super::cookie::{Cookie, origin};
use super::refusal::Refused;
use super::sealed::{PATIENCE_SECONDS, random};
use crate::app::App;
use crate::auth::{self, Person, Principal};
use crate::error::ApiError;
use crate::store::{Store, is_conflict, now};
use crate::tenants;

/// After so long without a request it is over.
const IDLE_MILLIS: i64 = 30 * 60 * 1000;
/// It is over after this, however busy.
const LIFE_MILLIS: i64 = 8 * 60 * 60 * 1000;
/// A use is noted no more often than this.
const NOTE_MILLIS: i64 = 60 * 1000;
/// How long rows stay.
const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// How long a login's state is refused: until long after nobody could come back.
const STATE_MILLIS: i64 = 2 * 1000 * PATIENCE_SECONDS as i64;
/// Sessions of one user; the oldest one ends.
const MAX_SESSIONS: i64 = 20;
const CSRF_HEADER: &str = "x-csrf-token";

/// Somebody who is logged in.
pub(super) struct Session {
    pub(super) by: Principal,
    /// What forms and scripts of our pages send, and nobody else knows.
    pub(super) csrf: String,
    /// Of the row.
    pub(super) id: String,
}

#[derive(FromRow)]
struct Row {
    tenant: Option<String>,
    user_id: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    client: Option<String>,
    auth_time: Option<i64>,
    token: Option<String>,
    used_at: i64,
}

/// The hash of a secret, for one use of it.
pub(super) fn hash(label: &str, secret: &str) -> String {
    hex::encode(Sha256::digest(format!("{label}:{secret}")))
}

impl Session {
    /// The user that it is of, if it is of one.
    pub(super) fn person(&self) -> Option<&Person> {
        self.by.person()
    }

    /// Whether a request comes from a page of ours.
    ///
    /// # Errors
    /// 403
    pub(super) fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
        // Forms of a page that sends no referrer are of the origin `null`
        // (Fetch §3.2); what the browser says beside it, no page can set.
        let is_same_site = is_from(headers, &["same-origin"]);
        let own = |origin: &str| {
            app.origins.iter().any(|one| one == origin) || (origin == "null" && is_same_site)
        };
        let is_own = |value: &axum::http::HeaderValue| value.to_str().is_ok_and(own);
        match headers.get_all(ORIGIN).iter().all(is_own) {
            true => Ok(()),
            false => Err(ApiError::Forged("origin")),
        }
    }

    /// Whether a request comes from a page of ours, and its browser says so: for
    /// what nothing else tells it of.
    ///
    /// # Errors
    /// 403
    pub(super) fn require_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
        match headers.contains_key(ORIGIN) || is_from(headers, &["same-origin"]) {
            true => Self::check_origin(app, headers),
            false => Err(ApiError::Forged("origin")),
        }
    }

    /// Whether what was sent is the session's.
    ///
    /// # Errors
    /// 403
    pub(super) fn check_csrf(&self, sent: &str) -> Result<(), ApiError> {
        match is_same(sent, &self.csrf) {
            true => Ok(()),
            false => Err(ApiError::Forged("csrf")),
        }
    }
}

/// Whether the browser says that a request comes from one of these sites (Fetch
/// Metadata): `same-origin`, or `none` where its user asked for it. One that says
/// nothing is none of them.
pub(super) fn is_from(headers: &HeaderMap, sites: &[&str]) -> bool {
    let mut values = headers.get_all("sec-fetch-site").iter();
    match (values.next(), values.next()) {
        (Some(site), None) => sites.iter().any(|one| site == one),
        _ => false,
    }
}

/// Compares in a time that says nothing of where two differ.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let differences = |sum: u8, (left, right): (u8, u8)| sum | (left ^ right);
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, differences) == 0
}

/// The caller of a route of the API, by the console's cookie. What changes
/// anything has to come from a page of ours.
///
/// # Errors
/// 403 for what does not.
pub(crate) async fn caller(parts: &Parts, app: &App) -> Result<Option<Principal>, ApiError> {
    let Some(session) = find(parts, app).await? else {
        return Ok(None);
    };
    if !parts.method.is_safe() {
        Session::check_origin(app, &parts.headers)?;
        let mut sent = parts.headers.get_all(CSRF_HEADER).iter();
        let (Some(sent), None) = (sent.next(), sent.next()) else {
            return Err(ApiError::Forged("csrf"));
        };
        session.check_csrf(sent.to_str().unwrap_or_default())?;
    }
    Ok(Some(session.by))
}

/// The session of a request, if it has one that is not over.
pub(super) async fn find(parts: &Parts, app: &App) -> Result<Option<Session>, ApiError> {
    let Some(secret) = Cookie::Session.read(app, parts) else {
        return Ok(None);
    };
    let id = hash("session", &secret);
    let row: Option<Row> = sqlx::query_as(
        "SELECT tenant, user_id, issuer, subject, client, auth_time, token, used_at \
         FROM console_sessions \
         WHERE id = $1 AND ends_at > $2 AND used_at > $3",
    )
    .bind(id.as_str())
    .bind(now())
    .bind(now() - IDLE_MILLIS)
    .fetch_optional(app.store.pool())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let used_at = row.used_at;
    let by = match holder(app, &id, row).await {
        Ok(by) => by,
        // Suspended, gone, revoked, or logged in by what is no login any more.
        Err(ApiError::Unauthenticated | ApiError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if used_at < now() - NOTE_MILLIS {
        sqlx::query("UPDATE console_sessions SET used_at = $1 WHERE id = $2 AND ends_at > $1")
            .bind(now())
            .bind(id.as_str())
            .execute(app.store.pool())
            .await?;
    }
    Ok(Some(Session {
        by,
        csrf: hash("csrf", &secret),
        id,
    }))
}

/// Whom a row is of, as of now.
async fn holder(app: &App, id: &str, row: Row) -> Result<Principal, ApiError> {
    if let Some(token) = row.token {
        return auth::of_id(&app.store, &token).await;
    }
    let (Some(tenant), Some(issuer), Some(subject)) = (row.tenant, row.issuer, row.subject) else {
        return Err(ApiError::Unauthenticated);
    };
    let identity = tenants::identity(&mut *app.store.pool().acquire().await?, &tenant).await?;
    let client = row.client.as_deref().ok_or(ApiError::Unauthenticated)?;
    let is_login =
        |login: &tenants::Login| login.issuer == issuer && login.client() == Some(client);
    if !identity.logins.iter().any(is_login) {
        return Err(ApiError::Unauthenticated);
    }
    let session = auth::Session {
        issuer,
        subject,
        id: format!("console:{id}"),
        auth_time: row.auth_time.and_then(|at| u64::try_from(at).ok()),
    };
    let by = auth::user(app, tenant, session, &Value::Null).await?;
    // Never somebody else, whoever the subject is linked to by now.
    match by.person().map(|person| person.user.as_str()) == row.user_id.as_deref() {
        true => Ok(by),
        false => Err(ApiError::Unauthenticated),
    }
}

/// Whose a new session is.
pub(super) enum Holder<'a> {
    /// A user's, who logged in at this client.
    User { person: &'a Person, client: &'a str },
    /// That of whoever has the token with this id.
    Token(&'a str),
}

/// Uses up the state of a login, before anything is done for it.
///
/// # Errors
/// 401 for one that came back already.
pub(super) async fn consume(store: &Store, state: &str) -> Result<(), ApiError> {
    sqlx::query("INSERT INTO console_logins (state, used_at) VALUES ($1, $2)")
        .bind(hash("login", state))
        .bind(now())
        .execute(store.pool())
        .await
        .map_err(|error| match is_conflict(&error) {
            true => ApiError::Unauthenticated,
            false => error.into(),
        })?;
    Ok(())
}

/// Begins a session in the place of the one that the browser had, and returns what
/// the cookie is to have.
pub(super) async fn begin(
    transaction: &mut Transaction<'static, Any>,
    holder: Holder<'_>,
    old: Option<&str>,
) -> Result<String, ApiError> {
    let (person, client, token) = match holder {
        Holder::User { person, client } => (Some(person), Some(client), None),
        Holder::Token(id) => (None, None, Some(id)),
    };
    if let Some(old) = old {
        end(transaction, &hash("session", old)).await?;
    }
    let auth_time = person.and_then(|person| person.session.auth_time);
    let secret = random()?;
    let id = hash("session", &secret);
    sqlx::query(
        "INSERT INTO console_sessions (id, client, tenant, user_id, issuer, subject, auth_time, \
         token, made_at, used_at, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
    )
    .bind(id.as_str())
    .bind(client)
    .bind(person.map(|person| person.tenant.as_str()))
    .bind(person.map(|person| person.user.as_str()))
    .bind(person.map(|person| person.session.issuer.as_str()))
    .bind(person.map(|person| person.session.subject.as_str()))
    .bind(auth_time.and_then(|at| i64::try_from(at).ok()))
    .bind(token)
    .bind(now())
    .bind(now() + LIFE_MILLIS)
    .execute(&mut **transaction)
    .await?;
    if let Some(person) = person {
        end_oldest(transaction, person, &id).await?;
    }
    Ok(secret)
}

/// Ends what a user has too many of, and never the one that was made now.
async fn end_oldest(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    new: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE console_sessions SET ends_at = 0 \
         WHERE tenant = $1 AND user_id = $2 AND id <> $3 AND ends_at > $4 AND id NOT IN ( \
             SELECT id FROM console_sessions \
             WHERE tenant = $1 AND user_id = $2 AND id <> $3 AND ends_at > $4 AND used_at > $5 \
             ORDER BY made_at DESC, id LIMIT $6)",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(new)
    .bind(now())
    .bind(now() - IDLE_MILLIS)
    .bind(MAX_SESSIONS - 1)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends the sessions of a tenant's users whose client is none of these any more, of
/// an issuer each: they do not come back with it.
pub(crate) async fn end_others(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    clients: &[(&str, &str)],
) -> Result<(), sqlx::Error> {
    let mut sql =
        String::from("UPDATE console_sessions SET ends_at = 0 WHERE tenant = $1 AND ends_at <> 0");
    for number in 0..clients.len() {
        let (issuer, client) = (2 * number + 2, 2 * number + 3);
        sql.push_str(&format!(
            " AND NOT (issuer = ${issuer} AND client = ${client})"
        ));
    }
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.to_owned());
    for (issuer, client) in clients {
        query = query.bind((*issuer).to_owned()).bind((*client).to_owned());
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// Ends a session.
pub(super) async fn end(
    transaction: &mut Transaction<'static, Any>,
    id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE console_sessions SET ends_at = 0 WHERE id = $1")
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Ends all sessions of a user.
pub(crate) async fn end_all(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE console_sessions SET ends_at = 0 \
         WHERE tenant = $1 AND user_id = $2 AND ends_at <> 0",
    )
    .bind(tenant)
    .bind(user)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Takes away what is over since long.
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM console_sessions WHERE made_at < $1")
        .bind(now() - KEPT_MILLIS)
        .execute(store.pool())
        .await?;
    sqlx::query("DELETE FROM console_logins WHERE used_at < $1")
        .bind(now() - STATE_MILLIS)
        .execute(store.pool())
        .await?;
    Ok(())
}

impl FromRequestParts<App> for Session {
    type Rejection = Refused;

    /// Whoever is not logged in is asked to, and comes back to the page.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        match find(parts, app).await? {
            Some(session) => Ok(session),
            None => Err(Refused::login(parts)),
        }
    }
}

/// The origin that a request is at, for cookies and redirects.
pub(super) struct At(pub(super) String);

impl FromRequestParts<App> for At {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(app, parts).to_owned()))
    }
}

/// The login that a request's browser has begun, sealed.
pub(super) struct LoginCookie(pub(super) Option<String>);

impl FromRequestParts<App> for LoginCookie {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(Cookie::Login.read(app, parts)))
    }
}

/// What a request's browser has for a session, whether or not it is one.
pub(super) struct SessionCookie(pub(super) Option<String>);

impl FromRequestParts<App> for SessionCookie {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(Cookie::Session.read(app, parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_the_same_and_nothing_else() {
        assert!(is_same("", "") && is_same("abc", "abc"));
        for other in ["", "ab", "abcd", "abd", "ABC"] {
            assert!(!is_same("abc", other), "{other}");
        }
        assert_ne!(hash("session", "x"), hash("csrf", "x"));
    }
}
