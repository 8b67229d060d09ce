//! Who asks for an export, and for what: headers, then the body.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use ig_contract::headers;
use ig_signing::manifest::Item;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{ACTIONS, MAX_ITEMS, relayed};
use crate::app::App;
use crate::auth::{Person, Principal};
use crate::error::ApiError;

/// Header that names a request, so that it can be sent again
/// (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// Most facts, and most values of all of them.
const MAX_FACTS: usize = 32;
const MAX_FACT_VALUES: usize = 1024;
/// Longest name of a fact, and longest value in JSON, in bytes.
const MAX_FACT_BYTES: usize = 256;
/// All of them in JSON, in bytes: the audit trail keeps them.
const MAX_FACTS_BYTES: usize = 16 << 10;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// A user, by an access token of the tenant's issuer.
    User {
        person: Person,
        /// The step-up token.
        step_up: Option<String>,
    },
    /// A service behind a gateway, for whom a guard let through.
    Service {
        /// One of those that it is there for.
        tenant: String,
        /// `sub` of the user.
        actor: String,
        /// Of the guard.
        decision: String,
    },
}

/// The head of a request. Nothing of the body is read before there is one.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) by: Principal,
    pub(super) asker: Asker,
    pub(super) purpose: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) key: String,
}

impl FromRequestParts<App> for Head {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Not by the console's cookie: a page is no place to export from.
        let by = Principal::from_request_parts(parts, app).await?;
        let all = &parts.headers;
        let asker = match (by.person(), by.exports_for()) {
            (Some(person), _) => Asker::User {
                person: person.clone(),
                step_up: one(all, headers::STEP_UP, is_ascii)?,
            },
            (None, Some(tenants)) => {
                service(all, tenants).inspect_err(|error| app.metrics.exports.not_made(error))?
            }
            (None, None) => return Err(ApiError::Forbidden("user of a tenant, or exporter")),
        };
        Ok(Self {
            asker,
            purpose: one(all, headers::PURPOSE, is_purpose)?,
            authority: one(all, headers::AUTHORITY, is_authority)?,
            key: key(all)?,
            by,
        })
    }
}

impl Head {
    /// Whose export it is to be.
    pub(super) fn tenant(&self) -> &str {
        match &self.asker {
            Asker::User { person, .. } => &person.tenant,
            Asker::Service { tenant, .. } => tenant,
        }
    }

    /// The token of the service that asks, if one does.
    pub(super) fn service(&self) -> Option<&str> {
        match self.asker {
            Asker::User { .. } => None,
            Asker::Service { .. } => Some(&self.by.name),
        }
    }
}

fn service(all: &HeaderMap, tenants: &BTreeSet<String>) -> Result<Asker, ApiError> {
    let relayed = |name: &'static str| {
        let value = one(all, name, is_relayed)?;
        value.ok_or_else(|| unreadable(format!("`{name}`: relay it as the gateway sent it")))
    };
    let tenant = relayed(headers::TENANT)?;
    let actor = relayed(headers::ACTOR)?;
    let decision = relayed(headers::DECISION_ID)?;
    match tenants.contains(&tenant) {
        true => Ok(Asker::Service {
            tenant,
            actor,
            decision,
        }),
        false => Err(relayed::not_its_tenant(decision)),
    }
}

fn unreadable(problem: String) -> ApiError {
    ApiError::Unreadable(StatusCode::BAD_REQUEST, problem)
}

/// A header that may be there once.
fn one(
    all: &HeaderMap,
    name: &'static str,
    is_valid: fn(&str) -> bool,
) -> Result<Option<String>, ApiError> {
    let mut values = all.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let Some(first) = first else {
        return Ok(None);
    };
    let value = first.to_str().ok().filter(|value| is_valid(value));
    match (value, second) {
        (Some(value), None) => Ok(Some(value.to_owned())),
        _ => Err(unreadable(format!(
            "`{name}` may be sent once, and only with what it may hold"
        ))),
    }
}

/// As at the gateway.
fn is_purpose(value: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=64).contains(&value.len()) && value.bytes().all(is_allowed)
}

fn is_authority(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_ascii(value: &str) -> bool {
    value.is_ascii()
}

fn is_relayed(value: &str) -> bool {
    (1..=255).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The key: a string of RFC 8941, or its characters as they are.
fn key(all: &HeaderMap) -> Result<String, ApiError> {
    let value = one(all, IDEMPOTENCY_KEY, |value| {
        let bare = bare(value);
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        (1..=MAX_KEY_BYTES).contains(&bare.len()) && bare.bytes().all(is_allowed)
    })?;
    let value = value.ok_or_else(|| {
        unreadable(format!(
            "`{IDEMPOTENCY_KEY}` is missing: send one that you keep for this export, such as a \
             UUID, so that it can be sent again"
        ))
    })?;
    Ok(bare(&value).to_owned())
}

fn bare(value: &str) -> &str {
    let inside = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inside.unwrap_or(value)
}

/// An export that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewExport {
    /// The graph whose policy decides; needed where more than one is published.
    /// Of a service, it is the one of the guard that let the request through.
    #[serde(default)]
    pub(super) graph: Option<String>,
    /// The action, such as `export:assets`.
    #[schema(pattern = "^export:[!-~]{1,121}$")]
    pub(super) action: String,
    /// Values of what policies ask for (`@fact`), by name, such as
    /// `{"licenseClass": ["cc-by"]}`. Values are strings, numbers, booleans or null.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<Value>>)]
    pub(super) facts: BTreeMap<String, Vec<Value>>,
    /// The assets, in the order of the manifest. None where files are sent.
    #[serde(default)]
    #[schema(max_items = 10_000)]
    pub(super) items: Vec<NewItem>,
}

/// An asset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItem {
    /// What it is called, once in an export.
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    /// SHA-256 of its bytes, in lower-case hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
}

impl NewExport {
    /// Reads the items.
    ///
    /// # Errors
    /// 422 with every one that is none; what they are together is the manifest's
    /// to judge.
    pub(super) fn items(&self) -> Result<Vec<Item>, ApiError> {
        check_count(self.items.len())?;
        let read = self.items.iter().map(|item| {
            let sha256 = ig_signing::Sha256::from_hex(&item.sha256)?;
            let id = item.id.clone();
            Some(Item { id, sha256 })
        });
        let wrong = |(index, item): (usize, Option<Item>)| {
            let problem = format!("items[{index}].sha256: 64 lower-case hexadecimal digits");
            item.is_none().then_some(problem)
        };
        let read: Vec<_> = read.collect();
        match read.iter().all(Option::is_some) {
            true => Ok(read.into_iter().flatten().collect()),
            // Who sends thousands of wrong ones mends them by the first few.
            false => Err(ApiError::Invalid(
                read.into_iter()
                    .enumerate()
                    .filter_map(wrong)
                    .take(20)
                    .collect(),
            )),
        }
    }

    /// Checks everything that no snapshot has to be read for.
    ///
    /// # Errors
    /// 422
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if !self.action.starts_with(ACTIONS) || !ig_contract::step_up::is_provable(&self.action) {
            return Err(ApiError::invalid(format!(
                "action: begins with `{ACTIONS}`, and has at most 128 visible ASCII characters"
            )));
        }
        let values = || self.facts.values().flatten();
        let is_scalar = |value: &Value| {
            !value.is_array() && !value.is_object() && value.to_string().len() <= MAX_FACT_BYTES
        };
        let are_named = self.facts.keys().all(|name| name.len() <= MAX_FACT_BYTES);
        let are_short = || {
            let json = serde_json::to_vec(&self.facts);
            json.is_ok_and(|json| json.len() <= MAX_FACTS_BYTES)
        };
        match self.facts.len() <= MAX_FACTS
            && are_named
            && values().count() <= MAX_FACT_VALUES
            && values().all(is_scalar)
            && are_short()
        {
            true => Ok(()),
            false => Err(ApiError::invalid(format!(
                "facts: at most {MAX_FACTS}, with at most {MAX_FACT_VALUES} strings, numbers, \
                 booleans or nulls together, of at most {MAX_FACT_BYTES} bytes each and \
                 {MAX_FACTS_BYTES} bytes of JSON together"
            ))),
        }
    }
}

/// Whether an export may have as many items.
pub(super) fn check_count(count: usize) -> Result<(), ApiError> {
    match (1..=MAX_ITEMS).contains(&count) {
        true => Ok(()),
        false => Err(ApiError::invalid(format!("items: 1 to {MAX_ITEMS}"))),
    }
}

/// A request, read and bounded.
pub(super) struct Asked {
    pub(super) head: Head,
    pub(super) new: NewExport,
    pub(super) items: Vec<Item>,
    /// SHA-256, in hex, of all that makes it another request.
    pub(super) fingerprint: String,
}

impl Asked {
    pub(super) fn new(head: Head, new: NewExport, items: Vec<Item>) -> Self {
        let mut hash = Sha256::new();
        // Each part with its length, so that no two requests are one text.
        let mut push = |part: &[u8]| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        let (service, decision, actor) = match &head.asker {
            Asker::User { .. } => ("", "", ""),
            Asker::Service {
                decision, actor, ..
            } => (head.by.name.as_str(), decision.as_str(), actor.as_str()),
        };
        let facts = serde_json::to_string(&new.facts).unwrap_or_default();
        for part in [
            service,
            decision,
            actor,
            new.graph.as_deref().unwrap_or_default(),
            &new.action,
            &facts,
            head.purpose.as_deref().unwrap_or_default(),
            head.authority.as_deref().unwrap_or_default(),
        ] {
            push(part.as_bytes());
        }
        for item in &items {
            push(item.id.as_bytes());
            push(item.sha256.as_bytes());
        }
        let fingerprint = hex::encode(hash.finalize());
        Self {
            head,
            new,
            items,
            fingerprint,
        }
    }
}
