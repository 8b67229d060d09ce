//! Header names of the contract. Every name is lower-case, as HTTP/2 and
//! Envoy have it.

use crate::snapshot::OperationClass;

/// All headers of the product start so; what a client sends under this prefix
/// is removed unless it is one of [`CLIENT_INPUTS`].
pub const PREFIX: &str = "x-ig-";

/// Purpose of use, set by the client, checked by the guard.
pub const PURPOSE: &str = "x-ig-purpose";
/// Legal basis (a warrant, a case number), set by the client, judged by policy.
pub const AUTHORITY: &str = "x-ig-authority";
/// Step-up token; never reaches an upstream.
pub const STEP_UP: &str = "x-ig-step-up";
/// Payload of the verified token, base64url: `forward_payload_header` of
/// Envoy's `jwt_authn`, which removes what a client sends under this name. The
/// guard checks it against the filter's metadata before it believes it, and it
/// never reaches an upstream.
pub const JWT_PAYLOAD: &str = "x-ig-jwt-payload";
/// The headers a client may set, each at most once.
pub const CLIENT_INPUTS: [&str; 3] = [PURPOSE, AUTHORITY, STEP_UP];

/// Subject of the verified token.
pub const ACTOR: &str = "x-ig-actor";
/// Tenant of the actor.
pub const TENANT: &str = "x-ig-tenant";
/// Id of the decision, a UUIDv7; on the request and on every response.
pub const DECISION_ID: &str = "x-ig-decision-id";
/// Name of the operation, or the names of a batch, comma-separated.
pub const OPERATION: &str = "x-ig-operation";
/// Region of the tenant; of the gateway, where a request is served in another.
pub const REGION: &str = "x-ig-region";
/// Hosts of the region that the request goes to: `primary` or `replica`.
pub const ROUTE: &str = "x-ig-route";
/// Priority of the tenant, where it is not `default`.
pub const PRIORITY: &str = "x-ig-priority";
/// Cost of the request's operations of one class, by their records and the
/// request's variables; 1,000,000,000 at most, which is what Envoy counts.
pub const fn cost(class: OperationClass) -> &'static str {
    match class {
        OperationClass::Query => "x-ig-cost-query",
        OperationClass::Mutation => "x-ig-cost-mutation",
        OperationClass::Subscription => "x-ig-cost-subscription",
        OperationClass::Sensitive => "x-ig-cost-sensitive",
    }
}
/// Region of the gateway that forwarded the request. A client that sends it is
/// denied what would have been forwarded, and nothing else comes of it.
pub const FORWARDED_BY: &str = "x-ig-forwarded-by";

/// Trace and span of the gateway's own span, as the gateway writes it where it
/// traces: 32 hexadecimal digits, `-`, 16. It is for the guard's calls, and
/// never reaches an upstream, which is sent `traceparent`.
pub const TRACE: &str = "x-ig-trace";

/// Metadata of the stream on which a proxy asks for snapshots: the formats that
/// its module reads, as [`Formats`](crate::snapshot::Formats) writes them.
pub const SNAPSHOT_FORMATS: &str = "x-ig-snapshot-formats";
