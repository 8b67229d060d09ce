//! Faults against the real system: a steady workload whose every request is noted, a
//! nemesis, and a checker that judges the history.

#![forbid(unsafe_code)]

pub mod check;
mod ending;
pub mod fault;
pub mod history;
pub mod load;
mod numbers;
mod report;
mod run;
mod scenario;
mod seeds;
mod versions;
pub mod workload;
pub mod world;

pub use numbers::Numbers;
pub use report::{forget, page};
pub use run::{Breaker, Figures, Outcome, run};
pub use scenario::{Act, SCENARIOS, Scenario, Step};
pub use seeds::{Kept, kept};
pub use versions::Versions;
