//! Filters as tables of text, and properties over filters nobody wrote.

mod properties;
mod refused;

use serde_json::json;

use super::*;
use crate::schema::ENTERPRISE;
use crate::time;

fn parse(text: &str) -> Result<Filter, Error> {
    Filter::parse(ResourceType::User, &fill(text))
}

/// Puts the URNs in the place of `#E` and `#U`.
fn fill(text: &str) -> String {
    let user = ResourceType::User.schema().id;
    text.replace("#E", ENTERPRISE.id).replace("#U", user)
}

/// A filter as text that says where every part ends.
fn show(filter: &Filter) -> String {
    let joined = |parts: &[Filter], by: &str| {
        let parts: Vec<_> = parts.iter().map(show).collect();
        format!("({})", parts.join(by))
    };
    match filter {
        Filter::And(parts) => joined(parts, " and "),
        Filter::Or(parts) => joined(parts, " or "),
        Filter::Not(part) => format!("not ({})", show(part)),
        Filter::Test(test) => show_test(&show_path(&test.path), &test.condition),
        Filter::Element(path, part) => format!("{}[{}]", show_path(path), show_part(part)),
        Filter::Nothing => "nothing".to_owned(),
    }
}

/// As `show`, inside of brackets.
fn show_part(filter: &Filter) -> String {
    let joined = |parts: &[Filter], by: &str| {
        let parts: Vec<_> = parts.iter().map(show_part).collect();
        format!("({})", parts.join(by))
    };
    match filter {
        Filter::And(parts) => joined(parts, " and "),
        Filter::Or(parts) => joined(parts, " or "),
        Filter::Not(part) => format!("not ({})", show_part(part)),
        Filter::Test(test) => show_test(test.path.leaf().name, &test.condition),
        Filter::Element(..) | Filter::Nothing => panic!("inside of brackets"),
    }
}

fn show_path(path: &AttributePath) -> String {
    let extension = path.extension.map(|schema| format!("{}:", schema.id));
    let sub = path.sub_attribute.map(|sub| format!(".{}", sub.name));
    let name = path.attribute.name;
    format!(
        "{}{name}{}",
        extension.unwrap_or_default(),
        sub.unwrap_or_default()
    )
}

fn show_test(name: &str, condition: &Condition) -> String {
    let Condition::Compare(comparison, literal) = condition else {
        return format!("{name} pr");
    };
    let literal = match literal {
        Literal::Text(text) => json!(text).to_string(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Time(millis) => json!(time::format(*millis)).to_string(),
        Literal::Null => "null".to_owned(),
    };
    format!("{name} {} {literal}", comparison.as_str())
}

/// `(what is written, what is meant)`.
const MEANINGS: &[(&str, &str)] = &[
    // What clients send.
    (r#"userName eq "bjensen""#, r#"userName eq "bjensen""#),
    (r#"externalId eq "AbC""#, r#"externalId eq "AbC""#),
    (
        r#"emails[type eq "work"].value eq "x""#,
        r#"emails[(type eq "work" and value eq "x")]"#,
    ),
    (
        r#"emails[type eq "work"].value co "x""#,
        r#"emails[(type eq "work" and value co "x")]"#,
    ),
    (
        r#"emails[type eq "work"].value pr"#,
        r#"emails[(type eq "work" and value pr)]"#,
    ),
    ("active eq true", "active eq true"),
    ("active eq True", "active eq true"),
    (r#"active eq "False""#, "active eq false"),
    // RFC 7644 §3.4.2.2.
    (
        r#"name.familyName co "O'Malley""#,
        r#"name.familyName co "o'malley""#,
    ),
    (r#"#U:userName sw "J""#, r#"userName sw "j""#),
    ("title pr", "title pr"),
    (
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
    ),
    (
        r#"title pr and userType eq "Employee""#,
        r#"(title pr and userType eq "employee")"#,
    ),
    (
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"(userType eq "employee" and (emails.value co "example.com" or emails.value co "example.org"))"#,
    ),
    (
        r#"userType ne "Employee" and not (emails co "example.com")"#,
        r#"(userType ne "employee" and not (emails.value co "example.com"))"#,
    ),
    (
        r#"emails[type eq "work" and value co "@a"] or ims[type eq "xmpp" and value co "@b"]"#,
        r#"(emails[(type eq "work" and value co "@a")] or ims[(type eq "xmpp" and value co "@b")])"#,
    ),
    // Precedence: not, and, or.
    (
        "title pr or locale pr and active pr",
        "(title pr or (locale pr and active pr))",
    ),
    (
        "title pr and locale pr or active pr",
        "((title pr and locale pr) or active pr)",
    ),
    (
        "title pr and (locale pr or active pr)",
        "(title pr and (locale pr or active pr))",
    ),
    (
        "not (title pr) and locale pr",
        "(not (title pr) and locale pr)",
    ),
    (
        "not (title pr and locale pr)",
        "not ((title pr and locale pr))",
    ),
    ("not (not (title pr))", "not (not (title pr))"),
    (
        "title pr and locale pr and active pr",
        "(title pr and locale pr and active pr)",
    ),
    (
        "(title pr and locale pr) and active pr",
        "((title pr and locale pr) and active pr)",
    ),
    // A literal ends where the parenthesis does.
    ("(active eq true)", "active eq true"),
    (
        "not (active eq true) and title pr",
        "(not (active eq true) and title pr)",
    ),
    ("not(title eq null)", "not (title eq null)"),
    ("emails[primary eq true]", "emails[primary eq true]"),
    (r#"(title eq "a")"#, r#"title eq "a""#),
    // Spaces.
    ("  ( ( title pr ) )  ", "title pr"),
    ("not  (title pr)", "not (title pr)"),
    ("NOT(title pr)", "not (title pr)"),
    ("title pr and(locale pr)", "(title pr and locale pr)"),
    ("title\tpr", "title pr"),
    (
        r#"title  eq   "a"  and  locale pr"#,
        r#"(title eq "a" and locale pr)"#,
    ),
    (r#"emails[ type eq "work" ]"#, r#"emails[type eq "work"]"#),
    // Case of everything that has none.
    (
        r#"USERNAME EQ "BJensen" AND Title Pr"#,
        r#"(userName eq "bjensen" and title pr)"#,
    ),
    (
        "active eq TRUE or title eq NULL",
        "(active eq true or title eq null)",
    ),
    (
        "URN:IETF:params:scim:schemas:core:2.0:user:title pr",
        "title pr",
    ),
    (r#"id eq "AbC""#, r#"id eq "AbC""#),
    (
        r#"groups.value eq "AbC" and groups.display eq "AbC""#,
        r#"(groups.value eq "AbC" and groups.display eq "abc")"#,
    ),
    // The URN has dots and colons of its own.
    (
        r##"#E:employeeNumber eq "1""##,
        r##"#E:employeeNumber eq "1""##,
    ),
    ("#E:manager.value pr", "#E:manager.value pr"),
    (r##"#E:manager eq "U1""##, r##"#E:manager.value eq "U1""##),
    (
        r##"#E:manager.displayName co "X""##,
        r##"#E:manager.displayName co "x""##,
    ),
    (
        r##"#U:emails[type eq "work"]"##,
        r#"emails[type eq "work"]"#,
    ),
    ("#U:name.givenName pr", "name.givenName pr"),
    (
        r#"urn:ig:tenant:id eq "alpha""#,
        r#"urn:ig:tenant:id eq "alpha""#,
    ),
    // Escapes.
    (r#"title eq "a\"b""#, r#"title eq "a\"b""#),
    (r#"title eq "a\\""#, r#"title eq "a\\""#),
    (
        r#"title eq "\\\"" and locale pr"#,
        r#"(title eq "\\\"" and locale pr)"#,
    ),
    (r#"title eq "\u00e9\n""#, r#"title eq "é\n""#),
    (r#"title eq "\ud83d\ude00""#, r#"title eq "😀""#),
    (r#"title eq "É""#, r#"title eq "é""#),
    (r#"title eq ") or (""#, r#"title eq ") or (""#),
    (r#"emails[value eq "]"]"#, r#"emails[value eq "]"]"#),
    (r#"title eq """#, r#"title eq """#),
    // Brackets.
    (
        r#"emails[type eq "work" and not (value ew "y")]"#,
        r#"emails[(type eq "work" and not (value ew "y"))]"#,
    ),
    (
        r#"emails[type eq "a" or type eq "b" and primary eq true]"#,
        r#"emails[(type eq "a" or (type eq "b" and primary eq true))]"#,
    ),
    (
        r#"not (emails[not (type pr)])"#,
        "not (emails[not (type pr)])",
    ),
    // Lists, and complex attributes with a value.
    ("emails pr", "emails pr"),
    ("emails eq null", "emails.value eq null"),
    (r#"emails.type eq "Work""#, r#"emails.type eq "work""#),
    (
        r#"photos.value eq "https://X""#,
        r#"photos.value eq "https://X""#,
    ),
    ("name pr", "name pr"),
    ("x509Certificates.value pr", "x509Certificates.value pr"),
    // Times in any zone are the same time.
    (
        r#"meta.created ge "2026-01-31T23:59:59.5+01:00""#,
        r#"meta.created ge "2026-01-31T22:59:59.5Z""#,
    ),
    ("meta.created eq null", "meta.created eq null"),
];

#[test]
fn filters_mean_what_the_table_says() {
    for (text, meaning) in MEANINGS {
        let shown = parse(text).map(|filter| show(&filter));
        assert_eq!(shown, Ok(fill(meaning)), "{text}");
    }
}

/// `(filter, as meant for users, as meant for groups)`; nothing where refused.
const OF_ALL: &[(&str, &str, &str)] = &[
    (
        r#"displayName eq "A""#,
        r#"displayName eq "a""#,
        r#"displayName eq "a""#,
    ),
    (r#"userName eq "a""#, r#"userName eq "a""#, "nothing"),
    (
        r#"members[value eq "a"]"#,
        "nothing",
        r#"members[value eq "a"]"#,
    ),
    // RFC 7644 §3.4.2.1: an attribute without a value, not a type without results.
    (
        r#"userName eq "a" or members.value eq "b""#,
        r#"(userName eq "a" or nothing)"#,
        r#"(nothing or members.value eq "b")"#,
    ),
    ("not (userName pr)", "not (userName pr)", "not (nothing)"),
    (
        "#E:department pr and id pr",
        "(#E:department pr and id pr)",
        "(nothing and id pr)",
    ),
    // Errors of one type are errors.
    ("nobody pr or id pr", "", ""),
    ("userName eq 5", "", ""),
    ("userName eq 5 or id pr", "", ""),
    (r#"emails[nobody eq "a"] or id pr"#, "", ""),
    ("id pr)", "", ""),
];

#[test]
fn an_attribute_of_one_type_has_no_value_in_others() {
    for (text, user, group) in OF_ALL {
        let filters = Filter::parse_for_all(&fill(text)).unwrap_or_default();
        let shown: Vec<_> = filters
            .iter()
            .map(|(of, filter)| (*of, show(filter)))
            .collect();
        let expected = [
            (ResourceType::User, fill(user)),
            (ResourceType::Group, fill(group)),
        ];
        match user.is_empty() {
            true => assert_eq!(shown, [], "{text}"),
            false => assert_eq!(shown, expected, "{text}"),
        }
    }
}

#[test]
fn elements_match_as_in_the_table() {
    let work = json!({"value": "Ann@X.y", "type": "Work", "primary": true});
    let bare = json!({"value": "", "primary": false});
    // Whether `work` matches, whether `bare` does.
    let cases = [
        (r#"value eq "ann@x.Y""#, true, false),
        (r#"value ne "ann@x.y""#, false, true),
        (
            r#"value co "@x" and value sw "ANN" and value ew ".Y""#,
            true,
            false,
        ),
        (r#"value co """#, true, true),
        (r#"value gt "anm" and value lt "anz""#, true, false),
        (r#"value ge "ann@x.y" and value le "ann@x.y""#, true, false),
        ("value pr", true, false),
        ("value eq null", false, false),
        ("value ne null", true, true),
        ("type pr", true, false),
        ("type eq null", false, true),
        (r#"type ne "home""#, true, true),
        (r#"type lt "z""#, true, false),
        (r#"not (type eq "work")"#, false, true),
        (r#"type eq "home" or primary eq false"#, false, true),
        ("primary pr", true, true),
        (r#"primary eq "True""#, true, false),
        ("primary ne true", false, true),
        ("display gt null", false, false),
    ];
    for (text, is_work, is_bare) in cases {
        let Ok(Filter::Element(_, filter)) = parse(&format!("emails[{text}]")) else {
            panic!("{text}");
        };
        let found = [&work, &bare].map(|element| matches(&filter, element));
        assert_eq!(found, [is_work, is_bare], "{text}");
    }
}

#[test]
fn case_counts_where_the_schema_says() {
    let of = |name: &str| AttributePath::parse(ResourceType::User, name).unwrap();
    assert_eq!(fold(of("id").leaf(), "AΣ"), "AΣ");
    assert_eq!(
        fold(of("userName").leaf(), "ODOΣ"),
        fold(of("title").leaf(), "odoς")
    );
}
