//! Lists in pages. A cursor is opaque to callers; it names the last entry of
//! the page before, so that entries which come and go move nothing.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;

const DEFAULT: u32 = 100;
const MAX: u32 = 1000;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
    /// Entries of a page: 100 by default, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<i64, ApiError> {
        match self.limit.unwrap_or(DEFAULT) {
            limit @ 1..=MAX => Ok(i64::from(limit)),
            _ => Err(ApiError::invalid(format!("limit: 1 to {MAX}"))),
        }
    }

    /// The cursor of a list that is numbered, the last first.
    pub(crate) fn before(&self) -> Result<i64, ApiError> {
        match &self.cursor {
            None => Ok(i64::MAX),
            Some(cursor) => cursor
                .parse()
                .map_err(|_| ApiError::invalid("cursor: not one of this list")),
        }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Cursor of the next page, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// A page that was asked for with `limit`.
    pub(crate) fn new(items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let is_full = i64::try_from(items.len()).is_ok_and(|count| count >= limit);
        let next = items.last().filter(|_| is_full).map(cursor);
        Self { items, next }
    }
}
