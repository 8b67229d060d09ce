//! From the parts of an HTTP request to the documents it names.

use std::borrow::Cow;

use ig_contract::snapshot::Limits;
use ig_contract::{Deny, DenyCode, DocumentId};
use serde_json::value::RawValue;

use crate::fields::{Fields, Variables};
use crate::json::Budget;
use crate::url::{self, Parameters};

/// Methods of GraphQL over HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

impl Method {
    /// Parses a method; they are case-sensitive (RFC 9110 §9.1).
    ///
    /// # Errors
    /// 405 for every other method, `QUERY` and `OPTIONS` among them: a CORS
    /// preflight is for Envoy's `cors` filter, which runs before the guard.
    pub fn parse(method: &str) -> Result<Self, Deny> {
        match method {
            "GET" => Ok(Self::Get),
            "POST" => Ok(Self::Post),
            _ => Err(Deny::new(
                DenyCode::MethodNotAllowed,
                "method",
                "Use POST, or GET for queries.",
            )),
        }
    }
}

/// What of an HTTP request matters to GraphQL.
#[derive(Clone, Copy)]
pub struct RequestParts<'a> {
    /// Method.
    pub method: Method,
    /// Path and query, as in `:path`.
    pub target: &'a str,
    /// The whole body; empty for none.
    pub body: &'a [u8],
    /// The endpoint's path.
    pub endpoint: &'a str,
    /// Limits.
    pub limits: &'a Limits,
}

/// What a request names: a catalogued document, or a text of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content<'a> {
    /// An id.
    Id(DocumentId),
    /// A text. The allow-list never admits it; a guard that runs behind the
    /// allow-list recognises the canonical text by it.
    Text(Cow<'a, str>),
}

/// One operation to run.
#[derive(Debug)]
pub struct Request<'a> {
    /// What it names.
    pub content: Content<'a>,
    /// Which operation of the document.
    pub operation_name: Option<Cow<'a, str>>,
    /// Variables by name; the insides are checked JSON.
    pub variables: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A request, or why this item of a batch is none.
pub type Item<'a> = Result<Request<'a>, Deny>;

const MALFORMED: Deny = Deny::new(
    DenyCode::BadRequest,
    "json",
    "The body is one JSON object of GraphQL over HTTP, no key twice, within the limits.",
);
const CONFLICT: Deny = Deny::new(
    DenyCode::BadRequest,
    "url-and-body",
    "A GraphQL parameter may stand in the URL or in the body, not in both.",
);
const ID_REQUIRED: Deny = Deny::new(
    DenyCode::PersistedQueryIdRequired,
    "id-required",
    "Send the id of a catalogued operation; free text is not accepted.",
);
const ID_AND_TEXT: Deny = Deny::new(
    DenyCode::CannotSendPqIdAndBody,
    "id-and-text",
    "Send either an id or a text, not both.",
);
const IDS_DIFFER: Deny = Deny::new(
    DenyCode::CannotSendPqIdAndBody,
    "ids-differ",
    "The request names two different documents.",
);
const MALFORMED_ID: Deny = Deny::new(
    DenyCode::BadRequest,
    "id-malformed",
    "An id is `sha256:` and 64 lower-case hex digits, those digits alone, or a name of visible ASCII.",
);

/// Reads a request and hands each of its operations to `visit`, with whether
/// the request is a batch. (A visitor, because items borrow what the URL's
/// percent-decoding owns.)
///
/// # Errors
/// A [`Deny`] where the request as a whole is malformed.
pub fn decode<R>(
    parts: RequestParts<'_>,
    visit: impl FnOnce(bool, Vec<Item<'_>>) -> R,
) -> Result<R, Deny> {
    let budget = Budget::new(parts.limits);
    let (path, query) = url::split(parts.target);
    let path_id = url::document_id(path, parts.endpoint)?;
    let parameters = query
        .map(Parameters::parse)
        .transpose()?
        .unwrap_or_default();
    let from_url = parameters.fields(&budget).map_err(|_| MALFORMED)?;
    let text = std::str::from_utf8(parts.body).map_err(|_| MALFORMED)?;
    match (parts.method, text.is_empty()) {
        (Method::Get, false) => Err(Deny::new(
            DenyCode::BadRequest,
            "get-with-body",
            "A GET has no body; use POST.",
        )),
        (Method::Get, true) => {
            let item = request(from_url, path_id);
            Ok(visit(false, vec![item]))
        }
        // Nothing to rewrite: a filter cannot give a body to a request that
        // has none.
        (Method::Post, true) => Err(Deny::new(
            DenyCode::BadRequest,
            "post-without-body",
            "A POST has a body: `{}` at least.",
        )),
        (Method::Post, false) => {
            let raw: &RawValue = serde_json::from_str(text).map_err(|_| MALFORMED)?;
            if raw.get().starts_with('[') {
                if path_id.is_some() || query.is_some_and(|_| !is_empty(&from_url)) {
                    return Err(CONFLICT);
                }
                return Ok(visit(true, batch(raw, parts.limits, &budget)?));
            }
            let fields = Fields::from_json(raw, &budget).map_err(|_| MALFORMED)?;
            let fields = fields.join(from_url).ok_or(CONFLICT)?;
            let item = request(fields, path_id);
            Ok(visit(false, vec![item]))
        }
    }
}

fn is_empty(fields: &Fields<'_>) -> bool {
    let Fields {
        query,
        document_id,
        id,
        doc_id,
        operation_name,
        variables,
        sha256_hash,
    } = fields;
    [query, document_id, id, doc_id, operation_name, sha256_hash]
        .iter()
        .all(|field| field.is_none())
        && variables.is_none()
}

fn batch<'a>(raw: &'a RawValue, limits: &Limits, budget: &Budget) -> Result<Vec<Item<'a>>, Deny> {
    if limits.max_batch == 0 {
        return Err(Deny::new(
            DenyCode::BatchingNotEnabled,
            "batch-off",
            "Send one operation per request.",
        ));
    }
    let items: Vec<&'a RawValue> = serde_json::from_str(raw.get()).map_err(|_| MALFORMED)?;
    if items.is_empty() {
        return Err(Deny::new(
            DenyCode::BadRequest,
            "batch-empty",
            "The batch is empty.",
        ));
    }
    if items.len() > usize::from(limits.max_batch) {
        return Err(Deny::new(
            DenyCode::BatchLimitExceeded,
            "batch-limit",
            "The batch has more operations than allowed.",
        ));
    }
    let read = |raw| Fields::from_json(raw, budget).map(|fields| request(fields, None));
    items
        .into_iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|_| MALFORMED)
}

/// Brings the carriers of an id together.
fn request<'a>(fields: Fields<'a>, path_id: Option<&'a str>) -> Item<'a> {
    let Fields {
        query,
        document_id,
        id,
        doc_id,
        operation_name,
        variables,
        sha256_hash,
    } = fields;
    let path_id = path_id.map(Cow::Borrowed);
    let mut found: Option<DocumentId> = None;
    for carried in [sha256_hash, document_id, id, doc_id, path_id]
        .into_iter()
        .flatten()
    {
        let carried = DocumentId::parse(&carried).map_err(|_| MALFORMED_ID)?;
        match &found {
            Some(other) if *other != carried => return Err(IDS_DIFFER),
            _ => found = Some(carried),
        }
    }
    let content = match (found, query) {
        (Some(_), Some(_)) => return Err(ID_AND_TEXT),
        (Some(id), None) => Content::Id(id),
        (None, Some(text)) => Content::Text(text),
        (None, None) => return Err(ID_REQUIRED),
    };
    let variables: Variables<'a> = variables.unwrap_or_default();
    Ok(Request {
        content,
        operation_name,
        variables,
    })
}

impl Request<'_> {
    /// The id, where the request names one.
    ///
    /// # Errors
    /// 400 `PERSISTED_QUERY_ID_REQUIRED` for a text.
    pub fn id(&self) -> Result<&DocumentId, Deny> {
        match &self.content {
            Content::Id(id) => Ok(id),
            Content::Text(_) => Err(ID_REQUIRED),
        }
    }
}
