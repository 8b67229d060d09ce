//! Media types of requests and answers.

use ig_contract::{Deny, DenyCode};

/// Media type of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// `application/json`
    Json,
    /// `application/graphql-response+json`
    GraphqlResponse,
}

impl Answer {
    /// Value of the answer's `content-type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

const DENIED: Deny = Deny::new(
    DenyCode::UnsupportedMediaType,
    "content-type",
    "Send `content-type: application/json`, as UTF-8.",
);

/// Checks a request's `content-type`: `application/json`, in UTF-8, and
/// nothing that merely contains these words.
///
/// # Errors
/// 415 for everything else.
pub fn check_content_type(value: &str) -> Result<(), Deny> {
    let mut parts = value.split(';');
    let media_type = parts.next().unwrap_or_default().trim_matches([' ', '\t']);
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(DENIED);
    }
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(DENIED);
        };
        let value = value.trim_matches([' ', '\t']);
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        let is_charset = name
            .trim_matches([' ', '\t'])
            .eq_ignore_ascii_case("charset");
        if !is_charset || !value.eq_ignore_ascii_case("utf-8") {
            return Err(DENIED);
        }
    }
    Ok(())
}

/// Picks the answer's media type by the request's `accept`. Weights are not
/// read: whoever names the newer type understands it.
pub fn accepts(accept: &str) -> Answer {
    let names_it = accept
        .split(',')
        .filter_map(|range| range.split(';').next())
        .any(|range| {
            range
                .trim()
                .eq_ignore_ascii_case("application/graphql-response+json")
        });
    if names_it {
        Answer::GraphqlResponse
    } else {
        Answer::Json
    }
}
