//! What is read from the syntax of policies, and written into it.

mod harden;
mod walk;

pub(crate) use harden::harden;
pub(crate) use walk::{Edits, Visitor, rules, visit};
