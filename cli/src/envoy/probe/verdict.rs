//! Whether an answer is the guard's deny.

use ig_contract::DenyCode;
use serde::Serialize;
use serde_json::Value;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `x-ig-decision-id`, which the guard sets on every answer.
    pub(super) decision: Option<String>,
    pub(super) body: Vec<u8>,
}

/// What became of a request.
#[derive(PartialEq, Eq, Debug, Serialize)]
#[serde(
    tag = "outcome",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum Verdict {
    /// The guard denied it, for what it is.
    Denied { detail: String, decision_id: String },
    /// Something that is no guard answered, or the guard let it pass.
    Passed { detail: String },
    /// The answer says neither.
    Unclear { detail: String },
    /// No answer in time.
    Silent { detail: String },
    /// No connection.
    Unreached { detail: String },
}

impl Verdict {
    pub(super) fn passed(detail: impl Into<String>) -> Self {
        Self::Passed {
            detail: detail.into(),
        }
    }

    pub(super) fn unclear(detail: impl Into<String>) -> Self {
        Self::Unclear {
            detail: detail.into(),
        }
    }

    /// The control plane has the decision as the graph's.
    pub(super) fn of_graph(decision: &str) -> Self {
        Self::Denied {
            detail: "the control plane has its decision".to_owned(),
            decision_id: decision.to_owned(),
        }
    }

    /// The guard's decision, where it denied.
    pub(super) fn decision(&self) -> Option<&str> {
        match self {
            Self::Denied { decision_id, .. } => Some(decision_id),
            _ => None,
        }
    }

    /// A word, and what more there is to say.
    pub(super) fn told(&self) -> (&'static str, String) {
        match self {
            Self::Denied { detail, .. } => ("denied", detail.clone()),
            Self::Passed { detail } => ("PASSED", detail.clone()),
            Self::Unclear { detail } => ("unclear", detail.clone()),
            Self::Silent { detail } => ("silent", detail.clone()),
            Self::Unreached { detail } => ("unreached", detail.clone()),
        }
    }
}

/// Judges an answer by the guard's own marks: its decision's id in the header
/// and, the same, in the error; and the code with the status that goes with it.
pub(super) fn judge(answer: &Answer, expected: &[DenyCode], also: &[DenyCode]) -> Verdict {
    let status = answer.status;
    let Some(decision) = &answer.decision else {
        return unmarked(status);
    };
    let Some((code, rule)) = deny(answer, decision) else {
        return Verdict::passed(format!(
            "the guard let it pass (status {status}, decision {decision}): is its mode `shadow`?"
        ));
    };
    if expected.contains(&code) || also.contains(&code) {
        return Verdict::Denied {
            detail: code.as_str().to_owned(),
            decision_id: decision.clone(),
        };
    }
    let name = code.as_str();
    Verdict::unclear(match code {
        DenyCode::GuardUnavailable => {
            format!("the guard denies everything ({name}, rule {rule}): has it a snapshot?")
        }
        DenyCode::PathNotAllowed => {
            format!("the guard denies the path ({name}): give the URL of the graph's endpoint")
        }
        DenyCode::Unauthenticated => format!(
            "the guard denies who asks ({name}), not what for: give an access token with \
             --token-file"
        ),
        _ => format!("the guard denies it as {name} (rule {rule}), which says nothing of texts"),
    })
}

/// An answer without the guard's marks.
fn unmarked(status: u16) -> Verdict {
    match status {
        300..=399 => Verdict::unclear(format!(
            "redirected (status {status}) without having met a guard: give the final URL"
        )),
        429 | 502..=504 => Verdict::unclear(format!(
            "status {status}, and not of the guard: it says nothing of who is there"
        )),
        400.. => Verdict::passed(format!(
            "answered {status} by something that is not the guard: no deny of its own"
        )),
        _ => Verdict::passed(format!("answered {status}, and no guard has seen it")),
    }
}

/// Code and rule, where the answer is the guard's deny.
fn deny(answer: &Answer, decision: &str) -> Option<(DenyCode, String)> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    // A batch has an answer for each of its operations.
    let first = body
        .as_array()
        .and_then(|items| items.first())
        .unwrap_or(&body);
    let extensions = first.pointer("/errors/0/extensions")?;
    let code: DenyCode = serde_json::from_value(extensions["code"].clone()).ok()?;
    let is_own = extensions["decisionId"] == decision && code.status() == answer.status;
    let rule = extensions["rule"].as_str().unwrap_or_default();
    (is_own && first.get("data").is_none()).then(|| (code, rule.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, decision: Option<&str>, body: &Value) -> Answer {
        Answer {
            status,
            decision: decision.map(Into::into),
            body: body.to_string().into_bytes(),
        }
    }

    fn error(code: &str, decision: &str) -> Value {
        json!({"errors": [{"message": "no", "extensions": {
            "code": code, "rule": "r", "decisionId": decision,
        }}]})
    }

    #[test]
    fn only_the_guards_own_deny_counts() {
        const ID: &str = "PERSISTED_QUERY_ID_REQUIRED";
        let data = json!({"data": {"__typename": "Query"}});
        let mut with_data = error(ID, "d1");
        with_data["data"] = Value::Null;
        let cases = [
            (
                "its deny",
                answer(400, Some("d1"), &error(ID, "d1")),
                "denied",
            ),
            (
                "of a batch",
                answer(400, Some("d1"), &json!([error(ID, "d1"), error(ID, "d1")])),
                "denied",
            ),
            ("an answer", answer(200, None, &data), "PASSED"),
            (
                "an answer in shadow",
                answer(200, Some("d1"), &data),
                "PASSED",
            ),
            (
                "an upstream's deny",
                answer(400, None, &error(ID, "d1")),
                "PASSED",
            ),
            (
                "the same in shadow",
                answer(400, Some("d1"), &error(ID, "d2")),
                "PASSED",
            ),
            (
                "without an id",
                answer(
                    400,
                    Some("d1"),
                    &json!({"errors": [{"extensions": {"code": ID}}]}),
                ),
                "PASSED",
            ),
            (
                "under another status",
                answer(200, Some("d1"), &error(ID, "d1")),
                "PASSED",
            ),
            ("with data", answer(400, Some("d1"), &with_data), "PASSED"),
            ("not JSON", answer(400, Some("d1"), &Value::Null), "PASSED"),
            ("not found", answer(404, None, &Value::Null), "PASSED"),
            (
                "a server's error",
                answer(500, None, &Value::Null),
                "PASSED",
            ),
            ("no upstream", answer(503, None, &Value::Null), "unclear"),
            (
                "somebody's limit",
                answer(429, None, &Value::Null),
                "unclear",
            ),
            ("a redirect", answer(301, None, &Value::Null), "unclear"),
            (
                "no snapshot",
                answer(503, Some("d1"), &error("GUARD_UNAVAILABLE", "d1")),
                "unclear",
            ),
            (
                "no token",
                answer(401, Some("d1"), &error("UNAUTHENTICATED", "d1")),
                "unclear",
            ),
            (
                "a wrong path",
                answer(404, Some("d1"), &error("PATH_NOT_ALLOWED", "d1")),
                "unclear",
            ),
        ];
        for (what, answer, expected) in cases {
            let verdict = judge(&answer, &[DenyCode::PersistedQueryIdRequired], &[]);
            assert_eq!(verdict.told().0, expected, "{what}: {verdict:?}");
        }
        let limited = answer(429, Some("d1"), &error("RATE_LIMITED", "d1"));
        let also = judge(&limited, &[], &[DenyCode::RateLimited]);
        assert_eq!(also.decision(), Some("d1"));
    }
}
