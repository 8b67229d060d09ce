//! What requests cost: from access logs to reports.

mod bench;
mod budgets;
mod hostile;
mod put;
mod spans;
mod tenancy;
mod workload;
