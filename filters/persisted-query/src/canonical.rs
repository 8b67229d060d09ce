//! What the upstream gets instead of the client's bytes.

use std::cell::OnceCell;

use ig_contract::snapshot::Operation;
use ig_contract::{Deny, DenyCode};

use crate::request::Request;

/// The part of a canonical request that is the same for every request of an
/// operation: escaped once, then copied.
#[derive(Debug)]
pub struct Prepared {
    /// `{"query":"…","operationName":"…","variables":{`
    body: String,
    /// `?query=…&operationName=…`, made when the first GET needs it.
    query: OnceCell<String>,
}

impl Prepared {
    /// Prepares `operation` with the `text` of its document.
    pub fn new(operation: &Operation, text: &str) -> Self {
        let mut body = String::with_capacity(text.len() + text.len() / 8 + 64);
        body.push_str("{\"query\":");
        push_json(&mut body, text);
        if !operation.name.is_empty() {
            body.push_str(",\"operationName\":");
            push_json(&mut body, &operation.name);
        }
        body.push_str(",\"variables\":{");
        Self {
            body,
            query: OnceCell::new(),
        }
    }

    /// Bytes it may keep alive: a percent-encoded text is up to three times
    /// its length.
    pub fn byte_count(&self) -> usize {
        self.body.len() * 4
    }

    fn query(&self, operation: &Operation) -> &str {
        #[derive(serde::Deserialize)]
        struct Body {
            query: String,
        }
        self.query.get_or_init(|| {
            // The text is not kept twice for the sake of GET.
            let body: Option<Body> = serde_json::from_str(&format!("{}}}}}", self.body)).ok();
            let mut query = form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
            query.append_pair("query", &body.map(|body| body.query).unwrap_or_default());
            if !operation.name.is_empty() {
                query.append_pair("operationName", &operation.name);
            }
            query.finish()
        })
    }
}

fn push_json(out: &mut String, text: &str) {
    // A string always serialises; an empty one on the impossible error would
    // be refused by any upstream.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes the declared variables, in the client's order. What the operation
/// does not declare is dropped: it could only mean something to somebody else.
fn push_variables(out: &mut String, operation: &Operation, request: &Request<'_>) {
    let declared = request
        .variables
        .iter()
        .filter(|(name, _)| operation.variables.iter().any(|declared| declared == name));
    for (index, (name, value)) in declared.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_json(out, name);
        out.push(':');
        out.push_str(value.get());
    }
}

/// The variables of a request as they go on: a JSON object.
pub fn canonical_variables(operation: &Operation, request: &Request<'_>) -> String {
    let mut variables = String::from("{");
    push_variables(&mut variables, operation, request);
    variables.push('}');
    variables
}

/// The canonical body: one object, or an array if the request was a batch.
pub fn canonical_body<'a>(
    is_batch: bool,
    items: impl Iterator<Item = (&'a Prepared, &'a Operation, &'a Request<'a>)> + Clone,
) -> Vec<u8> {
    let size = items.clone().map(|(prepared, _, request)| {
        let variables = request.variables.iter();
        prepared.body.len()
            + variables
                .map(|(name, value)| name.len() + value.get().len() + 4)
                .sum::<usize>()
            + 3
    });
    let mut body = String::with_capacity(2 + size.sum::<usize>());
    if is_batch {
        body.push('[');
    }
    for (index, (prepared, operation, request)) in items.enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&prepared.body);
        push_variables(&mut body, operation, request);
        body.push_str("}}");
    }
    if is_batch {
        body.push(']');
    }
    body.into_bytes()
}

/// The canonical target of a GET: a header-only request cannot be given a body
/// by a proxy-wasm filter, so its text travels in the URL.
///
/// # Errors
/// 414 where that is longer than `max_bytes`.
pub fn canonical_target(
    prepared: &Prepared,
    operation: &Operation,
    request: &Request<'_>,
    endpoint: &str,
    max_bytes: u32,
) -> Result<String, Deny> {
    let mut target = format!("{endpoint}{}", prepared.query(operation));
    if !request.variables.is_empty() {
        let variables = canonical_variables(operation, request);
        target.push_str("&variables=");
        target.extend(form_urlencoded::byte_serialize(variables.as_bytes()));
    }
    match target.len() <= max_bytes as usize {
        true => Ok(target),
        false => Err(Deny::new(
            DenyCode::UriTooLong,
            "get-too-long",
            "This operation is too long for GET; use POST.",
        )),
    }
}
