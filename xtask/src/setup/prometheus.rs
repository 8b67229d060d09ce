//! Prometheus and Alertmanager with their tools, from Debian's packages. Tests start
//! their own.

use super::item::{Context, Gap, Outcome};
use super::{apt, database};
use crate::tools;

const PACKAGES: [&str; 2] = ["prometheus", "prometheus-alertmanager"];
/// Debian's Alertmanager has its package's name.
const PROGRAMS: [&str; 4] = [
    "prometheus",
    "promtool",
    "prometheus-alertmanager",
    "amtool",
];

/// All programs of both.
pub(super) fn prometheus(context: &Context) -> Result<Outcome, Gap> {
    if missing().is_empty() {
        return Ok(Outcome::found(found()));
    }
    if !context.asked_for(super::Extra::Prometheus) {
        return Err(Gap::new(
            format!("no {}", missing().join(", ")),
            "cargo xtask setup --with prometheus",
        ));
    }
    apt::install(context, &PACKAGES)?;
    for package in PACKAGES {
        database::stop_service(package);
    }
    match missing().as_slice() {
        [] => Ok(Outcome::installed(found())),
        missing => Err(Gap::new(
            format!("no {}", missing.join(", ")),
            apt::command(&PACKAGES),
        )),
    }
}

fn missing() -> Vec<&'static str> {
    let programs = PROGRAMS.into_iter();
    programs
        .filter(|program| tools::find_program(program).is_none())
        .collect()
}

/// The version of the one that the rules are written for.
fn found() -> String {
    let program = tools::find_program("promtool");
    let version = program.and_then(|program| tools::version_of(&program, "--version").ok());
    version.map_or_else(
        || PACKAGES.join(", "),
        |version| format!("prometheus {version}"),
    )
}
