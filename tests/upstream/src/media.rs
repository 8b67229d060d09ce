//! Media types: what the client accepts and what its body claims to be.

use axum::http::{HeaderMap, StatusCode, header};

use crate::error::HttpError;

/// What the server can answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    GraphqlResponse,
    EventStream,
}

impl MediaType {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        }
    }

    /// Wildcards mean `application/json`: the safe answer for clients that
    /// predate the GraphQL media type.
    fn of_range(range: &str) -> Option<Self> {
        match range {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "application/graphql-response+json" => Some(Self::GraphqlResponse),
            "text/event-stream" => Some(Self::EventStream),
            _ => None,
        }
    }
}

/// The media type the client likes best; `None` when it accepts nothing the
/// server has. Of equal weights the first listed wins.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let mut best: Option<(MediaType, f32)> = None;
    let mut asked = false;
    for value in headers.get_all(header::ACCEPT) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default().to_ascii_lowercase();
            if range.is_empty() {
                continue;
            }
            asked = true;
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .and_then(|weight| weight.parse::<f32>().ok())
                .unwrap_or(1.0);
            if let Some(media) = MediaType::of_range(&range)
                && weight > best.map_or(0.0, |(_, weight)| weight)
            {
                best = Some((media, weight));
            }
        }
    }
    if asked {
        best.map(|(media, _)| media)
    } else {
        Some(MediaType::Json)
    }
}

/// Refuses every body that is not JSON in UTF-8.
pub(crate) fn require_json_body(headers: &HeaderMap) -> Result<(), HttpError> {
    let unsupported = || {
        HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type must be application/json",
        )
    };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values
        .next()
        .and_then(|value| value.to_str().ok())
        .ok_or_else(unsupported)?;
    if values.next().is_some() {
        return Err(unsupported());
    }
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
    {
        return Err(unsupported());
    }
    for part in parts {
        if let Some((name, charset)) = part.split_once('=')
            && name.eq_ignore_ascii_case("charset")
            && !charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            return Err(unsupported());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn negotiates_the_best_weight_then_the_first() {
        for (accept, want) in [
            ("", Some(MediaType::Json)),
            ("*/*", Some(MediaType::Json)),
            ("application/json", Some(MediaType::Json)),
            (
                "application/graphql-response+json",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/graphql-response+json, application/json",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/json;q=0.9, Application/GraphQL-Response+JSON",
                Some(MediaType::GraphqlResponse),
            ),
            ("text/event-stream", Some(MediaType::EventStream)),
            ("text/html, */*;q=0.1", Some(MediaType::Json)),
            ("application/json;q=0", None),
            ("text/html", None),
        ] {
            assert_eq!(
                negotiate(&headers(header::ACCEPT, accept)),
                want,
                "{accept}"
            );
        }
        assert_eq!(negotiate(&HeaderMap::new()), Some(MediaType::Json));
    }

    #[test]
    fn only_json_in_utf8_is_a_body() {
        for (content_type, ok) in [
            ("application/json", true),
            ("Application/JSON; Charset=\"UTF-8\"", true),
            ("application/json; charset=iso-8859-1", false),
            ("application/graphql", false),
            ("text/plain", false),
        ] {
            let got = require_json_body(&headers(header::CONTENT_TYPE, content_type));
            assert_eq!(got.is_ok(), ok, "{content_type}");
        }
        assert!(require_json_body(&HeaderMap::new()).is_err());
    }
}
