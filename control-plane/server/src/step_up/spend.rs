//! Using tokens that count once: whoever is first has it, in which worker of
//! which proxy ever.

use ig_contract::snapshot::{self, Action, VerificationKey};
use ig_contract::step_up::{LEEWAY_SECONDS, SpendRequest, Spent, UsedFor};
use ig_step_up::{Question, StepUp};
use sqlx::{Any, AnyConnection, Transaction};

use super::token::MadeFor;
use super::{keys, seconds, tokens_from};
use crate::app::App;
use crate::auth::Person;
use crate::break_glass;
use crate::error::ApiError;

/// Answers a proxy.
pub(crate) async fn answer_spend(app: &App, request: &SpendRequest) -> Result<Spent, ApiError> {
    let SpendRequest {
        graph,
        tenant,
        token,
        used_for,
    } = request;
    // Whoever sends a used token again and again keeps no writer waiting.
    let mut connection = app.store.pool().acquire().await?;
    if let Some(spent) = used(&mut connection, graph, tenant, token).await? {
        return Ok(spent);
    }
    drop(connection);
    let mut transaction = app.store.begin().await?;
    let spent = spend(&mut transaction, graph, tenant, token).await?;
    // A token that may not be used now has not been used.
    if spent == Spent::First {
        if let Some(used_for) = used_for {
            note(&mut transaction, token, used_for).await?;
        }
        transaction.commit().await?;
    }
    Ok(spent)
}

/// Notes what a token was used for, so that a service behind the guard can be
/// asked whose decision it acts on: as far as it was made for that.
async fn note(
    transaction: &mut Transaction<'static, Any>,
    token: &str,
    used_for: &UsedFor,
) -> Result<(), ApiError> {
    let made_for: Option<String> =
        sqlx::query_scalar("SELECT made_for FROM step_up_tokens WHERE token = $1")
            .bind(token)
            .fetch_one(&mut **transaction)
            .await?;
    let made_for = made_for.and_then(|text| serde_json::from_str::<MadeFor>(&text).ok());
    // A proxy has verified the token, or says so: a number alone is no secret.
    let is_whose =
        |made: &MadeFor| (&made.issuer, &made.subject) == (&used_for.issuer, &used_for.subject);
    let Some(made_for) = made_for.filter(is_whose) else {
        return Ok(());
    };
    let actions = used_for.actions.intersection(&made_for.actions);
    let believed = UsedFor {
        actions: actions.cloned().collect(),
        ..used_for.clone()
    };
    let all = serde_json::to_string(&believed).map_err(ApiError::invalid)?;
    sqlx::query("UPDATE step_up_tokens SET decision = $1, used_for = $2 WHERE token = $3")
        .bind(used_for.decision_id.as_str())
        .bind(all)
        .bind(token)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A token that was used for a decision.
pub(crate) struct Used {
    /// Its number.
    pub(crate) token: String,
    pub(crate) graph: String,
    /// The user whose it was.
    pub(crate) user: String,
    /// Seconds since it was used.
    pub(crate) age: u64,
    pub(crate) used_for: UsedFor,
}

/// The token that was used for a decision of a guard. Of two, which no guard
/// makes, neither counts.
pub(crate) async fn used_for(
    connection: &mut AnyConnection,
    tenant: &str,
    decision: &str,
) -> Result<Option<Used>, ApiError> {
    let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(
        "SELECT token, graph, user_id, spent_at, used_for FROM step_up_tokens \
         WHERE tenant = $1 AND decision = $2 AND spent_at IS NOT NULL AND used_for IS NOT NULL \
         LIMIT 2",
    )
    .bind(tenant)
    .bind(decision)
    .fetch_all(connection)
    .await?;
    let Ok([(token, graph, user, spent_at, used_for)]) = <[_; 1]>::try_from(rows) else {
        return Ok(None);
    };
    let spent_at = u64::try_from(spent_at).unwrap_or_default();
    Ok(Some(Used {
        token,
        graph,
        user,
        age: seconds().saturating_sub(spent_at),
        used_for: serde_json::from_str(&used_for).map_err(ApiError::invalid)?,
    }))
}

/// Whoever gets another answer than the first ends the transaction without it.
#[tracing::instrument(name = "step_up.spend", skip_all)]
pub(crate) async fn spend(
    transaction: &mut Transaction<'static, Any>,
    audience: &str,
    tenant: &str,
    token: &str,
) -> Result<Spent, ApiError> {
    let now = i64::try_from(seconds()).unwrap_or(i64::MAX);
    let leeway = i64::try_from(LEEWAY_SECONDS).unwrap_or_default();
    // Whose user was suspended, is gone, or has logged out since does not count,
    // whatever the proxy knows by now.
    let spent: Option<Option<String>> = sqlx::query_scalar(
        "UPDATE step_up_tokens SET spent_at = $1 WHERE token = $2 AND graph = $3 AND tenant = $4 \
         AND spent_at IS NULL AND ends_at + $5 > $1 \
         AND EXISTS (SELECT 1 FROM scim_resources WHERE scim_resources.tenant = $4 \
           AND scim_resources.id = step_up_tokens.user_id AND kind = 'User' \
           AND active <> 0 AND deleted_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM step_up_ends WHERE step_up_ends.tenant = $4 \
           AND step_up_ends.user_id = step_up_tokens.user_id \
           AND tokens_from > step_up_tokens.made_at) RETURNING otp_actions",
    )
    .bind(now)
    .bind(token)
    .bind(audience)
    .bind(tenant)
    .bind(leeway)
    .fetch_optional(&mut **transaction)
    .await?;
    match spent {
        Some(None) => return Ok(Spent::First),
        // A one-time password counts while its tenant's owner says so.
        Some(Some(actions)) => {
            let is_declared = break_glass::is_declared(transaction, tenant, &actions).await?;
            return Ok(if is_declared {
                Spent::First
            } else {
                Spent::Over
            });
        }
        None => {}
    }
    let used = used(transaction, audience, tenant, token).await?;
    Ok(used.unwrap_or(Spent::Over))
}

/// Why a token cannot be used, as far as its row alone says.
async fn used(
    connection: &mut AnyConnection,
    audience: &str,
    tenant: &str,
    token: &str,
) -> Result<Option<Spent>, sqlx::Error> {
    let spent: Option<Option<i64>> = sqlx::query_scalar(
        "SELECT spent_at FROM step_up_tokens WHERE token = $1 AND graph = $2 AND tenant = $3",
    )
    .bind(token)
    .bind(audience)
    .bind(tenant)
    .fetch_optional(connection)
    .await?;
    Ok(match spent {
        None => Some(Spent::Over),
        Some(Some(_)) => Some(Spent::Again),
        Some(None) => None,
    })
}

/// Uses a token for an action at the control plane itself.
///
/// # Errors
/// 401 with the challenge of RFC 9470, where there is none that counts.
pub(crate) async fn use_own(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    token: Option<&str>,
    action: &'static str,
) -> Result<(), ApiError> {
    let keys = keys::public(transaction).await?;
    let from = tokens_from(transaction, &person.tenant, &person.user).await?;
    let number = check_own(app, person, token, action, keys, from)?;
    match spend(transaction, &app.issuer, &person.tenant, &number).await? {
        Spent::First => Ok(()),
        Spent::Again | Spent::Over => Err(ApiError::StepUp {
            reason: "step-up-used".into(),
            detail: "The step-up token has been used; get a new one.".into(),
            action,
        }),
    }
}

/// The number of a token that counts, if it was not used.
fn check_own(
    app: &App,
    person: &Person,
    token: Option<&str>,
    action: &'static str,
    keys: Vec<VerificationKey>,
    from: u64,
) -> Result<String, ApiError> {
    let settings = snapshot::StepUp {
        issuer: app.issuer.to_string(),
        keys,
        single_use: [action.to_owned()].into(),
        max_age_seconds: snapshot::StepUp::default_max_age_seconds(),
        acr: snapshot::StepUp::default_acr(),
    };
    let own = StepUp::new(&settings, &app.issuer).map_err(ApiError::invalid)?;
    let actions = [Action {
        name: action.to_owned(),
        purposes: Vec::new(),
    }];
    let proof = own.check(Question {
        token,
        issuer: &person.session.issuer,
        subject: &person.session.subject,
        tenant: &person.tenant,
        from,
        actions: &actions,
        is_cross_tenant: false,
        resource: &String::new,
        now: Some(seconds()),
        // One-time passwords are for graphs: they change no factor of anybody.
        is_asked: false,
    });
    let proof = proof.map_err(|deny| ApiError::StepUp {
        reason: deny.rule.into_owned(),
        detail: deny.message.into_owned(),
        action,
    })?;
    Ok(proof.claims.jti.clone())
}
