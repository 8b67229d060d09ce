//! PATCH (RFC 7644 §3.5.2), with what Entra ID, Okta and JumpCloud send.
//!
//! A request is read into steps, each with one target. Steps on the members of
//! a group are the caller's, which need not hold all of them in memory; the
//! others change a resource by [`apply`].

mod apply;
mod read;

pub use apply::apply;
pub use read::{claimed_tenants, read};

use serde_json::{Map, Value};

use crate::filter::Filter;
use crate::path::AttributePath;
use crate::schema::{Attribute, Schema};

/// Most operations of a request.
pub const MAX_OPERATIONS: usize = 100;
/// Most comparisons of a path's filter: each is made with every element, for
/// every operation. Members are not: they are found by the database.
pub const MAX_TERMS: usize = 16;

/// What is done with a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Add values, or set the only one.
    Add,
    /// Set values, whatever was there.
    Replace,
    /// Take values away.
    Remove,
}

/// One change of one target.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// With what.
    pub target: Target,
    /// The values, as they were sent; none takes all away.
    pub value: Option<Value>,
    /// The element that the target's filter describes, where it only says what
    /// is equal.
    described: Option<Map<String, Value>>,
}

/// What a path names.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// An attribute, or a part of one.
    Attribute(AttributePath),
    /// Elements of a list, or a part of each.
    Elements(AttributePath, Filter, Option<&'static Attribute>),
    /// All of an extension.
    Extension(&'static Schema),
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Target {
    /// Whether it is a group's members.
    pub fn is_members(&self) -> bool {
        match self {
            Self::Attribute(path) | Self::Elements(path, _, _) => {
                path.extension.is_none() && path.attribute.name == "members"
            }
            Self::Extension(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
