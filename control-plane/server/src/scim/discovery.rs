//! What this provider is (RFC 7644 §4). Discovery is read only.

use axum::extract::State;
use ig_scim::{Error, ErrorKind, schema};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::caller::{Caller, MAX_BODY_BYTES, Path, Query};
use super::query::{DEFAULT_COUNT, MAX_COUNT};
use super::search::refuse_filter;
use super::{bulk, cursor};
use crate::app::App;

type Parameters = Query<Vec<(String, String)>>;

/// `/ServiceProviderConfig`
pub(super) async fn config(
    State(_): State<App>,
    caller: Caller,
    Query(parameters): Parameters,
) -> Result<Answer, Refusal> {
    refuse_filter(&parameters)?;
    Ok(Answer::ok(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": bulk::MAX_OPERATIONS,
            "maxPayloadSize": MAX_BODY_BYTES,
        },
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": cursor::TIMEOUT_SECONDS,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Provisioning token",
            "description": "A token with the role `provisioner` of one tenant",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", caller.base),
        },
    })))
}

fn list(resources: Vec<Value>) -> Answer {
    Answer::ok(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "itemsPerPage": resources.len(),
        "startIndex": 1,
        "Resources": resources,
    }))
}

fn one(found: Option<Value>, id: &str) -> Result<Answer, Refusal> {
    let missing = || Error::new(ErrorKind::NotFound, format!("no {id}"));
    Ok(Answer::ok(found.ok_or_else(missing)?))
}

/// `/Schemas`
pub(super) async fn schemas(
    State(_): State<App>,
    caller: Caller,
    Query(parameters): Parameters,
) -> Result<Answer, Refusal> {
    refuse_filter(&parameters)?;
    Ok(list(schema::schemas(&caller.base)))
}

/// `/Schemas/{id}`
pub(super) async fn schema_of(
    State(_): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer, Refusal> {
    one(schema::schema(&id, &caller.base), &id)
}

/// `/ResourceTypes`
pub(super) async fn resource_types(
    State(_): State<App>,
    caller: Caller,
    Query(parameters): Parameters,
) -> Result<Answer, Refusal> {
    refuse_filter(&parameters)?;
    Ok(list(schema::resource_types(&caller.base)))
}

/// `/ResourceTypes/{id}`
pub(super) async fn resource_type_of(
    State(_): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer, Refusal> {
    one(schema::resource_type(&id, &caller.base), &id)
}
