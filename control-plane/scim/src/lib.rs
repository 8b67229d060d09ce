//! SCIM 2.0 (RFC 7643, 7644, 9865) without I/O: what resources look like, what
//! filters and PATCH mean, what of a resource a caller asked for.
//!
//! A resource is a JSON object with canonical attribute names. Whatever a
//! client sends becomes one in [`resource::read`] or [`patch::apply`], or an
//! [`Error`].

mod error;
pub mod filter;
pub mod index;
pub mod patch;
mod path;
mod projection;
pub mod resource;
pub mod schema;
pub mod time;

pub use error::{Error, ErrorKind};
pub use path::AttributePath;
pub use projection::Projection;
pub use schema::{Attribute, ResourceType, Schema};
