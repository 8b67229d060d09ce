//! What tokens say.

use anyhow::{Result, bail};

/// Claims about a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct User {
    pub(super) tenant: String,
    pub(super) groups: Vec<String>,
    pub(super) purposes: Vec<String>,
}

/// Users of the demo: name, tenant, groups, purposes.
const DEMO: [(&str, &str, &[&str], &[&str]); 2] = [
    (
        "a@alpha.io",
        "alpha",
        &["analyst"],
        &["investigation", "audit", "export"],
    ),
    ("b@bravo.io", "bravo", &["analyst"], &["investigation"]),
];

impl User {
    /// A user of the demo, changed by what the caller says, or any other.
    pub(super) fn new(
        name: &str,
        tenant: Option<String>,
        groups: Option<Vec<String>>,
        purposes: Option<Vec<String>>,
    ) -> Result<Self> {
        let known = DEMO.iter().find(|(user, ..)| *user == name);
        let Some(tenant) = tenant.or(known.map(|(_, tenant, ..)| (*tenant).to_owned())) else {
            bail!("`{name}` is not a user of the demo: say which tenant with --tenant");
        };
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let groups = groups.or(known.map(|(.., groups, _)| list(groups)));
        let purposes = purposes.or(known.map(|(.., purposes)| list(purposes)));
        Ok(Self {
            tenant,
            groups: groups.unwrap_or_default(),
            purposes: purposes.unwrap_or_default(),
        })
    }
}
