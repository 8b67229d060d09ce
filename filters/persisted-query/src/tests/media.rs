//! Media types.

use crate::{Answer, accepts, check_content_type};

#[test]
fn content_types() {
    let table = [
        ("application/json", true),
        ("Application/JSON", true),
        ("application/json;charset=utf-8", true),
        ("application/json ; Charset = \"UTF-8\"", true),
        ("application/json\t;\tcharset=utf-8", true),
        ("application/json; charset=utf-16", false),
        ("application/json; charset=utf8", false),
        ("application/json; charset=utf-8; charset=utf-16", false),
        ("application/json; charset", false),
        ("application/json; charset=", false),
        ("application/json;", false),
        ("application/json; boundary=x", false),
        ("application/json, text/plain", false),
        ("application/json; charset=utf-8, text/plain", false),
        ("application/jsonx", false),
        ("application/graphql+json", false),
        ("application/graphql", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=application/json", false),
        ("text/plain; a=application/json", false),
        ("text/plain", false),
        ("", false),
        (";charset=utf-8", false),
        ("application/json\u{a0}", false),
    ];
    for (value, is_accepted) in table {
        assert_eq!(check_content_type(value).is_ok(), is_accepted, "{value:?}");
    }
}

#[test]
fn answers() {
    let table = [
        ("", Answer::Json),
        ("*/*", Answer::Json),
        ("application/json", Answer::Json),
        ("application/graphql-response+json", Answer::GraphqlResponse),
        (
            "text/html, Application/GraphQL-Response+JSON;q=0.1 , */*",
            Answer::GraphqlResponse,
        ),
        ("application/graphql-response+jsonx", Answer::Json),
        ("text/html;application/graphql-response+json", Answer::Json),
    ];
    for (accept, expected) in table {
        assert_eq!(accepts(accept), expected, "{accept}");
    }
    assert!(Answer::Json.content_type().starts_with("application/json"));
    assert!(
        Answer::GraphqlResponse
            .content_type()
            .starts_with("application/graphql-response+json")
    );
}
