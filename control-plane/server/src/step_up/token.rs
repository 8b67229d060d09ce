//! Making tokens.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::step_up::{
    ALGORITHM, Acr, Claims, Header, LEEWAY_SECONDS, MAX_LIFE_SECONDS, MAX_OTP_LIFE_SECONDS, TYPE,
};
use serde::{Deserialize, Serialize};
use sqlx::{Any, Transaction};
use utoipa::ToSchema;

use super::{keys, seconds, tokens_from};
use crate::app::App;
use crate::auth::Person;
use crate::error::ApiError;

/// What was proved, for what.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// The graph; the control plane itself by its issuer.
    pub(crate) audience: String,
    pub(crate) actions: Vec<String>,
    pub(crate) resource: Option<String>,
    pub(crate) acr: Acr,
    pub(crate) amr: Vec<String>,
}

/// A token, and what it is good for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted {
    /// The token: send it as `x-ig-step-up`.
    token: String,
    /// Its number, as audit trail and decisions have it.
    id: String,
    /// Until when it counts, in seconds since the epoch.
    expires_at: u64,
    /// How strong the proof was.
    #[schema(value_type = String)]
    acr: Acr,
    /// What it is good for.
    actions: Vec<String>,
}

/// Makes a token for somebody who has just given a proof.
pub(crate) async fn make(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    proof: Proof,
) -> Result<Granted, ApiError> {
    let from = tokens_from(transaction, &person.tenant, &person.user).await?;
    // In the second of a logout: a moment from then on, within what clocks may
    // differ by. Never further: the proof is of now.
    let now = seconds();
    if from > now + LEEWAY_SECONDS {
        let detail = "this session has just ended its tokens; wait a moment, and begin again";
        return Err(ApiError::Conflict(detail.into()));
    }
    let at = now.max(from);
    // What it was given for is asked again when it is used: an emergency may be
    // over by then.
    let (life, otp_actions) = match proof.acr {
        Acr::Otp => (
            MAX_OTP_LIFE_SECONDS,
            Some(serde_json::to_string(&proof.actions).map_err(ApiError::invalid)?),
        ),
        Acr::PhishingResistant | Acr::Hardware => (MAX_LIFE_SECONDS, None),
    };
    let claims = Claims {
        iss: app.issuer.to_string(),
        aud: proof.audience,
        sub: person.session.subject.clone(),
        sub_iss: person.session.issuer.clone(),
        tid: person.tenant.clone(),
        actions: proof.actions,
        resource: proof.resource,
        acr: proof.acr,
        amr: proof.amr,
        auth_time: now,
        iat: at,
        nbf: at,
        exp: at + life,
        jti: number()?,
    };
    let signer = keys::signer(&app.store, transaction).await?;
    let header = Header {
        alg: ALGORITHM.into(),
        typ: TYPE.into(),
        kid: signer.kid.clone(),
    };
    let made_for = MadeFor {
        issuer: claims.sub_iss.clone(),
        subject: claims.sub.clone(),
        actions: claims.actions.iter().map(ToString::to_string).collect(),
    };
    let made_for = serde_json::to_string(&made_for).map_err(ApiError::invalid)?;
    let signed = format!("{}.{}", part(&header)?, part(&claims)?);
    let token = format!("{signed}.{}", signer.sign(&signed));
    sqlx::query(
        "INSERT INTO step_up_tokens (token, graph, tenant, user_id, made_at, ends_at, otp_actions, \
         made_for) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(claims.jti.as_str())
    .bind(claims.aud.as_str())
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(i64::try_from(claims.iat).unwrap_or(i64::MAX))
    .bind(i64::try_from(claims.exp).unwrap_or(i64::MAX))
    .bind(otp_actions)
    .bind(made_for)
    .execute(&mut **transaction)
    .await?;
    Ok(Granted {
        token,
        id: claims.jti,
        expires_at: claims.exp,
        acr: claims.acr,
        actions: claims.actions,
    })
}

/// Whom and what a token was made for. Whoever says that it was used for
/// something else is not believed.
#[derive(Serialize, Deserialize)]
pub(super) struct MadeFor {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) actions: BTreeSet<String>,
}

impl Granted {
    /// As the audit trail has it: never the token itself.
    pub(crate) fn audited(&self) -> String {
        serde_json::json!({
            "token": self.id, "acr": self.acr, "actions": self.actions,
        })
        .to_string()
    }
}

fn part(value: &impl Serialize) -> Result<String, ApiError> {
    let json = serde_json::to_vec(value).map_err(ApiError::invalid)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// 128 random bits.
fn number() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(ApiError::invalid)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
