//! Any resource, and any body as a PATCH of it: refused without a change, or a
//! resource as a client could have sent it.
#![no_main]

use ig_scim::resource::Resource;
use ig_scim::{ResourceType, index, patch, resource};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const ID: &str = "1";

fuzz_target!(|bytes: &[u8]| {
    let Ok((before, body)) = serde_json::from_slice::<(Value, Value)>(bytes) else {
        return;
    };
    for of in ResourceType::ALL {
        let Ok(before) = read(of, before.clone()) else {
            continue;
        };
        let Ok(steps) = patch::read(of, ID, &body) else {
            continue;
        };
        let mut after = before.clone();
        if patch::apply(of, &mut after, &steps).is_err() {
            assert_eq!(after, before);
            continue;
        }
        assert_eq!(resource::check(of, &after), Ok(()));
        assert_eq!(read(of, after.clone().into()), Ok(after.clone()));
        for entry in index::entries(of, &after) {
            assert!(entry.value.len() <= 2000 && !entry.value.contains('\0'));
        }
    }
});

/// Reads a resource that need not say what it is.
fn read(of: ResourceType, mut body: Value) -> Result<Resource, ig_scim::Error> {
    if let Some(parts) = body.as_object_mut() {
        parts.insert("schemas".into(), json!([of.schema().id]));
        parts
            .entry(of.name_attribute())
            .or_insert_with(|| "name".into());
    }
    resource::read(of, &body)
}
