//! A deny as an HTTP answer.

use ig_contract::{Deny, DenyCode, headers};
use ig_persisted_query::Answer;
use serde::Serialize;

use crate::effect::Reply;

#[derive(Serialize)]
struct Response<'a> {
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    extensions: Extensions<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    code: DenyCode,
    rule: &'a str,
    decision_id: &'a str,
}

/// Builds the answer: one GraphQL error, or one per item of a batch.
pub(crate) fn reply(
    denies: &[&Deny],
    is_batch: bool,
    answer: Answer,
    decision_id: &str,
    records: String,
) -> Reply {
    let responses: Vec<_> = denies
        .iter()
        .map(|deny| Response {
            errors: [Error {
                message: &deny.message,
                extensions: Extensions {
                    code: deny.code,
                    rule: &deny.rule,
                    decision_id,
                },
            }],
        })
        .collect();
    let body = match (is_batch, responses.first()) {
        (false, Some(response)) => serde_json::to_vec(response),
        (true, _) | (false, None) => serde_json::to_vec(&responses),
    };
    // The status is that of the deny that aborted the batch.
    let code = denies
        .iter()
        .map(|deny| deny.code)
        .find(|code| *code != DenyCode::BatchAborted)
        .unwrap_or(DenyCode::GuardUnavailable);
    let mut headers = vec![
        ("content-type", answer.content_type().to_owned()),
        // A deny must not be served to the next caller, or after a release.
        (
            "cache-control",
            "private, no-cache, must-revalidate".to_owned(),
        ),
        (headers::DECISION_ID, decision_id.to_owned()),
    ];
    let more = match code {
        DenyCode::Unauthenticated => Some(("www-authenticate", "Bearer")),
        DenyCode::MutationForbidden => Some(("allow", "POST")),
        DenyCode::MethodNotAllowed => Some(("allow", "GET, POST")),
        DenyCode::GuardUnavailable => Some(("retry-after", "1")),
        _ => None,
    };
    headers.extend(more.map(|(name, value)| (name, value.to_owned())));
    Reply {
        status: code.status(),
        headers,
        body: body.unwrap_or_default(),
        records,
    }
}
