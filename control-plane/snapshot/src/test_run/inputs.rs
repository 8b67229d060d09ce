//! Inputs like those that tests use.

use regorus::Value;

/// Most inputs that are made of one. Each is as large as it, so they are made
/// one at a time, and those of an input with very many members are not all made.
const MAX_VARIANTS: usize = 1_000;

/// An input, and the same without each of its members, one at a time: what is
/// missing is where engines differ.
pub(super) fn variants(input: &Value) -> impl Iterator<Item = Value> + use<> {
    let json = input.to_json_str().ok();
    let json = json.and_then(|json| serde_json::from_str::<serde_json::Value>(&json).ok());
    let json = json.unwrap_or_default();
    let mut paths = Vec::new();
    members(&json, String::new(), &mut paths);
    let without = paths.into_iter().filter_map(move |path| {
        let mut without = json.clone();
        let (parent, key) = path.rsplit_once('/').unwrap_or_default();
        let parent = without.pointer_mut(parent)?.as_object_mut()?;
        parent.remove(&key.replace("~1", "/").replace("~0", "~"));
        Some(Value::from(without))
    });
    std::iter::once(input.clone()).chain(without.take(MAX_VARIANTS))
}

/// JSON pointers to members, as many as there may be variants.
fn members(value: &serde_json::Value, path: String, paths: &mut Vec<String>) {
    if paths.len() >= MAX_VARIANTS {
        return;
    }
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                paths.push(path.clone());
                members(value, path, paths);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                members(item, format!("{path}/{index}"), paths);
            }
        }
        _ => {}
    }
}
