//! Helm, and what writes the chart's README, built from their source.

use super::go::{self, FOLDER};
use super::item::{Context, Extra, Gap, Outcome};

/// A program, and the version that the chart's tests are written for.
struct Program {
    name: &'static str,
    package: &'static str,
    pinned: &'static str,
}

/// Helm of the version that is pinned.
pub(super) fn helm(context: &Context) -> Result<Outcome, Gap> {
    Program {
        name: "helm",
        package: "helm.sh/helm/v4/cmd/helm",
        pinned: "v4.3.1",
    }
    .install(context)
}

/// helm-docs of the version that is pinned.
pub(super) fn docs(context: &Context) -> Result<Outcome, Gap> {
    Program {
        name: "helm-docs",
        package: "github.com/norwoodj/helm-docs/cmd/helm-docs",
        pinned: "v1.14.2",
    }
    .install(context)
}

impl Program {
    fn install(&self, context: &Context) -> Result<Outcome, Gap> {
        let Self {
            name,
            package,
            pinned,
        } = self;
        let is_pinned = || {
            go::built_from(context, name).is_some_and(|version| *pinned == format!("v{version}"))
        };
        if is_pinned() {
            return Ok(Outcome::found(format!("{name} {pinned}")));
        }
        let fix = "cargo xtask setup --with helm";
        if context.check || !context.asked_for(Extra::Helm) {
            return Err(Gap::new(format!("no {name} {pinned} in {FOLDER}"), fix));
        }
        go::install(context, &format!("{package}@{pinned}"), fix)?;
        match is_pinned() {
            true => Ok(Outcome::installed(format!("{name} {pinned}"))),
            false => Err(Gap::new(format!("{FOLDER}/{name} is another version"), fix)),
        }
    }
}
