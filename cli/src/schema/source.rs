//! Where a schema is: a file, a revision of git, or a tag of the control plane.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, ensure};
use ig_schema::{Limits, Schema};

use crate::control_plane::{Client, Connection};
use crate::files;

/// Where a schema is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    File(PathBuf),
    /// A path from the root of the repository, at a revision.
    Git {
        revision: String,
        path: String,
    },
    Registry {
        graph: String,
        tag: String,
    },
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(object) = text.strip_prefix("git:") {
            let (revision, path) = object.split_once(':').ok_or("write git:REVISION:PATH")?;
            // Git would take it for an option.
            if revision.is_empty() || path.is_empty() || revision.starts_with('-') {
                return Err("write git:REVISION:PATH");
            }
            return Ok(Self::Git {
                revision: revision.to_owned(),
                path: path.to_owned(),
            });
        }
        if let Some(name) = text.strip_prefix("registry:") {
            let (graph, tag) = name.split_once('/').ok_or("write registry:GRAPH/TAG")?;
            return Ok(Self::Registry {
                graph: graph.to_owned(),
                tag: tag.to_owned(),
            });
        }
        Ok(Self::File(text.into()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Git { revision, path } => write!(f, "git:{revision}:{path}"),
            Self::Registry { graph, tag } => write!(f, "registry:{graph}/{tag}"),
        }
    }
}

impl Source {
    /// The path in the repository, for annotations.
    pub(super) fn path(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(path.display().to_string()),
            Self::Git { path, .. } => Some(path.clone()),
            Self::Registry { .. } => None,
        }
    }

    pub(super) fn text(&self, connection: &Connection) -> Result<String> {
        let bytes = match self {
            Self::File(path) => return files::read_text(path),
            Self::Git { revision, path } => git(revision, path)?,
            // A refusal is no finding here: nothing was compared.
            Self::Registry { graph, tag } => Client::new(connection)?
                .get(&super::path(graph, tag))
                .map_err(|refused| anyhow!("cannot read {self}: {refused:#}"))?,
        };
        String::from_utf8(bytes).with_context(|| format!("{self} is not UTF-8"))
    }

    /// Reads and checks the schema. What is wrong is said with its place, one
    /// a line.
    pub(super) fn schema(&self, connection: &Connection) -> Result<Schema> {
        let text = self.text(connection)?;
        Schema::parse(&text, Limits::SCHEMA)
            .map_err(|invalid| files::invalid_schema(self, &invalid))
    }
}

/// A file at a revision.
fn git(revision: &str, path: &str) -> Result<Vec<u8>> {
    let object = format!("{revision}:{path}");
    let mut child = Command::new("git")
        .args(["cat-file", "blob", &object])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run git")?;
    let mut bytes = Vec::new();
    let limit = Limits::SCHEMA.bytes as u64 + 1;
    let out = child.stdout.take().context("git has no output")?;
    out.take(limit)
        .read_to_end(&mut bytes)
        .context("cannot read what git says")?;
    ensure!(
        (bytes.len() as u64) < limit,
        "{object} has more than {} bytes",
        Limits::SCHEMA.bytes
    );
    let status = child.wait().context("git did not end")?;
    ensure!(
        status.success(),
        "git has no file {object}: fetch the revision (`fetch-depth: 0`), and give the path from \
         the root of the repository"
    );
    Ok(bytes)
}
