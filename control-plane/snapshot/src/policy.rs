//! A bundle as the program that the guard runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use ig_contract::policy::{DEFAULT_INSTRUCTION_LIMIT, ENTRY_POINT};
use regorus::Engine;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;

use crate::rego::{conflicts, harden, panicking_calls};
use crate::{Bundle, Problems, TEST_SUFFIX, builtins, data};

/// Why a bundle is not a policy that the guard can run.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    /// Files that do not parse, or define what is not theirs.
    #[error(transparent)]
    Source(#[from] Problems),
    /// The entry point is missing.
    #[error(
        "the bundle has no rule `{ENTRY_POINT}`; it is an object with `allow`, `rule` and \
         `obligations`"
    )]
    NoEntryPoint,
    /// It does not compile.
    #[error("the policy does not compile: {0}")]
    Compile(String),
    /// It calls what the guard does not have.
    #[error(
        "the policy calls {}, which the guard does not have: a decision depends on the input \
         alone, not on a clock, the network or chance", names(.0)
    )]
    Builtins(Vec<String>),
    /// The program cannot be written.
    #[error("the program cannot be serialised: {0}")]
    Serialise(String),
    /// The guard would refuse the program.
    #[error("the guard does not accept the program")]
    Load(#[from] ig_policy::InvalidProgram),
    /// It does not decide on an empty input.
    #[error(
        "the policy gives no decision on an empty input, so the guard would answer 503; give \
         `{ENTRY_POINT}` a default"
    )]
    Undecided(#[from] ig_policy::Undecided),
    /// It allows what it knows nothing about.
    #[error("the policy allows an empty input (rule `{0}`); deny by default")]
    AllowsNothing(String),
}

fn names(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Compiles the policies of a bundle, loads the program as the guard does, and
/// has it decide once.
///
/// # Errors
/// See [`InvalidPolicy`].
pub fn compile_policy(bundle: &Bundle) -> Result<Vec<u8>, InvalidPolicy> {
    let mut engine = hardened(engine(bundle)?)?;
    let program = compile_rule(&mut engine, ENTRY_POINT)?;
    let bytes = program
        .serialize_binary()
        .map_err(InvalidPolicy::Serialise)?;
    let guard = ig_policy::Engine::load(&bytes, DEFAULT_INSTRUCTION_LIMIT)?;
    let verdict = guard.decide(regorus::Value::new_object())?;
    match verdict.allow {
        true => Err(InvalidPolicy::AllowsNothing(verdict.rule.to_string())),
        false => Ok(bytes),
    }
}

/// Compiles one rule, and what it depends on, for the virtual machine.
pub(crate) fn compile_rule(engine: &mut Engine, rule: &str) -> Result<Arc<Program>, InvalidPolicy> {
    let compiled = engine
        .compile_with_entrypoint(&rule.into())
        .map_err(|error| match error.to_string() {
            missing if missing.contains("not a valid rule path") => InvalidPolicy::NoEntryPoint,
            other => InvalidPolicy::Compile(other),
        })?;
    let program = Compiler::compile_from_policy(&compiled, &[rule])
        .map_err(|error| InvalidPolicy::Compile(error.to_string()))?;
    let called = program
        .builtin_info_table
        .iter()
        .map(|builtin| &builtin.name);
    let missing: Vec<_> = called
        .filter(|name| !builtins::has(name))
        .cloned()
        .collect();
    match missing.is_empty() {
        true => Ok(program),
        false => Err(InvalidPolicy::Builtins(missing)),
    }
}

/// An engine without policies.
pub(crate) fn empty() -> Engine {
    let mut engine = Engine::new();
    engine.set_rego_v0(false);
    engine
}

/// An engine as OPA's: data are data, and a built-in function that fails is
/// undefined.
pub(crate) fn with_data(bundle: &Bundle) -> Result<Engine, Problems> {
    let mut engine = empty();
    engine.set_strict_builtin_errors(false);
    let mut problems = Problems::none();
    let data = serde_json::Value::Object(bundle.data.clone());
    if let Err(error) = engine.add_data(data.into()) {
        problems.add("data", error.to_string().trim());
    }
    problems.or(engine)
}

/// Adds the policies of any bundle, whatever its roots.
pub(crate) fn with_policies(bundle: &Bundle, mut engine: Engine) -> Result<Engine, Problems> {
    let mut problems = Problems::none();
    add_policies(bundle, &mut engine, &mut problems);
    problems.or(engine)
}

fn add_policies(bundle: &Bundle, engine: &mut Engine, problems: &mut Problems) {
    for (path, text) in &bundle.policies {
        if let Err(error) = engine.add_policy(path.clone(), text.clone()) {
            problems.add(path, error.to_string().trim());
        }
    }
    conflicts(engine.get_modules(), problems);
    panicking_calls(engine.get_modules(), problems);
}

/// An engine with the policies and data of a bundle, without its tests.
pub(crate) fn engine(bundle: &Bundle) -> Result<Engine, Problems> {
    let mut problems = Problems::none();
    let mut engine = empty();
    add_policies(bundle, &mut engine, &mut problems);
    let mut packages = BTreeSet::new();
    match engine.get_policy_package_components() {
        Ok(components) => {
            for package in components {
                if !is_rooted(&package.components, &bundle.manifest.roots) {
                    let name = package.components.join(".");
                    let message = format!("package `{name}` is outside the roots of the bundle");
                    problems.add(package.source_file, message);
                }
                packages.insert(package.components);
            }
        }
        Err(error) => problems.add("", error),
    }
    for root in bundle.data.keys() {
        let is_rooted = bundle.manifest.roots.iter().any(|known| {
            known == root
                || known
                    .strip_prefix(root)
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        problems.check(is_rooted, root, "data outside the roots of the bundle");
    }
    for (name, text) in data::modules(&bundle.data, &packages, &mut problems) {
        if let Err(error) = engine.add_policy(name.clone(), text) {
            problems.add(name, error.to_string().trim());
        }
    }
    problems.or(engine)
}

/// The same engine for the virtual machine.
pub(crate) fn hardened(mut engine: Engine) -> Result<Engine, Problems> {
    let mut problems = Problems::none();
    let mut hardened = Engine::new();
    for module in engine.get_modules() {
        let path = module.package.span.source.file().to_string();
        // Tests are not enforced: what they do to themselves is theirs.
        let mut own = Problems::none();
        let is_test = path.ends_with(TEST_SUFFIX);
        let text = harden(module, if is_test { &mut own } else { &mut problems });
        if let Err(error) = hardened.add_policy(path.clone(), text) {
            problems.add(path, error.to_string().trim());
        }
    }
    problems.or(hardened)
}

fn is_rooted(package: &[String], roots: &[String]) -> bool {
    let is_root = |root: &String| {
        let mut parts = package.iter();
        root.split('/')
            .all(|part| parts.next().is_some_and(|known| known == part))
    };
    roots.iter().any(is_root)
}

#[cfg(test)]
mod tests;
