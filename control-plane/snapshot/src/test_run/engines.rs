//! The interpreter beside the guard's virtual machine.

use std::time::Duration;

use ig_contract::policy::{DEFAULT_INSTRUCTION_LIMIT, ENTRY_POINT};
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};

use super::Disagreement;
use super::inputs::variants;
use crate::{InvalidPolicy, policy};

/// Both engines, with the enforced policies only.
pub(super) struct Engines {
    interpreter: Engine,
    machine: RegoVM,
}

type Outcome = Result<Value, String>;

impl Engines {
    pub(super) fn new(enforced: &Engine) -> Result<Self, InvalidPolicy> {
        let program = policy::compile_rule(&mut policy::hardened(enforced.clone())?, ENTRY_POINT)?;
        let mut machine = RegoVM::new();
        machine.set_max_instructions(DEFAULT_INSTRUCTION_LIMIT as usize);
        machine.load_program(program);
        Ok(Self {
            interpreter: enforced.clone(),
            machine,
        })
    }

    /// Has both decide on each input, whole and with members missing. None if
    /// there is no time `left` for it.
    pub(super) fn compare_inputs(
        &mut self,
        inputs: &[Value],
        compared: &mut usize,
        left: &mut dyn FnMut() -> Option<Duration>,
    ) -> Option<Vec<Disagreement>> {
        let mut disagreements = Vec::new();
        for input in inputs.iter().flat_map(variants) {
            super::limit(&mut self.interpreter, left()?);
            self.interpreter.set_input(input.clone());
            let interpreter = outcome(self.interpreter.eval_rule(ENTRY_POINT.to_owned()));
            self.machine.set_input(input.clone());
            let guard = outcome(self.machine.execute_entry_point_by_name(ENTRY_POINT));
            *compared += 1;
            let input = input
                .to_json_str()
                .ok()
                .and_then(|json| serde_json::from_str(&json).ok());
            disagreements.extend(disagreement(ENTRY_POINT, input, &interpreter, &guard));
        }
        left().map(|_| disagreements)
    }
}

/// Runs a rule of `tested`, which sets no input, on both.
pub(super) fn compare_rule(
    tested: &Engine,
    rule: &str,
    compared: &mut usize,
) -> Option<Disagreement> {
    let mut interpreter = tested.clone();
    let hardened = policy::hardened(tested.clone()).map_err(InvalidPolicy::from);
    let guard = match hardened.and_then(|mut engine| policy::compile_rule(&mut engine, rule)) {
        Ok(program) => {
            let mut machine = RegoVM::new();
            machine.set_max_instructions(DEFAULT_INSTRUCTION_LIMIT as usize);
            machine.load_program(program);
            outcome(machine.execute_entry_point_by_name(rule))
        }
        // `with data.… as` and mocked functions: the machine has neither,
        // and neither can happen in a guard.
        Err(InvalidPolicy::Compile(message)) if message.contains("`with`") => return None,
        Err(error) => Err(error.to_string()),
    };
    *compared += 1;
    let interpreter = outcome(interpreter.eval_rule(rule.to_owned()));
    disagreement(rule, None, &interpreter, &guard)
}

fn outcome<E: std::fmt::Display>(result: Result<Value, E>) -> Outcome {
    result.map_err(|error| error.to_string().trim().to_owned())
}

/// An error is an error, in whatever words: the guard denies on any.
fn disagreement(
    rule: &str,
    input: Option<serde_json::Value>,
    interpreter: &Outcome,
    guard: &Outcome,
) -> Option<Disagreement> {
    let agree = match (interpreter, guard) {
        (Ok(left), Ok(right)) => left == right,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    (!agree).then(|| Disagreement {
        rule: rule.to_owned(),
        input,
        interpreter: describe(interpreter),
        guard: describe(guard),
    })
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Ok(Value::Undefined) => "undefined".to_owned(),
        Ok(value) => value
            .to_json_str()
            .unwrap_or_else(|error| error.to_string()),
        Err(error) => format!("error: {error}"),
    }
}
