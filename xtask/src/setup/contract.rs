//! What tests the API, SCIM, the chart and evidence from outside, into the Python
//! environment.

use super::Extra;
use super::envoy::{ensure_venv, pip_install};
use super::item::{Context, Gap, Outcome};
use crate::tools;

/// Tools of pip.
struct Tools {
    extra: Extra,
    /// As `--with` has it.
    name: &'static str,
    /// Programs that are there once they are installed.
    programs: &'static [&'static str],
    /// Read by pip, which checks the hashes in it.
    requirements: &'static str,
    size: &'static str,
}

/// The contract test's tool.
pub(super) fn schemathesis(context: &Context) -> Result<Outcome, Gap> {
    Tools {
        extra: Extra::Contract,
        name: "contract",
        programs: &["schemathesis"],
        requirements: "xtask/src/setup/contract-requirements.txt",
        size: "30 MB",
    }
    .install(context)
}

/// What checks objects of Kubernetes.
pub(super) fn kubernetes(context: &Context) -> Result<Outcome, Gap> {
    Tools {
        extra: Extra::Helm,
        name: "helm",
        programs: &["kubernetes-validate"],
        requirements: "xtask/src/setup/helm-requirements.txt",
        size: "25 MB",
    }
    .install(context)
}

/// Clients that test a SCIM server, and another server to compare with.
pub(super) fn scim(context: &Context) -> Result<Outcome, Gap> {
    Tools {
        extra: Extra::Scim,
        name: "scim",
        programs: &["scim2", "scim-sanity", "scim2-server"],
        requirements: "xtask/src/setup/scim-requirements.txt",
        size: "10 MB",
    }
    .install(context)
}

/// Readers of bills of materials, and of OSCAL.
pub(super) fn evidence(context: &Context) -> Result<Outcome, Gap> {
    Tools {
        extra: Extra::Evidence,
        name: "evidence",
        programs: &["pyspdxtools", "ntia-checker", "trestle"],
        requirements: "xtask/src/setup/evidence-requirements.txt",
        size: "60 MB",
    }
    .install(context)
}

impl Tools {
    fn install(&self, context: &Context) -> Result<Outcome, Gap> {
        let bin = tools::venv(&context.root).join("bin");
        if self.programs.iter().all(|name| bin.join(name).is_file()) {
            return Ok(Outcome::found("in .tools/venv"));
        }
        let fix = format!("cargo xtask setup --with {}", self.name);
        // Only where it is asked for: it has many dependencies.
        if context.check || !context.asked_for(self.extra) {
            return Err(Gap::new("not installed", fix));
        }
        ensure_venv(context)?;
        let (what, size) = (self.programs.join(", "), self.size);
        eprintln!("  installing {what} into .tools/venv (pip, {size})");
        pip_install(
            &context.root,
            &["--require-hashes", "-r", self.requirements],
        )
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), fix))?;
        Ok(Outcome::installed("in .tools/venv"))
    }
}
