//! What can be done to the system.

mod proxy;

pub use proxy::{FaultProxy, Toxics};
