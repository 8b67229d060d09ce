//! in-toto Statements, version 1: what is said about which files.

use serde_json::{Map, Value, json};

use crate::Sha256;
use crate::json::{self, Node};

/// What a statement says it is.
pub const TYPE: &str = "https://in-toto.io/Statement/v1";
/// The payload's type in a DSSE envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The most bytes of a statement.
pub const MAX_BYTES: usize = crate::dsse::MAX_PAYLOAD_BYTES;
/// The most subjects of a statement.
pub const MAX_SUBJECTS: usize = 100_000;

/// A file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// What it is called; may be empty, and need not be where it lies.
    pub name: String,
    /// Of its bytes.
    pub sha256: Sha256,
}

impl Subject {
    /// Of the bytes of a file.
    #[must_use]
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            sha256: Sha256::of(bytes),
        }
    }
}

/// A statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    subjects: Vec<Subject>,
    predicate_type: String,
    predicate: Map<String, Value>,
}

/// Why something is no statement.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON of one.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// Another type.
    #[error("_type is not {TYPE}")]
    Type,
    /// None, or too many.
    #[error("{0} subjects; there are 1 to {MAX_SUBJECTS}")]
    Subjects(usize),
    /// A digest that is none.
    #[error("{at} is not 64 lower-case hexadecimal digits")]
    Digest {
        /// Where.
        at: String,
    },
    /// A number that other readers of JSON would round.
    #[error("the predicate has a number that is not exactly a double")]
    Number,
}

impl Statement {
    /// A statement about these files.
    ///
    /// # Errors
    /// For what [`Statement::parse`] would refuse, and for integers beyond 2^53:
    /// RFC 8785 rounds them, and what is signed would not be what was said.
    pub fn new(
        subjects: Vec<Subject>,
        predicate_type: impl Into<String>,
        predicate: Map<String, Value>,
    ) -> Result<Self, Error> {
        if !predicate.values().all(is_exact) {
            return Err(Error::Number);
        }
        let statement = Self {
            subjects,
            predicate_type: predicate_type.into(),
            predicate,
        };
        Self::parse(&statement.to_bytes())
    }

    /// Reads a statement. The specification asks readers to ignore members that
    /// they do not know; so does this, as the only reader here.
    ///
    /// # Errors
    /// For anything that is not one, and for a name that is in an object twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut statement = json::read(bytes, MAX_BYTES)?.object()?;
        if statement.required("_type")?.string()? != TYPE {
            return Err(Error::Type);
        }
        let nodes = statement.required("subject")?.array()?;
        if nodes.is_empty() || nodes.len() > MAX_SUBJECTS {
            return Err(Error::Subjects(nodes.len()));
        }
        let subjects = nodes.into_iter().map(subject);
        let subjects = subjects.collect::<Result<_, _>>()?;
        let predicate_type = statement.required("predicateType")?.name()?;
        let predicate = match statement.optional("predicate") {
            Some(predicate) => predicate.object()?.into_members(),
            None => Map::new(),
        };
        Ok(Self {
            subjects,
            predicate_type,
            predicate,
        })
    }

    /// Reads what is to be said: the JSON of an object, with each name once.
    ///
    /// # Errors
    /// For anything else.
    pub fn read_predicate(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
        let predicate = json::read(bytes, MAX_BYTES)?.object()?;
        Ok(predicate.into_members())
    }

    /// As canonical JSON (RFC 8785): what is to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let subject = |subject: &Subject| {
            let digest = json!({"sha256": subject.sha256.to_string()});
            json!({"name": subject.name, "digest": digest})
        };
        json::canonical(&json!({
            "_type": TYPE,
            "subject": self.subjects.iter().map(subject).collect::<Vec<_>>(),
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }))
    }

    /// The files.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// What kind of thing is said: a URI.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// What is said.
    #[must_use]
    pub fn predicate(&self) -> &Map<String, Value> {
        &self.predicate
    }
}

fn subject(node: Node) -> Result<Subject, Error> {
    let mut subject = node.object()?;
    let name = subject.optional("name").map(Node::string).transpose()?;
    let mut digest = subject.required("digest")?.object()?;
    let sha256 = digest.required("sha256")?;
    let at = sha256.at().to_owned();
    let sha256 = Sha256::from_hex(&sha256.string()?).ok_or(Error::Digest { at })?;
    Ok(Subject {
        name: name.unwrap_or_default(),
        sha256,
    })
}

fn is_exact(value: &Value) -> bool {
    const MOST: u64 = 1 << 53;
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number <= MOST,
            (None, Some(number)) => number.unsigned_abs() <= MOST,
            (None, None) => true,
        },
        Value::Array(all) => all.iter().all(is_exact),
        Value::Object(all) => all.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}
