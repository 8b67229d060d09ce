//! Schemas as clients see them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

const BASE: &str = "https://ig.example/scim/v2";

fn is_without_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => elements.iter().all(is_without_null),
        Value::Object(members) => members.values().all(is_without_null),
        _ => true,
    }
}

/// The path of every attribute, with what is said of it.
fn attributes(of: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for attribute in of.as_array().unwrap() {
        let name = attribute["name"].as_str().unwrap();
        let path = format!("{path}/{name}");
        if let Some(parts) = attribute.get("subAttributes") {
            attributes(parts, &path, found);
        }
        found.push((path, attribute.clone()));
    }
}

#[test]
fn nothing_is_null() {
    for value in schemas(BASE).iter().chain(&resource_types(BASE)) {
        assert!(is_without_null(value), "{value}");
    }
}

#[test]
fn every_attribute_has_its_characteristics() {
    let mut found = Vec::new();
    for schema in schemas(BASE) {
        let id = schema["id"].as_str().unwrap();
        attributes(&schema["attributes"], id, &mut found);
    }
    assert!(found.len() > 50, "of every schema");
    let values = [
        (
            "type",
            "string boolean decimal integer dateTime reference binary complex",
        ),
        ("mutability", "readOnly readWrite immutable writeOnly"),
        ("returned", "always never default request"),
        ("uniqueness", "none server global"),
    ];
    for (path, attribute) in &found {
        for (name, all) in values {
            let value = attribute[name].as_str().unwrap_or_default();
            assert!(all.split(' ').any(|one| one == value), "{path} {name}");
        }
        for name in ["multiValued", "required"] {
            assert!(attribute[name].is_boolean(), "{path} {name}");
        }
        assert!(
            !attribute["description"].as_str().unwrap().is_empty(),
            "{path}"
        );
        let is_complex = attribute["type"] == "complex";
        assert_eq!(
            attribute.get("subAttributes").is_some(),
            is_complex,
            "{path}"
        );
        assert_eq!(attribute.get("caseExact").is_some(), !is_complex, "{path}");
        let is_reference = attribute["type"] == "reference";
        assert_eq!(
            attribute.get("referenceTypes").is_some(),
            is_reference,
            "{path}"
        );
    }
    let paths: BTreeSet<_> = found
        .iter()
        .map(|(path, _)| path.to_ascii_lowercase())
        .collect();
    assert_eq!(paths.len(), found.len(), "no name twice, whatever its case");
}

#[test]
fn what_the_server_relies_on_is_said() {
    let user = schema(USER.id, BASE).unwrap();
    let group = schema(&GROUP.id.to_ascii_uppercase(), BASE).unwrap();
    let enterprise = schema(ENTERPRISE.id, BASE).unwrap();
    let tenant = schema(TENANT.id, BASE).unwrap();
    let cases = [
        (
            &user,
            "userName",
            json!({"required": true, "uniqueness": "server", "caseExact": false}),
        ),
        (
            &user,
            "active",
            json!({"type": "boolean", "mutability": "readWrite"}),
        ),
        (
            &user,
            "groups",
            json!({"mutability": "readOnly", "multiValued": true}),
        ),
        (
            &user,
            "groups/value",
            json!({"mutability": "readOnly", "caseExact": true}),
        ),
        (
            &user,
            "emails/primary",
            json!({"type": "boolean", "multiValued": false}),
        ),
        (
            &user,
            "x509Certificates/value",
            json!({"type": "binary", "caseExact": true}),
        ),
        (
            &group,
            "displayName",
            json!({"required": true, "uniqueness": "server"}),
        ),
        (
            &group,
            "members/value",
            json!({"mutability": "immutable", "caseExact": true}),
        ),
        (
            &group,
            "members/$ref",
            json!({"referenceTypes": ["User", "Group"]}),
        ),
        (
            &group,
            "members/type",
            json!({"canonicalValues": ["User", "Group"]}),
        ),
        (
            &enterprise,
            "manager/displayName",
            json!({"mutability": "readOnly"}),
        ),
        (
            &tenant,
            "id",
            json!({"mutability": "readOnly", "caseExact": true}),
        ),
    ];
    for (schema, path, expected) in cases {
        let mut found = Vec::new();
        attributes(&schema["attributes"], "", &mut found);
        let (_, found) = found
            .iter()
            .find(|(name, _)| *name == format!("/{path}"))
            .unwrap();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(found.get(name), Some(value), "{path} {name}");
        }
    }
    assert_eq!(
        user["attributes"].as_array().unwrap().len(),
        USER.attributes.len()
    );
    assert!(!user.to_string().contains("password"));
}

#[test]
fn resource_types_name_schemas_that_there_are() {
    for of in ResourceType::ALL {
        let found = resource_type(of.name(), BASE).unwrap();
        assert!(resource_types(BASE).contains(&found));
        assert_eq!(found["endpoint"], of.endpoint());
        let mut ids = vec![&found["schema"]];
        for extension in found["schemaExtensions"].as_array().unwrap() {
            assert_eq!(extension["required"], false);
            ids.push(&extension["schema"]);
        }
        for id in ids {
            let schema = schema(id.as_str().unwrap(), BASE).unwrap();
            assert!(schemas(BASE).contains(&schema));
            let location = format!("{BASE}/Schemas/{}", id.as_str().unwrap());
            assert_eq!(schema["meta"]["location"], location);
        }
        assert!(
            of.attribute(of.name_attribute())
                .is_some_and(|one| one.is_required)
        );
    }
    for nothing in ["", "user ", "urn:nobody", "Schema"] {
        assert_eq!(schema(nothing, BASE), None);
        assert_eq!(resource_type(nothing, BASE), None);
    }
}
