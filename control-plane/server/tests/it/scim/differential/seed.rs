//! Users and groups that are awkward to search.

use std::collections::BTreeMap;

use ig_e2e::Scim;
use serde_json::{Value, json};

use crate::scim::{ENTERPRISE, GROUP, USER};

/// What a server has.
pub(super) struct Seed {
    /// Names and resources by the ids that the server gave.
    by_id: BTreeMap<String, String>,
    resources: Vec<Value>,
}

impl Seed {
    /// Puts it into a server.
    pub(super) fn put(scim: &Scim) -> Self {
        let mut this = Self {
            by_id: BTreeMap::new(),
            resources: Vec::new(),
        };
        for user in users() {
            this.one(scim, "/Users", USER, user);
        }
        for group in groups() {
            let group = serde_json::from_str(&this.with_ids(&group.to_string())).unwrap();
            this.one(scim, "/Groups", GROUP, group);
        }
        this
    }

    fn one(&mut self, scim: &Scim, path: &str, schema: &str, mut resource: Value) {
        let mut schemas = vec![schema];
        schemas.extend(resource.get(ENTERPRISE).map(|_| ENTERPRISE));
        resource["schemas"] = json!(schemas);
        let answer = scim.post(path, &resource);
        assert_eq!(answer.status, 201, "{resource}: {}", answer.text);
        self.by_id.insert(answer.id(), name(&resource));
        self.resources.push(resource);
    }

    /// Text with the server's ids in the place of `{name}`.
    pub(super) fn with_ids(&self, text: &str) -> String {
        self.by_id.iter().fold(text.to_owned(), |text, (id, name)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    }

    pub(super) fn name(&self, id: &str) -> String {
        self.by_id.get(id).cloned().unwrap_or_default()
    }

    /// What a resource is sorted by: only to know which have the same.
    pub(super) fn key(&self, of: &str, sort: &str) -> Option<String> {
        let position = self
            .resources
            .iter()
            .position(|one| name(one) == of)
            .unwrap();
        let resource = &self.resources[position];
        let sort = sort.strip_prefix(&format!("{USER}:")).unwrap_or(sort);
        let sort = match sort {
            "meta.created" => return Some(position.to_string()),
            "meta.resourceType" => return None,
            "USERNAME" => "userName",
            sort => sort,
        };
        let (container, path) = match sort.strip_prefix(&format!("{ENTERPRISE}:")) {
            Some(path) => (&resource[ENTERPRISE], path),
            None => (resource, sort),
        };
        let (attribute, part) = path.split_once('.').unwrap_or((path, "value"));
        let value = match &container[attribute] {
            Value::Array(elements) => {
                let primary = elements.iter().find(|one| one["primary"] == true);
                &primary.or(elements.first())?[part]
            }
            Value::Object(parts) => parts.get(part)?,
            value => value,
        };
        match value {
            Value::String(text) if attribute == "externalId" => Some(text.clone()),
            Value::String(text) => Some(text.to_lowercase()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

fn name(of: &Value) -> String {
    let name = of.get("userName").or_else(|| of.get("displayName"));
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn users() -> Vec<Value> {
    let number = |number: &str| json!({"employeeNumber": number});
    let mut users = vec![
        // Those of scim2-server's own contract of storages.
        json!({
            "userName": "alice", "displayName": "Alice", "title": "Boss", "active": true,
            "name": {"givenName": "Alice", "familyName": "Liddell"},
            "emails": [
                {"value": "alice@home.example", "type": "home"},
                {"value": "alice@work.example", "type": "work", "primary": true},
            ],
            ENTERPRISE: number("100"),
        }),
        json!({"userName": "Bob", "active": false, "emails": [{"value": "bob@work.example", "type": "work"}]}),
        json!({"userName": "carol", "title": "", "active": true, "name": {"familyName": "smith"}, ENTERPRISE: number("2")}),
        json!({"userName": "dave_%", "title": "50% off", "active": true, "emails": [{"value": "dave@home.example"}]}),
        // Text that is something else in SQL, LIKE, JSON or URLs.
        json!({"userName": "daveX%", "title": "50X off", "active": true, "externalId": "E-1"}),
        json!({"userName": "back\\slash", "title": "a\\b", "active": true, "externalId": "e-1"}),
        json!({"userName": "back\\\\twice", "title": "a\\\\b", "active": false, "externalId": "e-2"}),
        json!({"userName": "o'malley", "title": "it's \"quoted\"", "active": true, "nickName": "O'"}),
        json!({"userName": "\"quoted\"", "title": "'", "active": true, "nickName": "\""}),
        json!({"userName": "a+b&c=d#e?f/g%20h", "title": "+&=#?/%20", "active": true}),
        json!({"userName": "$1 ?1 :x @y", "title": "$1", "active": true}),
        json!({"userName": "x'; DROP TABLE scim_resources; --", "title": "--", "active": true}),
        json!({"userName": "[a] (b) {c}", "title": "] and userName pr", "active": true}),
        json!({"userName": "tab\tand\nline", "title": "a\tb\nc", "active": true}),
        json!({"userName": " spaces ", "title": "  ", "active": true, "nickName": " "}),
        json!({"userName": "null", "title": "null", "active": true, "nickName": "true"}),
        // Letters.
        json!({"userName": "ÉCLAIR", "title": "Élan", "active": true, "name": {"familyName": "Écrou"}}),
        json!({"userName": "éclair 2", "title": "élan", "active": false, "name": {"familyName": "eclair"}}),
        json!({"userName": "Straße", "title": "ẞ", "active": true, "name": {"familyName": "Groß"}}),
        json!({"userName": "STRASSE", "title": "ss", "active": true, "name": {"familyName": "GROSS"}}),
        json!({"userName": "ελληνικά", "title": "ΑΒΓ", "active": true}),
        json!({"userName": "Привет", "title": "МИР", "active": true, "name": {"familyName": "ЖУКОВ"}}),
        json!({"userName": "日本語", "title": "部長", "active": true, "emails": [{"value": "日本@例え.example", "type": "work"}]}),
        json!({"userName": "🦉 owl", "title": "🦉", "active": true, "nickName": "\u{ffff}"}),
        json!({"userName": "zed", "title": "z", "active": true, "nickName": "\u{10ffff}"}),
        json!({"userName": "ZED 2", "title": "Z", "active": true, "nickName": "~"}),
        // Empty and missing.
        json!({"userName": "empty parts", "title": "", "displayName": "", "active": true, "nickName": "", "name": {"givenName": ""}}),
        json!({"userName": "empty email", "active": true, "emails": [{"value": "", "type": "work"}]}),
        json!({"userName": "typed only", "active": true, "emails": [{"type": "work"}]}),
        json!({"userName": "no type", "active": true, "emails": [{"value": "no@type.example"}, {"value": "no@home.example", "type": "home"}]}),
        json!({"userName": "nothing", "active": true}),
        json!({"userName": "suspended", "active": false}),
        // Lists.
        json!({
            "userName": "many", "active": true, "title": "Boss",
            "emails": [
                {"value": "b@many.example", "type": "other"},
                {"value": "A@MANY.example", "type": "Work", "primary": false},
                {"value": "c@many.example", "type": "home", "primary": true, "display": "C"},
            ],
            "phoneNumbers": [{"value": "+49 (0)731/1", "type": "work"}, {"value": "0731 2", "type": "mobile"}],
        }),
        json!({
            "userName": "crossed", "active": true, "displayName": "Crossed",
            "emails": [
                {"value": "alice@home.example", "type": "work"},
                {"value": "alice@work.example", "type": "home", "primary": true},
            ],
            "addresses": [{"locality": "Ulm", "country": "DE", "type": "work", "primary": true}, {"locality": "Bern", "type": "home"}],
            "roles": [{"value": "admin", "primary": true}, {"value": "User"}],
        }),
        json!({
            "userName": "placed", "active": true,
            "addresses": [{"locality": "ulm", "country": "CH", "type": "home"}, {"streetAddress": "Platz 1", "type": "work"}],
            "roles": [{"value": "user"}], "ims": [{"value": "x@im.example", "type": "xmpp"}],
            "photos": [{"value": "https://Photo.example/A.jpg", "type": "photo"}],
        }),
        // The extension, and numbers that are text.
        json!({"userName": "employee 1", "active": true, ENTERPRISE: {"employeeNumber": "0100", "department": "Sales", "costCenter": "C_1"}}),
        json!({"userName": "employee 2", "active": true, ENTERPRISE: {"employeeNumber": "9", "department": "sales", "manager": {"value": "M1"}}}),
        json!({"userName": "employee 3", "active": false, ENTERPRISE: {"department": "", "organization": "O%", "manager": {"value": "m1"}}}),
        json!({"userName": "linked", "active": true, "profileUrl": "https://x.example/Ann", "locale": "de-DE", "timezone": "Europe/Berlin", "userType": "Employee"}),
        json!({"userName": "Linked 2", "active": true, "profileUrl": "https://x.example/ann", "locale": "DE-de", "userType": "employee", "preferredLanguage": "de"}),
    ];
    for number in 0..12 {
        let mut user = json!({
            "userName": format!("{}{number:02}", if number % 2 == 0 { "Gen" } else { "gen" }),
            "title": format!("Title {}", number % 3), "active": number % 4 != 0,
        });
        if number % 3 == 0 {
            user["externalId"] = format!("x{}", number % 2).into();
        }
        users.push(user);
    }
    users
}

fn groups() -> Vec<Value> {
    vec![
        json!({"displayName": "Admins", "members": [{"value": "{alice}", "type": "User"}, {"value": "{Bob}", "type": "User"}]}),
        json!({"displayName": "admins 2", "members": [{"value": "{alice}", "type": "User"}], "externalId": "G1"}),
        json!({"displayName": "empty", "externalId": "g1"}),
        json!({"displayName": "O'Group_%", "members": [{"value": "{carol}", "type": "User"}]}),
        json!({"displayName": "outer", "members": [{"value": "{Admins}", "type": "Group"}, {"value": "{carol}", "type": "User"}]}),
    ]
}
