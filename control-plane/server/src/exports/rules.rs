//! What a published snapshot says of an action: by whom, for what, under which
//! policy. The decision is the guard's own code.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use ig_contract::directory::Facts;
use ig_contract::snapshot::{self, Fact, FactSource, Operation};
use ig_contract::{Deny, DenyCode, Revision, Snapshot};
use ig_policy::{Caller, Claim, Claims, Policy, Question};
use serde_json::Value;

use super::ACTIONS;
use crate::app::App;
use crate::error::ApiError;

/// What is kept of a snapshot.
pub(super) struct Rules {
    pub(super) revision: Revision,
    pub(super) head: snapshot::Head,
    program: Vec<u8>,
    /// Operations that take data out.
    operations: Vec<Operation>,
}

/// Who exports, as far as a decision depends on it.
pub(super) struct Who {
    pub(super) tenant: String,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) facts: Facts,
    pub(super) purpose: Option<String>,
    pub(super) authority: Option<String>,
}

/// Why an export may happen.
pub(super) struct Granted {
    /// Name of the operation that callers of the gateway would use.
    pub(super) operation: String,
    pub(super) is_cross_tenant: bool,
    pub(super) rule: String,
    pub(super) obligations: Vec<String>,
    /// Groups of the user that have the purpose.
    pub(super) groups: Vec<String>,
}

const NO_ACTION: Deny = Deny::new(
    DenyCode::PolicyDenied,
    "action-unknown",
    "No operation of the graph does this; publish one whose field has the action.",
);
const UNDECIDED: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "policy-undecided",
    "The policy could not be decided; try again later.",
);

impl Rules {
    fn read(bytes: Vec<u8>) -> Result<Self, ApiError> {
        let snapshot = Snapshot::decode(bytes).map_err(|error| ApiError::chain(&error))?;
        let operations = snapshot.iter().flat_map(|document| document.operations());
        let operations = operations.filter_map(|index| snapshot.operation(index));
        let takes_out = |operation: &Operation| {
            let mut actions = operation.actions.iter();
            actions.any(|action| action.name.starts_with(ACTIONS))
        };
        Ok(Self {
            revision: snapshot.revision(),
            head: snapshot.head().clone(),
            program: snapshot.program().to_vec(),
            // What is for some clients only is for no caller of this API.
            operations: operations
                .filter(|operation| operation.clients.is_empty() && takes_out(operation))
                .collect(),
        })
    }

    /// The groups of a user by which they hold the purpose.
    fn groups(&self, who: &Who) -> Vec<String> {
        let Some(tenant) = self.head.tenants.get(&who.tenant) else {
            return Vec::new();
        };
        let gives = |group: &&String| {
            let purposes = tenant.purposes_by_group.get(*group);
            let purpose = who.purpose.as_ref();
            purposes.is_some_and(|all| purpose.is_some_and(|purpose| all.contains(purpose)))
        };
        who.facts.groups.iter().filter(gives).cloned().collect()
    }

    fn with_action(&self, action: &str) -> impl Iterator<Item = &Operation> {
        let does =
            move |operation: &&Operation| operation.actions.iter().any(|one| one.name == action);
        self.operations.iter().filter(does)
    }

    /// Whether any operation with the action has a fact of this name.
    pub(super) fn has_fact(&self, action: &str, name: &str) -> bool {
        let mut operations = self.with_action(action);
        operations.any(|operation| operation.facts.iter().any(|fact| fact.name == name))
    }

    /// Decides as a guard would on the operations that have the action: what one of
    /// them may, its caller could do at the gateway.
    ///
    /// # Errors
    /// The [`Deny`] of the first, where none may.
    pub(super) fn decide(
        &self,
        who: &Who,
        action: &str,
        facts: &BTreeMap<String, Vec<Value>>,
    ) -> Result<Granted, Deny> {
        let claims: Claims = [
            ("iss".to_owned(), Claim::Text(who.issuer.clone())),
            ("sub".to_owned(), Claim::Text(who.subject.clone())),
            (
                self.head.identity.tenant_claim.clone(),
                Claim::Text(who.tenant.clone()),
            ),
        ]
        .into();
        let caller = Caller::from_claims(&claims, &self.head)?;
        let actor = caller.by_facts(&who.facts, &self.head)?;
        let policy = Policy::load(&self.head, &self.program).map_err(|_| UNDECIDED)?;
        let mut denied = None;
        for (number, operation) in (0..).zip(self.with_action(action)) {
            let operation = stating(operation, facts);
            let granted = policy.decide(Question {
                actor_number: 0,
                actor: &actor,
                purpose: who.purpose.as_deref(),
                authority: who.authority.as_deref(),
                operation_number: number,
                operation: &operation,
                variables: &[],
            });
            match granted {
                Ok(ig_policy::Grant { rule, obligations }) => {
                    return Ok(Granted {
                        operation: operation.name,
                        is_cross_tenant: operation.cross_tenant,
                        rule: Rc::as_ref(&rule).to_owned(),
                        obligations: obligations.to_vec(),
                        groups: self.groups(who),
                    });
                }
                Err(deny) => denied = denied.or(Some(deny)),
            }
        }
        Err(denied.unwrap_or(NO_ACTION))
    }
}

/// An operation whose facts are those that were stated. What stands in its
/// document stays: nobody can leave it out.
fn stating(operation: &Operation, facts: &BTreeMap<String, Vec<Value>>) -> Operation {
    let mut stated = operation.clone();
    stated
        .facts
        .retain(|fact| matches!(fact.source, FactSource::Literal(_)));
    let is_asked = |name: &str| operation.facts.iter().any(|fact| fact.name == name);
    let values = facts.iter().filter(|(name, _)| is_asked(name));
    let values = values.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    stated.facts.extend(values.map(|(name, value)| Fact {
        name: name.clone(),
        source: FactSource::Literal(value.to_string()),
    }));
    stated
}

/// The rules of a graph as it is published now.
///
/// # Errors
/// 422 where nothing is published under the name.
pub(super) async fn of_graph(app: &App, graph: &str) -> Result<Arc<Rules>, ApiError> {
    let revision: Option<String> = sqlx::query_scalar(
        "SELECT revision FROM publications WHERE graph = $1 ORDER BY number DESC LIMIT 1",
    )
    .bind(graph)
    .fetch_optional(app.store.pool())
    .await?;
    let unpublished = || ApiError::invalid("graph: nothing is published under this name");
    let revision = revision.ok_or_else(unpublished)?;
    if let Some(known) = known(app, graph, &revision) {
        return Ok(known);
    }
    // A new one is read once, however many ask for it.
    let _reading = app.exports.reading.lock().await;
    if let Some(known) = known(app, graph, &revision) {
        return Ok(known);
    }
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM snapshots WHERE revision = $1")
        .bind(revision)
        .fetch_one(app.store.pool())
        .await?;
    // Megabytes, which are checked once.
    let read = app.exports.deciding.run(move || Rules::read(bytes)).await?;
    let rules = Arc::new(read?);
    let mut all = app
        .exports
        .rules
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    all.insert(graph.to_owned(), rules.clone());
    Ok(rules)
}

/// What was read of a revision before.
fn known(app: &App, graph: &str, revision: &str) -> Option<Arc<Rules>> {
    let all = app.exports.rules.lock();
    let all = all.unwrap_or_else(PoisonError::into_inner);
    let known = all.get(graph)?;
    (known.revision.to_string() == revision).then(|| known.clone())
}

/// The graph that is meant where none is named.
///
/// # Errors
/// 422 where there are two, or none.
pub(super) async fn only_graph(app: &App) -> Result<String, ApiError> {
    let graphs: Vec<String> = sqlx::query_scalar("SELECT DISTINCT graph FROM publications LIMIT 2")
        .fetch_all(app.store.pool())
        .await?;
    match <[String; 1]>::try_from(graphs) {
        Ok([only]) => Ok(only),
        Err(_) => Err(ApiError::invalid("graph: say which")),
    }
}
