//! Files of JSON: one value, a list, or a value a line.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use ig_contract::Snapshot;
use ig_contract::decision::DecisionRecord;
use ig_snapshot::{KnownActor, recorded_input};
use serde_json::Value;

use crate::files;

/// Most bytes of a file.
const MAX_BYTES: u64 = 256 << 20;
/// Most values in a file.
const MAX_VALUES: usize = 1_000_000;

/// A value of a file.
pub(super) struct Item {
    /// Where it is: `inputs.jsonl:7`.
    pub(super) place: String,
    pub(super) value: Value,
}

/// One input.
pub(super) fn one(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read(path)?).with_context(|| format!("{}: is no JSON", path.display()))
}

/// All values of a file, possibly none: those of an array, or one a line.
pub(super) fn all(path: &Path) -> Result<Vec<Item>> {
    let bytes = read(path)?;
    let text =
        String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?;
    let place = |number: usize| format!("{}:{number}", path.display());
    let mut items = Vec::new();
    if text.trim_start().starts_with('[') {
        let values: Vec<Value> = serde_json::from_str(&text)
            .with_context(|| format!("{}: is no JSON", path.display()))?;
        let numbered = (1..).zip(values);
        items.extend(numbered.map(|(number, value)| Item {
            place: place(number),
            value,
        }));
    } else {
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let value = serde_json::from_str(line)
                .with_context(|| format!("{}: is no line of JSON", place(number)))?;
            items.push(Item {
                place: place(number),
                value,
            });
        }
    }
    ensure!(
        items.len() <= MAX_VALUES,
        "{} has more than {MAX_VALUES} values; split it",
        path.display()
    );
    Ok(items)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("cannot read {}", path.display());
    let bytes = path.metadata().with_context(context)?.len();
    ensure!(
        bytes <= MAX_BYTES,
        "{} has more than {MAX_BYTES} bytes; split it",
        path.display()
    );
    files::read(path)
}

/// Who the actors of recorded decisions were.
pub(super) fn actors(path: Option<&Path>) -> Result<Vec<KnownActor>> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let items = all(path)?;
    ensure!(!items.is_empty(), "{} is empty", path.display());
    let actors = items.into_iter().map(|Item { place, value }| {
        serde_json::from_value(value).with_context(|| {
            format!("{place}: is no actor: {{iss, sub, tenant, groups, purposes}}")
        })
    });
    actors.collect()
}

/// What a line of decisions is.
pub(super) enum Recorded {
    /// An input of policies.
    Input(Value),
    /// A decision record, with what it was made on, or why that is not known.
    Record {
        id: String,
        input: Result<Value, String>,
    },
}

/// Reads a line: an input, `{"input": …}` around any input, a record, or what
/// `ig decisions --json` prints.
pub(super) fn recorded(
    item: Item,
    snapshot: Option<&Snapshot>,
    actors: &[KnownActor],
) -> Result<Recorded> {
    let Item { place, mut value } = item;
    if let Some(input) = value.get_mut("input") {
        return Ok(Recorded::Input(input.take()));
    }
    let record = match value.get_mut("record") {
        Some(record) => record.take(),
        None => value,
    };
    if record.get("decisionId").is_none() {
        if record.get("actor").is_none() || record.get("operation").is_none() {
            bail!("{place}: is neither a decision record nor an input of policies");
        }
        return Ok(Recorded::Input(record));
    }
    let text = record.to_string();
    let record: DecisionRecord<'_> =
        serde_json::from_str(&text).with_context(|| format!("{place}: is no decision record"))?;
    let input = match snapshot {
        Some(snapshot) => {
            recorded_input(&record, snapshot, actors).map_err(|error| error.to_string())
        }
        None => Err("its snapshot is needed; give it with --snapshot".to_owned()),
    };
    Ok(Recorded::Record {
        id: record.decision_id.into_owned(),
        input,
    })
}
