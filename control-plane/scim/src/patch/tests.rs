//! Requests as tables: what a resource was, what is sent, what it is then.

mod paths;
mod properties;
mod quirks;

use serde_json::{Value, json};

use super::*;
use crate::error::Error;
use crate::resource::{MAX_ELEMENTS, Resource};
use crate::schema::{ENTERPRISE, ResourceType};

const ID: &str = "2819c223";

/// Puts the enterprise URN in the place of `#E` and that of users in the place
/// of `#U`.
fn fill(value: &Value) -> Value {
    let user = ResourceType::User.schema().id;
    let text = value.to_string().replace("#E", ENTERPRISE.id);
    serde_json::from_str(&text.replace("#U", user)).unwrap()
}

fn send(of: ResourceType, before: &Resource, body: &Value) -> Result<Resource, Error> {
    let mut resource = before.clone();
    let steps = read(of, ID, body)?;
    let outcome = apply(of, &mut resource, &steps);
    if outcome.is_err() {
        assert_eq!(
            resource, *before,
            "a request that fails changes nothing: {body}"
        );
    }
    outcome.map(|()| resource)
}

/// A user of whom only is said what a case is about.
fn user(parts: &Value) -> Resource {
    let mut user = fill(parts).as_object().unwrap().clone();
    user.entry("userName").or_insert_with(|| "ann".into());
    user
}

/// A user before, the operations (one needs no list), and the user after or
/// the `scimType`.
type Case = (Value, Value, Value);

fn check_cases(cases: impl IntoIterator<Item = Case>) {
    for (before, operations, after) in cases {
        let operations = match fill(&operations) {
            Value::Array(operations) => operations,
            one => vec![one],
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        let found = send(ResourceType::User, &user(&before), &body);
        match after {
            Value::String(scim_type) => {
                let found = found.map_err(|error| error.kind.scim_type());
                assert_eq!(found, Err(Some(scim_type.as_str())), "{before} {body}");
            }
            after => assert_eq!(found, Ok(user(&after)), "{before} {body}"),
        }
    }
}

/// As a table, for users.
macro_rules! cases {
    ($($before:tt $operations:tt => $after:tt)*) => {
        check_cases([$((json!($before), json!($operations), json!($after))),*])
    };
}
use cases;

#[test]
fn add_sets_what_is_not_there_and_keeps_the_rest() {
    cases! {
        {} {"op": "add", "path": "title", "value": "a"} => {"title": "a"}
        {"title": "b"} {"op": "add", "path": "title", "value": "a"} => {"title": "a"}
        {"title": "b"} {"op": "add", "path": "title", "value": null} => {"title": "b"}
        {} {"op": "add", "path": "name.givenName", "value": "a"} => {"name": {"givenName": "a"}}
        {"name": {"familyName": "b"}} {"op": "add", "path": "name", "value": {"givenName": "a"}}
            => {"name": {"familyName": "b", "givenName": "a"}}
        {"name": {"givenName": "b"}} {"op": "add", "path": "name.givenName", "value": null}
            => {"name": {"givenName": "b"}}
        {"name": {"givenName": "b"}} {"op": "add", "path": "name", "value": {"givenName": null}}
            => {"name": {"givenName": "b"}}
        {"emails": [{"value": "a"}]} {"op": "add", "path": "emails", "value": [{"value": "b"}]}
            => {"emails": [{"value": "a"}, {"value": "b"}]}
        {"emails": [{"value": "a"}]} {"op": "add", "path": "emails", "value": {"value": "b"}}
            => {"emails": [{"value": "a"}, {"value": "b"}]}
        {"emails": [{"value": "a"}]} {"op": "add", "path": "emails", "value": []}
            => {"emails": [{"value": "a"}]}
        // RFC 7644 §3.5.2.1: what is there already is not there twice.
        {"emails": [{"value": "a"}]}
            {"op": "add", "path": "emails", "value": [{"value": "a"}, {"value": "b"}, {"value": "b"}]}
            => {"emails": [{"value": "a"}, {"value": "b"}]}
        {"emails": [{"value": "a", "type": "work"}]}
            {"op": "add", "path": "emails[type eq \"work\"]", "value": {"display": "A"}}
            => {"emails": [{"value": "a", "type": "work", "display": "A"}]}
        {"emails": [{"value": "a", "type": "work"}]}
            {"op": "add", "path": "emails[type eq \"work\"].value", "value": null}
            => {"emails": [{"value": "a", "type": "work"}]}
        {"#E": {"department": "b"}} {"op": "add", "path": "#E", "value": {"division": "a"}}
            => {"#E": {"department": "b", "division": "a"}}
        {"#E": {"department": "b"}} {"op": "add", "path": "#E", "value": null}
            => {"#E": {"department": "b"}}
        {} {"op": "add", "value": {"title": "a", "emails": [{"value": "b"}], "#E": {"division": "c"}}}
            => {"title": "a", "emails": [{"value": "b"}], "#E": {"division": "c"}}
        {} {"op": "add", "value": {}} => {}
    }
}

#[test]
fn replace_sets_what_it_names_and_nothing_else() {
    cases! {
        {"title": "b", "locale": "de"} {"op": "replace", "path": "title", "value": "a"}
            => {"title": "a", "locale": "de"}
        {} {"op": "replace", "path": "title", "value": "a"} => {"title": "a"}
        {"title": "b"} {"op": "replace", "path": "title", "value": null} => {}
        {"title": "b"} {"op": "replace", "path": "title", "value": ""} => {"title": ""}
        // RFC 7644 §3.5.2.3: parts that are not mentioned stay.
        {"name": {"familyName": "b"}} {"op": "replace", "path": "name", "value": {"givenName": "a"}}
            => {"name": {"familyName": "b", "givenName": "a"}}
        {"name": {"familyName": "b", "givenName": "a"}}
            {"op": "replace", "path": "name", "value": {"givenName": null}}
            => {"name": {"familyName": "b"}}
        {"name": {"familyName": "b"}} {"op": "replace", "path": "name", "value": {}}
            => {"name": {"familyName": "b"}}
        {"name": {"familyName": "b"}} {"op": "replace", "path": "name", "value": {"nobody": 1}}
            => {"name": {"familyName": "b"}}
        {"name": {"familyName": "b"}} {"op": "replace", "path": "name", "value": null} => {}
        {"name": {"familyName": "b"}} {"op": "replace", "path": "name.familyName", "value": null} => {}
        {"#E": {"department": "b", "division": "c"}}
            {"op": "replace", "path": "#E", "value": {"division": "a"}}
            => {"#E": {"department": "b", "division": "a"}}
        {"#E": {"department": "b", "division": "c"}}
            {"op": "replace", "value": {"#E": {"division": null}}}
            => {"#E": {"department": "b"}}
        {"#E": {"department": "b"}} {"op": "replace", "path": "#E", "value": null} => {}
        // A list is one value.
        {"emails": [{"value": "a"}, {"value": "b"}]}
            {"op": "replace", "path": "emails", "value": [{"value": "c"}]}
            => {"emails": [{"value": "c"}]}
        {"emails": [{"value": "a"}]} {"op": "replace", "path": "emails", "value": []} => {}
        {"emails": [{"value": "a"}]} {"op": "replace", "path": "emails", "value": [null, {}]} => {}
        // So is an element of it.
        {"emails": [{"value": "a", "display": "A"}, {"value": "b"}]}
            {"op": "replace", "path": "emails[value eq \"a\"]", "value": {"value": "c"}}
            => {"emails": [{"value": "c"}, {"value": "b"}]}
        {"emails": [{"value": "a"}, {"value": "b"}]}
            {"op": "replace", "path": "emails[value eq \"a\"]", "value": null}
            => {"emails": [{"value": "b"}]}
        {"emails": [{"value": "a"}]}
            {"op": "replace", "path": "emails[value eq \"a\"].value", "value": null}
            => {}
        {"emails": [{"value": "a"}, {"value": "b"}]}
            {"op": "replace", "path": "emails[value pr].type", "value": "work"}
            => {"emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "work"}]}
    }
}

#[test]
fn remove_takes_away_what_it_names() {
    cases! {
        {"title": "b", "locale": "de"} {"op": "remove", "path": "title"} => {"locale": "de"}
        {} {"op": "remove", "path": "title"} => {}
        {"name": {"familyName": "b", "givenName": "a"}} {"op": "remove", "path": "name.givenName"}
            => {"name": {"familyName": "b"}}
        {"name": {"familyName": "b"}} {"op": "remove", "path": "name.familyName"} => {}
        {"name": {"familyName": "b"}} {"op": "remove", "path": "name"} => {}
        {} {"op": "remove", "path": "name.familyName"} => {}
        {"#E": {"department": "b", "division": "c"}} {"op": "remove", "path": "#E:division"}
            => {"#E": {"department": "b"}}
        {"#E": {"department": "b"}} {"op": "remove", "path": "#E:department"} => {}
        {"#E": {"manager": {"value": "m", "displayName": "M"}}} {"op": "remove", "path": "#E:manager"} => {}
        {"#E": {"department": "b"}} {"op": "remove", "path": "#E"} => {}
        {} {"op": "remove", "path": "#E:department"} => {}
        {} {"op": "remove", "path": "#E"} => {}
        {"emails": [{"value": "a"}, {"value": "b"}]} {"op": "remove", "path": "emails"} => {}
        {"emails": [{"value": "a"}, {"value": "b"}]} {"op": "remove", "path": "emails[value eq \"A\"]"}
            => {"emails": [{"value": "b"}]}
        {"emails": [{"value": "a"}]} {"op": "remove", "path": "emails[value pr]"} => {}
        {"emails": [{"value": "a", "type": "work"}, {"type": "home"}]}
            {"op": "remove", "path": "emails[value pr].type"}
            => {"emails": [{"value": "a"}, {"type": "home"}]}
        {"emails": [{"value": "a"}, {"value": "b"}]} {"op": "remove", "path": "emails[value eq \"b\"].value"}
            => {"emails": [{"value": "a"}]}
        {} {"op": "remove", "path": "emails[value eq \"b\"]"} => {}
    }
}

#[test]
fn one_element_is_primary() {
    cases! {
        {"emails": [{"value": "a", "primary": true}]}
            {"op": "add", "path": "emails", "value": [{"value": "b", "primary": true}]}
            => {"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}]}
        {"emails": [{"value": "a", "primary": true}]}
            {"op": "add", "path": "emails", "value": [{"value": "a", "primary": true}]}
            => {"emails": [{"value": "a", "primary": true}]}
        {"emails": [{"value": "a", "primary": true}, {"value": "b"}]}
            {"op": "replace", "path": "emails[value eq \"b\"].primary", "value": true}
            => {"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}]}
        {"emails": [{"value": "a", "primary": true}, {"value": "b"}]}
            {"op": "replace", "path": "emails[primary eq true].value", "value": "c"}
            => {"emails": [{"value": "c", "primary": true}, {"value": "b"}]}
        {"emails": [{"value": "a", "primary": true}]}
            {"op": "replace", "path": "emails[type eq \"work\"]", "value": {"primary": "True"}}
            => {"emails": [{"value": "a", "primary": false}, {"type": "work", "primary": true}]}
        // Which one?
        {"emails": [{"value": "a"}, {"value": "b"}]}
            {"op": "replace", "path": "emails[value pr].primary", "value": true}
            => "invalidValue"
        {} {"op": "add", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}
            => "invalidValue"
        {"emails": [{"value": "c"}]}
            {"op": "add", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}
            => "invalidValue"
        {} {"op": "replace", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}
            => "invalidValue"
    }
}

#[test]
fn steps_are_taken_in_order_and_all_or_none() {
    cases! {
        {} [{"op": "add", "path": "title", "value": "a"}, {"op": "remove", "path": "title"}] => {}
        {"title": "b"} [{"op": "remove", "path": "title"}, {"op": "add", "path": "title", "value": "a"}]
            => {"title": "a"}
        {"emails": [{"value": "a"}]} [
            {"op": "remove", "path": "emails"},
            {"op": "add", "path": "emails", "value": {"value": "b"}},
            {"op": "replace", "path": "emails[value eq \"b\"].type", "value": "work"}
        ] => {"emails": [{"value": "b", "type": "work"}]}
        {"title": "b"} [
            {"op": "add", "path": "title", "value": "a"},
            {"op": "add", "path": "emails", "value": {"value": "b"}},
            {"op": "add", "path": "#E:department", "value": "c"},
            {"op": "add", "path": "active", "value": "maybe"}
        ] => "invalidValue"
        {"emails": [{"value": "a"}]} [
            {"op": "remove", "path": "emails[value eq \"a\"]"},
            {"op": "remove", "path": "userName"}
        ] => "mutability"
        {"emails": [{"value": "a"}]} [
            {"op": "remove", "path": "emails"},
            {"op": "replace", "path": "emails[not (value pr)].type", "value": "work"}
        ] => "noTarget"
        {} [{"op": "add", "path": "title", "value": "a"}, {"op": "add", "path": "nobody", "value": "a"}]
            => "invalidPath"
    }
}

#[test]
fn lists_do_not_grow_without_end() {
    let addresses = |from: usize, to: usize| -> Value {
        (from..to)
            .map(|number| json!({"value": number.to_string()}))
            .collect()
    };
    let full = json!({"emails": addresses(0, MAX_ELEMENTS)});
    let one_more = addresses(MAX_ELEMENTS, MAX_ELEMENTS + 1);
    check_cases([
        (json!({}), json!({"op": "add", "value": full}), full.clone()),
        (
            full.clone(),
            json!({"op": "add", "path": "emails", "value": full["emails"]}),
            full.clone(),
        ),
        (
            full.clone(),
            json!({"op": "add", "path": "emails", "value": one_more}),
            json!("invalidValue"),
        ),
        (
            full.clone(),
            json!({"op": "add", "path": "emails[value eq \"x\"].type", "value": "work"}),
            json!("invalidValue"),
        ),
        (
            json!({}),
            json!({"op": "add", "path": "emails", "value": addresses(0, MAX_ELEMENTS + 1)}),
            json!("invalidValue"),
        ),
        // Not even for the time between two steps.
        (
            full,
            json!([
                {"op": "add", "path": "emails", "value": one_more},
                {"op": "remove", "path": "emails"},
            ]),
            json!("invalidValue"),
        ),
    ]);
}
