//! `/Me` (RFC 7644 §3.11): the user whose access token this is. Users read
//! themselves; what they are is their identity provider's to say.

use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get};
use ig_scim::{Error, ErrorKind, ResourceType};

use super::answer::{Answer, Refusal};
use super::caller::{Caller, Query, base};
use super::conditions::Conditions;
use crate::app::App;
use crate::auth::{Person, Principal};
use crate::error::ApiError;

pub(super) fn routes() -> MethodRouter<App> {
    get(me).put(refuse).patch(refuse).delete(refuse)
}

/// A user, who reads itself.
struct Myself {
    caller: Caller,
    id: String,
}

impl FromRequestParts<App> for Myself {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let by = Principal::from_request_parts(parts, app).await?;
        let Some(Person { tenant, user, .. }) = by.person().cloned() else {
            return Err(match by.provisioning() {
                Some(_) => {
                    let detail = "a provisioner's token is of no user";
                    Error::new(ErrorKind::NotFound, detail).into()
                }
                None => ApiError::Forbidden("user of a tenant").into(),
            });
        };
        let caller = Caller {
            by,
            tenant,
            may_confer: false,
            base: base(parts, app),
        };
        Ok(Self { caller, id: user })
    }
}

async fn me(
    State(app): State<App>,
    Myself { caller, id }: Myself,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Answer, Refusal> {
    let projection = super::projection(&parameters)?;
    let conditions = Conditions::of(&headers);
    super::read(
        &app,
        &caller,
        ResourceType::User,
        &id,
        &conditions,
        &projection,
    )
    .await
}

async fn refuse(_: Myself) -> Refusal {
    let detail = "users are changed by their identity provider";
    Error::new(ErrorKind::Forbidden, detail).into()
}
