//! Who holds what, as the control plane exports it, and what no reviewer lets stand.

use serde_json::Value;

use super::Outcome;
use crate::{Stamp, json, time};

/// Milliseconds of a day.
const DAY: u64 = time::DAY * 1000;
/// Days after which an owner's token that does not expire is a finding.
const MOST_DAYS: u64 = 365;

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let list = |name: &'static str| {
        let all = report.get(name).and_then(Value::as_array);
        all.ok_or_else(|| format!("{name} is not a list"))
    };
    let (tokens, tenants) = (list("tokens")?, list("tenants")?);
    if !report.pointer("/roles/roles").is_some_and(Value::is_object) {
        return Err("it does not say which groups have roles".into());
    }
    let now = Stamp::of(report)?.time.saturating_mul(1000);
    let mut outcome = Outcome::default();
    for token in tokens {
        let name = json::text(token, "name").ok_or("a token has no name")?;
        let role = json::text(token, "role").ok_or("a token has no role")?;
        let time = |member: &str| token.get(member).and_then(Value::as_u64);
        let ended = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if ended(time("revokedAt")) || ended(time("expiresAt")) {
            continue;
        }
        let created = time("createdAt").ok_or("a token has no createdAt")?;
        // A review with a date from before would make every token young. Clocks may differ.
        if created > now.saturating_add(DAY) {
            return Err(format!("the token {name} was made after the review"));
        }
        let age = now.saturating_sub(created);
        let is_old = role == "owner" && time("expiresAt").is_none() && age > MOST_DAYS * DAY;
        let what = format!("token {name} ({role}) expires, or is younger than {MOST_DAYS} days");
        outcome.add(what, !is_old);
    }
    for tenant in tenants {
        let name = json::name(tenant, "tenant");
        let name = name.ok_or("a tenant has no name, or one that is too long")?;
        let users = tenant.get("users").and_then(Value::as_array);
        for user in users.ok_or("a tenant's users are not a list")? {
            let user_name = json::text(user, "userName").ok_or("a user has no name")?;
            let is_active = user.get("active").and_then(Value::as_bool);
            let is_active = is_active.ok_or("a user is neither active nor not")?;
            let admin = user.get("admin").and_then(Value::as_bool);
            let admin = admin.ok_or("a user is neither an admin nor none")?;
            if !user.get("groups").is_some_and(Value::is_array) {
                return Err("a user's groups are not a list".into());
            }
            let what = format!("{name}: {user_name} is no admin while suspended");
            outcome.add(what, is_active || !admin);
        }
    }
    // Somebody can always come in; a review that found nobody looked at nothing.
    Ok(outcome)
}
