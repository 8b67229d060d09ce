//! Schemas and resource types as JSON (RFC 7643 §6, §7). Nothing is `null`:
//! Entra refuses that.

use serde_json::{Map, Value, json};

use super::{
    Attribute, ENTERPRISE, GROUP, Kind, Mutability, ResourceType, Returned, Schema, TENANT, USER,
    Uniqueness,
};

static SCHEMAS: [&Schema; 4] = [&USER, &GROUP, &ENTERPRISE, &TENANT];

fn attribute(of: &Attribute) -> Value {
    let mut object = Map::new();
    let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
    set("name", of.name.into());
    let kind = match of.kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Time => "dateTime",
        Kind::Binary => "binary",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    };
    set("type", kind.into());
    set("multiValued", of.is_multi_valued.into());
    set("description", of.description.into());
    set("required", of.is_required.into());
    if of.kind != Kind::Complex {
        set("caseExact", of.is_case_exact.into());
    }
    let mutability = match of.mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
    };
    set("mutability", mutability.into());
    let returned = match of.returned {
        Returned::Always => "always",
        Returned::Default => "default",
        Returned::Request => "request",
    };
    set("returned", returned.into());
    let uniqueness = match of.uniqueness {
        Uniqueness::None => "none",
        Uniqueness::Server => "server",
    };
    set("uniqueness", uniqueness.into());
    if !of.canonical_values.is_empty() {
        set("canonicalValues", json!(of.canonical_values));
    }
    if !of.reference_types.is_empty() {
        set("referenceTypes", json!(of.reference_types));
    }
    if !of.sub_attributes.is_empty() {
        let sub: Vec<_> = of.sub_attributes.iter().map(attribute).collect();
        set("subAttributes", sub.into());
    }
    Value::Object(object)
}

fn schema_json(of: &Schema, base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": of.id,
        "name": of.name,
        "description": of.description,
        "attributes": of.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", of.id)},
    })
}

/// Every schema.
pub fn schemas(base: &str) -> Vec<Value> {
    SCHEMAS.iter().map(|of| schema_json(of, base)).collect()
}

/// A schema by its URN.
pub fn schema(id: &str, base: &str) -> Option<Value> {
    let found = SCHEMAS.iter().find(|one| one.id.eq_ignore_ascii_case(id));
    found.map(|of| schema_json(of, base))
}

fn resource_type_json(of: ResourceType, base: &str) -> Value {
    // A client that knows of an extension tries to change and to remove it.
    let extensions = of.extensions().iter().filter(|one| one.id != TENANT.id);
    let extensions = extensions.map(|one| json!({"schema": one.id, "required": false}));
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": of.name(),
        "name": of.name(),
        "description": of.schema().description,
        "endpoint": of.endpoint(),
        "schema": of.schema().id,
        "schemaExtensions": extensions.collect::<Vec<_>>(),
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", of.name()),
        },
    })
}

/// Every resource type.
pub fn resource_types(base: &str) -> Vec<Value> {
    let all = ResourceType::ALL.into_iter();
    all.map(|of| resource_type_json(of, base)).collect()
}

/// A resource type by its name.
pub fn resource_type(name: &str, base: &str) -> Option<Value> {
    let found = ResourceType::ALL.into_iter().find(|of| of.name() == name);
    found.map(|of| resource_type_json(of, base))
}
