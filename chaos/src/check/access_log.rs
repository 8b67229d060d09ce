//! What a gateway says that it decided.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result};
use ig_contract::decision::{DecisionRecord, Outcome};
use serde_json::Value;

/// One decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its id, a UUIDv7.
    pub id: String,
    /// Milliseconds since 1970 at which the request began, as Envoy has it.
    pub begun: Option<u64>,
    /// Whether it let the request go.
    pub is_allowed: bool,
    /// Whose request it was, if that was known.
    pub tenant: Option<String>,
    /// Name of the operation, if it was known.
    pub operation: Option<String>,
    /// The snapshot's revision.
    pub revision: Option<String>,
}

impl Decision {
    /// Milliseconds since 1970 at which the guard saw the request: the first 48 bits of its
    /// id. The revision that it is judged by was taken between `begun` and then, since
    /// filters in front of the guard may hold a request.
    pub fn at(&self) -> Option<u64> {
        let hex: String = self.id.chars().filter(|one| *one != '-').take(12).collect();
        u64::from_str_radix(&hex, 16).ok()
    }
}

/// Decisions of an access log.
///
/// # Errors
/// If it cannot be read. What a killed proxy did not end is left out.
pub fn read(path: &Path) -> Result<Vec<Decision>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut decisions = Vec::new();
    for line in text.lines() {
        let Some(line) = whole(line) else {
            continue;
        };
        let begun = line["startTime"].as_str().and_then(milliseconds);
        // The guard's list stands in a list of one.
        let lists = line["decisions"].as_array().into_iter().flatten();
        let records = lists.flat_map(|list| match list.as_array() {
            Some(records) => records.clone(),
            None => vec![list.clone()],
        });
        for record in records {
            let text = record.to_string();
            let record: DecisionRecord<'_> = serde_json::from_str(&text)
                .with_context(|| format!("a decision cannot be read: {text}"))?;
            decisions.push(Decision {
                id: record.decision_id.into_owned(),
                begun,
                is_allowed: record.outcome != Outcome::Deny,
                tenant: record.tenant_id.map(Cow::into_owned),
                operation: record.operation.map(Cow::into_owned),
                revision: record.revision.map(|revision| revision.to_string()),
            });
        }
    }
    Ok(decisions)
}

/// A line's object. What a killed proxy did not end has no end of a line either: the first
/// line of the next one stands behind it.
fn whole(line: &str) -> Option<Value> {
    line.match_indices('{')
        .filter_map(|(at, _)| line.get(at..))
        .find_map(|rest| serde_json::from_str(rest).ok())
}

fn milliseconds(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_its_request_began_and_what_was_decided() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let decided = |id: &str, outcome: &str| {
            format!(
                r#"{{"decisionId":"{id}","tenantId":"alpha","operation":"Case","outcome":"{outcome}","rule":"r","mode":"enforce"}}"#
            )
        };
        // As Envoy writes %START_TIME%; and lines that a proxy did not end.
        let lines = [
            format!(
                r#"{{"startTime":"1970-01-01T00:00:01.234Z","decisions":[[{},{}]]}}"#,
                decided("00000000-04d3-7000-8000-000000000000", "allow"),
                decided("00000000-04d4-7000-8000-000000000000", "deny"),
            ),
            r#"{"startTime":"1970-01-01T00:00:02.000Z","decisions":[]}"#.to_owned(),
            format!(
                r#"{{"startTime":"1970-01-01T00:00:03.000Z","decisions":[[{}{{"startTime":"1970-01-01T00:00:04.000Z","decisions":[[{}]]}}"#,
                decided("00000000-0bb8-7000-8000-000000000000", "allow"),
                decided("00000000-0fa0-7000-8000-000000000000", "allow"),
            ),
            r#"{"startTime":"1970-01-01T00:00:05"#.to_owned(),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let read = read(&path).unwrap();
        let said = read.iter().map(|one| (one.begun, one.at(), one.is_allowed));
        let said: Vec<_> = said.collect();
        assert_eq!(
            said,
            [
                (Some(1_234), Some(1_235), true),
                (Some(1_234), Some(1_236), false),
                (Some(4_000), Some(4_000), true),
            ]
        );
        assert_eq!(read[0].tenant.as_deref(), Some("alpha"));
        assert_eq!(read[0].operation.as_deref(), Some("Case"));
    }
}
