//! What a caller is told when a request is denied. A deny is a value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The closed set of answers. The names are the `extensions.code` of the
/// GraphQL error and the label of the counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DenyCode {
    /// The request is not well-formed GraphQL over HTTP.
    BadRequest,
    /// The id is not in the catalogue (or not for this client).
    PersistedQueryNotInList,
    /// Text, or nothing, where an id is needed.
    PersistedQueryIdRequired,
    /// Text beside an id, or carriers that disagree.
    CannotSendPqIdAndBody,
    /// A path that is not the GraphQL endpoint.
    PathNotAllowed,
    /// A method that is neither GET nor POST.
    MethodNotAllowed,
    /// A mutation by GET.
    MutationForbidden,
    /// Media type, charset or content coding.
    UnsupportedMediaType,
    /// A body over the limit.
    RequestTooLarge,
    /// A GET whose canonical form is longer than upstreams take.
    UriTooLong,
    /// A protocol upgrade.
    UpgradeRefused,
    /// A batch while batches are off.
    BatchingNotEnabled,
    /// More operations in a batch than allowed.
    BatchLimitExceeded,
    /// An allowed item of a batch of which another item was denied.
    BatchAborted,
    /// No access token, or one that Envoy did not verify.
    Unauthenticated,
    /// No purpose given.
    PurposeRequired,
    /// A purpose the actor does not hold or the action does not allow.
    PurposeDenied,
    /// The Rego bundle said no.
    PolicyDenied,
    /// The subject or its tenant is unknown or suspended.
    SubjectInactive,
    /// A fresh proof is needed (RFC 9470).
    StepUpRequired,
    /// The tenant lives in another region.
    RegionMisdirected,
    /// The tenant's region cannot serve.
    RegionUnavailable,
    /// A limit is used up.
    RateLimited,
    /// The service behind the gateway does not answer. The gateway says so; the
    /// guard only of a WebSocket on which the service breaks the protocol.
    UpstreamUnavailable,
    /// No usable snapshot, or the guard could not decide.
    GuardUnavailable,
}

impl DenyCode {
    /// Every code, for counters and tables.
    pub const ALL: [Self; 25] = [
        Self::BadRequest,
        Self::PersistedQueryNotInList,
        Self::PersistedQueryIdRequired,
        Self::CannotSendPqIdAndBody,
        Self::PathNotAllowed,
        Self::MethodNotAllowed,
        Self::MutationForbidden,
        Self::UnsupportedMediaType,
        Self::RequestTooLarge,
        Self::UriTooLong,
        Self::UpgradeRefused,
        Self::BatchingNotEnabled,
        Self::BatchLimitExceeded,
        Self::BatchAborted,
        Self::Unauthenticated,
        Self::PurposeRequired,
        Self::PurposeDenied,
        Self::PolicyDenied,
        Self::SubjectInactive,
        Self::StepUpRequired,
        Self::RegionMisdirected,
        Self::RegionUnavailable,
        Self::RateLimited,
        Self::UpstreamUnavailable,
        Self::GuardUnavailable,
    ];

    /// The code as it stands in `extensions.code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::PersistedQueryNotInList => "PERSISTED_QUERY_NOT_IN_LIST",
            Self::PersistedQueryIdRequired => "PERSISTED_QUERY_ID_REQUIRED",
            Self::CannotSendPqIdAndBody => "CANNOT_SEND_PQ_ID_AND_BODY",
            Self::PathNotAllowed => "PATH_NOT_ALLOWED",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::MutationForbidden => "MUTATION_FORBIDDEN",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::UriTooLong => "URI_TOO_LONG",
            Self::UpgradeRefused => "UPGRADE_REFUSED",
            Self::BatchingNotEnabled => "BATCHING_NOT_ENABLED",
            Self::BatchLimitExceeded => "BATCH_LIMIT_EXCEEDED",
            Self::BatchAborted => "BATCH_ABORTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PurposeRequired => "PURPOSE_REQUIRED",
            Self::PurposeDenied => "PURPOSE_DENIED",
            Self::PolicyDenied => "POLICY_DENIED",
            Self::SubjectInactive => "SUBJECT_INACTIVE",
            Self::StepUpRequired => "STEP_UP_REQUIRED",
            Self::RegionMisdirected => "REGION_MISDIRECTED",
            Self::RegionUnavailable => "REGION_UNAVAILABLE",
            Self::RateLimited => "RATE_LIMITED",
            Self::UpstreamUnavailable => "UPSTREAM_UNAVAILABLE",
            Self::GuardUnavailable => "GUARD_UNAVAILABLE",
        }
    }

    /// HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest
            | Self::PersistedQueryIdRequired
            | Self::CannotSendPqIdAndBody
            | Self::BatchingNotEnabled => 400,
            Self::Unauthenticated | Self::StepUpRequired => 401,
            Self::PurposeRequired
            | Self::PurposeDenied
            | Self::PolicyDenied
            | Self::SubjectInactive
            | Self::UpgradeRefused => 403,
            Self::PersistedQueryNotInList | Self::PathNotAllowed => 404,
            Self::MethodNotAllowed | Self::MutationForbidden => 405,
            Self::RequestTooLarge => 413,
            Self::UriTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::RegionMisdirected => 421,
            Self::BatchLimitExceeded => 422,
            Self::BatchAborted => 424,
            Self::RateLimited => 429,
            Self::RegionUnavailable | Self::UpstreamUnavailable | Self::GuardUnavailable => 503,
        }
    }
}

/// A deny: what the caller is told and which rule said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deny {
    /// The answer.
    pub code: DenyCode,
    /// Kebab-case name of the rule that decided; never client input.
    pub rule: Cow<'static, str>,
    /// One sentence for the caller that says what to do; never client input.
    pub message: Cow<'static, str>,
}

impl Deny {
    /// A deny by a rule of the guard itself.
    pub const fn new(code: DenyCode, rule: &'static str, message: &'static str) -> Self {
        Self {
            code,
            rule: Cow::Borrowed(rule),
            message: Cow::Borrowed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_and_spelt_as_serde_spells_it() {
        for code in DenyCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
            assert!((400..=599).contains(&code.status()));
        }
        let mut names: Vec<_> = DenyCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DenyCode::ALL.len());
    }

    /// `docs/answers.md` lists every code with its status, and no other.
    #[test]
    fn the_documentation_lists_every_code() {
        let page = include_str!("../../docs/answers.md");
        let listed: Vec<_> = page
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| `")?.split('|');
                let code = cells.next()?.trim().trim_end_matches('`').to_owned();
                Some((code, cells.next()?.trim().parse().unwrap()))
            })
            .collect();
        let codes = DenyCode::ALL.map(|code| (code.as_str().to_owned(), code.status()));
        assert_eq!(listed, codes);
    }
}
