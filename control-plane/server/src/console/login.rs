//! Logging in: at the tenant's own issuer, or with a token of the API.

use axum::extract::{ConnectInfo, Extension, Form, Query, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::html;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::cookie::Cookie;
use super::layout;
use super::refusal::Refused;
use super::sealed::{Begun, PATIENCE_SECONDS};
use super::session::{self, At, Holder, LoginCookie, Session, SessionCookie, is_same};
use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{self, Answered, Asked, Client, Principal, Role};
use crate::error::ApiError;
use crate::step_up;
use crate::tenants;
use crate::tls::Peer;

/// Said of tenants that are not there, and of those that nobody logs in to: which
/// tenants there are is nobody's to find out.
const NO_LOGIN: &str = "There is no login for this tenant here. Check its name, or ask whoever \
    runs the guard.";
/// Said of any way in which a login did not come to its end.
const FAILED: &str = "This login is not valid, was used before, or took too long. Log in again.";
/// Longest path to come back to.
const MAX_NEXT_BYTES: usize = 1500;

/// The page that asks who wants in.
pub(super) fn form(next: &str, tenant: Option<&str>, problem: Option<&str>) -> Html<String> {
    let content = html! {
        @if let Some(problem) = problem {
            div role="alert" class="message bad" { p { (problem) } }
        }
        section {
            h2 { "As a user of a tenant" }
            form method="get" action="/console/login" {
                input type="hidden" name="next" value=(next);
                label for="tenant" { "Tenant" }
                input id="tenant" name="tenant" required maxlength="64" autocomplete="organization"
                    autocapitalize="none" spellcheck="false" value=(tenant.unwrap_or_default());
                button type="submit" { "Log in" }
            }
        }
        section {
            h2 { "As an administrator" }
            form method="post" action="/console/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { "API token" }
                input id="token" name="token" type="password" required maxlength="200"
                    autocomplete="off" aria-describedby="token-hint";
                p id="token-hint" class="hint" {
                    "A token of this API with the role viewer or more. It is not kept."
                }
                button type="submit" { "Open the console" }
            }
        }
    };
    layout::page("Log in", None, content)
}

/// A page of ours to come back to.
fn own(next: Option<&str>) -> &str {
    let is_own = |next: &&str| {
        let rest = next.strip_prefix("/console");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && next.len() <= MAX_NEXT_BYTES
            && next
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !next.starts_with("/console/login")
            && !next.starts_with("/console/callback")
    };
    next.filter(is_own).unwrap_or("/console")
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    tenant: Option<String>,
    next: Option<String>,
    /// Anything, where the login must be a new one.
    fresh: Option<String>,
}

/// Sends a user to the tenant's issuer.
pub(super) async fn begin(
    State(app): State<App>,
    At(origin): At,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refused> {
    let next = own(wanted.next.as_deref());
    let Some(tenant) = wanted.tenant.filter(|tenant| !tenant.is_empty()) else {
        return Ok(form(next, None, None).into_response());
    };
    let address = peer.as_ref().map(|Extension(peer)| peer);
    let found = async {
        let found = client_of(&app, &tenant, None).await?;
        found.ok_or(ApiError::Unauthenticated)
    };
    let (tenant, client) = match auth::counted(&app, address, None, found).await {
        Err(ApiError::Unauthenticated) => {
            let page = form(next, Some(&tenant), Some(NO_LOGIN));
            return Ok((StatusCode::NOT_FOUND, page).into_response());
        }
        found => found?,
    };
    let mut begun = Begun::new(
        tenant,
        client.issuer.clone(),
        client.id.clone(),
        next.into(),
    )?;
    begun.redirect = format!("{origin}{}", begun.callback());
    begun.fresh_since = wanted.fresh.map(|_| step_up::seconds());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&begun.verifier));
    let asked = Asked {
        redirect: &begun.redirect,
        state: &begun.state,
        nonce: &begun.nonce,
        challenge: &challenge,
        is_fresh: begun.fresh_since.is_some(),
    };
    let url = client.ask(&app, &asked).await?;
    let sealed = begun.seal(&app.login_secret)?;
    let cookie = Cookie::Login.write(&origin, &sealed, Some(PATIENCE_SECONDS));
    // A page that goes on by itself: browsers hold what a form is redirected to
    // against `form-action`, which cannot name every tenant's issuer. It waits where
    // another site may have sent its user, who might be logged in as somebody else
    // before they know.
    let is_asked_for = session::is_from(&headers, &["same-origin", "none"]);
    let head = html! {
        @if is_asked_for { meta http-equiv="refresh" content=(format!("0;url={url}")); }
    };
    let content = html! {
        p { "You log in to the tenant " b { (begun.tenant) } " at " b { (client.issuer) } "." }
        p { a class="button" href=(url) { "Go on to the login" } }
    };
    let page = layout::framed("Log in", None, head, content);
    Ok(([(SET_COOKIE, cookie)], page).into_response())
}

/// The tenant as it is written, and the console's client there.
async fn client_of(
    app: &App,
    tenant: &str,
    issuer: Option<&str>,
) -> Result<Option<(String, Client)>, ApiError> {
    if !is_name(tenant) {
        return Ok(None);
    }
    let mut connection = app.store.pool().acquire().await?;
    let identity = match tenants::identity(&mut connection, tenant).await {
        Err(ApiError::NotFound(_)) => return Ok(None),
        identity => identity?,
    };
    let is_wanted = |login: &tenants::Login| issuer.is_none_or(|issuer| login.issuer == issuer);
    let logins = identity.logins.into_iter().filter(is_wanted);
    let with_client = |login: tenants::Login| Some((login.client()?.to_owned(), login));
    let Some((id, login)) = logins.into_iter().find_map(with_client) else {
        return Ok(None);
    };
    let secret = tenants::client_secret(&mut connection, tenant, &login.issuer, &id).await?;
    let client = Client {
        issuer: login.issuer,
        id,
        secret,
        jwks: login.jwks,
        is_private: login.private,
    };
    Ok(Some((tenant.to_owned(), client)))
}

#[derive(Deserialize)]
pub(super) struct Returned {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Takes a user who comes back from the issuer. Whatever comes of it, the login
/// is over.
pub(super) async fn callback(
    State(app): State<App>,
    At(origin): At,
    LoginCookie(sealed): LoginCookie,
    SessionCookie(old): SessionCookie,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    uri: Uri,
    Query(returned): Query<Returned>,
) -> Response {
    let gone = Cookie::Login.write(&origin, "", None);
    let address = peer.as_ref().map(|Extension(peer)| peer);
    // Whoever has begun no login guesses nothing: any site could have sent them.
    let begun = sealed.and_then(|sealed| Begun::open(&app.login_secret, &sealed));
    let Some(begun) = begun else {
        let refused = Refused::new(StatusCode::UNAUTHORIZED, FAILED);
        return (AppendHeaders([(SET_COOKIE, gone)]), refused).into_response();
    };
    let entered = async {
        // Who answers at another client's callback mixes them up.
        if uri.path() != begun.callback() {
            return Err(ApiError::Unauthenticated);
        }
        match enter(&app, begun, &returned, old.as_deref()).await {
            Err(ApiError::NotFound(_)) => Err(ApiError::Unauthenticated),
            entered => entered,
        }
    };
    match auth::counted(&app, address, None, entered).await {
        Ok((secret, next)) => {
            let session = Cookie::Session.write(&origin, &secret, None);
            let cookies = AppendHeaders([(SET_COOKIE, gone), (SET_COOKIE, session)]);
            (cookies, Redirect::to(&next)).into_response()
        }
        Err(error) => {
            let refused = match error {
                ApiError::Unauthenticated => Refused::new(StatusCode::UNAUTHORIZED, FAILED),
                error => error.into(),
            };
            (AppendHeaders([(SET_COOKIE, gone)]), refused).into_response()
        }
    }
}

async fn enter(
    app: &App,
    begun: Begun,
    returned: &Returned,
    old: Option<&str>,
) -> Result<(String, String), ApiError> {
    let is_ours = |state: &String| is_same(state, &begun.state);
    if !returned.state.as_ref().is_some_and(is_ours) {
        return Err(ApiError::Unauthenticated);
    }
    session::consume(&app.store, &begun.state).await?;
    if returned.error.is_some() {
        return Err(ApiError::Unauthenticated);
    }
    let found = client_of(app, &begun.tenant, Some(&begun.issuer)).await?;
    let found = found.filter(|(_, client)| client.id == begun.client);
    let (tenant, client) = found.ok_or(ApiError::Unauthenticated)?;
    let answered = Answered {
        code: returned.code.as_deref().unwrap_or_default(),
        redirect: &begun.redirect,
        verifier: &begun.verifier,
        nonce: &begun.nonce,
        issuer: returned.iss.as_deref(),
    };
    let id_token = client.exchange(app, &answered).await?;
    let auth_time = id_token.auth_time();
    if let Some(since) = begun.fresh_since
        && auth_time.is_none_or(|at| at + 5 < since)
    {
        return Err(ApiError::Unauthenticated);
    }
    let session = auth::Session {
        issuer: client.issuer,
        subject: id_token.subject().unwrap_or_default().to_owned(),
        id: String::new(),
        auth_time,
    };
    let by = auth::user(app, tenant, session, &id_token.0).await?;
    let person = by.person().ok_or(ApiError::Unauthenticated)?;
    let holder = Holder::User {
        person,
        client: &begun.client,
    };
    let secret = begin_session(app, &by, holder, old).await?;
    Ok((secret, begun.next))
}

async fn begin_session(
    app: &App,
    by: &Principal,
    holder: Holder<'_>,
    old: Option<&str>,
) -> Result<String, ApiError> {
    let mut transaction = app.store.begin().await?;
    // A suspension was before this and is seen, or comes after and ends it.
    if let Holder::User { person, .. } = &holder {
        step_up::hold(&app.store, &mut transaction, &person.tenant, &person.user).await?;
    }
    let secret = session::begin(&mut transaction, holder, old).await?;
    let change = Change {
        action: "console.login",
        target: &by.name,
        before: None,
        after: None,
    };
    audit::record(&mut transaction, by, change).await?;
    transaction.commit().await?;
    Ok(secret)
}

#[derive(Deserialize)]
pub(super) struct Pasted {
    #[serde(default)]
    token: String,
    next: Option<String>,
}

/// Logs in whoever has a token of the API. Nobody has a session yet whose page
/// could be forged; where the request comes from is looked at all the same, or
/// somebody could be logged in as another.
pub(super) async fn with_token(
    State(app): State<App>,
    At(origin): At,
    SessionCookie(old): SessionCookie,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
    Form(pasted): Form<Pasted>,
) -> Result<Response, Refused> {
    const REFUSED: &str = "This is no token that the console takes: it takes tokens of this API \
        with the role viewer or more.";
    Session::require_origin(&app, &headers)?;
    let next = own(pasted.next.as_deref());
    let token = pasted.token.trim();
    let read = auth::read_token(&app.store, token);
    let address = peer.as_ref().map(|Extension(peer)| peer);
    let found = match auth::counted(&app, address, Some(token), read).await {
        Err(ApiError::Unauthenticated) => None,
        found => Some(found?),
    };
    let found = found.filter(|(_, by)| by.require(Role::Viewer).is_ok());
    let Some((id, by)) = found else {
        let page = form(next, None, Some(REFUSED));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    let secret = begin_session(&app, &by, Holder::Token(&id), old.as_deref()).await?;
    let cookie = Cookie::Session.write(&origin, &secret, None);
    Ok(([(SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for page in ["/console", "/console?a=b", "/console/step-up?actions=x"] {
            assert_eq!(own(Some(page)), page);
        }
        for other in [
            "",
            "//evil.example",
            "https://evil.example",
            "/consoles",
            "/console\\..",
            "/",
            "/console/login?x",
            "/console/callback",
            "/console/ x",
            "console",
        ] {
            assert_eq!(own(Some(other)), "/console", "{other}");
        }
    }
}
