//! The request target: the GraphQL endpoint, the URL form of a document id,
//! and the parameters of GraphQL over HTTP.

use std::borrow::Cow;

use ig_contract::{Deny, DenyCode};
use serde_json::value::RawValue;

use crate::fields::Fields;
use crate::json::Budget;

/// GraphQL parameters of a URL, decoded. Every other parameter is dropped.
#[derive(Default)]
pub(crate) struct Parameters<'a> {
    query: Option<Cow<'a, str>>,
    document_id: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    doc_id: Option<Cow<'a, str>>,
    operation_name: Option<Cow<'a, str>>,
    variables: Option<Box<RawValue>>,
    extensions: Option<Box<RawValue>>,
}

const TWICE: Deny = Deny::new(
    DenyCode::BadRequest,
    "url-parameter-twice",
    "A GraphQL parameter may stand only once in the URL.",
);
const NOT_JSON: Deny = Deny::new(
    DenyCode::BadRequest,
    "url-parameter-json",
    "`variables` and `extensions` in a URL are JSON.",
);

impl<'a> Parameters<'a> {
    pub(crate) fn parse(query: &'a str) -> Result<Self, Deny> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "query" => &mut parameters.query,
                "documentId" => &mut parameters.document_id,
                "id" => &mut parameters.id,
                "doc_id" => &mut parameters.doc_id,
                "operationName" => &mut parameters.operation_name,
                "variables" => {
                    set(&mut parameters.variables, json(value)?)?;
                    continue;
                }
                "extensions" => {
                    set(&mut parameters.extensions, json(value)?)?;
                    continue;
                }
                _ => continue,
            };
            set(slot, value)?;
        }
        Ok(parameters)
    }

    pub(crate) fn fields(&'a self, budget: &Budget) -> Result<Fields<'a>, serde_json::Error> {
        fn present<'a>(value: &'a Option<Cow<'_, str>>) -> Option<Cow<'a, str>> {
            value
                .as_deref()
                .filter(|value| !value.is_empty())
                .map(Cow::Borrowed)
        }
        let mut fields = Fields {
            query: present(&self.query),
            document_id: present(&self.document_id),
            id: present(&self.id),
            doc_id: present(&self.doc_id),
            operation_name: present(&self.operation_name),
            ..Fields::default()
        };
        if let Some(raw) = &self.variables {
            fields.set_variables(raw, budget)?;
        }
        if let Some(raw) = &self.extensions {
            fields.set_extensions(raw, budget)?;
        }
        Ok(fields)
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Deny> {
    match slot.replace(value) {
        Some(_) => Err(TWICE),
        None => Ok(()),
    }
}

fn json(value: Cow<'_, str>) -> Result<Box<RawValue>, Deny> {
    // An empty parameter is an absent one.
    let value = if value.is_empty() {
        Cow::Borrowed("null")
    } else {
        value
    };
    RawValue::from_string(value.into_owned()).map_err(|_| NOT_JSON)
}

/// Splits a target into path and query.
pub(crate) fn split(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// The document id in a path, if the path is the endpoint's URL form.
/// `Err` if the path is not the endpoint at all.
pub(crate) fn document_id<'a>(path: &'a str, endpoint: &str) -> Result<Option<&'a str>, Deny> {
    match path.strip_prefix(endpoint) {
        Some("") => Ok(None),
        Some(rest) if rest.starts_with("/sha256:") => Ok(rest.strip_prefix('/')),
        _ => Err(Deny::new(
            DenyCode::PathNotAllowed,
            "path-not-endpoint",
            "Only the GraphQL endpoint of this service may be called.",
        )),
    }
}

/// Checks that a target's path is the GraphQL endpoint.
///
/// # Errors
/// 404 for every other path.
pub fn check_target(target: &str, endpoint: &str) -> Result<(), Deny> {
    document_id(split(target).0, endpoint).map(|_| ())
}
