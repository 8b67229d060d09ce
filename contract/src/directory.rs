//! What guards ask the control plane's directory: facts about a subject, and
//! what has changed since. Each is a POST of JSON to the head's
//! [`crate::snapshot::Directory`], and only an answer of 200 counts.
//!
//! Every change of the directory has a position, and positions only grow. Facts
//! bear the position they are of, so that a guard can tell whether a change that
//! it knows of has overtaken them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Path of [`FactsRequest`]s behind the head's prefix.
pub const FACTS: &str = "facts";
/// Path of [`ChangesRequest`]s behind the head's prefix.
pub const CHANGES: &str = "changes";

/// How long guards ask the control plane to wait for a change, in milliseconds.
pub const WAIT_MS: u32 = 10_000;

/// Longest answer with [`Facts`], in bytes; a longer one is none.
pub const MAX_FACTS_BYTES: usize = 64 * 1024;
/// Longest answer with [`Changes`], in bytes. Who has more to say says `reset`:
/// of a longer one, or one that cannot be read, guards know only that something
/// has changed, and forget everything, their position, too.
pub const MAX_CHANGES_BYTES: usize = 256 * 1024;

/// Who is this? Answered by [`Facts`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactsRequest {
    /// Name of the graph.
    pub graph: String,
    /// Tenant that the token names.
    pub tenant: String,
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token; unique within the issuer.
    pub subject: String,
    /// Value of the claim that links the issuer's subjects to users of the
    /// tenant, where the tenant has such a link and the token such a claim.
    pub link: Option<String>,
}

/// What the directory knows of a subject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Position of the last change these facts have.
    pub position: u64,
    /// Id of the user; none if nobody is linked to the subject.
    pub user: Option<String>,
    /// Whether the user may do anything at all.
    pub active: bool,
    /// The user's groups, by the names policies know.
    pub groups: BTreeSet<String>,
    /// Step-up tokens that were made before this do not count, in seconds since
    /// the epoch: the user has logged out, or was suspended meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step_up_from: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "as serde calls it; it is not everywhere"
)]
fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

/// What has changed? Answered by [`Changes`], at once where something has, and
/// otherwise as soon as something does or the wait is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangesRequest {
    /// Name of the graph.
    pub graph: String,
    /// Position of the last change known. Without one the answer comes at once,
    /// and has a position and no changes.
    pub after: Option<u64>,
    /// How long to wait for a change, in milliseconds; 0 from a guard whose last
    /// question was not answered.
    pub wait_ms: u32,
}

/// Whose facts are no longer what they were.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Position of the last change that is told of; `after` where there is none.
    pub position: u64,
    /// The changes after `after` are not all known: forget everything.
    pub reset: bool,
    /// Every change after `after`, up to `position`.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Tenant of the user.
    pub tenant: String,
    /// Id of the user; none for everybody of the tenant.
    pub user: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sides have to read what releases before them wrote.
    #[test]
    fn messages_are_spelt_so() {
        let facts = FactsRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            issuer: "https://login.example".into(),
            subject: "s-1".into(),
            link: None,
        };
        let known = Facts {
            position: 7,
            user: Some("u-1".into()),
            active: true,
            groups: ["analysts".to_owned()].into(),
            step_up_from: 0,
        };
        let changes = ChangesRequest {
            graph: "demo".into(),
            after: Some(7),
            wait_ms: WAIT_MS,
        };
        let changed = Changes {
            position: 8,
            reset: false,
            changes: vec![Change {
                tenant: "alpha".into(),
                user: None,
            }],
        };
        let json = [
            serde_json::to_string(&facts).unwrap(),
            serde_json::to_string(&known).unwrap(),
            serde_json::to_string(&changes).unwrap(),
            serde_json::to_string(&changed).unwrap(),
        ];
        assert_eq!(
            json,
            [
                r#"{"graph":"demo","tenant":"alpha","issuer":"https://login.example","subject":"s-1","link":null}"#,
                r#"{"position":7,"user":"u-1","active":true,"groups":["analysts"]}"#,
                r#"{"graph":"demo","after":7,"waitMs":10000}"#,
                r#"{"position":8,"reset":false,"changes":[{"tenant":"alpha","user":null}]}"#,
            ]
        );
    }
}
