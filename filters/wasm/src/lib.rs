//! proxy-wasm adapter of the guard
