//! Adding a passkey: the first after a fresh login, others after a proof with
//! one that is there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use sqlx::{Any, Transaction};
use utoipa::ToSchema;
use webauthn_rs::prelude::{
    AttestedPasskeyRegistration, CreationChallengeResponse, Credential, Passkey,
    PasskeyRegistration, RegisterPublicKeyCredential, Webauthn, WebauthnError,
};

use super::ceremonies::{self, Ended, Kind};
use super::passkeys::{self, Shown, Stored};
use super::refusal::Refusal;
use super::verifier::Verifier;
use super::{Attestation, check_frame, handle, step_up_token};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, User};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::store::{is_conflict, now};
use crate::{step_up, tenants};

/// What a proof to add one is given for.
pub(super) const ADD: &str = "passkey:add";
/// How old the login may be that the first passkey is added with, in seconds.
const FRESH_SECONDS: u64 = 300;
/// Longest name of a passkey, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// A passkey to be added.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    /// What its user calls it.
    name: String,
}

/// What the browser is to be asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Creation {
    /// Send it back with the answer.
    ceremony: String,
    /// For `navigator.credentials.create`, after `parseCreationOptionsFromJSON`.
    #[schema(value_type = Object)]
    public_key: serde_json::Value,
}

/// The browser's answer.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Created {
    ceremony: String,
    /// The credential's `toJSON()`.
    #[schema(value_type = Object)]
    credential: serde_json::Value,
}

/// What is begun.
#[derive(Serialize, Deserialize)]
struct Purpose {
    name: String,
    is_first: bool,
}

/// What the answer is verified with.
#[derive(Serialize, Deserialize)]
enum Begun {
    Any(PasskeyRegistration),
    DeviceBound(PasskeyRegistration),
    Attested(AttestedPasskeyRegistration),
}

/// Begin to add a passkey to the caller. The first one needs a login of the last
/// five minutes (`auth_time`); others a step-up token for `passkey:add`, as
/// `x-ig-step-up`.
#[utoipa::path(post, path = "/webauthn/registration/options", tag = "step-up",
    security(("bearer" = ["user"])), request_body = Wanted,
    responses((status = 200, body = Creation), (status = 409, body = Problem)))]
pub(crate) async fn registration_options(
    State(app): State<App>,
    User { person, .. }: User,
    headers: HeaderMap,
    Json(Wanted { name }): Json<Wanted>,
) -> Result<Json<Creation>, ApiError> {
    let person = &person;
    let name = name.trim().to_owned();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        let problem = format!("name: has 1 to {MAX_NAME_BYTES} bytes and no control characters");
        return Err(ApiError::invalid(problem));
    }
    let mut transaction = app.store.begin().await?;
    step_up::hold(&app.store, &mut transaction, &person.tenant, &person.user).await?;
    let known = passkeys::of(&mut transaction, person).await?;
    if known.len() >= passkeys::MOST {
        let most = passkeys::MOST;
        return Err(ApiError::Conflict(format!(
            "there are {most} passkeys already; remove one"
        )));
    }
    match known.is_empty() {
        true => require_fresh_login(person)?,
        false => {
            let token = step_up_token(&headers);
            step_up::use_own(&app, &mut transaction, person, token, ADD).await?;
        }
    }
    let identity = tenants::identity(&mut transaction, &person.tenant).await?;
    let exclude = known.iter().map(|one| one.passkey.cred_id().clone());
    let (challenge, begun) = start(
        &app.webauthn,
        person,
        &identity.attestation,
        exclude.collect(),
    )?;
    let purpose = Purpose {
        name,
        is_first: known.is_empty(),
    };
    let ceremony = ceremonies::begin(
        &mut transaction,
        person,
        Kind::Registration,
        &purpose,
        &begun,
    )
    .await?;
    transaction.commit().await?;
    Ok(Json(Creation {
        ceremony,
        public_key: serde_json::to_value(challenge.public_key).map_err(ApiError::invalid)?,
    }))
}

/// An account without a passkey is as strong as its login; that has to be fresh,
/// or whoever finds a session open adds a passkey of its own.
fn require_fresh_login(person: &Person) -> Result<(), ApiError> {
    let is_fresh = |at: u64| {
        let now = step_up::seconds();
        at <= now + 5 && now.saturating_sub(at) <= FRESH_SECONDS
    };
    match person.session.auth_time.is_some_and(is_fresh) {
        true => Ok(()),
        false => Err(ApiError::StaleLogin(FRESH_SECONDS)),
    }
}

fn start(
    verifier: &Verifier,
    person: &Person,
    attestation: &Attestation,
    exclude: Vec<webauthn_rs::prelude::CredentialID>,
) -> Result<(CreationChallengeResponse, Begun), ApiError> {
    let webauthn = verifier.site();
    let handle = handle(person);
    let name = &person.session.subject;
    let exclude = Some(exclude);
    let authorities = attestation.authorities().map_err(ApiError::Conflict)?;
    let begun = match authorities {
        Some(authorities) => webauthn
            .start_attested_passkey_registration(handle, name, name, exclude, authorities, None)
            .map(|(challenge, state)| (challenge, Begun::Attested(state))),
        None => webauthn
            .start_passkey_registration(handle, name, name, exclude)
            .map(|(challenge, state)| match attestation {
                Attestation::DeviceBound => (challenge, Begun::DeviceBound(state)),
                _ => (challenge, Begun::Any(state)),
            }),
    };
    begun.map_err(|error| ApiError::Presence(error.into()))
}

/// Add a passkey to the caller.
#[utoipa::path(post, path = "/webauthn/registration/verify", tag = "step-up",
    security(("bearer" = ["user"])), request_body = Created,
    responses((status = 201, body = Shown), (status = 409, body = Problem)))]
pub(crate) async fn registration_verify(
    State(app): State<App>,
    User { by, person }: User,
    Json(Created {
        ceremony,
        credential,
    }): Json<Created>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let person = &person;
    let Ended {
        purpose,
        state,
        begun,
    }: Ended<Purpose, Begun> = ceremonies::end(&app, person, Kind::Registration, &ceremony).await?;
    let credential: RegisterPublicKeyCredential =
        serde_json::from_value(credential).map_err(|_| ApiError::Presence(Refusal::Malformed))?;
    check_frame(&credential.response.client_data_json).map_err(ApiError::Presence)?;
    let known = passkeys::of(&mut *app.store.pool().acquire().await?, person).await?;
    let work = move |webauthn: &Webauthn| finish(webauthn, &credential, &state, &known);
    let finished = app.webauthn.run(work).await?;
    let (passkey, attested) = finished.map_err(ApiError::Presence)?;
    let shown = Shown {
        id: uuid::Uuid::now_v7().to_string(),
        name: purpose.name,
        attested,
        created_at: now(),
        used_at: None,
        suspect_at: None,
    };
    let mut transaction = begun.hold(&app, person).await?;
    let known = passkeys::of(&mut transaction, person).await?;
    // Two that were begun as the first, or more than there may be.
    if purpose.is_first != known.is_empty() || known.len() >= passkeys::MOST {
        return Err(ApiError::Presence(Refusal::Ceremony));
    }
    insert(&mut transaction, person, &shown, &passkey).await?;
    let change = Change {
        action: "passkey.add",
        target: &person.user,
        before: None,
        after: Some(&shown.name),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

fn finish(
    webauthn: &Webauthn,
    credential: &RegisterPublicKeyCredential,
    begun: &Begun,
    known: &[Stored],
) -> Result<(Passkey, bool), Refusal> {
    let is_known = known
        .iter()
        .any(|one| one.passkey.cred_id().as_slice() == credential.raw_id);
    // webauthn-rs 0.6.2 has one error for those that were excluded, and for keys of
    // an algorithm that nobody asked for.
    let refused = |error| match error {
        WebauthnError::CredentialAlteredAlgFromRequest if is_known => Refusal::Known,
        error => Refusal::from(error),
    };
    match begun {
        Begun::Any(state) => {
            let passkey = webauthn.finish_passkey_registration(credential, state);
            Ok((passkey.map_err(refused)?, false))
        }
        Begun::DeviceBound(state) => {
            let passkey = webauthn.finish_passkey_registration(credential, state);
            let passkey = passkey.map_err(refused)?;
            Attestation::DeviceBound.check(&passkey)?;
            Ok((passkey, false))
        }
        Begun::Attested(state) => {
            let passkey = webauthn.finish_attested_passkey_registration(credential, state);
            let passkey = passkey.map_err(|error| match error {
                // Here it is what the passkey may do, not only what it contradicts.
                WebauthnError::CredentialMayNotBeHardwareBound => Refusal::NotDeviceBound,
                error => refused(error),
            })?;
            Ok((Passkey::from(passkey), true))
        }
    }
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    shown: &Shown,
    passkey: &Passkey,
) -> Result<(), ApiError> {
    let counter = Credential::from(passkey.clone()).counter;
    sqlx::query(
        "INSERT INTO passkeys (credential, id, tenant, user_id, name, document, counter, attested, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(passkeys::credential(passkey.cred_id()))
    .bind(shown.id.as_str())
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(shown.name.as_str())
    .bind(serde_json::to_string(passkey).map_err(ApiError::invalid)?)
    .bind(i64::from(counter))
    .bind(i64::from(shown.attested))
    .bind(shown.created_at)
    .execute(&mut **transaction)
    .await
    .map_err(|error| match is_conflict(&error) {
        // Whose it is, is not told.
        true => ApiError::Presence(Refusal::UnknownPasskey),
        false => error.into(),
    })?;
    Ok(())
}
