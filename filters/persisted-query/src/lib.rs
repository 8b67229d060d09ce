//! The persisted-query guard: reads a GraphQL-over-HTTP request in every form
//! clients have for it, finds the catalogued operation it names, and writes the
//! request anew. What the upstream gets is made of the catalogue's text and of
//! values this crate has read; none of the client's framing survives, so that
//! no upstream can read a request differently than the guard did.
//!
//! Pure: no I/O, no clock, no proxy-wasm.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod canonical;
mod fields;
mod json;
mod media;
mod request;
mod select;
mod url;

pub use canonical::{Prepared, canonical_body, canonical_target, canonical_variables};
pub use media::{Answer, accepts, check_content_type};
pub use request::{Content, Item, Method, Request, RequestParts, decode};
pub use select::{select, select_by_text};
pub use url::check_target;

#[cfg(test)]
mod tests;
