//! The input document, as `policies/README.md` shows it to authors.

use std::collections::BTreeMap;

use ig_contract::snapshot::Resource;
use serde_json::json;

use super::*;
use crate::input::input;

#[test]
fn every_member() {
    let mut operation = operation("CreateAsset");
    operation.step_up = true;
    operation.resources = vec![
        Resource {
            pii: true,
            retention: None,
            license_class: None,
        },
        Resource {
            pii: false,
            retention: Some("r".into()),
            license_class: Some("c".into()),
        },
    ];
    let facts = BTreeMap::from([(
        "f".to_owned(),
        vec![json!(1.5), json!(null), json!({"a": ["b"]})],
    )]);
    let built = input(&actor(), "a", Some("warrant 7"), &operation, facts);
    let built: serde_json::Value = serde_json::from_str(&built.to_json_str().unwrap()).unwrap();
    let expected = json!({
        "actor": {"iss": "https://issuer", "sub": "a@alpha.io", "tenant": "alpha", "groups": [],
                  "purposes": ["a", "ab", "b", "investigation"]},
        "tenant": {"id": "alpha", "region": "eu-west-1"},
        "purpose": "a",
        "authority": "warrant 7",
        "operation": {"name": "CreateAsset", "type": "mutation", "actions": ["mutation:CreateAsset"],
                      "crossTenant": false, "stepUp": true},
        "resources": [{"pii": true}, {"pii": false, "retention": "r", "licenseClass": "c"}],
        "facts": {"f": [1.5, null, {"a": ["b"]}]},
    });
    assert_eq!(built, expected);
    let bare = input(&actor(), "a", None, &super::operation("A"), BTreeMap::new());
    let bare: serde_json::Value = serde_json::from_str(&bare.to_json_str().unwrap()).unwrap();
    assert_eq!(
        (&bare["authority"], &bare["facts"], &bare["resources"]),
        (&json!(null), &json!({}), &json!([]))
    );
}
