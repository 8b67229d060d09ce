//! The members of a GraphQL request, wherever they stood: body or URL.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Budget, Keys};

/// Variables by name, as raw JSON whose insides have been checked.
pub(crate) type Variables<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Members as they stood. Absent, `null` and `""` are the same, everywhere.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) query: Option<Cow<'a, str>>,
    pub(crate) document_id: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) doc_id: Option<Cow<'a, str>>,
    pub(crate) operation_name: Option<Cow<'a, str>>,
    pub(crate) variables: Option<Variables<'a>>,
    pub(crate) sha256_hash: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Joins members of the URL and of the body; `None` if both have one.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        fn one<T>(left: Option<T>, right: Option<T>) -> Option<Option<T>> {
            match (left, right) {
                (Some(_), Some(_)) => None,
                (left, right) => Some(left.or(right)),
            }
        }
        Some(Self {
            query: one(self.query, other.query)?,
            document_id: one(self.document_id, other.document_id)?,
            id: one(self.id, other.id)?,
            doc_id: one(self.doc_id, other.doc_id)?,
            operation_name: one(self.operation_name, other.operation_name)?,
            variables: one(self.variables, other.variables)?,
            sha256_hash: one(self.sha256_hash, other.sha256_hash)?,
        })
    }

    /// Reads one JSON object.
    pub(crate) fn from_json(raw: &'a RawValue, budget: &Budget) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        deserializer.deserialize_map(RequestVisitor { budget })
    }

    pub(crate) fn set_variables(
        &mut self,
        raw: &'a RawValue,
        budget: &Budget,
    ) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        self.variables = deserializer.deserialize_option(VariablesVisitor { budget })?;
        Ok(())
    }

    pub(crate) fn set_extensions(
        &mut self,
        raw: &'a RawValue,
        budget: &Budget,
    ) -> Result<(), serde_json::Error> {
        budget.check(raw)?;
        let Some(extensions) = object(raw)? else {
            return Ok(());
        };
        let Some(raw) = extensions.get("persistedQuery") else {
            return Ok(());
        };
        let Some(persisted_query) = object(raw)? else {
            return Ok(());
        };
        // Present but malformed is an error, never "no id".
        let member = |name: &'static str| {
            persisted_query
                .get(name)
                .copied()
                .ok_or_else(|| serde_json::Error::missing_field(name))
        };
        if serde_json::from_str::<u64>(member("version")?.get())? != 1 {
            return Err(serde_json::Error::custom(
                "persistedQuery has version 1 only",
            ));
        }
        let Text(hash) = serde_json::from_str(member("sha256Hash")?.get())?;
        self.sha256_hash = Some(hash);
        Ok(())
    }
}

/// The members of an object whose insides have been checked; `None` for null.
/// (A derived struct would read an array as well.)
fn object(raw: &RawValue) -> Result<Option<BTreeMap<Cow<'_, str>, &RawValue>>, serde_json::Error> {
    serde_json::from_str(raw.get())
}

struct RequestVisitor<'b> {
    budget: &'b Budget,
}

impl<'de> Visitor<'de> for RequestVisitor<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut keys = Keys::default();
        while let Some(Text(key)) = members.next_key()? {
            match &*key {
                "query" => fields.query = text(&mut members)?,
                "documentId" => fields.document_id = text(&mut members)?,
                "id" => fields.id = text(&mut members)?,
                "doc_id" => fields.doc_id = text(&mut members)?,
                "operationName" => fields.operation_name = text(&mut members)?,
                "variables" => {
                    let raw: &RawValue = members.next_value()?;
                    fields
                        .set_variables(raw, self.budget)
                        .map_err(Error::custom)?;
                }
                "extensions" => {
                    let raw: &RawValue = members.next_value()?;
                    fields
                        .set_extensions(raw, self.budget)
                        .map_err(Error::custom)?;
                }
                // "Implementations MUST ignore": dropped, never forwarded. That
                // includes `Query`, which some upstreams take for `query`.
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            keys.insert(key.into_owned())?;
        }
        Ok(fields)
    }
}

fn text<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let text: Option<Text<'de>> = members.next_value()?;
    Ok(text.map(|Text(text)| text).filter(|text| !text.is_empty()))
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct VariablesVisitor<'b> {
    budget: &'b Budget,
}

impl<'de> Visitor<'de> for VariablesVisitor<'_> {
    type Value = Option<Variables<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of variables or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut variables = Variables::new();
        let mut keys = Keys::default();
        while let Some(Text(name)) = members.next_key()? {
            let raw: &RawValue = members.next_value()?;
            self.budget.check(raw).map_err(Error::custom)?;
            keys.insert(name.clone().into_owned())?;
            variables.push((name, raw));
        }
        Ok(Some(variables))
    }
}
