//! Purpose of use: given, held by the actor, allowed for each action.

use ig_contract::snapshot::Operation;
use ig_contract::{Deny, DenyCode};

use crate::Actor;

const REQUIRED: Deny = Deny::new(
    DenyCode::PurposeRequired,
    "purpose-required",
    "Say what the data is for: `x-ig-purpose: …`.",
);
const NOT_GRANTED: Deny = Deny::new(
    DenyCode::PurposeDenied,
    "purpose-not-granted",
    "You do not hold this purpose.",
);
const NOT_ALLOWED: Deny = Deny::new(
    DenyCode::PurposeDenied,
    "purpose-not-allowed",
    "This operation is not allowed for this purpose.",
);

pub(crate) fn check<'a>(
    purpose: Option<&'a str>,
    actor: &Actor,
    operation: &Operation,
) -> Result<&'a str, Deny> {
    let purpose = purpose.ok_or(REQUIRED)?;
    if !actor.purposes.contains(purpose) {
        return Err(NOT_GRANTED);
    }
    let is_allowed = operation.actions.iter().all(|action| {
        action.purposes.is_empty() || action.purposes.iter().any(|allowed| allowed == purpose)
    });
    if is_allowed {
        Ok(purpose)
    } else {
        Err(NOT_ALLOWED)
    }
}
