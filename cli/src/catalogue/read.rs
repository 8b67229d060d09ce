//! Reading schemas and catalogues.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ig_schema::Limits;
use ig_schema::catalogue::{Catalogue, Import, Reject, Source, import};
use serde::Serialize;

use super::lint::Finding;
use crate::files;
use crate::output::{self, Progress};

/// A schema and the catalogues to be compiled on it.
#[derive(clap::Args)]
pub(crate) struct Sources {
    /// The schema, as SDL.
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: PathBuf,
    /// A catalogue: an Apollo manifest, an id map (Relay, GraphQL Code
    /// Generator), GraphQL source, or a folder with GraphQL sources.
    #[arg(long = "catalogue", value_name = "PATH", required = true)]
    pub(crate) catalogues: Vec<PathBuf>,
}

/// A catalogue, compiled.
pub(crate) struct Imported {
    /// Where it was.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) import: Import,
}

impl Sources {
    pub(crate) fn import(&self) -> Result<Vec<Imported>> {
        import_all(&self.schema, &self.catalogues)
    }
}

pub(crate) fn import_all(schema: &Path, catalogues: &[PathBuf]) -> Result<Vec<Imported>> {
    let schema = files::schema(schema)?;
    let one = |path: &PathBuf| {
        let mut progress = Progress::new();
        let mut step = |done, total| progress.step(done, total);
        let import = import(&schema, catalogue(path)?, Limits::DOCUMENT, &mut step);
        Ok(Imported {
            path: path.clone(),
            import,
        })
    };
    catalogues.iter().map(one).collect()
}

/// Reads a catalogue: a file of any format, or a folder of GraphQL sources.
pub(crate) fn catalogue(path: &Path) -> Result<Catalogue> {
    if path.is_dir() {
        return folder(path);
    }
    let text = files::read_text(path)?;
    Catalogue::parse(&text, None, Limits::CATALOGUE)
        .with_context(|| format!("{} is not a catalogue", path.display()))
}

fn folder(path: &Path) -> Result<Catalogue> {
    let texts = sources(path)?;
    let sources: Vec<_> = texts
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    Ok(Catalogue::from_sources(&sources, Limits::CATALOGUE))
}

/// GraphQL sources of a folder, by their names there.
pub(super) fn sources(path: &Path) -> Result<Vec<(String, String)>> {
    // Whatever case: what another system takes for a source is not left out unseen.
    let is_source = |name: &String| {
        let name = name.to_ascii_lowercase();
        name.ends_with(".graphql") || name.ends_with(".gql")
    };
    let found = files::tree(path)?
        .into_iter()
        .filter(|(name, _)| is_source(name));
    let texts: Vec<(String, String)> = found
        .map(|(name, file)| Ok((name, files::read_text(&file)?)))
        .collect::<Result<_>>()?;
    if texts.is_empty() {
        bail!("{} has no *.graphql or *.gql", path.display());
    }
    Ok(texts)
}

/// What a catalogue has that is not accepted, as JSON.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    catalogue: &'a Path,
    accepted: usize,
    rejected: &'a [Reject],
    duplicates: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [Finding],
}

impl Imported {
    pub(super) fn report<'a>(&'a self, findings: &'a [Finding]) -> Report<'a> {
        Report {
            findings,
            catalogue: &self.path,
            accepted: self.import.accepted.len(),
            rejected: &self.import.rejected,
            duplicates: &self.import.duplicates,
        }
    }
}

/// Says on standard error what is not accepted, and why. Tells how many.
pub(crate) fn report_rejects(imported: &[Imported]) -> usize {
    let mut rejects = 0;
    for Imported { path, import } in imported {
        for reject in &import.rejected {
            rejects += 1;
            let name = reject
                .name
                .as_deref()
                .or(reject.ids.first().map(String::as_str));
            output::remark(format_args!(
                "{}: {}",
                path.display(),
                name.unwrap_or("(anonymous)")
            ));
            for reason in &reject.reasons {
                output::remark(format_args!("  {reason}"));
            }
        }
        if !import.duplicates.is_empty() {
            let many = output::count(import.duplicates.len(), "id");
            output::remark(format_args!(
                "{}: note: {many} more than once, for the same text",
                path.display()
            ));
        }
    }
    rejects
}
