//! The record of facts against GraphQL's own coercion: whatever values reach
//! annotated places at run time, the record gives exactly these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ig_contract::snapshot::{Fact, FactSource, PathStep};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{operation, schema};

/// An input type of the test's schema.
enum Ty {
    Leaf,
    List(Box<Ty>),
    Object(&'static str, Vec<Field>),
}

/// An argument or input field of the test's schema.
struct Field {
    name: &'static str,
    ty: Ty,
    default: Option<Json>,
    fact: Option<&'static str>,
}

fn field(name: &'static str, ty: Ty, default: Option<Json>, fact: Option<&'static str>) -> Field {
    Field {
        name,
        ty,
        default,
        fact,
    }
}

fn list(ty: Ty) -> Ty {
    Ty::List(Box::new(ty))
}

fn leaf() -> Ty {
    Ty::Object(
        "Leaf",
        vec![
            field("id", Ty::Leaf, None, Some("leaf")),
            field("tag", Ty::Leaf, Some(json!("t")), Some("tag")),
            field("plain", Ty::Leaf, None, None),
        ],
    )
}

fn mid() -> Ty {
    let default = json!({"id": "d"});
    Ty::Object(
        "Mid",
        vec![
            field("leaf", leaf(), None, None),
            field("leaves", list(leaf()), Some(json!([{"id": "l"}, {}])), None),
            field("def", leaf(), Some(default), None),
            field("names", list(Ty::Leaf), Some(json!(["n"])), Some("name")),
        ],
    )
}

fn arguments() -> Vec<Field> {
    vec![
        field("id", Ty::Leaf, None, Some("id")),
        field("size", Ty::Leaf, Some(json!("s")), Some("size")),
        field("ids", list(Ty::Leaf), None, Some("id")),
        field(
            "grid",
            list(list(Ty::Leaf)),
            Some(json!([["g"], null])),
            Some("grid"),
        ),
        field("leaf", leaf(), None, None),
        field("mid", mid(), Some(json!({"leaf": null})), None),
        field("mids", list(list(mid())), None, None),
    ]
}

impl Ty {
    fn sdl(&self) -> String {
        match self {
            Self::Leaf => "String".to_owned(),
            Self::List(item) => format!("[{}]", item.sdl()),
            Self::Object(name, _) => (*name).to_owned(),
        }
    }
}

/// A JSON value as a GraphQL literal.
fn literal(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", literal(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn sdl() -> String {
    let fields = |fields: &[Field]| {
        let mut shown = String::new();
        for Field {
            name,
            ty,
            default,
            fact,
        } in fields
        {
            let _ = write!(shown, " {name}: {}", ty.sdl());
            if let Some(default) = default {
                let _ = write!(shown, " = {}", literal(default));
            }
            if let Some(fact) = fact {
                let _ = write!(shown, " @fact(name: \"{fact}\")");
            }
        }
        shown
    };
    let mut sdl = format!("type Query {{ f({}): Int }}", fields(&arguments()));
    for ty in [leaf(), mid()] {
        if let Ty::Object(name, members) = ty {
            let _ = write!(sdl, " input {name} {{ {} }}", fields(&members));
        }
    }
    sdl
}

/// Choices, taken from random bytes.
struct Dice(std::vec::IntoIter<u8>);

impl Dice {
    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().unwrap_or(0) % sides
    }

    /// A request's value of type `ty`, in every form that coercion takes.
    fn json(&mut self, ty: &Ty) -> Json {
        if self.roll(6) == 0 {
            return Json::Null;
        }
        match ty {
            Ty::Leaf => json!(format!("v{}", self.roll(50))),
            // One item without its list.
            Ty::List(item) if self.roll(4) == 0 => self.json(item),
            Ty::List(item) => (0..self.roll(4)).map(|_| self.json(item)).collect(),
            Ty::Object(_, fields) => {
                let mut members = Map::new();
                for field in fields {
                    if self.roll(2) == 0 {
                        members.insert(field.name.to_owned(), self.json(&field.ty));
                    }
                }
                Json::Object(members)
            }
        }
    }
}

/// A document under construction, and the request's variables.
struct Draft {
    dice: Dice,
    declared: Vec<String>,
    given: BTreeMap<String, Json>,
}

/// What arrives: nothing, or a coerced value.
type Arrived = Option<Json>;

impl Draft {
    /// Writes a value where `ty` is expected, and says what arrives there.
    fn value(&mut self, ty: &Ty) -> (String, Arrived) {
        match (self.dice.roll(5), ty) {
            (0, _) => self.variable(ty),
            (1, _) => ("null".to_owned(), Some(Json::Null)),
            (_, Ty::Leaf) => {
                let value = self.dice.json(&Ty::Leaf);
                (literal(&value), Some(value))
            }
            (_, Ty::List(item)) => {
                let (mut items, mut arrived) = (Vec::new(), Vec::new());
                for _ in 0..self.dice.roll(4) {
                    let (text, value) = self.value(item);
                    items.push(text);
                    arrived.push(value.unwrap_or(Json::Null));
                }
                (
                    format!("[{}]", items.join(", ")),
                    Some(Json::Array(arrived)),
                )
            }
            (_, Ty::Object(_, fields)) => {
                let (members, arrived) = self.fields(fields);
                let members = format!("{{{}}}", members.join(", "));
                (members, Some(Json::Object(arrived)))
            }
        }
    }

    fn fields(&mut self, fields: &[Field]) -> (Vec<String>, Map<String, Json>) {
        let (mut members, mut arrived) = (Vec::new(), Map::new());
        for field in fields {
            let mut value = None;
            if self.dice.roll(3) > 0 {
                let (text, given) = self.value(&field.ty);
                members.push(format!("{}: {text}", field.name));
                value = given;
            }
            let default = || {
                field
                    .default
                    .as_ref()
                    .map(|default| coerce(&field.ty, default))
            };
            if let Some(value) = value.or_else(default) {
                arrived.insert(field.name.to_owned(), value);
            }
        }
        (members, arrived)
    }

    fn variable(&mut self, ty: &Ty) -> (String, Arrived) {
        let name = format!("v{}", self.declared.len());
        let mut declaration = format!("${name}: {}", ty.sdl());
        let mut arrived = None;
        if self.dice.roll(2) == 0 {
            let default = self.dice.json(ty);
            let _ = write!(declaration, " = {}", literal(&default));
            arrived = Some(coerce(ty, &default));
        }
        if self.dice.roll(3) > 0 {
            let given = self.dice.json(ty);
            arrived = Some(coerce(ty, &given));
            self.given.insert(name.clone(), given);
        }
        self.declared.push(declaration);
        (format!("${name}"), arrived)
    }
}

/// GraphQL's input coercion.
fn coerce(ty: &Ty, value: &Json) -> Json {
    match (ty, value) {
        (_, Json::Null) | (Ty::Leaf, _) => value.clone(),
        (Ty::List(item), Json::Array(items)) => {
            items.iter().map(|value| coerce(item, value)).collect()
        }
        (Ty::List(item), value) => json!([coerce(item, value)]),
        (Ty::Object(_, fields), value) => {
            let mut members = Map::new();
            for field in fields {
                if let Some(value) = value.get(field.name).or(field.default.as_ref()) {
                    members.insert(field.name.to_owned(), coerce(&field.ty, value));
                }
            }
            Json::Object(members)
        }
    }
}

type Values = BTreeSet<(String, String)>;

/// Values at annotated places.
fn arrive(field: &Field, ty: &Ty, value: &Json, values: &mut Values) {
    match (ty, value) {
        (Ty::List(item), Json::Array(items)) => {
            for value in items {
                arrive(field, item, value, values);
            }
        }
        (Ty::Object(_, fields), Json::Object(members)) => {
            for field in fields {
                if let Some(value) = members.get(field.name) {
                    arrive(field, &field.ty, value, values);
                }
            }
        }
        (_, value) => {
            if let Some(fact) = field.fact {
                values.insert((fact.to_owned(), value.to_string()));
            }
        }
    }
}

/// Values that the record gives.
fn recorded(facts: &[Fact], given: &BTreeMap<String, Json>) -> Values {
    let parse = |text: &String| serde_json::from_str::<Json>(text).unwrap();
    let mut values = Values::new();
    for fact in facts {
        let mut found = match &fact.source {
            FactSource::Literal(text) => vec![parse(text)],
            FactSource::Variable(path) => {
                let given = given.get(&path.variable).cloned();
                given
                    .or(path.default.as_ref().map(parse))
                    .into_iter()
                    .collect()
            }
        };
        if let FactSource::Variable(path) = &fact.source {
            for step in &path.steps {
                let next = |value: Json| match (step, value) {
                    (PathStep::Each, Json::Array(items)) => items,
                    (PathStep::Each, value) => vec![value],
                    (PathStep::Field { name, default }, Json::Object(mut members)) => {
                        let member = members.remove(name);
                        member.or(default.as_ref().map(parse)).into_iter().collect()
                    }
                    (PathStep::Field { .. }, _) => Vec::new(),
                };
                found = found.into_iter().flat_map(next).collect();
            }
        }
        values.extend(
            found
                .iter()
                .map(|value| (fact.name.clone(), value.to_string())),
        );
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_record_is_complete_and_exact(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut draft = Draft {
            dice: Dice(bytes.into_iter()),
            declared: Vec::new(),
            given: BTreeMap::new(),
        };
        let fields = arguments();
        let (members, arrived) = draft.fields(&fields);
        let arguments = match members.is_empty() {
            true => String::new(),
            false => format!("({})", members.join(", ")),
        };
        let variables = match draft.declared.is_empty() {
            true => String::new(),
            false => format!("({})", draft.declared.join(", ")),
        };
        let text = format!("query Q{variables} {{ f{arguments} }}");
        let mut expected = Values::new();
        for field in &fields {
            if let Some(value) = arrived.get(field.name) {
                arrive(field, &field.ty, value, &mut expected);
            }
        }
        let operation = operation(&schema(&sdl()), &text);
        prop_assert_eq!(recorded(&operation.facts, &draft.given), expected, "{}\n{:?}", text, draft.given);
    }
}
