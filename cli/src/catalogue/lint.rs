//! What is valid in a catalogue, and still not what one wants.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use ig_schema::catalogue::{CompiledDocument, Source, unused_fragments};
use ig_schema::{Limits, Reason};
use serde::{Deserialize, Serialize};

use super::read::{self, Imported};
use crate::files;

/// What a catalogue is looked at for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Rule {
    /// A document has one operation.
    OneOperation,
    /// No operation costs more than --max-cost.
    MaxCost,
    /// Each document that --usage lists was used, or pushed, within
    /// --unused-days.
    UnusedDocument,
    /// Each fragment is needed by an operation.
    UnusedFragment,
}

/// What breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    rule: Rule,
    /// The operation, or the document's hash where it has no name; empty for
    /// what belongs to no document.
    place: String,
    /// What is wrong, where it is known to stand, and what to do.
    #[serde(flatten)]
    pub(super) reason: Reason,
}

impl Finding {
    /// What is found, and by which rule, in words.
    pub(super) fn title(&self) -> String {
        let rule = self.rule.to_possible_value();
        let rule = rule.as_ref().map_or("", |value| value.get_name());
        match self.place.as_str() {
            "" => format!("[{rule}]"),
            place => format!("{place} [{rule}]"),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = self.rule.to_possible_value();
        let rule = rule.as_ref().map_or("", |value| value.get_name());
        match self.place.as_str() {
            "" => write!(f, "{} [{rule}]", self.reason),
            place => write!(f, "{place}: {} [{rule}]", self.reason),
        }
    }
}

/// What to look for.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Most that an operation may cost where its variables have no value.
    #[arg(long, value_name = "COST")]
    max_cost: Option<u32>,
    /// What `ig catalogue list --json` printed: when each document was used.
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Days after which a document that was not used is a finding; they begin
    /// when it was pushed.
    #[arg(long, value_name = "DAYS", default_value_t = 90, requires = "usage")]
    unused_days: u32,
    /// Rules that do not matter.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE")]
    allow: Vec<Rule>,
}

/// A document, as the control plane lists it. Times are milliseconds since the
/// epoch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    hash: String,
    created_at: u64,
    last_used_at: Option<u64>,
}

/// When documents were used.
pub(super) struct Usage(HashMap<String, Listed>);

impl Usage {
    /// Whether the list has the document. What it does not have is new, and
    /// nobody could use it yet.
    pub(super) fn lists(&self, document: &CompiledDocument) -> bool {
        self.0.contains_key(&document.hash.to_string())
    }
}

impl Options {
    /// The list that `--usage` names.
    pub(super) fn usage(&self) -> Result<Option<Usage>> {
        let Some(path) = &self.usage else {
            return Ok(None);
        };
        let listed: Vec<Listed> =
            serde_json::from_str(&files::read_text(path)?).with_context(|| {
                format!(
                    "{} is not what `ig catalogue list --json` prints",
                    path.display()
                )
            })?;
        let by_hash = listed.into_iter().map(|one| (one.hash.clone(), one));
        Ok(Some(Usage(by_hash.collect())))
    }

    /// What breaks a rule, in the order of the catalogue.
    pub(super) fn look(&self, one: &Imported, usage: Option<&Usage>) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for document in &one.import.accepted {
            self.document(document, usage, &mut findings);
        }
        if one.path.is_dir() {
            findings.extend(fragments(&one.path)?);
        }
        findings.retain(|finding| !self.allow.contains(&finding.rule));
        Ok(findings)
    }

    fn document(
        &self,
        document: &CompiledDocument,
        usage: Option<&Usage>,
        findings: &mut Vec<Finding>,
    ) {
        let hash = document.hash.to_string();
        let first = document.operations.first();
        let place = match first.map(|operation| operation.name.as_str()) {
            Some("") | None => hash.clone(),
            Some(name) => name.to_owned(),
        };
        let mut report = |rule, message| {
            findings.push(Finding {
                rule,
                place: place.clone(),
                reason: Reason {
                    message,
                    file: None,
                    position: None,
                },
            });
        };
        let many = document.operations.len();
        if many > 1 {
            let message = format!("the document has {many} operations: make a document of each");
            report(Rule::OneOperation, message);
        }
        for operation in &document.operations {
            if let Some(most) = self.max_cost.filter(|most| operation.cost > *most) {
                let message = format!(
                    "`{}` costs {}, and {most} is the most: select less, or page",
                    operation.name, operation.cost
                );
                report(Rule::MaxCost, message);
            }
        }
        let listed = usage.and_then(|usage| usage.0.get(&hash));
        if let Some(message) = listed.and_then(|listed| self.unused(listed)) {
            report(Rule::UnusedDocument, message);
        }
    }

    /// What to say of a document that was not used for so long. One that was
    /// never used had time since it was pushed.
    fn unused(&self, listed: &Listed) -> Option<String> {
        let days = self.unused_days;
        let day = Duration::from_secs(24 * 60 * 60);
        let since = SystemTime::now().checked_sub(day * days)?;
        let last = listed.last_used_at.unwrap_or(listed.created_at);
        let last = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(last))?;
        (last < since).then(|| match listed.last_used_at {
            Some(_) => format!("was not used for {days} days: retire it if nobody needs it"),
            None => format!(
                "was never used, and pushed more than {days} days ago: retire it if nobody needs it"
            ),
        })
    }
}

fn fragments(folder: &Path) -> Result<Vec<Finding>> {
    let texts = read::sources(folder)?;
    let sources: Vec<_> = texts
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    let unused = unused_fragments(&sources, Limits::CATALOGUE);
    let findings = unused.into_iter().map(|reason| Finding {
        rule: Rule::UnusedFragment,
        place: String::new(),
        reason,
    });
    Ok(findings.collect())
}
