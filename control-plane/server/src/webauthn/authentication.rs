//! A proof of presence with a passkey, for actions that were named before: the
//! authenticator's answer makes a step-up token.

use axum::extract::State;
use ig_contract::step_up::{Acr, MAX_ACTIONS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, PublicKeyCredential};

use super::ceremonies::{self, Kind};
use super::check_frame;
use super::passkeys::{self, Stored};
use super::refusal::Refusal;
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, Principal, User};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::step_up::{self, Granted, Proof};
use crate::xds;

/// Longest name of an action, in bytes.
pub(crate) const MAX_ACTION_BYTES: usize = 128;

/// What a proof is to be given for: what the challenge of a denied request
/// names.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Intent {
    /// The graph; without one, the control plane itself.
    #[serde(default)]
    pub(crate) graph: Option<String>,
    /// The actions.
    pub(crate) actions: Vec<String>,
    /// The challenge's `resource`, for a token that is good for this request
    /// only.
    #[serde(default)]
    pub(crate) resource: Option<String>,
}

/// What the browser is to be asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// Send it back with the answer.
    ceremony: String,
    /// For `navigator.credentials.get`, after `parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    public_key: serde_json::Value,
}

/// The browser's answer.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Answered {
    ceremony: String,
    /// The credential's `toJSON()`.
    #[schema(value_type = Object)]
    credential: serde_json::Value,
}

/// Begin a proof of presence of the caller.
#[utoipa::path(post, path = "/webauthn/authentication/options", tag = "step-up",
    security(("bearer" = ["user"])), request_body = Intent,
    responses(
        (status = 200, body = Request),
        (status = 404, body = Problem),
        (status = 409, description = "The caller has no passkey", body = Problem),
    ))]
pub(crate) async fn authentication_options(
    State(app): State<App>,
    User { person, .. }: User,
    Json(intent): Json<Intent>,
) -> Result<Json<Request>, ApiError> {
    let person = &person;
    check(&app, &intent)?;
    let mut transaction = app.store.begin().await?;
    let known = passkeys::of(&mut transaction, person).await?;
    if known.is_empty() {
        return Err(ApiError::Conflict(
            "you have no passkey yet; add one first, at /webauthn/registration/options".into(),
        ));
    }
    let known: Vec<Passkey> = known.into_iter().map(|one| one.passkey).collect();
    let (challenge, state) = app
        .webauthn
        .start_passkey_authentication(&known)
        .map_err(|error| ApiError::Presence(error.into()))?;
    let ceremony = ceremonies::begin(
        &mut transaction,
        person,
        Kind::Authentication,
        &intent,
        &state,
    )
    .await?;
    transaction.commit().await?;
    Ok(Json(Request {
        ceremony,
        public_key: serde_json::to_value(challenge.public_key).map_err(ApiError::invalid)?,
    }))
}

/// Whether a proof may be given for it.
pub(crate) fn check(app: &App, intent: &Intent) -> Result<(), ApiError> {
    let count = intent.actions.len();
    let is_action = |name: &String| {
        (1..=MAX_ACTION_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !(1..=MAX_ACTIONS).contains(&count) || !intent.actions.iter().all(is_action) {
        return Err(ApiError::invalid(format!(
            "actions: name 1 to {MAX_ACTIONS}, each in visible ASCII of up to {MAX_ACTION_BYTES} bytes"
        )));
    }
    let is_hash =
        |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !intent.resource.iter().all(is_hash) {
        return Err(ApiError::invalid("resource: is a SHA-256 in hex"));
    }
    match &intent.graph {
        Some(graph)
            if !app
                .published
                .watch()
                .borrow()
                .contains_key(&xds::name(graph)) =>
        {
            Err(ApiError::NotFound(format!("the graph {graph}")))
        }
        _ => Ok(()),
    }
}

/// End a proof of presence of the caller: a step-up token for what it was begun
/// for.
#[utoipa::path(post, path = "/webauthn/authentication/verify", tag = "step-up",
    security(("bearer" = ["user"])), request_body = Answered,
    responses((status = 200, body = Granted)))]
pub(crate) async fn authentication_verify(
    State(app): State<App>,
    User { by, person }: User,
    Json(Answered {
        ceremony,
        credential,
    }): Json<Answered>,
) -> Result<Json<Granted>, ApiError> {
    let person = &person;
    let (intent, state): (Intent, PasskeyAuthentication) =
        ceremonies::end(&app, person, Kind::Authentication, &ceremony).await?;
    let outcome = prove(&app, &by, person, intent, &state, credential).await;
    if let Err(ApiError::Presence(Refusal::Counter)) = &outcome {
        suspect(&app, &by, person).await?;
    }
    outcome.map(Json)
}

async fn prove(
    app: &App,
    by: &Principal,
    person: &Person,
    intent: Intent,
    state: &PasskeyAuthentication,
    credential: serde_json::Value,
) -> Result<Granted, ApiError> {
    let refused = ApiError::Presence;
    let credential: PublicKeyCredential =
        serde_json::from_value(credential).map_err(|_| refused(Refusal::Malformed))?;
    check_frame(&credential.response.client_data_json).map_err(refused)?;
    let result = app
        .webauthn
        .finish_passkey_authentication(&credential, state)
        .map_err(|error| refused(error.into()))?;
    // The library holds the policy; this is ours.
    if !result.user_verified() {
        return Err(refused(Refusal::NotVerified));
    }
    let mut transaction = app.store.begin().await?;
    let known = passkeys::of(&mut transaction, person).await?;
    let is_used = |one: &Stored| one.passkey.cred_id() == result.cred_id();
    let Stored { shown, mut passkey } = known
        .into_iter()
        .find(is_used)
        .ok_or(refused(Refusal::UnknownPasskey))?;
    passkey.update_credential(&result);
    if !passkeys::used(&mut transaction, person, &passkey, result.counter()).await? {
        return Err(refused(Refusal::Counter));
    }
    let is_hardware = shown.attested;
    let kind = if is_hardware { "hwk" } else { "swk" };
    let proof = Proof {
        audience: intent.graph.unwrap_or_else(|| app.issuer.to_string()),
        actions: intent.actions,
        resource: intent.resource,
        acr: if is_hardware {
            Acr::Hardware
        } else {
            Acr::PhishingResistant
        },
        amr: [kind, "user", "pop", "mfa"].map(Into::into).into(),
    };
    let granted = step_up::make(app, &mut transaction, person, proof).await?;
    let change = Change {
        action: "step-up.grant",
        target: &person.user,
        before: None,
        after: Some(&granted.audited()),
    };
    audit::record(&mut transaction, by, change).await?;
    transaction.commit().await?;
    Ok(granted)
}

/// There may be a copy of a passkey. What was refused is no change; this is.
async fn suspect(app: &App, by: &Principal, person: &Person) -> Result<(), ApiError> {
    tracing::warn!(
        tenant = person.tenant,
        user = person.user,
        "a passkey's counter went back: there may be a copy of it"
    );
    let mut transaction = app.store.begin().await?;
    let change = Change {
        action: "passkey.suspect",
        target: &person.user,
        before: None,
        after: None,
    };
    audit::record(&mut transaction, by, change).await?;
    transaction.commit().await?;
    Ok(())
}
