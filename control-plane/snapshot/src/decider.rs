//! Policies that decide on one input: the program as the guard loads it, and
//! the interpreter beside it.

use ig_contract::Snapshot;
use ig_contract::policy::{DEFAULT_INSTRUCTION_LIMIT, ENTRY_POINT};
use regorus::rvm::program::{DeserializationResult, Program};
use regorus::{Engine, Value};
use serde::{Deserialize, Serialize};

use crate::{Bundle, InvalidPolicy, Problems, compile_policy, policy};

/// What policies decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Decision {
    /// Whether the operation may run.
    pub allow: bool,
    /// The rule that decided.
    pub rule: String,
    /// What the upstream or the caller has to do beside.
    pub obligations: Vec<String>,
    /// Why there is no decision; then the guard answers 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
}

impl Decision {
    fn undecided(why: impl std::fmt::Display) -> Self {
        Self {
            allow: false,
            // The guard's word.
            rule: "policy-undecided".to_owned(),
            obligations: Vec::new(),
            undecided: Some(why.to_string().trim().to_owned()),
        }
    }

    /// Whether a caller would see no difference. Why nothing was decided is
    /// each engine's own words.
    pub fn is_as(&self, other: &Self) -> bool {
        (self.allow, &self.rule, &self.obligations)
            == (other.allow, &other.rule, &other.obligations)
            && self.undecided.is_some() == other.undecided.is_some()
    }
}

/// Both engines with the same policies.
pub struct Decider {
    guard: ig_policy::Engine,
    pub(crate) interpreter: Engine,
    /// Names of files that people wrote.
    pub(crate) files: Vec<String>,
}

impl Decider {
    /// Compiles a bundle, and loads it as the guard does.
    ///
    /// # Errors
    /// [`InvalidPolicy`].
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, InvalidPolicy> {
        Ok(Self {
            guard: ig_policy::Engine::load(&compile_policy(bundle)?, DEFAULT_INSTRUCTION_LIMIT)?,
            interpreter: policy::engine(bundle)?,
            files: bundle.policies.keys().cloned().collect(),
        })
    }

    /// The policies of a snapshot: its program, and the sources that are in it.
    ///
    /// # Errors
    /// [`InvalidPolicy`], where the program is not one of this release.
    pub fn of_snapshot(snapshot: &Snapshot) -> Result<Self, InvalidPolicy> {
        let instructions = snapshot.head().limits.policy_instructions;
        let guard = ig_policy::Engine::load(snapshot.program(), instructions)?;
        let program = match Program::deserialize_binary(snapshot.program()) {
            Ok(DeserializationResult::Complete(program)) => program,
            Ok(DeserializationResult::Partial(_)) => {
                return Err(ig_policy::InvalidProgram::Stale.into());
            }
            Err(error) => return Err(ig_policy::InvalidProgram::Load(error).into()),
        };
        let mut problems = Problems::none();
        let mut interpreter = policy::empty();
        for source in &program.sources {
            let added = interpreter.add_policy(source.name.clone(), source.content.clone());
            if let Err(error) = added {
                problems.add(&source.name, error.to_string().trim());
            }
        }
        let files = program.sources.iter().map(|source| source.name.clone());
        let files = files.filter(|name| name.ends_with(".rego")).collect();
        Ok(problems.or(Self {
            guard,
            interpreter,
            files,
        })?)
    }

    /// What the guard would decide.
    pub fn decide(&self, input: &serde_json::Value) -> Decision {
        match self.guard.decide(Value::from(input.clone())) {
            Ok(verdict) => Decision {
                allow: verdict.allow,
                rule: verdict.rule.to_string(),
                obligations: verdict.obligations.to_vec(),
                undecided: None,
            },
            Err(error) => Decision::undecided(error),
        }
    }

    /// What the interpreter decides; it has to be the same.
    pub fn interpret(&mut self, input: &serde_json::Value) -> Decision {
        self.interpreter.set_input(Value::from(input.clone()));
        match self.interpreter.eval_rule(ENTRY_POINT.to_owned()) {
            Ok(value) => read(&value),
            Err(error) => Decision::undecided(error),
        }
    }
}

fn read(value: &Value) -> Decision {
    #[derive(Deserialize)]
    struct Members {
        allow: bool,
        rule: String,
        obligations: Vec<String>,
    }
    let json = value.to_json_str().unwrap_or_default();
    match serde_json::from_str::<Members>(&json) {
        Ok(members) => Decision {
            allow: members.allow,
            rule: members.rule,
            obligations: members.obligations,
            undecided: None,
        },
        Err(error) => Decision::undecided(error),
    }
}

#[cfg(test)]
mod tests;
