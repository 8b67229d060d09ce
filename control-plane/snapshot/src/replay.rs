//! Recorded decisions, made again.
//!
//! A decision record says who asked, for what and what became of it, and not
//! all that policies looked at: neither the groups and purposes of the actor
//! nor the variables of the request are in an access log. What is missing comes
//! from the snapshot of the record's revision and from a list of actors; where
//! that is not enough, the record is not replayed, and the reason is given.

use std::collections::BTreeMap;

use ig_contract::decision::{DecisionRecord, Outcome};
use ig_contract::snapshot::{FactSource, Operation};
use ig_contract::{DenyCode, DocumentId, Snapshot};
use ig_policy::{Caller, Claim, Claims};
use serde::{Deserialize, Serialize};

use crate::decider::{Decider, Decision};

/// What is known of an actor: `actor` of a policy's input.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownActor {
    /// Issuer of the access token.
    pub iss: String,
    /// Subject of the access token.
    pub sub: String,
    /// Tenant.
    pub tenant: String,
    /// Groups at the time of the decision.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Purposes at the time of the decision.
    #[serde(default)]
    pub purposes: Vec<String>,
}

/// Why the input of a decision is not known.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotReplayable {
    /// Something else decided, and no policy was asked.
    #[error("no policy was asked: {0} decided")]
    NotByPolicy(String),
    /// The record is of another revision.
    #[error("it is of revision {0}; give its snapshot with --snapshot")]
    OtherRevision(String),
    /// The snapshot has no such operation.
    #[error("the snapshot has no operation `{0}` in this document")]
    NoOperation(String),
    /// Nobody said who the actor is.
    #[error("groups and purposes of `{0}` are not recorded; give them with --actors")]
    UnknownActor(String),
    /// Facts are in variables, which are not recorded.
    #[error("{0} comes from variables, which are not recorded; replay its input instead")]
    Facts(String),
    /// The actor is none for this snapshot.
    #[error("the snapshot does not know the actor: {0}")]
    Refused(String),
}

/// The input on which a recorded decision was made.
///
/// # Errors
/// [`NotReplayable`].
pub fn recorded_input(
    record: &DecisionRecord<'_>,
    snapshot: &Snapshot,
    actors: &[KnownActor],
) -> Result<serde_json::Value, NotReplayable> {
    let allowed = record.outcome == Outcome::Allow;
    if !allowed && record.code != Some(DenyCode::PolicyDenied) {
        return Err(NotReplayable::NotByPolicy(record.rule.to_string()));
    }
    if record.revision != Some(snapshot.revision()) {
        let revision = record.revision.map(|one| one.to_string());
        return Err(NotReplayable::OtherRevision(revision.unwrap_or_default()));
    }
    let operation = operation(record, snapshot)?;
    let from_variables = operation.facts.iter().find(|fact| match fact.source {
        FactSource::Variable(_) => true,
        FactSource::Literal(_) => false,
    });
    if let Some(fact) = from_variables {
        return Err(NotReplayable::Facts(format!("the fact `{}`", fact.name)));
    }
    let facts = ig_policy::collect(&operation, &[])
        .map_err(|error| NotReplayable::Facts(error.to_string()))?;
    let (subject, tenant) = (record.actor.as_deref(), record.tenant_id.as_deref());
    let known = actors
        .iter()
        .find(|actor| Some(&*actor.sub) == subject && Some(&*actor.tenant) == tenant)
        .ok_or_else(|| NotReplayable::UnknownActor(subject.unwrap_or_default().to_owned()))?;
    let head = snapshot.head();
    let actor = Caller::from_claims(&claims(known, snapshot), head)
        .and_then(|caller| caller.by_token(head))
        .map_err(|deny| NotReplayable::Refused(deny.message.into_owned()))?;
    let purpose = record.purpose.as_deref().unwrap_or_default();
    let authority = record.authority.as_deref();
    let input = ig_policy::input(&actor, purpose, authority, &operation, facts);
    let json = input.to_json_str().ok();
    let json = json.and_then(|json| serde_json::from_str(&json).ok());
    json.ok_or_else(|| NotReplayable::Refused("its input is no JSON".to_owned()))
}

fn operation(record: &DecisionRecord<'_>, snapshot: &Snapshot) -> Result<Operation, NotReplayable> {
    let name = record.operation.as_deref().unwrap_or_default();
    let id = record.document.as_deref().unwrap_or_default();
    let document = DocumentId::parse(id).ok().and_then(|id| snapshot.find(&id));
    let operations = document
        .into_iter()
        .flat_map(|document| document.operations())
        .filter_map(|index| snapshot.operation(index));
    let mut named = operations.filter(|operation| operation.name == name);
    named
        .next()
        .ok_or_else(|| NotReplayable::NoOperation(name.to_owned()))
}

/// The actor as a token would say it.
fn claims(actor: &KnownActor, snapshot: &Snapshot) -> Claims {
    let names = &snapshot.head().identity;
    let text = |text: &String| Claim::Text(text.clone());
    Claims::from([
        ("iss".to_owned(), text(&actor.iss)),
        ("sub".to_owned(), text(&actor.sub)),
        (names.tenant_claim.clone(), text(&actor.tenant)),
        (
            names.groups_claim.clone(),
            Claim::List(actor.groups.clone()),
        ),
        (
            names.purposes_claim.clone(),
            Claim::List(actor.purposes.clone()),
        ),
    ])
}

/// One input, decided by two bundles.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Replayed {
    /// What the one decides.
    pub before: Decision,
    /// What the other decides.
    pub after: Decision,
    /// What the interpreter says, where an engine of the two does not agree
    /// with it; a fault, and no change.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disagreements: BTreeMap<&'static str, Decision>,
}

impl Replayed {
    /// Whether a caller would see a difference.
    pub fn is_changed(&self) -> bool {
        !self.before.is_as(&self.after)
    }
}

/// Decides on an input with both.
pub fn replay(before: &mut Decider, after: &mut Decider, input: &serde_json::Value) -> Replayed {
    let mut disagreements = BTreeMap::new();
    let mut decide = |name, decider: &mut Decider| {
        let guard = decider.decide(input);
        let interpreter = decider.interpret(input);
        if !guard.is_as(&interpreter) {
            disagreements.insert(name, interpreter);
        }
        guard
    };
    let (before, after) = (decide("before", before), decide("after", after));
    Replayed {
        before,
        after,
        disagreements,
    }
}

#[cfg(test)]
mod tests;
