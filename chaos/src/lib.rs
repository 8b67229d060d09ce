//! Faults against the real system: a steady workload whose every request is noted, a
//! nemesis, and a checker that judges the history.

#![forbid(unsafe_code)]

pub mod check;
pub mod fault;
pub mod history;
mod numbers;
mod report;
mod run;
mod scenario;
pub mod workload;
pub mod world;

pub use numbers::Numbers;
pub use report::page;
pub use run::{Figures, Outcome, run};
pub use scenario::{Act, SCENARIOS, Scenario, Step};
