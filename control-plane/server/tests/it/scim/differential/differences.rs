//! Where ours is another, and what decides.

/// Filter, sort, why. What it is of is left out of the comparison, and has to
/// differ.
pub(super) type Difference = (&'static str, Option<&'static str>, &'static str);

const COMPLEX: &str = "RFC 7644 §3.12: an attribute that cannot be compared so is refused, where \
                       theirs finds nobody";
const TIME: &str = "RFC 7643 §2.3.5: a time has a date, a time and an offset";
const BOOLEAN: &str = "RFC 7643 §2.3.2: a boolean is `true` or `false`";
const TEXT: &str = "RFC 7643 §2.3.1: a string is compared with a string";
const REFERENCE: &str = "RFC 7644 §3.4.2.2: text that is no URI is the reference of nobody";
const SERVERS: &str = "RFC 7644 §3.12: what is made for each answer is not searched";
const GRAMMAR: &str = "RFC 7644 §3.4.2.2, figure 1: a space is before and behind an operator";
const GROUPS: &str = "RFC 7643 §4.1.2: theirs does not know the groups of a user";

pub(super) const DIFFERENCES: &[Difference] = &[
    ("name eq null", None, COMPLEX),
    ("name ne null", None, COMPLEX),
    (r#"name co "x""#, None, COMPLEX),
    (r#"addresses eq "x""#, None, COMPLEX),
    ("meta eq null", None, COMPLEX),
    (
        r##"#E:manager eq "m1""##,
        None,
        "RFC 7644 §3.10: its `value` is what a complex attribute is compared by",
    ),
    (
        r#"meta.created co "20""#,
        None,
        "RFC 7644 §3.4.2.2: only strings have parts",
    ),
    (r#"meta.created eq "2000""#, None, TIME),
    (r#"meta.created gt "2000-01-01""#, None, TIME),
    (r#"meta.created ge "2000-01-01T00:00:00""#, None, TIME),
    ("meta.created gt 5", None, TIME),
    ("active eq 1", None, BOOLEAN),
    (r#"active eq "yes""#, None, BOOLEAN),
    ("title co 5", None, TEXT),
    ("title sw true", None, TEXT),
    (r#"photos.value eq "not a uri""#, None, REFERENCE),
    (r#"profileUrl eq "not a uri""#, None, REFERENCE),
    (
        r#"x509Certificates.value eq "AA==""#,
        None,
        "RFC 7644 §3.12: certificates are not searched by their bytes",
    ),
    ("meta.location pr", None, SERVERS),
    ("meta.version pr", None, SERVERS),
    ("meta pr", None, SERVERS),
    (
        "password pr",
        None,
        "RFC 7643 §7: a filter must not tell what is never returned; ours has none",
    ),
    (
        "userName eq \"e\u{301}clair\"",
        None,
        "RFC 7643 §2.3.1 does not normalise; ours compares letters as they were sent",
    ),
    ("groups pr", None, GROUPS),
    (r#"groups.display eq "ADMINS""#, None, GROUPS),
    (r#"groups.value eq "{Admins}""#, None, GROUPS),
    (r#"groups[display eq "Admins"]"#, None, GROUPS),
    (r#"groups.type eq "direct""#, None, GROUPS),
    (
        r#"title eq "\ud83e""#,
        None,
        "RFC 8259 §8.2: half of a character is no text",
    ),
    (r#"title eq "a\u0000""#, None, "no value has it"),
    (r#"title eq "x"and active pr"#, None, GRAMMAR),
    (r#"title eq"x""#, None, GRAMMAR),
    ("(title pr)and active pr", None, GRAMMAR),
    ("", Some("meta.location"), SERVERS),
    ("", Some("meta.version"), SERVERS),
    ("", Some("groups"), SERVERS),
    ("", Some("groups.display"), SERVERS),
    (
        "",
        Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"),
        "RFC 7644 §3.4.2.3: a complex attribute is sorted by its `value`",
    ),
    (
        "",
        Some("title "),
        "RFC 7644 §3.10: a space is no part of a name",
    ),
];
