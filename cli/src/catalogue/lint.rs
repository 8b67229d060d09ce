//! What is valid in a catalogue, and still not what one wants.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use ig_schema::Limits;
use ig_schema::catalogue::{CompiledDocument, Source, unused_fragments};
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
    /// Each document was used within --unused-days, as --usage tells.
    UnusedDocument,
    /// Each fragment is needed by an operation.
    UnusedFragment,
}

/// What breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    rule: Rule,
    /// The operation, the document's hash where it has no name, or the place
    /// in a source.
    place: String,
    message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = self.rule.to_possible_value();
        let rule = rule.as_ref().map_or("", |value| value.get_name());
        match self.place.as_str() {
            "" => write!(f, "{} [{rule}]", self.message),
            place => write!(f, "{place}: {} [{rule}]", self.message),
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
    /// Days after which a document that was not used is a finding.
    #[arg(long, value_name = "DAYS", default_value_t = 90, requires = "usage")]
    unused_days: u32,
    /// Rules that do not matter.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE")]
    allow: Vec<Rule>,
}

/// A document, as the control plane lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Use {
    hash: String,
    /// Milliseconds since the epoch.
    last_used_at: Option<u64>,
}

impl Options {
    /// What breaks a rule, in the order of the catalogue.
    pub(super) fn look(&self, one: &Imported) -> Result<Vec<Finding>> {
        let uses = self.uses()?;
        let mut findings = Vec::new();
        for document in &one.import.accepted {
            self.document(document, uses.as_ref(), &mut findings);
        }
        if one.path.is_dir() {
            findings.extend(fragments(&one.path)?);
        }
        findings.retain(|finding| !self.allow.contains(&finding.rule));
        Ok(findings)
    }

    fn uses(&self) -> Result<Option<HashMap<String, Option<u64>>>> {
        let Some(path) = &self.usage else {
            return Ok(None);
        };
        let uses: Vec<Use> = serde_json::from_str(&files::read_text(path)?).with_context(|| {
            format!(
                "{} is not what `ig catalogue list --json` prints",
                path.display()
            )
        })?;
        let uses = uses.into_iter().map(|one| (one.hash, one.last_used_at));
        Ok(Some(uses.collect()))
    }

    fn document(
        &self,
        document: &CompiledDocument,
        uses: Option<&HashMap<String, Option<u64>>>,
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
                message,
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
        let Some(uses) = uses else { return };
        let day = Duration::from_secs(24 * 60 * 60);
        let since = SystemTime::now().checked_sub(day * self.unused_days);
        let last = uses.get(&hash).copied().flatten();
        let last = last.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        if last.is_none_or(|last| since.is_some_and(|since| last < since)) {
            let days = self.unused_days;
            let message = format!("was not used for {days} days: retire it if nobody needs it");
            report(Rule::UnusedDocument, message);
        }
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
        message: reason.to_string(),
    });
    Ok(findings.collect())
}
