//! Whether changes may be made.

use std::collections::BTreeSet;

use ig_schema::Date;
use serde::{Deserialize, Serialize};

use crate::authz::{AuthzChange, Effect};
use crate::change::{Change, Level};
use crate::exceptions::{AuthzKind, Exception, ExceptionKind, Exceptions};
use crate::operations::{AffectedOperation, Impact};

/// A rule that changes may break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// No change is breaking.
    Breaking,
    /// No operation of the catalogue becomes invalid.
    Operations,
    /// No operation of the catalogue gets another record.
    Records,
    /// Callers need nothing less than before.
    Weakened,
}

/// What decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Rules that have to hold.
    pub fail_on: BTreeSet<FailOn>,
    /// What may pass nevertheless.
    pub exceptions: Exceptions,
    /// Whether something that was deprecated until a day may be removed from
    /// then on, if no operation of the catalogue needs it.
    pub announced: bool,
    /// Whether operations may be in the catalogue that are valid on neither
    /// schema: rules cannot hold for them, nor be broken.
    pub invalid_before: bool,
    /// The day it is.
    pub today: Date,
}

/// Something that breaks a rule.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The rule.
    pub rule: FailOn,
    /// Where: a path, or the name of an operation.
    pub path: String,
    /// What happens, for people.
    pub message: String,
    /// The change, by its number in the report, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<usize>,
    /// The change for callers, by its number in the report's `authz`, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authz: Option<usize>,
}

/// Whether changes may be made.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether every rule holds, for everything that there is.
    pub passed: bool,
    /// Operations for which a rule can neither hold nor be broken, since they
    /// are valid on neither schema.
    pub undecided: usize,
    /// Rules that had to hold.
    pub fail_on: BTreeSet<FailOn>,
    /// What breaks one.
    pub failures: Vec<Failure>,
    /// Exceptions that let something pass.
    pub excepted: Vec<Exception>,
    /// Exceptions whose day is over: they let nothing pass.
    pub expired: Vec<Exception>,
    /// Exceptions for nothing: take them away.
    pub unused: Vec<Exception>,
    /// Removals that pass because they were announced, by path.
    pub announced: Vec<String>,
}

/// What there is to decide on.
pub(crate) struct Facts<'a> {
    pub(crate) changes: &'a [Change],
    pub(crate) authz: &'a [AuthzChange],
    pub(crate) operations: &'a [AffectedOperation],
    /// Operations that are valid on neither schema.
    pub(crate) invalid_before: usize,
    /// Day until which what a change removes was deprecated.
    pub(crate) announced: &'a dyn Fn(&Change) -> Option<Date>,
}

impl Policy {
    pub(crate) fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let mut judge = Judge {
            policy: self,
            facts,
            used: BTreeSet::new(),
            failures: Vec::new(),
            announced: Vec::new(),
        };
        judge.changes();
        judge.authz();
        judge.operations();
        judge.verdict()
    }
}

struct Judge<'a> {
    policy: &'a Policy,
    facts: &'a Facts<'a>,
    /// Exceptions that were needed, by number.
    used: BTreeSet<usize>,
    failures: Vec<Failure>,
    announced: Vec<String>,
}

impl Judge<'_> {
    fn asks(&self, rule: FailOn) -> bool {
        self.policy.fail_on.contains(&rule)
    }

    /// Whether an exception lets the change pass that rule.
    fn is_excepted(&mut self, kind: ExceptionKind, path: &str, rule: FailOn) -> bool {
        let mut all = self.policy.exceptions.all.iter().enumerate();
        let found = all.find(|(_, exception)| {
            exception.kind == kind
                && exception.path == path
                && exception.allows.contains(&rule)
                && exception.expires >= self.policy.today
        });
        let number = found.map(|(number, _)| number);
        self.used.extend(number);
        number.is_some()
    }

    fn is_excepted_change(&mut self, change: &Change, rule: FailOn) -> bool {
        let path = change.path.as_deref().unwrap_or_default();
        self.is_excepted(ExceptionKind::Change(change.kind), path, rule)
    }

    fn fail(&mut self, rule: FailOn, path: &str, message: String, change: Option<usize>) {
        self.failures.push(Failure {
            rule,
            path: path.to_owned(),
            message,
            change,
            authz: None,
        });
    }

    fn changes(&mut self) {
        if !self.asks(FailOn::Breaking) {
            return;
        }
        for (number, change) in self.facts.changes.iter().enumerate() {
            let path = change.path.as_deref().unwrap_or_default();
            if change.criticality.level != Level::Breaking {
                continue;
            }
            if self.is_announced(number, change) {
                self.announced.push(path.to_owned());
            } else if !self.is_excepted_change(change, FailOn::Breaking) {
                let message = change.message.clone();
                self.fail(FailOn::Breaking, path, message, Some(number));
            }
        }
    }

    fn is_announced(&self, number: usize, change: &Change) -> bool {
        let mut operations = self.facts.operations.iter();
        self.policy.announced
            && (self.facts.announced)(change).is_some_and(|day| day <= self.policy.today)
            && !operations.any(|operation| operation.changes.contains(&number))
    }

    fn authz(&mut self) {
        if !self.asks(FailOn::Weakened) {
            return;
        }
        let kind = ExceptionKind::Authz(AuthzKind::AuthzWeakened);
        for (number, change) in self.facts.authz.iter().enumerate() {
            if change.effect == Effect::Weakened
                && !self.is_excepted(kind, &change.path, FailOn::Weakened)
            {
                let words = change.words();
                let message = match &change.was {
                    None => format!(
                        "callers of `{}` need less than before: {words}",
                        change.path
                    ),
                    Some(was) => format!(
                        "callers of `{}` need less than those of `{was}`, which it looks to be: \
                         {words}",
                        change.path
                    ),
                };
                self.failures.push(Failure {
                    rule: FailOn::Weakened,
                    path: change.path.clone(),
                    message,
                    change: None,
                    authz: Some(number),
                });
            }
        }
    }

    fn operations(&mut self) {
        for operation in self.facts.operations {
            let name = match operation.operation.name.as_str() {
                "" => operation.operation.sha256.to_string(),
                name => name.to_owned(),
            };
            if operation.authz == Effect::Weakened
                && self.asks(FailOn::Weakened)
                && !self.is_excused(operation, FailOn::Weakened)
            {
                let message = format!(
                    "the operation needs less than before: {}",
                    operation.members.join(", ")
                );
                let cause = operation.changes.first().copied();
                self.fail(FailOn::Weakened, &name, message, cause);
            }
            let (rule, message) = match operation.impact {
                Impact::Invalid => {
                    let reasons: Vec<_> =
                        operation.reasons.iter().map(ToString::to_string).collect();
                    let reasons = reasons.join("; ");
                    (
                        FailOn::Operations,
                        format!("the operation is not valid any more: {reasons}"),
                    )
                }
                Impact::Record => {
                    let members = operation.members.join(", ");
                    (
                        FailOn::Records,
                        format!("the operation's record differs: {members}"),
                    )
                }
            };
            if self.asks(rule) && !self.is_excused(operation, rule) {
                self.fail(rule, &name, message, operation.changes.first().copied());
            }
        }
    }

    /// Whether each change that an operation is affected by is excepted, or
    /// what weakens it is.
    fn is_excused(&mut self, operation: &AffectedOperation, rule: FailOn) -> bool {
        let facts = self.facts;
        let changes: Vec<_> = operation
            .changes
            .iter()
            .filter_map(|number| facts.changes.get(*number))
            .collect();
        // All of them are asked, so that each exception counts as used.
        let excepted: Vec<_> = changes
            .iter()
            .map(|change| {
                self.is_excepted_change(change, rule)
                    || (rule == FailOn::Weakened && {
                        let kind = ExceptionKind::Authz(AuthzKind::AuthzWeakened);
                        self.is_excepted(kind, change.place(), rule)
                    })
            })
            .collect();
        !excepted.is_empty() && excepted.into_iter().all(|is_excepted| is_excepted)
    }

    /// Only rules about operations have nothing to say of those.
    fn undecided(&self) -> usize {
        let asks = self.asks(FailOn::Operations) || self.asks(FailOn::Records);
        match asks && !self.policy.invalid_before {
            true => self.facts.invalid_before,
            false => 0,
        }
    }

    fn verdict(self) -> Verdict {
        let undecided = self.undecided();
        let Policy {
            fail_on,
            exceptions,
            today,
            ..
        } = self.policy;
        let numbered = || exceptions.all.iter().enumerate();
        let is_expired = |exception: &Exception| exception.expires < *today;
        let pick = |wanted: &dyn Fn(usize, &Exception) -> bool| {
            let picked = numbered().filter(|(number, exception)| wanted(*number, exception));
            picked.map(|(_, exception)| exception.clone()).collect()
        };
        Verdict {
            passed: self.failures.is_empty() && undecided == 0,
            undecided,
            fail_on: fail_on.clone(),
            excepted: pick(&|number, _| self.used.contains(&number)),
            expired: pick(&|_, exception| is_expired(exception)),
            unused: pick(&|number, exception| {
                !self.used.contains(&number) && !is_expired(exception)
            }),
            failures: self.failures,
            announced: self.announced,
        }
    }
}
