//! Inputs like those that tests use.

use regorus::Value;

/// An input, and the same without each of its members, one at a time: what is
/// missing is where engines differ.
pub(super) fn variants(input: &Value) -> Vec<Value> {
    let mut all = vec![input.clone()];
    if let Ok(json) = input.to_json_str()
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(&json)
    {
        let mut paths = Vec::new();
        members(&json, String::new(), &mut paths);
        for path in paths {
            let mut without = json.clone();
            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
            if let Some(serde_json::Value::Object(parent)) = without.pointer_mut(parent) {
                parent.remove(&key.replace("~1", "/").replace("~0", "~"));
                all.push(Value::from(without));
            }
        }
    }
    all
}

/// JSON pointers to all members.
fn members(value: &serde_json::Value, path: String, paths: &mut Vec<String>) {
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
