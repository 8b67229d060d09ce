//! JSON as everything in a bundle is read: strictly, since a name that is there twice
//! would be read differently by others; and written in one way.

use serde::Serialize;
use serde_json::Value;

/// Reads a file's JSON.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Value, String> {
    ig_signing::json::read_value(bytes, crate::MAX_FILE_BYTES)
        .map_err(|error| format!("{name}: {error}"))
}

/// As the bundle has it.
pub(crate) fn write(value: &impl Serialize) -> Vec<u8> {
    // What is written here has names that are strings, and finite numbers.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A text of an object.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The most bytes of a name that is said before each of what it is of.
pub(crate) const MAX_NAME_BYTES: usize = 256;

/// A text of an object that is said before each of what it is of: a long one would be there
/// as often, and fill the memory of whoever reads it.
pub(crate) fn name<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    text(value, name).filter(|text| text.len() <= MAX_NAME_BYTES)
}

/// A list of an object; nothing where there is none.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
