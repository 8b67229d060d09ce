//! Two tenants beside each other: a walk of calls, each of which may use what
//! it should not know of the other. Nothing of the other changes by it, and
//! nothing of the other is told.

use std::collections::{BTreeMap, BTreeSet};

use ig_e2e::{Scim, ScimAnswer};
use serde_json::{Value, json};

use super::{GROUP, Random, USER};
use crate::databases::Database;

const CALLS: usize = 300;
const NAMES: &[&str] = &["shared-1", "Shared-2", "SHARED-3", "shared-4"];

/// A tenant, and what has to be true of it.
struct Side {
    scim: Scim,
    tenant: &'static str,
    /// Id → path and name, as the calls made them.
    model: BTreeMap<String, (&'static str, String)>,
    /// All that there is, as it came.
    users: String,
    groups: String,
    /// What it sent, and so may be told again.
    sent: BTreeSet<String>,
    cursors: Vec<String>,
    /// Ids of all times.
    ids: Vec<String>,
}

impl Side {
    fn new(scim: Scim, tenant: &'static str) -> Self {
        let mut side = Self {
            scim,
            tenant,
            model: BTreeMap::new(),
            users: String::new(),
            groups: String::new(),
            sent: BTreeSet::new(),
            cursors: Vec::new(),
            ids: Vec::new(),
        };
        (side.users, side.groups) = side.everything();
        side
    }

    fn everything(&self) -> (String, String) {
        let list = |path| self.scim.get(&format!("{path}?count=500"));
        let (users, groups) = (list("/Users"), list("/Groups"));
        assert_eq!((users.status, groups.status), (200, 200));
        (users.text, groups.text)
    }

    /// Texts that are of this tenant alone.
    fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = BTreeSet::new();
        for list in [&self.users, &self.groups] {
            let list: Value = serde_json::from_str(list).unwrap();
            leaves(&list["Resources"], &mut secrets);
        }
        secrets.retain(|text| {
            text.contains(&format!("{}~", self.tenant)) || self.model.contains_key(text)
        });
        secrets
    }

    fn is_taken(&self, path: &str, name: &str, except: &str) -> bool {
        self.model.iter().any(|(id, (other, taken))| {
            *other == path && id != except && taken.to_lowercase() == name.to_lowercase()
        })
    }

    /// What was counted is what is there, and what was said to be.
    fn check(&self) {
        for (path, list, member) in [
            ("/Users", &self.users, "/userName"),
            ("/Groups", &self.groups, "/displayName"),
        ] {
            let list: Value = serde_json::from_str(list).unwrap();
            let resources = list["Resources"].as_array().unwrap();
            assert_eq!(
                list["totalResults"],
                resources.len(),
                "{}{path}",
                self.tenant
            );
            let found = resources.iter().map(|one| {
                let name = one.pointer(member).unwrap().as_str().unwrap();
                (one["id"].as_str().unwrap().to_owned(), name.to_owned())
            });
            let found: BTreeMap<String, String> = found.collect();
            let expected = self.model.iter().filter(|(_, (of, _))| *of == path);
            let expected: BTreeMap<_, _> = expected
                .map(|(id, (_, name))| (id.clone(), name.clone()))
                .collect();
            assert_eq!(found, expected, "{}{path}", self.tenant);
        }
    }
}

fn leaves(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(parts) => parts.values().for_each(|part| leaves(part, into)),
        _ => {}
    }
}

/// One step of the walk.
struct Step<'a> {
    random: &'a mut Random,
    own: &'a mut Side,
    other: &'a Side,
    number: usize,
}

impl Step<'_> {
    /// An id of anybody, alive or not, or one that nobody has.
    fn id(&mut self) -> String {
        let from = match self.random.below(10) {
            0..=4 => &self.own.ids,
            5..=8 => &self.other.ids,
            _ => return "01a2125f-9b6f-74dd-9869-58ad0d024b3c".to_owned(),
        };
        let id = self.random.of(from).cloned().unwrap_or_default();
        if id.is_empty() { "x".to_owned() } else { id }
    }

    fn path(&mut self) -> &'static str {
        self.random.of(&["/Users", "/Groups"]).unwrap()
    }

    /// A name that both want, one of the other's, or a new one.
    fn name(&mut self) -> String {
        match self.random.below(4) {
            0 | 1 => self.random.of(NAMES).unwrap().to_string(),
            2 => {
                let names: Vec<_> = self.other.model.values().map(|one| one.1.clone()).collect();
                self.random
                    .of(&names)
                    .cloned()
                    .unwrap_or_else(|| "x".into())
            }
            _ => format!("{}~name~{}", self.own.tenant, self.number),
        }
    }

    fn members(&mut self) -> Vec<Value> {
        (0..self.random.below(4))
            .map(|_| json!({"value": self.id()}))
            .collect()
    }

    fn resource(&mut self, path: &str, name: &str) -> Value {
        let secret = format!("{}~secret~{}", self.own.tenant, self.number);
        match path {
            "/Users" => json!({
                "schemas": [USER], "userName": name, "title": secret,
                "externalId": format!("{}~external~{}", self.own.tenant, self.random.below(5)),
                "emails": [{"value": format!("{secret}@x.example"), "type": "work"}],
            }),
            _ => json!({
                "schemas": [GROUP], "displayName": name, "externalId": secret,
                "members": self.members(),
            }),
        }
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) -> ScimAnswer {
        self.own.sent.insert(path.to_owned());
        leaves(body, &mut self.own.sent);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.own.scim.send(method, path, &[], body.as_bytes())
    }

    fn list(&mut self, path: &str, parameters: &[(&str, &str)]) -> ScimAnswer {
        let sent = parameters.iter().map(|(_, value)| (*value).to_owned());
        self.own.sent.extend(sent);
        self.own.scim.list(path, parameters)
    }

    fn make(&mut self) -> ScimAnswer {
        let (path, name) = (self.path(), self.name());
        let body = self.resource(path, &name);
        let is_taken = self.own.is_taken(path, &name, "");
        let answer = self.send("POST", path, &body);
        // Whatever names the other has.
        let expected = if is_taken { 409 } else { 201 };
        assert_eq!(answer.status, expected, "{path} {name}: {}", answer.text);
        if answer.status == 201 {
            let id = answer.id();
            self.own.ids.push(id.clone());
            self.own.model.insert(id, (path, name));
        }
        answer
    }

    /// What is done with a resource by its id.
    fn with_id(&mut self) -> ScimAnswer {
        let (path, id, name) = (self.path(), self.id(), self.name());
        let is_own = self.own.model.get(&id).is_some_and(|(of, _)| *of == path);
        let is_taken = self.own.is_taken(path, &name, &id);
        let at = format!("{path}/{id}");
        let (answer, is_renamed) = match self.random.below(6) {
            0 | 1 => (self.send("GET", &at, &Value::Null), false),
            2 => {
                let body = self.resource(path, &name);
                (self.send("PUT", &at, &body), true)
            }
            3 => {
                let attribute = if path == "/Users" {
                    "userName"
                } else {
                    "displayName"
                };
                let operation = json!({"op": "replace", "path": attribute, "value": name});
                let body = json!({"Operations": [operation]});
                (self.send("PATCH", &at, &body), true)
            }
            4 if path == "/Groups" => {
                let operation = self
                    .random
                    .of(&["add", "remove", "replace"])
                    .unwrap()
                    .to_string();
                let members = self.members();
                let operation = json!({"op": operation, "path": "members", "value": members});
                let body = json!({"Operations": [operation]});
                (self.send("PATCH", &at, &body), false)
            }
            _ => {
                let answer = self.send("DELETE", &at, &Value::Null);
                if answer.status == 204 {
                    self.own.model.remove(&id);
                }
                (answer, false)
            }
        };
        let expected: &[u16] = match (is_own, is_renamed && is_taken) {
            (false, _) => &[404],
            (true, true) => &[409],
            // A group would be in itself.
            (true, false) if path == "/Groups" => &[200, 204, 400],
            (true, false) => &[200, 204],
        };
        assert!(expected.contains(&answer.status), "{at}: {}", answer.text);
        if is_renamed && answer.status == 200 {
            self.own.model.insert(id, (path, name));
        }
        answer
    }

    fn search(&mut self) -> ScimAnswer {
        let path = *self.random.of(&["/Users", "/Groups", ""]).unwrap();
        let other: Vec<String> = self.other.secrets().into_iter().collect();
        let value = match self.random.below(3) {
            0 => self.id(),
            1 => self.name(),
            _ => self.random.of(&other).cloned().unwrap_or_default(),
        };
        let quoted = json!(value);
        let filters = [
            format!("id eq {quoted}"),
            format!("userName eq {quoted} or displayName eq {quoted}"),
            format!("externalId eq {quoted}"),
            format!("members.value eq {quoted}"),
            format!("members[value eq {quoted}]"),
            format!("groups.value eq {quoted}"),
            format!("title sw {quoted} or emails co {quoted}"),
            format!("not (id eq {quoted})"),
            format!("urn:ig:tenant:id eq \"{}\"", self.other.tenant),
            format!("urn:ig:tenant:id ne \"{}\"", self.own.tenant),
            "id pr".to_owned(),
        ];
        let filter = self.random.of(&filters).unwrap().clone();
        let sort = *self
            .random
            .of(&["id", "displayName", "externalId", "meta.created"])
            .unwrap();
        let answer = self.list(
            path,
            &[("filter", &filter), ("sortBy", sort), ("count", "500")],
        );
        if answer.status == 200 {
            let own = answer.each("/id");
            assert!(
                own.iter().all(|id| self.own.model.contains_key(id)),
                "{filter}"
            );
            assert_eq!(answer.body["totalResults"], own.len(), "{filter}");
        } else {
            assert_eq!(
                answer.body["scimType"], "invalidFilter",
                "{filter}: {}",
                answer.text
            );
        }
        answer
    }

    fn page(&mut self) -> ScimAnswer {
        let foreign = self.random.of(&self.other.cursors).cloned();
        let own = self.random.of(&self.own.cursors).cloned();
        let (cursor, expected) = match (self.random.below(3), foreign, own) {
            (0, Some(cursor), _) => (cursor, 400),
            (1, _, Some(cursor)) => (cursor, 200),
            _ => (String::new(), 200),
        };
        let query = [
            ("sortBy", "userName"),
            ("count", "2"),
            ("cursor", cursor.as_str()),
        ];
        let answer = self.list("/Users", &query);
        assert_eq!(answer.status, expected, "{}", answer.text);
        if expected == 400 {
            assert_eq!(answer.body["scimType"], "invalidCursor");
        }
        for name in ["nextCursor", "previousCursor"] {
            let found = answer.body.get(name).and_then(Value::as_str);
            self.own.cursors.extend(found.map(ToOwned::to_owned));
        }
        answer
    }

    /// Nothing that changes what there is: that is the other steps' to know.
    fn bulk(&mut self) -> ScimAnswer {
        let foreign = self.random.of(&self.other.ids).cloned().unwrap_or_default();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [
                {"method": "DELETE", "path": format!("/Users/{foreign}")},
                {"method": "DELETE", "path": format!("/Groups/{foreign}")},
                {"method": "PUT", "path": format!("/Users/{foreign}"), "version": "*",
                    "data": {"schemas": [USER], "userName": "mine"}},
                {"method": "PATCH", "path": format!("/Groups/{foreign}"), "data":
                    {"Operations": [{"op": "remove", "path": "members"}]}},
                {"method": "POST", "path": "/Users", "bulkId": foreign,
                    "data": {"schemas": [USER], "userName": "x", "urn:ig:tenant": self.other.tenant}},
            ],
        });
        let answer = self.send("POST", "/Bulk", &body);
        let statuses: Vec<_> = answer.body["Operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_str().unwrap())
            .collect();
        assert_eq!(
            statuses,
            ["404", "404", "404", "404", "400"],
            "{}",
            answer.text
        );
        answer
    }
}

#[test]
fn tenants_do_not_know_of_each_other() {
    let seed = std::env::var("IG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x5ca1_ab1e_0000_0001);
    eprintln!("IG_SEED={seed}");
    for database in Database::each() {
        let control = database.start();
        let side = |tenant| Side::new(control.provisioner(tenant, false).unwrap(), tenant);
        let mut sides = [side("alpha"), side("bravo")];
        let mut random = Random(seed.max(1));
        for number in 0..CALLS {
            let [first, second] = &mut sides;
            let (own, other) = match random.below(2) {
                0 => (first, second),
                _ => (second, first),
            };
            let mut step = Step {
                random: &mut random,
                own,
                other,
                number,
            };
            let answer = match step.random.below(12) {
                0..=4 => step.make(),
                5..=7 => step.with_id(),
                8 | 9 => step.search(),
                10 => step.page(),
                _ => step.bulk(),
            };
            assert!(answer.status < 500 && answer.status > 0, "{}", answer.text);
            let after = other.everything();
            assert_eq!(
                after,
                (other.users.clone(), other.groups.clone()),
                "{number}"
            );
            (own.users, own.groups) = own.everything();
            own.check();
            let told = format!(
                "{} {:?} {} {}",
                answer.text, answer.headers, own.users, own.groups
            );
            for secret in other.secrets() {
                let is_known = own.sent.iter().any(|sent| sent.contains(&secret));
                assert!(
                    is_known || !told.contains(&secret),
                    "{secret} is told: {told}"
                );
            }
            // Whose members another's groups are is not looked up either.
            let groups: Value = serde_json::from_str(&own.groups).unwrap();
            let members = groups["Resources"].as_array().unwrap().iter();
            for member in members
                .filter_map(|one| one["members"].as_array())
                .flatten()
            {
                let id = member["value"].as_str().unwrap();
                assert!(
                    !other.ids.iter().any(|foreign| foreign == id) || member["type"] == "User",
                    "{member}"
                );
            }
        }
        assert!(sides.iter().all(|side| side.model.len() > 10));
        assert!(sides.iter().all(|side| side.cursors.len() > 3));
        control.stop().unwrap();
    }
}
