//! What changed from one snapshot to another.

use std::collections::BTreeMap;

use ig_contract::snapshot::Operation;
use ig_contract::{Revision, Snapshot, TextHash};
use serde::Serialize;
use serde_json::Value;

/// The difference between two snapshots.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Revision before.
    pub before: Revision,
    /// Revision after.
    pub after: Revision,
    /// Members of the head that differ.
    pub head: Vec<Change>,
    /// Whether the policy program differs.
    pub policy_changed: bool,
    /// Operations only after.
    pub added: Vec<OperationId>,
    /// Operations only before.
    pub removed: Vec<OperationId>,
    /// Operations of one document whose records differ, or whose document
    /// replaced that of the one operation of the same name.
    pub changed: Vec<OperationChange>,
}

/// An operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct OperationId {
    /// Its name; empty for an anonymous one.
    pub name: String,
    /// Hash of its document.
    pub document: TextHash,
}

/// A member that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// Path of the member.
    pub path: String,
    /// Value before, if it was there.
    pub before: Option<Value>,
    /// Value after, if it is there.
    pub after: Option<Value>,
}

/// An operation that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OperationChange {
    /// The operation, with its document after.
    #[serde(flatten)]
    pub operation: OperationId,
    /// Members that differ; `text` stands for the document's text.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether both snapshots do the same.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }
}

/// Compares two snapshots.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Diff {
    let (mut old, mut new) = (operations(before), operations(after));
    let mut changed = Vec::new();
    old.retain(|id, record| match new.remove(id) {
        Some(other) => {
            let changes = changes(&json(record), &json(&other));
            if !changes.is_empty() {
                changed.push(OperationChange {
                    operation: id.clone(),
                    changes,
                });
            }
            false
        }
        None => true,
    });
    replaced(&mut old, &mut new, &mut changed);
    changed.sort_by(|left, right| left.operation.cmp(&right.operation));
    Diff {
        before: before.revision(),
        after: after.revision(),
        head: changes(&json(before.head()), &json(after.head())),
        policy_changed: before.program() != after.program(),
        added: new.into_keys().collect(),
        removed: old.into_keys().collect(),
        changed,
    }
}

type Operations = BTreeMap<OperationId, Operation>;

fn operations(snapshot: &Snapshot) -> Operations {
    let records = snapshot.iter().flat_map(|document| {
        document.operations().filter_map(move |index| {
            let operation = snapshot.operation(index)?;
            let id = OperationId {
                name: operation.name.clone(),
                document: document.hash,
            };
            Some((id, operation))
        })
    });
    records.collect()
}

/// A new text of an operation has another hash: to people, it is the same
/// operation as long as its name stands for one on either side.
fn replaced(old: &mut Operations, new: &mut Operations, changed: &mut Vec<OperationChange>) {
    let ids: Vec<_> = old.keys().cloned().collect();
    for id in ids {
        let only = |operations: &Operations| {
            let mut named = operations.keys().filter(|other| other.name == id.name);
            let first = named.next().cloned();
            first.filter(|_| named.next().is_none())
        };
        let (Some(_), Some(successor)) = (only(old), only(new)) else {
            continue;
        };
        if id.name.is_empty() {
            continue;
        }
        if let (Some(before), Some(after)) = (old.remove(&id), new.remove(&successor)) {
            let mut changes = changes(&json(&before), &json(&after));
            let hash = |id: &OperationId| Some(Value::from(id.document.to_string()));
            changes.push(Change {
                path: "text".into(),
                before: hash(&id),
                after: hash(&successor),
            });
            changed.push(OperationChange {
                operation: successor,
                changes,
            });
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

/// Goes down objects; everything else is compared as a whole.
fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            compare(&path, old.get(key), new.get(key), found);
        }
        return;
    }
    found.push(Change {
        path: path.to_owned(),
        before: before.cloned(),
        after: after.cloned(),
    });
}

#[cfg(test)]
mod tests;
