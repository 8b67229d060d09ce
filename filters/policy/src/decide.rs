//! One decision: purpose first, then the bundle, remembered.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ig_contract::snapshot::{FactSource, Head, Operation};
use ig_contract::{Deny, DenyCode};
use serde_json::value::RawValue;

use crate::{Actor, Engine, InvalidProgram, Verdict, facts, input, purpose};

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// A number that stands for this actor as long as the policy lives.
    pub actor_number: u64,
    /// Who asks.
    pub actor: &'a Actor,
    /// The client's purpose.
    pub purpose: Option<&'a str>,
    /// The client's legal basis.
    pub authority: Option<&'a str>,
    /// A number that stands for this operation as long as the policy lives.
    pub operation_number: u64,
    /// What is to be run.
    pub operation: &'a Operation,
    /// Variables of the request.
    pub variables: &'a [(Cow<'a, str>, &'a RawValue)],
}

/// A positive decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The rule that allowed it.
    pub rule: Rc<str>,
    /// What policy asks for beside.
    pub obligations: Rc<[String]>,
}

/// The policy guard of one snapshot revision.
pub struct Policy {
    engine: Engine,
    memo: RefCell<HashMap<Vec<u8>, Verdict>>,
}

const DENIED: &str = "The policy of this service does not allow the operation.";
const FACTS: Deny = Deny::new(
    DenyCode::BadRequest,
    "facts",
    "The variables do not have the shape that the operation declares.",
);
const UNDECIDED: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "policy-undecided",
    "The policy could not be decided; try again later.",
);

impl Policy {
    /// Most decisions remembered; at the limit all are forgotten, which costs
    /// an evaluation each and needs no bookkeeping on the hot path.
    const MAX_MEMO: usize = 4096;
    /// Longest inputs remembered, so that a client cannot fill a worker.
    const MAX_MEMO_KEY_BYTES: usize = 512;

    /// Loads the bundle of a snapshot.
    ///
    /// # Errors
    /// See [`InvalidProgram`].
    pub fn load(head: &Head, program: &[u8]) -> Result<Self, InvalidProgram> {
        let engine = Engine::load(program, head.limits.policy_instructions)?;
        Ok(Self {
            engine,
            memo: RefCell::default(),
        })
    }

    /// Answers a question.
    ///
    /// # Errors
    /// A [`Deny`], also where the bundle could not decide.
    pub fn decide(&self, question: Question<'_>) -> Result<Grant, Deny> {
        let Question {
            actor,
            authority,
            operation,
            ..
        } = question;
        let purpose = purpose::check(question.purpose, actor, operation)?;
        let key = memo_key(&question, purpose);
        if let Some(verdict) = self.memo.borrow().get(&key) {
            return answer(verdict);
        }
        let facts = facts::collect(operation, question.variables).map_err(|_| FACTS)?;
        let input = input::input(actor, purpose, authority, operation, facts);
        let verdict = self.engine.decide(input).map_err(|_| UNDECIDED)?;
        let granted = answer(&verdict);
        if key.len() <= Self::MAX_MEMO_KEY_BYTES {
            let mut memo = self.memo.borrow_mut();
            if memo.len() >= Self::MAX_MEMO {
                memo.clear();
            }
            memo.insert(key, verdict);
        }
        granted
    }
}

fn answer(verdict: &Verdict) -> Result<Grant, Deny> {
    let Verdict {
        allow,
        rule,
        obligations,
    } = verdict;
    match allow {
        true => Ok(Grant {
            rule: rule.clone(),
            obligations: obligations.clone(),
        }),
        false => Err(Deny {
            code: DenyCode::PolicyDenied,
            rule: Cow::Owned(rule.to_string()),
            message: Cow::Borrowed(DENIED),
        }),
    }
}

/// Everything a decision depends on within a revision, each part with its
/// length, so that no two questions share a key.
fn memo_key(question: &Question<'_>, purpose: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(128);
    key.extend_from_slice(&question.actor_number.to_le_bytes());
    key.extend_from_slice(&question.operation_number.to_le_bytes());
    let mut push = |part: Option<&str>| {
        // 0 marks absence: an empty part is not an absent one.
        let length = part.map_or(0, |part| part.len() + 1);
        key.extend_from_slice(&length.to_le_bytes());
        key.extend_from_slice(part.unwrap_or_default().as_bytes());
    };
    push(Some(purpose));
    push(question.authority);
    for fact in &question.operation.facts {
        if let FactSource::Variable(path) = &fact.source {
            let sent = question
                .variables
                .iter()
                .find(|(name, _)| *name == path.variable);
            push(sent.map(|(_, raw)| raw.get()));
        }
    }
    key
}

#[cfg(test)]
mod tests;
