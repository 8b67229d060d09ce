//! What can be done to the system.

mod disk;
mod filter;
mod names;
mod proxy;

pub use disk::Disk;
pub use filter::{Filter, with_filter};
pub use names::Names;
pub use proxy::{FaultProxy, Toxics};
