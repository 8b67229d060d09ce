//! The decision record: one per operation of a request, in the access log and
//! in the control plane's decision store.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{DenyCode, Revision};

/// Filter-state key of the records: what Envoy logs as
/// `%FILTER_STATE(wasm.ig.decision:PLAIN)%`. Its value is the records of one
/// request, comma-separated, so that an access log writes it between brackets.
pub const FILTER_STATE_KEY: &str = "ig.decision";

/// Filter state of requests whose trace is kept, for the gateway's span: what
/// became of it, a word of [`Outcome`].
pub const TRACE_OUTCOME: &str = "ig.trace.outcome";
/// The same: the answer's code, a [`DenyCode`]; none where it is allowed.
pub const TRACE_CODE: &str = "ig.trace.code";
/// The same: the graph, by the snapshot.
pub const TRACE_GRAPH: &str = "ig.trace.graph";
/// The same: the snapshot's revision.
pub const TRACE_REVISION: &str = "ig.trace.revision";
/// The same: the decision's id, by which somebody who may can look it up.
pub const TRACE_DECISION: &str = "ig.trace.decision";

/// Rule of an answer that came from another region than the request was for.
pub const BREACH_RULE: &str = "region-breach";

/// Whether a guard answers for itself or only says what it would do.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Denies are answered.
    #[default]
    Enforce,
    /// The client's request passes as it came; denies are only recorded.
    Shadow,
}

/// What became of an operation.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It went to the upstream.
    Allow,
    /// It was answered by the guard.
    Deny,
    /// It went to the upstream, and would have been denied in `enforce`.
    ShadowDeny,
}

impl Outcome {
    /// Every outcome, for counters and tables.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::ShadowDeny];

    /// As records and labels spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ShadowDeny => "shadow-deny",
        }
    }
}

/// One decision. Field names are stable: access logs and stores rely on them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecisionRecord<'a> {
    /// UUIDv7, the value of `x-ig-decision-id`; shared by a batch.
    pub decision_id: Cow<'a, str>,
    /// Tenant of the actor, once known.
    pub tenant_id: Option<Cow<'a, str>>,
    /// Subject (`sub`) of the verified token, once known.
    pub actor: Option<Cow<'a, str>>,
    /// Purpose the client gave.
    pub purpose: Option<Cow<'a, str>>,
    /// Legal basis the client gave.
    pub authority: Option<Cow<'a, str>>,
    /// Name of the operation, once known.
    pub operation: Option<Cow<'a, str>>,
    /// SHA-256 of the document, or the alias the client sent.
    pub document: Option<Cow<'a, str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// Answer of a deny.
    pub code: Option<DenyCode>,
    /// The rule that decided.
    pub rule: Cow<'a, str>,
    /// `jti` of the step-up token that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<Cow<'a, str>>,
    /// What policy asks of the upstream or the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Cow<'a, str>>,
    /// Mode of the guard that decided.
    pub mode: Mode,
    /// Region of the tenant, once known.
    pub region: Option<Cow<'a, str>>,
    /// Snapshot the decision was made with; none before the first one.
    pub revision: Option<Revision>,
}
