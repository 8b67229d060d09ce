//! What a list is asked for (RFC 7644 §3.4.2, §3.4.3, RFC 9865 §2).

use ig_scim::{Error, ErrorKind, Projection};
use serde_json::Value;

/// Resources of a page, if a client does not say.
pub(super) const DEFAULT_COUNT: i64 = 100;
/// Resources of a page, at most: `filter.maxResults`.
pub(super) const MAX_COUNT: i64 = 500;

/// A search.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Search {
    pub(super) filter: Option<String>,
    pub(super) sort_by: Option<String>,
    pub(super) is_descending: bool,
    /// The first one is 1.
    pub(super) start_index: i64,
    pub(super) count: i64,
    /// An empty one asks for the first page.
    pub(super) cursor: Option<String>,
    pub(super) projection: Projection,
}

/// What a search is made of, as text or JSON.
#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    cursor: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

fn value_error(name: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::InvalidValue,
        format!("`{name}`: expected {expected}"),
    )
}

impl Search {
    /// From the parameters of a URL. Others are not ours, and ignored.
    pub(super) fn of_url(parameters: &[(String, String)]) -> Result<Self, Error> {
        let mut raw = Raw::default();
        for (name, value) in parameters {
            let text = || Some(value.clone());
            let number = || {
                let number: Result<i64, _> = value.trim().parse();
                number.map(Some).map_err(|_| value_error(name, "a number"))
            };
            match name.as_str() {
                "filter" => raw.filter = text(),
                "sortBy" => raw.sort_by = text(),
                "sortOrder" => raw.sort_order = text(),
                "startIndex" => raw.start_index = number()?,
                "count" => raw.count = number()?,
                "cursor" => raw.cursor = text(),
                "attributes" => raw.attributes.extend(text()),
                "excludedAttributes" => raw.excluded.extend(text()),
                _ => {}
            }
        }
        Self::check(raw)
    }

    /// From the body of a POST to `/.search`.
    pub(super) fn of_body(body: &Value) -> Result<Self, Error> {
        let Value::Object(members) = body else {
            let detail = "a search is a JSON object";
            return Err(Error::new(ErrorKind::InvalidSyntax, detail));
        };
        let mut raw = Raw::default();
        for (name, value) in members {
            if value.is_null() {
                continue;
            }
            let text = || match value {
                Value::String(text) => Ok(Some(text.clone())),
                _ => Err(value_error(name, "a string")),
            };
            let number = || match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(value_error(name, "a whole number")),
            };
            let list = || match value {
                Value::String(text) => Ok(vec![text.clone()]),
                Value::Array(items) => {
                    let items = items
                        .iter()
                        .map(|item| item.as_str().map(ToOwned::to_owned));
                    let items: Option<Vec<_>> = items.collect();
                    items.ok_or_else(|| value_error(name, "a list of strings"))
                }
                _ => Err(value_error(name, "a list of strings")),
            };
            match name.as_str() {
                "filter" => raw.filter = text()?,
                "sortBy" => raw.sort_by = text()?,
                "sortOrder" => raw.sort_order = text()?,
                "startIndex" => raw.start_index = number()?,
                "count" => raw.count = number()?,
                "cursor" => raw.cursor = text()?,
                "attributes" => raw.attributes = list()?,
                "excludedAttributes" => raw.excluded = list()?,
                _ => {}
            }
        }
        Self::check(raw)
    }

    fn check(raw: Raw) -> Result<Self, Error> {
        let is_descending = match raw.sort_order.as_deref() {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => return Err(value_error("sortOrder", "ascending or descending")),
        };
        if raw.cursor.is_some() && raw.start_index.is_some() {
            return Err(value_error("cursor", "no startIndex beside it"));
        }
        Ok(Self {
            filter: raw.filter,
            is_descending: is_descending && raw.sort_by.is_some(),
            sort_by: raw.sort_by,
            start_index: raw.start_index.unwrap_or(1).max(1),
            count: raw.count.unwrap_or(DEFAULT_COUNT).clamp(0, MAX_COUNT),
            cursor: raw.cursor,
            projection: Projection::new(&raw.attributes, &raw.excluded)?,
        })
    }

    /// What the pages of one list have in common: a cursor is good for that.
    pub(super) fn identity(&self) -> String {
        format!(
            "{:?} {:?} {}",
            self.filter, self.sort_by, self.is_descending
        )
    }
}
