//! A proof of presence with a passkey, for actions that were named before: the
//! authenticator's answer makes a step-up token.

use axum::extract::State;
use ig_contract::step_up::{Acr, MAX_ACTION_BYTES, MAX_ACTIONS, is_provable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webauthn_rs::prelude::{
    AttestedPasskey, AttestedPasskeyAuthentication, AuthenticationResult, Credential, Passkey,
    PasskeyAuthentication, PublicKeyCredential, RequestChallengeResponse, Webauthn,
};

use super::ceremonies::{self, Ended, Kind};
use super::passkeys::{self, Stored};
use super::refusal::Refusal;
use super::{Attestation, check_frame, handle, registration};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, Principal, User};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::step_up::{self, Granted, Proof};
use crate::{tenants, xds};

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

/// What the answer is verified with.
#[derive(Serialize, Deserialize)]
enum Asked {
    Any(PasskeyAuthentication),
    Attested(AttestedPasskeyAuthentication),
}

impl Intent {
    /// Whether it is for adding a passkey and nothing else. The new one is held to the
    /// tenant's policy; so one that is there proves it also where the policy has
    /// changed since, or nobody could follow the change.
    fn is_adding(&self) -> bool {
        self.graph.is_none() && self.actions == [registration::ADD]
    }
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
    let mut connection = app.store.pool().acquire().await?;
    let known = passkeys::of(&mut connection, person).await?;
    let policy = tenants::identity(&mut connection, &person.tenant).await?;
    drop(connection);
    if known.is_empty() {
        return Err(ApiError::Conflict(
            "you have no passkey yet; add one first, at /webauthn/registration/options".into(),
        ));
    }
    let is_adding = intent.is_adding();
    let work = move |webauthn: &Webauthn| ask(webauthn, known, &policy.attestation, is_adding);
    let asked = app.webauthn.run(work).await?;
    let (challenge, asked) = asked.map_err(ApiError::Presence)?;
    let mut transaction = app.store.begin().await?;
    let ceremony = ceremonies::begin(
        &mut transaction,
        person,
        Kind::Authentication,
        &intent,
        &asked,
    )
    .await?;
    transaction.commit().await?;
    Ok(Json(Request {
        ceremony,
        public_key: serde_json::to_value(challenge.public_key).map_err(ApiError::invalid)?,
    }))
}

/// Asks for those that count: what may have been copied, or the tenant does not take
/// any more, gives no proof.
fn ask(
    webauthn: &Webauthn,
    known: Vec<Stored>,
    policy: &Attestation,
    is_adding: bool,
) -> Result<(RequestChallengeResponse, Asked), Refusal> {
    let mut refusal = Refusal::Suspect;
    let mut asked: Vec<Passkey> = Vec::new();
    for Stored { shown, passkey } in known {
        match policy.check(&passkey) {
            _ if shown.suspect_at.is_some() => {}
            Err(why) if !is_adding => refusal = why,
            _ => asked.push(passkey),
        }
    }
    if asked.is_empty() {
        return Err(refusal);
    }
    let started = match policy {
        Attestation::Attested { .. } if !is_adding => {
            let attested = asked.into_iter().map(Credential::from);
            let attested: Vec<AttestedPasskey> = attested.map(Into::into).collect();
            let started = webauthn.start_attested_passkey_authentication(&attested);
            started.map(|(challenge, state)| (challenge, Asked::Attested(state)))
        }
        _ => {
            let started = webauthn.start_passkey_authentication(&asked);
            started.map(|(challenge, state)| (challenge, Asked::Any(state)))
        }
    };
    started.map_err(Refusal::from)
}

/// Whether a proof may be given for it.
pub(crate) fn check(app: &App, intent: &Intent) -> Result<(), ApiError> {
    let count = intent.actions.len();
    let mut actions = intent.actions.iter();
    if !(1..=MAX_ACTIONS).contains(&count) || !actions.all(|name| is_provable(name)) {
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
    let ended = ceremonies::end(&app, person, Kind::Authentication, &ceremony).await?;
    let answer: PublicKeyCredential =
        serde_json::from_value(credential).map_err(|_| ApiError::Presence(Refusal::Malformed))?;
    let credential = answer.raw_id.clone();
    let outcome = prove(&app, &by, person, ended, answer).await;
    if let Err(ApiError::Presence(Refusal::Counter)) = &outcome {
        suspect(&app, &by, person, &credential).await?;
    }
    outcome.map(Json)
}

async fn prove(
    app: &App,
    by: &Principal,
    person: &Person,
    ended: Ended<Intent, Asked>,
    answer: PublicKeyCredential,
) -> Result<Granted, ApiError> {
    let refused = ApiError::Presence;
    let Ended {
        purpose: intent,
        state,
        begun,
    } = ended;
    check_frame(&answer.response.client_data_json).map_err(refused)?;
    check_handle(person, &answer).map_err(refused)?;
    let mut connection = app.store.pool().acquire().await?;
    let known = passkeys::of(&mut connection, person).await?;
    let policy = tenants::identity(&mut connection, &person.tenant).await?;
    drop(connection);
    let stored = passkeys::usable(known, &answer.raw_id)?;
    let is_adding = intent.is_adding();
    let work = move |webauthn: &Webauthn| {
        verify(
            webauthn,
            &state,
            &answer,
            &stored,
            &policy.attestation,
            is_adding,
        )
    };
    let verified = app.webauthn.run(work).await?;
    let (result, is_hardware) = verified.map_err(refused)?;
    let mut transaction = begun.hold(app, person).await?;
    let known = passkeys::of(&mut transaction, person).await?;
    let mut stored = passkeys::usable(known, result.cred_id())?;
    passkeys::used(&mut transaction, &mut stored, &result).await?;
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

/// An authenticator that says whose passkey it is, says that it is the caller's (W3C
/// WebAuthn L3 §7.2, step 6). webauthn-rs 0.6.2 does not look at this.
fn check_handle(person: &Person, answer: &PublicKeyCredential) -> Result<(), Refusal> {
    let said = answer.get_user_unique_id();
    match said.is_none_or(|said| said.is_empty() || said == handle(person).as_bytes()) {
        true => Ok(()),
        false => Err(Refusal::UserHandle),
    }
}

/// Verifies an answer, also by what the tenant's policy is by now; whether the
/// passkey's maker vouches for it.
fn verify(
    webauthn: &Webauthn,
    state: &Asked,
    answer: &PublicKeyCredential,
    Stored { shown, passkey }: &Stored,
    policy: &Attestation,
    is_adding: bool,
) -> Result<(AuthenticationResult, bool), Refusal> {
    let result = match state {
        Asked::Any(state) => webauthn.finish_passkey_authentication(answer, state),
        Asked::Attested(state) => webauthn.finish_attested_passkey_authentication(answer, state),
    }?;
    // The library holds the policy; this is ours.
    if !result.user_verified() {
        return Err(Refusal::NotVerified);
    }
    // To the library, all but those that it asked for as attested may begin to be copied.
    let is_other = result.backup_eligible() != Credential::from(passkey.clone()).backup_eligible;
    if is_other && (shown.attested || *policy != Attestation::Any) {
        return Err(Refusal::Backup);
    }
    match policy.check(passkey) {
        Err(_) if is_adding => Ok((result, false)),
        checked => Ok((result, checked?)),
    }
}

/// There may be a copy of a passkey. What was refused is no change; this is, and
/// ends whatever the copy was given before.
async fn suspect(
    app: &App,
    by: &Principal,
    person: &Person,
    credential: &[u8],
) -> Result<(), ApiError> {
    let mut transaction = app.store.begin().await?;
    step_up::lock(&app.store, &mut transaction, &person.tenant, &person.user).await?;
    let id = passkeys::suspect(&mut transaction, person, credential).await?;
    let Some(id) = id else {
        return Ok(());
    };
    tracing::warn!(
        tenant = person.tenant,
        user = person.user,
        passkey = id,
        "a passkey's counter went back: there may be a copy of it"
    );
    let change = Change {
        action: "passkey.suspect",
        target: &person.user,
        before: None,
        after: Some(&id),
    };
    step_up::end_with(app, transaction, by, &person.tenant, change).await
}
