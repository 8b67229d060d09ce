//! JSON as no serialiser writes it: odd spaces, needless escapes.

use proptest::prelude::*;
use serde_json::Value;

pub(super) fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has no NaN", |number| {
            serde_json::Number::from_f64(number).map(Value::from)
        }),
        any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object(inner, 0..12).prop_map(Value::from),
        ]
    })
}

fn object(
    values: impl Strategy<Value = Value>,
    size: std::ops::Range<usize>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let key = prop_oneof!["[a-d]{0,2}", any::<String>()];
    prop::collection::btree_map(key, values, size).prop_map(|members| members.into_iter().collect())
}

/// Variables: names of which some are declared.
pub(super) fn variables() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    object(value(), 0..8)
}

/// Writes JSON in a style drawn from `noise`.
pub(super) struct Writer<'a> {
    noise: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    /// The object, counted as written, in which a key occurs twice.
    twice: Option<usize>,
    objects: usize,
    out: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(noise: &'a [u8]) -> Self {
        Self {
            noise: noise.iter().cycle(),
            twice: None,
            objects: 0,
            out: String::new(),
        }
    }

    /// Writes a key of one object twice; `false` if there is none to write.
    pub(super) fn twice(mut self, value: &Value, pick: prop::sample::Index) -> Option<String> {
        let objects = count_objects(value);
        self.twice = Some(pick.index(objects.max(1)));
        (objects > 0).then(|| self.write(value))
    }

    pub(super) fn write(mut self, value: &Value) -> String {
        self.value(value);
        self.out
    }

    fn draw(&mut self) -> u8 {
        self.noise.next().copied().unwrap_or_default()
    }

    fn space(&mut self) {
        let spaces = ["", "", " ", "\n\t", "\r"];
        let pick = usize::from(self.draw()) % spaces.len();
        self.out.push_str(spaces[pick]);
    }

    fn value(&mut self, value: &Value) {
        self.space();
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.value(item);
                }
                self.space();
                self.out.push(']');
            }
            Value::Object(members) => {
                let is_twice = self.twice == Some(self.objects) && !members.is_empty();
                self.objects += usize::from(!members.is_empty());
                self.out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.space();
                    self.text(key);
                    self.space();
                    self.out.push(':');
                    self.value(value);
                }
                if let (true, Some(key)) = (is_twice, members.keys().next()) {
                    self.out.push(',');
                    self.text(key);
                    self.out.push_str(":0");
                }
                self.space();
                self.out.push('}');
            }
            scalar => self.out.push_str(&scalar.to_string()),
        }
        self.space();
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let is_special = character < ' ' || ['"', '\\'].contains(&character);
            if is_special || self.draw().is_multiple_of(4) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }
}

fn count_objects(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_objects).sum(),
        Value::Object(members) => {
            members.values().map(count_objects).sum::<usize>() + usize::from(!members.is_empty())
        }
        _ => 0,
    }
}
