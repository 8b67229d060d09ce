//! A deny as an HTTP answer.

use ig_contract::{DenyCode, headers};
use ig_persisted_query::Answer;
use serde::Serialize;

use crate::effect::Reply;
#[cfg(feature = "policy")]
use crate::presence::Challenge;
use crate::record::{Records, Ruling};

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
    #[cfg(feature = "policy")]
    #[serde(skip_serializing_if = "Option::is_none")]
    step_up: Option<StepUp<'a>>,
}

/// What the client has to prove its presence for, as the header has it.
#[cfg(feature = "policy")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepUp<'a> {
    acr_values: [&'a str; 1],
    max_age: u32,
    actions: &'a [String],
    resource: &'a str,
}

#[cfg(feature = "policy")]
fn step_up(ruling: &Ruling) -> Option<StepUp<'_>> {
    let challenge = ruling.challenge.as_ref()?;
    Some(StepUp {
        acr_values: [challenge.acr],
        max_age: challenge.max_age,
        actions: &challenge.actions,
        resource: &challenge.resource,
    })
}

/// The challenge of RFC 9470 §3, and what it is about.
#[cfg(feature = "policy")]
fn challenge(ruling: &Ruling) -> Option<(&'static str, String)> {
    let Challenge {
        acr,
        max_age,
        actions,
        resource,
    } = ruling.challenge.as_ref()?;
    let message = quoted(&ruling.as_denied().message);
    // Names of actions are the schema's; a header has no other characters.
    let actions = quoted(&actions.join(" "));
    let value = format!(
        "Bearer error=\"insufficient_user_authentication\", error_description={message}, \
         acr_values=\"{acr}\", max_age=\"{max_age}\", actions={actions}, resource=\"{resource}\""
    );
    Some(("www-authenticate", value))
}

/// A quoted string (RFC 9110 §5.6.4).
#[cfg(feature = "policy")]
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

fn response<'a>(ruling: &'a Ruling, decision_id: &'a str) -> Response<'a> {
    let deny = ruling.as_denied();
    Response {
        errors: [Error {
            message: &deny.message,
            extensions: Extensions {
                code: deny.code,
                rule: &deny.rule,
                decision_id,
                #[cfg(feature = "policy")]
                step_up: step_up(ruling),
            },
        }],
    }
}

/// Builds the answer: one GraphQL error, or one per item of a batch.
pub(crate) fn reply(
    rulings: &[Ruling],
    is_batch: bool,
    answer: Answer,
    decision_id: &str,
    records: Records,
) -> Reply {
    let responses = rulings.iter().map(|ruling| response(ruling, decision_id));
    let responses: Vec<_> = responses.collect();
    let body = match (is_batch, responses.first()) {
        (false, Some(response)) => serde_json::to_vec(response),
        (true, _) | (false, None) => serde_json::to_vec(&responses),
    };
    // The status is that of the deny that aborted the batch.
    let code = rulings
        .iter()
        .map(|ruling| ruling.as_denied().code)
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
        DenyCode::GuardUnavailable | DenyCode::RegionUnavailable => Some(("retry-after", "1")),
        _ => None,
    };
    headers.extend(more.map(|(name, value)| (name, value.to_owned())));
    #[cfg(feature = "policy")]
    headers.extend(rulings.iter().find_map(challenge));
    #[cfg(feature = "policy")]
    if let Some(refusal) = rulings.iter().find_map(|ruling| ruling.refusal.as_ref()) {
        let retry_after = refusal
            .retry_after()
            .filter(|_| code == DenyCode::RateLimited);
        headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        headers.extend(refusal.headers().into_iter().flatten());
    }
    Reply {
        status: code.status(),
        headers,
        body: body.unwrap_or_default(),
        records: records.json,
        verdicts: records.verdicts,
    }
}
