//! The Rego bundle as RVM bytecode.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use regorus::Value;
use regorus::rvm::program::{DeserializationResult, Program};
use regorus::rvm::vm::RegoVM;

/// Why bytecode is not a bundle this build can run.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProgram {
    /// Another release of the engine, or no bytecode at all.
    #[error("policy program does not load: {0}")]
    Load(String),
    /// It would have to be compiled again, which a guard does not do.
    #[error("policy program was compiled by another release of the engine")]
    Stale,
    /// The entry point is missing.
    #[error(
        "policy program has no entry point `{}`",
        ig_contract::policy::ENTRY_POINT
    )]
    EntryPoint,
}

/// The bundle gave no decision.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// The engine failed, or a limit was reached.
    #[error("policy evaluation failed: {0}")]
    Evaluation(String),
    /// The result is not `{allow, rule, obligations}`.
    #[error("policy result has no valid `{0}`")]
    Shape(&'static str),
}

/// What a bundle decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Whether the operation may run.
    pub allow: bool,
    /// The rule that decided, kebab-case.
    pub rule: Rc<str>,
    /// What the upstream or the caller has to do beside.
    pub obligations: Rc<[String]>,
}

/// A loaded bundle.
pub struct Engine {
    vm: RefCell<RegoVM>,
    entry_point: usize,
}

/// Longest name of a rule or obligation.
const MAX_NAME_BYTES: usize = 64;
/// Most obligations of one decision.
const MAX_OBLIGATIONS: usize = 16;

impl Engine {
    /// Loads bytecode. An evaluation may execute `instructions` at most.
    ///
    /// # Errors
    /// See [`InvalidProgram`].
    pub fn load(bytecode: &[u8], instructions: u32) -> Result<Self, InvalidProgram> {
        let program = match Program::deserialize_binary(bytecode).map_err(InvalidProgram::Load)? {
            DeserializationResult::Complete(program) => program,
            DeserializationResult::Partial(_) => return Err(InvalidProgram::Stale),
        };
        let entry_point = program
            .entry_points
            .get_index_of(ig_contract::policy::ENTRY_POINT)
            .ok_or(InvalidProgram::EntryPoint)?;
        let mut vm = RegoVM::new();
        vm.set_max_instructions(instructions as usize);
        vm.load_program(Arc::new(program));
        Ok(Self {
            vm: RefCell::new(vm),
            entry_point,
        })
    }

    /// Decides on one input.
    ///
    /// # Errors
    /// [`Undecided`], which callers answer with a deny.
    pub fn decide(&self, input: Value) -> Result<Verdict, Undecided> {
        let mut vm = self
            .vm
            .try_borrow_mut()
            .map_err(|_| Undecided::Evaluation("the engine is busy".into()))?;
        vm.set_input(input);
        let result = vm
            .execute_entry_point_by_index(self.entry_point)
            .map_err(|error| Undecided::Evaluation(error.to_string()))?;
        verdict(&result)
    }
}

fn verdict(result: &Value) -> Result<Verdict, Undecided> {
    let members = result.as_object().map_err(|_| Undecided::Shape("object"))?;
    let member = |name: &'static str| {
        members
            .get(&Value::from(name))
            .ok_or(Undecided::Shape(name))
    };
    let allow = *member("allow")?
        .as_bool()
        .map_err(|_| Undecided::Shape("allow"))?;
    let rule = name(member("rule")?).ok_or(Undecided::Shape("rule"))?;
    let obligations = match member("obligations")? {
        Value::Array(items) => items.iter().map(name).collect::<Option<Vec<_>>>(),
        Value::Set(items) => items.iter().map(name).collect(),
        _ => None,
    };
    let obligations = obligations
        .filter(|names| names.len() <= MAX_OBLIGATIONS)
        .ok_or(Undecided::Shape("obligations"))?;
    let obligations = obligations.into_iter().map(ToOwned::to_owned).collect();
    Ok(Verdict {
        allow,
        rule: rule.into(),
        obligations,
    })
}

/// Names end up in logs, labels and answers: a closed alphabet, so that no
/// policy can write a caller's input there.
fn name(value: &Value) -> Option<&str> {
    let Value::String(name) = value else {
        return None;
    };
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    is_name.then_some(name)
}
