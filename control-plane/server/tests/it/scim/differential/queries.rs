//! What is asked. `#E` is the URN of the extension, `#U` that of users, and
//! `{name}` the id that a server gave.

use super::differences::DIFFERENCES;
use crate::scim::{ENTERPRISE, Random, USER};

/// A list that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) path: &'static str,
    pub(super) filter: Option<String>,
    pub(super) sort_by: Option<&'static str>,
    pub(super) is_descending: bool,
}

/// On users.
const USERS: &[&str] = &[
    // Text.
    r#"userName eq "ALICE""#,
    r#"userName ne "alice""#,
    r#"userName sw "dave_""#,
    r#"userName ew "_%""#,
    r#"userName co "_""#,
    r#"userName co "%""#,
    r#"userName co "\\""#,
    r#"userName co "\\\\""#,
    r#"userName eq "back\\slash""#,
    r#"userName sw "back\\\\""#,
    r#"userName ew "\\slash""#,
    r#"userName co "'""#,
    r#"userName eq "O'MALLEY""#,
    r#"userName co "\"""#,
    r#"userName eq "a+b&c=d#e?f/g%20h""#,
    r#"userName sw "$1""#,
    r#"userName co "; drop table""#,
    r#"userName co "?1""#,
    r#"userName eq " spaces ""#,
    r#"userName co "\t""#,
    r#"userName co "\nline""#,
    r#"userName eq "null""#,
    r#"userName co "a""#,
    r#"userName sw "gen""#,
    r#"userName gt "b""#,
    r#"userName ge "bob""#,
    r#"userName lt "carol""#,
    r#"userName le "carol""#,
    r#"userName gt "z""#,
    r#"userName eq """#,
    r#"userName co """#,
    r#"userName sw """#,
    r#"userName gt """#,
    "userName pr",
    "userName eq null",
    "userName ne null",
    // Letters.
    r#"userName eq "éclair""#,
    r#"userName sw "É""#,
    r#"userName co "\u00e9CLAIR""#,
    r#"userName eq "STRASSE""#,
    r#"userName eq "straße""#,
    r#"userName co "SS""#,
    r#"name.familyName eq "GROß""#,
    r#"title eq "ß""#,
    r#"userName eq "ΕΛΛΗΝΙΚΆ""#,
    r#"title sw "αβ""#,
    r#"userName sw "ПРИ""#,
    r#"title eq "мир""#,
    r#"name.familyName gt "а""#,
    r#"userName ew "語""#,
    r#"userName sw "🦉""#,
    r#"userName co "\ud83e\udd89 O""#,
    "nickName sw \"\u{ffff}\"",
    "nickName ge \"\u{ffff}\"",
    "nickName lt \"\u{10ffff}\"",
    "nickName sw \"\u{10ffff}\"",
    r#"emails co "例え""#,
    // What is missing, and what is empty.
    r#"title eq "boss""#,
    r#"title ne "Boss""#,
    r#"not (title eq "Boss")"#,
    r#"not (title ne "Boss")"#,
    "title eq null",
    "title ne null",
    "title gt null",
    "title co null",
    "not (title eq null)",
    "title pr",
    "not (title pr)",
    r#"title eq """#,
    r#"title ne """#,
    r#"title co """#,
    r#"title ge """#,
    r#"title lt "c""#,
    r#"title co "%""#,
    r#"title sw "a\\""#,
    "nickName pr",
    "nickName ne null",
    r#"nickName eq "true""#,
    "displayName pr",
    "displayName eq null",
    "name pr",
    "not (name pr)",
    "name eq null",
    "name ne null",
    "name.givenName pr",
    "name.givenName eq null",
    r#"name.familyName eq "SMITH""#,
    r#"name.familyName co "O""#,
    // Case counts.
    r#"externalId eq "e-1""#,
    r#"externalId eq "E-1""#,
    r#"externalId ne "e-1""#,
    r#"externalId sw "e""#,
    r#"externalId gt "a""#,
    "externalId pr",
    "externalId eq null",
    r#"profileUrl eq "https://x.example/Ann""#,
    r#"profileUrl sw "https://x""#,
    r#"locale eq "DE-DE""#,
    r#"userType eq "EMPLOYEE" and locale pr"#,
    r#"id eq "{alice}""#,
    r#"id ne "{alice}""#,
    r#"id eq "{Admins}""#,
    // Booleans.
    "active eq true",
    "active eq false",
    "active ne true",
    "not (active eq true)",
    "active eq TRUE",
    r#"active eq "True""#,
    "active pr",
    "active eq null",
    "active gt true",
    r#"active co "t""#,
    r#"active eq "maybe""#,
    // Times.
    r#"meta.created gt "2000-01-01T00:00:00Z""#,
    r#"meta.created lt "2000-01-01T00:00:00+02:00""#,
    r#"meta.lastModified ge "2000-01-01T00:00:00.123Z""#,
    r#"meta.created ne "2000-01-01T00:00:00Z""#,
    "meta.created pr",
    "meta.created eq null",
    r#"meta.created gt "bogus""#,
    r#"meta.resourceType eq "User""#,
    r#"meta.resourceType ne "User""#,
    r#"meta.resourceType sw "Gr""#,
    // Lists.
    "emails pr",
    "not (emails pr)",
    "emails eq null",
    "emails ne null",
    r#"emails eq "ALICE@work.example""#,
    r#"emails ne "alice@work.example""#,
    r#"not (emails eq "alice@work.example")"#,
    r#"emails co "WORK""#,
    r#"emails sw "a""#,
    r#"emails gt "d""#,
    r#"emails.value ew ".example""#,
    r#"emails.value eq """#,
    "emails.value pr",
    "emails.value eq null",
    "emails.value ne null",
    r#"emails.type eq "work""#,
    r#"emails.type ne "work""#,
    "emails.type pr",
    "emails.type eq null",
    "emails.type ne null",
    "emails.primary eq true",
    "emails.primary eq false",
    "emails.primary ne true",
    "emails.primary pr",
    "emails.display pr",
    r#"roles eq "user""#,
    r#"roles.value ne "user""#,
    r#"ims.type eq "XMPP""#,
    r#"photos eq "https://Photo.example/A.jpg""#,
    r#"photos eq "https://photo.example/a.jpg""#,
    r#"phoneNumbers co "(0)""#,
    "addresses pr",
    "addresses.locality pr",
    r#"addresses.locality eq "ULM""#,
    r#"addresses.country ne "DE""#,
    "addresses.locality eq null",
    // Elements.
    r#"emails[type eq "work" and value co "alice"]"#,
    r#"emails[type eq "home" and value co "alice"]"#,
    r#"emails[type eq "home" and primary eq true]"#,
    r#"emails[type eq "work" and primary ne true]"#,
    r#"emails[type eq "work" or primary eq true]"#,
    r#"emails[value ne "alice@work.example"]"#,
    r#"emails[not (type eq "work")]"#,
    r#"emails[type eq null]"#,
    "emails[type ne null]",
    "emails[type pr]",
    "emails[not (type pr)]",
    "emails[value pr]",
    r#"emails[value eq ""]"#,
    r#"emails[(type eq "work" or type eq "home") and not (value co "many")]"#,
    r#"emails[type eq "work"].value eq "ALICE@HOME.example""#,
    r#"emails[type eq "home"].value eq "alice@home.example""#,
    r#"emails[type eq "work"].value pr"#,
    r#"emails[type eq "work"].value co "_""#,
    r#"not (emails[type eq "work"])"#,
    r#"addresses[type eq "work" and country eq "de"]"#,
    r#"addresses[type eq "home" and country eq "de"]"#,
    r#"addresses[locality eq null]"#,
    // The extension.
    r##"#E:employeeNumber eq "100""##,
    r##"#E:employeeNumber gt "10""##,
    r##"#E:employeeNumber lt "1""##,
    "#E:employeeNumber pr",
    "#E:employeeNumber eq null",
    r##"#E:department eq "SALES""##,
    "#E:department pr",
    r##"#E:department ne "sales""##,
    r##"#E:costCenter co "_""##,
    r##"#E:organization ew "%""##,
    "#E:manager pr",
    r##"#E:manager.value eq "m1""##,
    r##"#E:manager.value ne "m1""##,
    r##"#U:userName eq "bob""##,
    r##"#U:emails[type eq "work"]"##,
    "#U:name.givenName pr",
    r##"schemas eq "#E""##,
    r##"schemas eq "#U""##,
    // Groups of users are of the server.
    r#"groups.value eq "nobody""#,
    // Words.
    r#"TITLE EQ "Boss" AND Emails PR"#,
    r#"title eq "Boss" or userName eq "Bob""#,
    r#"title eq "Boss" and active eq false"#,
    r#"title pr or active eq true and emails pr"#,
    r#"(title pr or active eq true) and emails pr"#,
    r#"not (title pr or active eq true)"#,
    "not(title pr)",
    "not (not (title pr))",
    "((((title pr))))",
    r#"title eq "] and userName pr""#,
    "title pr and(active pr)",
    " title  pr ",
    "userName pr\tand title pr",
    "ims.primary ne true",
    "x509Certificates pr",
    "#E:manager.displayName pr",
    "#E:manager.$ref eq null",
    // What is no filter.
    "title",
    "title pr and",
    "title pr or or active pr",
    "(title pr",
    "title pr)",
    r#"title eq 'Boss'"#,
    r#"title eq Boss"#,
    r#"title eq "Boss"#,
    r#"title is "Boss""#,
    "title eq 5",
    "title eq true",
    "nobody pr",
    "name.nobody pr",
    "emails.nobody pr",
    "emails[nobody pr]",
    "emails[type pr",
    "name[givenName pr]",
    "employeeNumber pr",
    "not title pr",
    "urn:nobody:User:title pr",
    r#"title eq ["Boss"]"#,
    "emails.$ref pr",
    "emails.value[type pr]",
    r#"emails[type eq "work" and emails.value pr]"#,
    "title eq 1e400",
    "title eq -",
    "#U pr",
    "#E pr",
];

/// On groups.
const GROUPS: &[&str] = &[
    r#"displayName eq "ADMINS""#,
    r#"displayName ne "admins""#,
    r#"displayName sw "admin""#,
    r#"displayName co "_%""#,
    r#"displayName co "'""#,
    r#"displayName gt "b""#,
    "members pr",
    "not (members pr)",
    r#"members eq "{alice}""#,
    r#"members.value eq "{alice}""#,
    r#"members.value ne "{alice}""#,
    r#"members[value eq "{carol}"]"#,
    r#"members[value eq "{carol}" or value eq "{Bob}"]"#,
    r#"members[value eq "{alice}" and type eq "User"]"#,
    r#"members[type eq "Group"]"#,
    r#"members.type eq "Group""#,
    r#"members.value eq "{Admins}""#,
    r#"members.value eq "{nobody}""#,
    r#"externalId eq "g1""#,
    "externalId pr",
    r#"meta.resourceType eq "Group""#,
    "userName pr",
    r#"displayName eq "outer" and members pr"#,
];

/// On both.
const ALL: &[&str] = &[
    r#"userName eq "alice""#,
    r#"displayName pr"#,
    r#"displayName sw "A""#,
    r#"userName ne "alice""#,
    r#"not (userName eq "alice")"#,
    r#"userName eq "bob" or displayName eq "ADMINS""#,
    r#"meta.resourceType eq "Group""#,
    r#"externalId eq "g1" or externalId eq "e-1""#,
    "members pr",
    "nobody pr",
    r#"emails[type eq "work"] or members[type eq "Group"]"#,
];

const SORTS: &[&str] = &[
    "userName",
    "title",
    "displayName",
    "nickName",
    "name.familyName",
    "active",
    "emails",
    "emails.value",
    "emails.type",
    "phoneNumbers",
    "addresses.locality",
    "roles.value",
    "externalId",
    "meta.created",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "USERNAME",
    "photos",
    "ims",
    "meta.resourceType",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
];

/// What is nothing to sort by.
const NO_SORTS: &[&str] = &[
    "name",
    "addresses",
    "nobody",
    "employeeNumber",
    "x509Certificates",
    "emails[type eq \"work\"]",
    "name.nobody",
    "meta",
    "id.x",
    "password",
    "x509Certificates.value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "",
];

pub(super) fn filled(filter: &str) -> String {
    filter.replace("#E", ENTERPRISE).replace("#U", USER)
}

fn on_users(filter: Option<String>, sort_by: Option<&'static str>, is_descending: bool) -> Query {
    Query {
        path: "/Users",
        filter,
        sort_by,
        is_descending,
    }
}

/// Every filter with some sorts, every sort with some filters, and filters put
/// together; but for the listed differences.
pub(super) fn all() -> Vec<Query> {
    let mut queries = Vec::new();
    for (number, filter) in USERS.iter().enumerate() {
        let filter = Some(filled(filter));
        queries.push(on_users(filter.clone(), None, false));
        let sort = SORTS[number % SORTS.len()];
        queries.push(on_users(filter, Some(sort), number % 2 == 0));
    }
    for sort in SORTS.iter().chain(NO_SORTS) {
        for filter in [None, Some("title pr"), Some("emails pr or active eq false")] {
            for is_descending in [false, true] {
                let filter = filter.map(ToOwned::to_owned);
                queries.push(on_users(filter, Some(sort), is_descending));
            }
        }
    }
    for (path, filters) in [("/Groups", GROUPS), ("", ALL)] {
        for filter in filters {
            for sort_by in [None, Some("displayName"), Some("externalId")] {
                queries.push(Query {
                    path,
                    filter: Some(filled(filter)),
                    sort_by,
                    is_descending: false,
                });
            }
        }
    }
    queries.extend(combinations());
    queries.retain(|query| !is_listed(query));
    queries
}

fn combinations() -> Vec<Query> {
    let mut random = Random(0x5ca1_ab1e);
    let whole = USERS.iter().position(|filter| *filter == "title").unwrap();
    let mut one = || {
        let filter = filled(USERS[random.below(whole)]);
        let other = filled(USERS[random.below(whole)]);
        let (text, sort) = match random.below(5) {
            0 => (format!("{filter} and {other}"), random.below(SORTS.len())),
            1 => (format!("{filter} or {other}"), random.below(SORTS.len())),
            2 => (
                format!("not ({filter}) and ({other})"),
                random.below(SORTS.len()),
            ),
            3 => (
                format!("not ({filter} or not ({other}))"),
                random.below(SORTS.len()),
            ),
            _ => (
                format!("({filter}) and not ({other}) or title pr"),
                random.below(SORTS.len()),
            ),
        };
        on_users(Some(text), Some(SORTS[sort]), random.below(2) == 0)
    };
    (0..150).map(|_| one()).collect()
}

/// Whether a listed difference is in it.
fn is_listed(query: &Query) -> bool {
    DIFFERENCES.iter().any(|(filter, sort, _)| match sort {
        Some(sort) => query.sort_by == Some(*sort),
        None => {
            let found = query.filter.as_deref().unwrap_or_default();
            !filter.is_empty() && found.contains(&filled(filter))
        }
    })
}
