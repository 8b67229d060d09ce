//! What is no filter, and what is too much of one.

use super::*;

/// What is refused.
const REFUSED: &[&str] = &[
    "",
    " ",
    "()",
    // Entra ID's documentation has this, and nobody means everyone.
    "externalId eq jyoung",
    "title eq 'a'",
    "userName",
    "userName eq",
    "userName eq ",
    r#"userName "a""#,
    r#"userName = "a""#,
    r#"userName eq"a""#,
    r#"userName eq "a" "b""#,
    r#"userName is "a""#,
    r#"eq "a""#,
    r#""userName" eq "a""#,
    "userName prx",
    r#"userName pr "a""#,
    // Attributes that there are not, or not so.
    r#"nobody eq "a""#,
    r#"password eq "a""#,
    "password pr",
    r#"employeeNumber eq "1""#,
    r#"members.value eq "a""#,
    r#"name.nobody eq "a""#,
    r#"userName.value eq "a""#,
    r#"name.givenName.x eq "a""#,
    r#"name. eq "a""#,
    r#".userName eq "a""#,
    r##"#E eq "a""##,
    "#E pr",
    "#U pr",
    "#U: pr",
    r##"#E.department eq "a""##,
    r##"#E:userName eq "a""##,
    r##"#Ex:department eq "a""##,
    r#"urn:nobody:2.0:User:userName eq "a""#,
    r#"usérName eq "a""#,
    // Values of other types.
    "userName eq 5",
    "userName eq true",
    "active eq 1",
    r#"active eq "yes""#,
    "active gt true",
    "active le null",
    r#"active co "t""#,
    r#"active sw "true""#,
    r#"emails.primary ge "true""#,
    r#"x509Certificates.value eq "AA==""#,
    r#"x509Certificates eq "AA==""#,
    "x509Certificates.value gt null",
    r#"meta.created gt "yesterday""#,
    r#"meta.created gt "2011-05-13""#,
    "meta.created gt 5",
    r#"meta.created co "2011""#,
    r#"name eq "a""#,
    r#"addresses eq "a""#,
    r#"meta eq "a""#,
    r#"title eq ["a"]"#,
    r#"title eq {"a": 1}"#,
    // Literals that are none.
    r#"title eq "a"#,
    r#"title eq "a\""#,
    r#"title eq "\x""#,
    r#"title eq "\ud800""#,
    "title eq \"a\nb\"",
    r#"title eq "\u0000""#,
    "title eq nul",
    "title eq nullx",
    "title eq 01",
    "title eq -",
    // Without operands.
    "and",
    "or",
    "not",
    "and title pr",
    "title pr and",
    "title pr and ",
    "title pr or or locale pr",
    "title pr and and locale pr",
    "title pr locale pr",
    "title pr xor locale pr",
    r#"title eq "a"and locale pr"#,
    r#"title eq "a" andlocale pr"#,
    "not title pr",
    "not not (title pr)",
    "not ()",
    // Unbalanced, or more than a filter.
    "(title pr",
    "title pr)",
    "((title pr)",
    "not (title pr",
    r#"emails[type eq "work""#,
    r#"emails type eq "work"]"#,
    r#"emails[(type eq "work"])"#,
    "title pr;",
    "title pr --",
    "title pr ]",
    "title pr\0",
    "\u{feff}title pr",
    // Brackets.
    "emails[]",
    r#"emails[nobody eq "a"]"#,
    r#"emails[emails.type eq "a"]"#,
    r#"emails[emails[type eq "a"]]"#,
    r#"emails[type eq "a"] pr"#,
    r#"emails[type eq "a"] eq "b""#,
    r#"emails[type eq "a"]."#,
    r#"emails[type eq "a"].value"#,
    r#"emails[type eq "a"].nobody eq "b""#,
    r#"emails[type eq "a"].value.x eq "b""#,
    r#"emails.type[value eq "a"]"#,
    r#"userName[value eq "a"]"#,
    r#"name[givenName eq "a"]"#,
    r#"[type eq "a"]"#,
];

#[test]
fn what_is_no_filter_is_refused() {
    for text in REFUSED {
        match parse(text) {
            Ok(filter) => panic!("{text}: {}", show(&filter)),
            Err(error) => assert_eq!(error.kind, ErrorKind::InvalidFilter, "{text}"),
        }
    }
}

#[test]
fn size_is_limited() {
    let nested = |open: &str, depth, close: &str| {
        format!("{}title pr{}", open.repeat(depth), close.repeat(depth))
    };
    let list = |terms| vec!["title pr"; terms].join(" or ");
    let long = |bytes| format!("title eq \"{}\"", "a".repeat(bytes - "title eq \"\"".len()));
    let ids: Vec<_> = (0..200).map(|id| format!("id eq \"{id}\"")).collect();
    let cases = [
        (nested("(", MAX_DEPTH, ")"), nested("(", MAX_DEPTH + 1, ")")),
        (
            nested("not (", MAX_DEPTH, ")"),
            nested("not(", 100_000, ")"),
        ),
        (
            format!(
                "emails[{}type pr{}]",
                "(".repeat(MAX_DEPTH - 1),
                ")".repeat(MAX_DEPTH - 1)
            ),
            format!(
                "emails[{}type pr{}]",
                "(".repeat(MAX_DEPTH),
                ")".repeat(MAX_DEPTH)
            ),
        ),
        (list(MAX_TERMS), list(MAX_TERMS + 1)),
        (long(MAX_BYTES), long(MAX_BYTES + 1)),
        (ids.join(" or "), nested("(", 4000, "")),
    ];
    for (fits, exceeds) in cases {
        assert!(parse(&fits).is_ok(), "{fits:.40}");
        let kind = parse(&exceeds).map_err(|error| error.kind);
        assert_eq!(kind, Err(ErrorKind::InvalidFilter), "{exceeds:.40}");
    }
}
