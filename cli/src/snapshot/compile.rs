//! `ig snapshot compile`

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use ig_snapshot::{
    Bundle, Compiled, Config, Input, InvalidPolicy, NotCompiled, Problems, RemoteText, Texts,
    compile, remarks,
};
use serde_json::json;

use crate::catalogue::{Imported, Sources, report_rejects};
use crate::output::{self, count};
use crate::{Outcome, files};

/// Compile schema, catalogues, policies and configuration into a snapshot.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot compile --schema schema.graphql --catalogue manifest.json \\
      --policies policies/ --config guard.toml -o guard.igsnap
  ig snapshot compile --schema schema.graphql --catalogue web.json --catalogue ios.json \\
      --policies bundle.tar.gz --config store.toml --texts texts/ -o guard.igsnap

The same input gives the same bytes, and so the same revision.")]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// The policy bundle: a folder, or a .tar.gz.
    #[arg(long, value_name = "PATH")]
    policies: PathBuf,
    /// The configuration, guard.toml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where texts go: `embedded`, or a folder for the store that the
    /// configuration names, with one file for each text, named by its hash.
    /// The default is what the configuration says.
    #[arg(long, value_name = "embedded|DIR")]
    texts: Option<TextsArg>,
    /// The snapshot.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Leave out what catalogues have that is not valid, instead of failing.
    #[arg(long)]
    skip_rejected: bool,
    /// Print a report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone)]
enum TextsArg {
    Embedded,
    Folder(PathBuf),
}

impl FromStr for TextsArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "embedded" => Self::Embedded,
            folder => Self::Folder(folder.into()),
        })
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (config, folder) = config(args)?;
    let bundle = Bundle::from_files(files::bundle_files(&args.policies)?)
        .map_err(|problems| invalid(&args.policies, &problems))?;
    let imported = args.sources.import()?;
    let rejects = report_rejects(&imported);
    if rejects > 0 && !args.skip_rejected {
        output::remark(format_args!(
            "{} not accepted, nothing written; correct the catalogue, or leave them out with \
             --skip-rejected",
            count(rejects, "entry").replace("entrys", "entries")
        ));
        return Ok(Outcome::Findings);
    }
    let duplicates = imported
        .iter()
        .map(|one| one.import.duplicates.len())
        .sum::<usize>();
    let imports = imported
        .into_iter()
        .map(|Imported { import, .. }| import)
        .collect();
    let compiled = match compile(Input {
        config: &config,
        imports,
        bundle: &bundle,
    }) {
        Ok(compiled) => compiled,
        Err(NotCompiled::Policy(InvalidPolicy::Source(problems))) => {
            return Err(invalid(&args.policies, &problems));
        }
        Err(error) => {
            output::remark(format_args!("{:#}", anyhow::Error::new(error)));
            return Ok(Outcome::Findings);
        }
    };
    if let Some(folder) = folder {
        write_texts(folder, &compiled.remote_texts)?;
    }
    files::write(&args.output, &compiled.bytes)?;
    report(args, &compiled, rejects, duplicates)?;
    Ok(Outcome::Clean)
}

fn config(args: &Args) -> Result<(Config, Option<&Path>)> {
    let mut config = Config::parse(&files::read_text(&args.config)?)
        .map_err(|problems| invalid(&args.config, &problems))?;
    let folder = match (&args.texts, &config.texts) {
        (Some(TextsArg::Embedded), _) => {
            config.texts = Texts::Embedded;
            None
        }
        (Some(TextsArg::Folder(folder)), Texts::Store(_)) => Some(folder.as_path()),
        (Some(TextsArg::Folder(_)), Texts::Embedded) => bail!(
            "{} names no store for texts: add [texts.store], or leave out --texts",
            args.config.display()
        ),
        (None, Texts::Embedded) => None,
        (None, Texts::Store(_)) => bail!(
            "{} names a store for texts: say with --texts DIR where to write them, or embed them \
             with --texts embedded",
            args.config.display()
        ),
    };
    Ok((config, folder))
}

fn invalid(path: &Path, problems: &Problems) -> anyhow::Error {
    anyhow::anyhow!("{} is not valid:\n{problems}", path.display())
}

/// A text that is there is the same text: its name is its hash.
fn write_texts(folder: &Path, texts: &[RemoteText]) -> Result<()> {
    for RemoteText { hash, text } in texts {
        let path = folder.join(hash.to_string());
        if !path.exists() {
            files::write(&path, text.as_bytes()).context("texts")?;
        }
    }
    Ok(())
}

fn report(args: &Args, compiled: &Compiled, rejects: usize, duplicates: usize) -> Result<()> {
    let snapshot = &compiled.snapshot;
    let (documents, operations) = (snapshot.document_count(), snapshot.operation_count());
    let remarks = remarks(snapshot.head());
    for remark in &remarks {
        output::remark(format_args!("{}: {remark}", args.config.display()));
    }
    if args.json {
        return output::json(&json!({
            "output": args.output,
            "revision": snapshot.revision(),
            "bytes": compiled.bytes.len(),
            "documents": documents,
            "operations": operations,
            "policyRevision": snapshot.head().policy_revision,
            "remoteTexts": compiled.remote_texts.len(),
            "rejected": rejects,
            "duplicates": duplicates,
            "remarks": remarks,
        }));
    }
    output::line(format!(
        "{}: revision {}, {}, {}, {} bytes",
        args.output.display(),
        snapshot.revision(),
        count(documents, "document"),
        count(operations, "operation"),
        compiled.bytes.len(),
    ))
}
