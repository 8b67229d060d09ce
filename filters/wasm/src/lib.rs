//! The guard as an Envoy filter: translates callbacks to [`ig_guard`] and its
//! steps to host calls. Nothing is decided here; what the host refuses ends in
//! a deny.

#![expect(
    missing_docs,
    reason = "the SDK's `main!` makes an undocumented function"
)]

#[cfg(feature = "policy")]
mod buckets;
mod claims;
#[cfg(feature = "policy")]
mod directory;
mod host;
mod metrics;
mod request;
mod root;
mod socket;

use proxy_wasm::types::ContextType;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|context| Box::new(root::Root::new(context)));
}}

/// The only kind of context this module makes.
const KIND: ContextType = ContextType::HttpContext;
