use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::build::{Builder, Item};
use super::{Catalogue, Claim, InvalidCatalogue};
use crate::Reason;

/// Members of an object, or pairs of an array, with repetitions: a map would
/// keep the last of them and not tell.
pub(super) struct Pairs<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of ids and texts, or an array of such pairs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = items.next_element()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

pub(super) fn parse(json: &str) -> Result<Catalogue, InvalidCatalogue> {
    let Pairs(pairs) = serde_json::from_str(json)?;
    let mut builder = Builder::default();
    for (id, text) in pairs {
        let claim = Claim {
            name: None,
            kind: None,
        };
        match serde_json::from_str(text.get()) {
            Ok(text) => builder.add(Item {
                id: Some(id),
                text,
                client: None,
                claim,
                origin: None,
            }),
            Err(_) => builder.reject(Some(id), None, Reason::new("the text is not a string")),
        }
    }
    Ok(builder.finish())
}
