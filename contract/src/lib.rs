//! Every type that crosses filter ↔ control plane: the snapshot, header names,
//! answers, the decision record and the directory's messages. Both sides use these types; neither
//! declares its own. No I/O, no clock, no policy, no HTTP library.

#![forbid(unsafe_code)]

pub mod answer;
pub mod decision;
pub mod directory;
pub mod headers;
pub mod id;
pub mod policy;
pub mod snapshot;
pub mod step_up;
pub mod trace;

pub use answer::{Deny, DenyCode};
pub use decision::{DecisionRecord, Mode, Outcome};
pub use id::{DocumentId, InvalidDocumentId, Revision, TextHash};
pub use snapshot::{InvalidSnapshot, Snapshot};
