//! A one-time password for one request: a step-up token that counts less, for a
//! shorter time, and for nothing else.

use axum::extract::State;
use ig_contract::step_up::Acr;
use serde::Deserialize;
use sqlx::{Any, Transaction};
use utoipa::ToSchema;

use super::recovery::RecoveryCode;
use super::totp::Code;
use super::{begin, declaration, enrolment, recovery, throttle};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, Principal, User};
use crate::error::{ApiError, Problem};
use crate::extract::Json;
use crate::step_up::{self, Granted, Proof};
use crate::webauthn::authentication::{self, Intent};

/// What somebody has to do in an emergency: what the challenge of the denied
/// request names, and a code.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Emergency {
    /// The graph.
    graph: String,
    /// The actions.
    actions: Vec<String>,
    /// The challenge's `resource`: the token is good for this request only.
    resource: String,
    /// Six digits of an authenticator app.
    #[serde(default)]
    code: Option<String>,
    /// Or one of the recovery codes.
    #[serde(default)]
    recovery_code: Option<String>,
}

/// What is given as proof.
enum Given {
    Code(Code),
    Recovery(RecoveryCode),
}

impl Given {
    fn read(code: Option<&str>, recovery: Option<&str>) -> Result<Self, ApiError> {
        match (code, recovery) {
            (Some(code), None) => Code::parse(code)
                .map(Self::Code)
                .ok_or_else(|| ApiError::invalid("code: is six digits")),
            (None, Some(code)) => RecoveryCode::parse(code)
                .map(Self::Recovery)
                .ok_or_else(|| ApiError::invalid("recoveryCode: has 16 letters and digits")),
            _ => Err(ApiError::invalid("give either code or recoveryCode")),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Code(_) => "code",
            Self::Recovery(_) => "recovery-code",
        }
    }
}

/// Prove with a one-time password that it is the caller: a step-up token for one
/// request, while break-glass is declared in the tenant for its actions.
#[utoipa::path(post, path = "/otp/verify", tag = "break-glass",
    security(("bearer" = ["user"])), request_body = Emergency,
    responses(
        (status = 200, body = Granted),
        (status = 404, body = Problem),
        (status = 409, description = "The caller has set up no one-time passwords", body = Problem),
    ))]
pub(crate) async fn verify(
    State(app): State<App>,
    User { by, person }: User,
    Json(emergency): Json<Emergency>,
) -> Result<Json<Granted>, ApiError> {
    let person = &person;
    let Emergency {
        graph,
        actions,
        resource,
        code,
        recovery_code,
    } = emergency;
    let given = Given::read(code.as_deref(), recovery_code.as_deref())?;
    let intent = Intent {
        graph: Some(graph),
        actions,
        resource: Some(resource),
    };
    authentication::check(&app, &intent)?;
    let mut transaction = begin(&app, person).await?;
    // Before a code is looked at: where none counts, none is to be guessed.
    declaration::require(&mut transaction, &person.tenant, &intent.actions).await?;
    let totp = enrolment::active(&app, &mut transaction, person).await?;
    throttle::check(&mut transaction, person).await?;
    let is_right = match &given {
        Given::Code(code) => match totp.step(*code, step_up::seconds()) {
            Some(step) => enrolment::take_step(&mut transaction, person, step).await?,
            None => false,
        },
        Given::Recovery(code) => {
            recovery::take(&mut transaction, &app.break_glass, person, code).await?
        }
    };
    if !is_right {
        return Err(throttle::failed(&app, transaction, &by, person).await?);
    }
    throttle::succeeded(&mut transaction, person).await?;
    let granted = grant(&app, transaction, &by, person, intent, given.kind()).await?;
    Ok(Json(granted))
}

async fn grant(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    person: &Person,
    intent: Intent,
    kind: &'static str,
) -> Result<Granted, ApiError> {
    let left = recovery::left(&mut transaction, person).await?;
    let (graph, resource) = (intent.graph.unwrap_or_default(), intent.resource);
    let used = serde_json::json!({
        "tenant": person.tenant, "graph": graph, "actions": intent.actions,
        "resource": resource, "with": kind, "recoveryCodesLeft": left,
    });
    let proof = Proof {
        audience: graph,
        actions: intent.actions,
        resource,
        acr: Acr::Otp,
        amr: vec!["otp".into()],
    };
    let granted = step_up::make(app, &mut transaction, person, proof).await?;
    let used = used.to_string();
    let change = Change {
        action: "break-glass.use",
        target: &person.user,
        before: Some(&used),
        after: Some(&granted.audited()),
    };
    audit::record(&mut transaction, by, change).await?;
    transaction.commit().await?;
    app.metrics.break_glass_uses.inc();
    let (tenant, user) = (&person.tenant, &person.user);
    tracing::warn!(tenant, user, used, "ALERT: break-glass was used");
    Ok(granted)
}
