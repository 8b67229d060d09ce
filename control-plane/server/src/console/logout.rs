//! Logging out: the session ends, and with it what was approved in it.

use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::cookie::Cookie;
use super::refusal::Refused;
use super::session::{self, At, Session};
use crate::app::App;
use crate::audit::{self, Change};
use crate::directory::{self, Whose};
use crate::error::ApiError;
use crate::step_up;

#[derive(Deserialize)]
pub(super) struct Out {
    #[serde(default)]
    csrf: String,
}

pub(super) async fn logout(
    State(app): State<App>,
    At(origin): At,
    session: Session,
    headers: HeaderMap,
    Form(out): Form<Out>,
) -> Result<Response, Refused> {
    Session::check_origin(&app, &headers)?;
    session.check_csrf(&out.csrf)?;
    end(&app, &session).await?;
    let cookie = Cookie::Session.write(&origin, "", None);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/console")).into_response())
}

async fn end(app: &App, session: &Session) -> Result<(), ApiError> {
    let mut transaction = app.store.begin().await?;
    // Before its row is taken away, which a suspension does after the same lock.
    if let Some(person) = session.person() {
        step_up::end(&app.store, &mut transaction, &person.tenant, &person.user).await?;
    }
    session::end(&mut transaction, &session.id).await?;
    let change = Change {
        action: "console.logout",
        target: &session.by.name,
        before: None,
        after: None,
    };
    if let Some(person) = session.person() {
        audit::record(&mut transaction, &session.by, change).await?;
        let users = Whose::Users(vec![person.user.clone()]);
        directory::record(&mut transaction, &person.tenant, &users).await?;
        app.store.notify(&mut transaction).await?;
    } else {
        audit::record(&mut transaction, &session.by, change).await?;
    }
    transaction.commit().await?;
    if session.person().is_some() {
        directory::tell(app).await;
    }
    Ok(())
}
