//! `/scim/v2` as clients and other servers see it.

mod answers;
mod clients;
mod concurrency;
mod conformance;
mod differential;
mod members;
mod paging;
mod privileged;
mod recorded;
mod roles;
mod tenancy;

use std::path::PathBuf;

use ig_e2e::workspace;
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A program that tests SCIM; `None`, loudly, where it is not; in CI that
/// fails.
fn tool(name: &str) -> Option<PathBuf> {
    let binary = workspace().join(".tools/venv/bin").join(name);
    if binary.is_file() {
        return Some(binary);
    }
    let missing = format!("no {name}: run `cargo xtask setup --with scim`");
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

/// A user of whom only the name is known.
fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name})
}

/// A group with members.
fn group<'a>(name: &str, members: impl IntoIterator<Item = &'a str>) -> Value {
    let members: Vec<_> = members.into_iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [GROUP], "displayName": name, "members": members})
}

/// Numbers that look random, the same for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}
