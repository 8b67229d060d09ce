//! The grammar, without a word about attributes.

use serde_json::Value;

use super::value::Comparison;
use super::{MAX_BYTES, MAX_DEPTH, MAX_TERMS, invalid};
use crate::error::Error;

/// A filter as it is written.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Raw {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// `None`: it is present.
    Test(String, Option<(Comparison, RawValue)>),
    Element(String, Box<Self>),
}

impl Raw {
    /// Every attribute that is named outside of brackets.
    pub(crate) fn paths(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::And(parts) | Self::Or(parts) => Box::new(parts.iter().flat_map(Self::paths)),
            Self::Not(part) => part.paths(),
            Self::Test(path, _) | Self::Element(path, _) => {
                Box::new(std::iter::once(path.as_str()))
            }
        }
    }
}

/// A literal as it is written: anything of JSON but lists and objects.
pub(crate) type RawValue = Value;

/// A reader of filters and of the paths of PATCH.
pub(crate) struct Parser<'a> {
    rest: &'a str,
    length: usize,
    depth: usize,
    terms: usize,
}

/// The name, and nothing but that: what `ATTRNAME` and a URN are made of.
pub(crate) fn name(text: &str) -> (&str, &str) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:$".contains(&byte);
    let end = text.bytes().position(|byte| !is_part(byte));
    text.split_at(end.unwrap_or(text.len()))
}

impl<'a> Parser<'a> {
    /// Reads all of a filter.
    pub(crate) fn whole(text: &'a str) -> Result<Raw, Error> {
        let mut parser = Self::new(text)?;
        let filter = parser.any()?;
        parser.space();
        match parser.rest.is_empty() {
            true => Ok(filter),
            false => Err(parser.expected("the end")),
        }
    }

    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(invalid(format!("a filter has at most {MAX_BYTES} bytes")));
        }
        Ok(Self {
            rest: text,
            length: text.len(),
            depth: 0,
            terms: 0,
        })
    }

    /// Reads the inside of brackets up to the one that closes; what is left is
    /// the caller's.
    pub(crate) fn brackets(text: &'a str) -> Result<(Raw, &'a str), Error> {
        let mut parser = Self::new(text)?;
        let filter = parser.nested(']')?;
        Ok((filter, parser.rest))
    }

    fn expected(&self, what: &str) -> Error {
        let at = self.length - self.rest.len();
        invalid(format!("at byte {at}: expected {what}"))
    }

    fn space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        before != self.rest.len()
    }

    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word if it stands here alone. Words are not case-sensitive.
    fn word(&mut self, word: &str) -> bool {
        let (found, rest) = name(self.rest);
        let is = found.eq_ignore_ascii_case(word);
        if is {
            self.rest = rest;
        }
        is
    }

    /// Takes a word between two operands.
    fn between(&mut self, word: &str) -> bool {
        let before = self.rest;
        let is = self.space() && self.word(word) && (self.space() || self.rest.starts_with('('));
        if !is {
            self.rest = before;
        }
        is
    }

    fn any(&mut self) -> Result<Raw, Error> {
        let mut parts = vec![self.every()?];
        while self.between("or") {
            parts.push(self.every()?);
        }
        Ok(one_or(parts, Raw::Or))
    }

    fn every(&mut self) -> Result<Raw, Error> {
        let mut parts = vec![self.one()?];
        while self.between("and") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Raw::And))
    }

    fn nested(&mut self, end: char) -> Result<Raw, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid(format!("deeper than {MAX_DEPTH} levels")));
        }
        let filter = self.any()?;
        self.space();
        if !self.take(end) {
            return Err(self.expected(&format!("`{end}`")));
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn one(&mut self) -> Result<Raw, Error> {
        self.space();
        if self.take('(') {
            return self.nested(')');
        }
        let before = self.rest;
        if self.word("not") {
            self.space();
            if self.take('(') {
                return Ok(Raw::Not(Box::new(self.nested(')')?)));
            }
            self.rest = before;
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(invalid(format!("more than {MAX_TERMS} comparisons")));
        }
        let (path, rest) = name(self.rest);
        if !path.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$') {
            return Err(self.expected("the name of an attribute"));
        }
        self.rest = rest;
        if !self.take('[') {
            return Ok(Raw::Test(path.to_owned(), self.test()?));
        }
        let mut inner = self.nested(']')?;
        if self.take('.') {
            let (sub, rest) = name(self.rest);
            self.rest = rest;
            let last = Raw::Test(sub.to_owned(), self.test()?);
            inner = Raw::And(vec![inner, last]);
        }
        Ok(Raw::Element(path.to_owned(), Box::new(inner)))
    }

    fn test(&mut self) -> Result<Option<(Comparison, RawValue)>, Error> {
        if !self.space() {
            return Err(self.expected("a space and an operator"));
        }
        if self.word("pr") {
            return Ok(None);
        }
        let found = Comparison::ALL
            .into_iter()
            .find(|comparison| self.word(comparison.as_str()));
        let comparison = found.ok_or_else(|| {
            self.expected("an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr")
        })?;
        if !self.space() {
            return Err(self.expected("a space and a value"));
        }
        Ok(Some((comparison, self.literal()?)))
    }

    fn literal(&mut self) -> Result<RawValue, Error> {
        let (literal, rest) = match end_of_string(self.rest) {
            Some(end) => self.rest.split_at(end),
            None => word(self.rest),
        };
        let value = match literal.starts_with('"') {
            true => serde_json::from_str(literal),
            // Entra ID writes `True`.
            false => serde_json::from_str(&literal.to_ascii_lowercase()),
        };
        let value = value.map_err(|_| self.expected("a value; strings stand in double quotes"))?;
        self.rest = rest;
        Ok(value)
    }
}

/// Where the string that the text begins with ends.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let mut bytes = text.strip_prefix('"')?.bytes();
    let length = bytes.position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some(length + 2)
}

/// A number, `true`, `false` or `null`, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let end = text.bytes().position(|byte| !is_part(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn one_or(mut parts: Vec<Raw>, many: impl FnOnce(Vec<Raw>) -> Raw) -> Raw {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            parts.push(last);
            many(parts)
        }
        (None, _) => many(parts),
    }
}
