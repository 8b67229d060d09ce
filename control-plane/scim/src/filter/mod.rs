//! Filters (RFC 7644 §3.4.2.2): text → typed tree on the attributes of a
//! resource type. Beside the RFC's grammar it takes what Entra ID sends,
//! `emails[type eq "work"].value eq "…"`.

mod element;
mod parse;
mod value;

pub use element::matches;
pub use value::{Comparison, Literal, fold};

use crate::error::{Error, ErrorKind};
use crate::path::AttributePath;
use crate::schema::{Kind, ResourceType};

pub(crate) use parse::{Parser, Raw, name};

/// Longest filter, in bytes.
pub const MAX_BYTES: usize = 8192;
/// Deepest nesting of parentheses and brackets.
pub const MAX_DEPTH: usize = 16;
/// Most comparisons; a client may ask for a batch of ids with `or`.
pub const MAX_TERMS: usize = 256;

/// A filter.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    /// All of them.
    And(Vec<Self>),
    /// Any of them.
    Or(Vec<Self>),
    /// Not this one.
    Not(Box<Self>),
    /// A comparison.
    Test(Test),
    /// One element of a list for which all of this holds.
    Element(AttributePath, Box<Self>),
    /// The attribute is not one of this resource type, another one has it.
    Nothing,
}

/// A comparison.
#[derive(Clone, PartialEq, Debug)]
pub struct Test {
    /// What is compared.
    pub path: AttributePath,
    /// How, and with what.
    pub condition: Condition,
}

/// How, and with what.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// It has a value.
    Present,
    /// It compares so with the literal.
    Compare(Comparison, Literal),
}

impl Filter {
    /// Reads a filter on resources of a type.
    ///
    /// # Errors
    /// `invalidFilter`, also for attributes that there are not: what a caller
    /// may not see, it cannot ask about.
    pub fn parse(of: ResourceType, text: &str) -> Result<Self, Error> {
        let raw = Parser::whole(text)?;
        resolve::filter(of, &raw, false)
    }

    /// Reads a filter on resources of any type: where only one type has an
    /// attribute, the others never match.
    ///
    /// # Errors
    /// `invalidFilter`
    pub fn parse_for_all(text: &str) -> Result<Vec<(ResourceType, Self)>, Error> {
        let raw = Parser::whole(text)?;
        if let Some(path) = raw.paths().find(|path| {
            let mut all = ResourceType::ALL.into_iter();
            all.all(|of| AttributePath::parse(of, path).is_none())
        }) {
            return Err(resolve::unknown(path));
        }
        let all = ResourceType::ALL.into_iter();
        all.map(|of| Ok((of, resolve::filter(of, &raw, true)?)))
            .collect()
    }
}

pub(crate) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidFilter, detail)
}

pub(crate) mod resolve {
    //! From names to attributes.

    use super::parse::{Raw, RawValue};
    use super::{
        AttributePath, Comparison, Condition, Error, Filter, Kind, Literal, ResourceType, Test,
        invalid,
    };

    /// Where only other types may have an attribute, a comparison with it never
    /// holds (RFC 7644 §3.4.2.1).
    pub(crate) fn filter(of: ResourceType, raw: &Raw, others: bool) -> Result<Filter, Error> {
        Ok(match raw {
            Raw::And(parts) => Filter::And(all(parts, |part| filter(of, part, others))?),
            Raw::Or(parts) => Filter::Or(all(parts, |part| filter(of, part, others))?),
            Raw::Not(part) => Filter::Not(Box::new(filter(of, part, others)?)),
            Raw::Test(path, _) | Raw::Element(path, _) => match AttributePath::parse(of, path) {
                None if others => Filter::Nothing,
                None => return Err(unknown(path)),
                Some(found) => leaf(found, raw)?,
            },
        })
    }

    fn leaf(of: AttributePath, raw: &Raw) -> Result<Filter, Error> {
        match raw {
            Raw::Element(_, part) => {
                if !of.attribute.is_multi_valued {
                    return Err(invalid(format!("`{}` is no list", of.key())));
                }
                Ok(Filter::Element(of, Box::new(element(of, part)?)))
            }
            Raw::Test(_, test) => Ok(Filter::Test(condition(of, test)?)),
            Raw::And(_) | Raw::Or(_) | Raw::Not(_) => Ok(Filter::Nothing),
        }
    }

    pub(crate) fn unknown(path: &str) -> Error {
        invalid(format!("no attribute `{path}`"))
    }

    /// Inside of brackets names are those of sub-attributes.
    pub(crate) fn element(of: AttributePath, raw: &Raw) -> Result<Filter, Error> {
        if of.attribute.kind != Kind::Complex || of.sub_attribute.is_some() {
            return Err(invalid(format!("`{}` has no parts to ask for", of.key())));
        }
        Ok(match raw {
            Raw::And(parts) => Filter::And(all(parts, |part| element(of, part))?),
            Raw::Or(parts) => Filter::Or(all(parts, |part| element(of, part))?),
            Raw::Not(part) => Filter::Not(Box::new(element(of, part)?)),
            Raw::Test(name, test) => {
                let sub = of.attribute.sub_attribute(name);
                let sub = sub.ok_or_else(|| invalid(format!("`{}` has no `{name}`", of.key())))?;
                Filter::Test(condition(of.with(sub), test)?)
            }
            Raw::Element(..) => return Err(invalid("brackets inside of brackets")),
        })
    }

    fn all(
        parts: &[Raw],
        one: impl Fn(&Raw) -> Result<Filter, Error>,
    ) -> Result<Vec<Filter>, Error> {
        parts.iter().map(one).collect()
    }

    fn condition(
        path: AttributePath,
        test: &Option<(Comparison, RawValue)>,
    ) -> Result<Test, Error> {
        let Some((comparison, value)) = test else {
            let condition = Condition::Present;
            return Ok(Test { path, condition });
        };
        // A complex attribute is compared by its `value`.
        let path = match (path.leaf().kind, path.sub_attribute) {
            (Kind::Complex, None) => {
                let value = path.attribute.sub_attribute("value");
                let value = value.filter(|value| value.kind != Kind::Complex);
                path.with(value.ok_or_else(|| {
                    invalid(format!("`{}` is complex; compare a part of it", path.key()))
                })?)
            }
            _ => path,
        };
        let literal = Literal::of(path.leaf(), *comparison, value)?;
        let condition = Condition::Compare(*comparison, literal);
        Ok(Test { path, condition })
    }
}

#[cfg(test)]
mod tests;
