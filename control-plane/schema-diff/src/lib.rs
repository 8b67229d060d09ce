//! What changes from one schema to another, and whether it may.
//!
//! [`diff`] tells changes as `@graphql-inspector/core` 8 does; [`report`] says
//! besides what they do to callers and to the operations of a catalogue, and
//! decides by a [`Policy`]. Pure: no I/O, no clock; today is a parameter.
//! Schemas and documents are bounded by [`ig_schema::Limits`].

mod authz;
mod change;
mod changes;
mod deprecation;
mod exceptions;
mod gate;
mod lists;
mod operations;
mod place;
mod renames;
mod report;
mod value;

pub use authz::{AuthzChange, Effect, Rename, Seen};
pub use change::{Change, ChangeKind, Criticality, Level, Side};
pub use changes::diff;
pub use exceptions::{AuthzKind, Exception, ExceptionKind, Exceptions, Fault, InvalidExceptions};
pub use gate::{FailOn, Failure, Policy, Verdict};
pub use operations::{AffectedOperation, Impact, InvalidOperation, OperationName};
pub use place::{Place, SchemaSide};
pub use report::{Conclusion, ImpactOn, JudgedChange, REPORT_VERSION, Report, Summary, report};
