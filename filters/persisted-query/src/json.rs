//! JSON with the rules parsers disagree about made errors: a key twice, a
//! number no float holds, a lone surrogate, bottomless nesting.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What one request may still spend.
pub(crate) struct Budget {
    max_depth: u16,
    values_left: Cell<u32>,
}

impl Budget {
    pub(crate) fn new(limits: &ig_contract::snapshot::Limits) -> Self {
        Self {
            max_depth: limits.max_depth,
            values_left: Cell::new(limits.max_values),
        }
    }

    fn spend<E: Error>(&self) -> Result<(), E> {
        let left = self.values_left.get().checked_sub(1);
        self.values_left
            .set(left.ok_or_else(|| E::custom("too many values"))?);
        Ok(())
    }

    /// Reads `raw` to its end and keeps nothing.
    pub(crate) fn check(&self, raw: &RawValue) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        Check {
            budget: self,
            depth: 1,
        }
        .deserialize(&mut deserializer)
    }
}

struct Check<'b> {
    budget: &'b Budget,
    depth: u16,
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.budget.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl Check<'_> {
    fn below<E: Error>(&self) -> Result<u16, E> {
        match self.depth < self.budget.max_depth {
            true => Ok(self.depth + 1),
            false => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = self.below()?;
        while items
            .next_element_seed(Check {
                budget: self.budget,
                depth,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = self.below()?;
        let mut keys = Keys::default();
        while let Some(key) = members.next_key::<String>()? {
            keys.insert(key)?;
            members.next_value_seed(Check {
                budget: self.budget,
                depth,
            })?;
        }
        Ok(())
    }
}

/// The keys of one object so far.
#[derive(Default)]
pub(crate) struct Keys {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Keys {
    /// Small objects are compared key by key; larger ones are hashed, so that
    /// an object of 10,000 keys does not cost their square.
    const FEW: usize = 8;

    pub(crate) fn insert<E: Error>(&mut self, key: String) -> Result<(), E> {
        let twice = self.few.contains(&key) || self.many.contains(&key);
        if twice {
            return Err(E::custom("a key occurs twice in one object"));
        }
        if self.few.len() < Self::FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}
