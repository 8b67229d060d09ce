//! `ig export list`, `show` and `get`: what the control plane has signed.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ig_signing::{Bundle, Manifest, PublicKey, Sha256};
use serde_json::{Value, json};

use crate::control_plane::{Client, Connection, encode, query};
use crate::output::{self, text, time};
use crate::{Outcome, files};

/// List exports, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export list --limit 20
  ig exports list --tenant alpha --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show an export: who made it, for what, and what was signed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export show 01a2125f-9b6f-74dd-9869-58ad0d024b3c
  ig export show 01a2125f-9b6f-74dd-9869-58ad0d024b3c --json")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    connection: Connection,
    /// The export.
    export_id: String,
    /// Print JSON: what was answered when it was made.
    #[arg(long)]
    json: bool,
}

/// Get an export's files: its manifest (.json), the Sigstore bundle (.sigstore.json),
/// the bare signature (.sig), the public key (.pem) and the ledger's proof
/// (.tlog-proof).
///
/// They are written only where the bundle verifies. An auditor gets the key and the
/// trusted root over a way of their own, not from here.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export get 01a2125f-9b6f-74dd-9869-58ad0d024b3c --out got/
  ig export get 01a2125f-9b6f-74dd-9869-58ad0d024b3c --out got/ --json")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The export.
    export_id: String,
    /// The folder for what is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: &ListArgs) -> Result<Outcome> {
    let query = query(&[("tenant", args.tenant.clone())]);
    let client = Client::new(&args.connection)?;
    let all = client.pages(&format!("/exports{query}"), args.limit)?;
    if args.json {
        output::json(&all)?;
        return Ok(Outcome::Clean);
    }
    let rows = all.iter().map(|one| {
        [
            time(&one["createdAt"]),
            text(&one["exportId"]),
            text(&one["tenant"]),
            text(&one["createdBy"]),
            text(&one["purpose"]),
            text(&one["action"]),
            text(&one["itemCount"]),
            text(&one["ledgerIndex"]),
        ]
    });
    let head = [
        "AT", "EXPORT", "TENANT", "BY", "PURPOSE", "ACTION", "ITEMS", "ENTRY",
    ];
    output::table(head, rows)?;
    Ok(Outcome::Clean)
}

fn path(export_id: &str) -> String {
    format!("/exports/{}", encode(export_id))
}

pub(super) fn show(args: &ShowArgs) -> Result<Outcome> {
    let export = Client::new(&args.connection)?.get_json(&path(&args.export_id))?;
    if args.json {
        output::json(&export)?;
        return Ok(Outcome::Clean);
    }
    let named = |name: &'static str| [name.to_owned(), text(&export[name])];
    let mut rows = vec![["createdAt".to_owned(), time(&export["createdAt"])]];
    rows.extend(
        [
            "exportId",
            "tenant",
            "createdBy",
            "service",
            "graph",
            "action",
            "purpose",
            "authority",
            "decisionId",
            "itemCount",
            "manifestSha",
            "keyId",
            "ledgerIndex",
        ]
        .map(named),
    );
    output::table(["WHAT", "VALUE"], rows)?;
    let items = export["manifest"]["items"].as_array().into_iter().flatten();
    let items = items.map(|item| [text(&item["sha256"]), text(&item["id"])]);
    output::line("")?;
    output::table(["SHA-256", "ITEM"], items)?;
    Ok(Outcome::Clean)
}

pub(super) fn get(args: &GetArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let path = path(&args.export_id);
    let export = client.get_json(&path)?;
    let manifest = client.get(&format!("{path}/manifest"))?;
    let bundle = client.get(&format!("{path}/bundle"))?;
    let key_id = field(&export, "keyId")?;
    let pem = client.get(&format!("/exports/keys/{}", encode(&key_id)))?;
    let parsed = match verify(&manifest, &bundle, &pem) {
        Ok(parsed) => parsed,
        Err(why) => {
            output::remark(format_args!(
                "what the control plane gave does not verify, and is not written: {why}"
            ));
            return Ok(Outcome::Findings);
        }
    };
    let export_id = field(&export, "exportId")?;
    let name = file_name(&export_id)?;
    let proof = export["ledger"]["proof"].as_str().unwrap_or_default();
    let signature = parsed.signature().to_detached();
    let written = [
        ("manifest", format!("{name}.json"), &*manifest),
        (
            "signature",
            format!("{name}.json.sig"),
            signature.as_bytes(),
        ),
        ("publicKey", format!("{name}.json.pem"), &*pem),
        ("proof", format!("{name}.tlog-proof"), proof.as_bytes()),
        // Last: where it is, the others are.
        ("bundle", format!("{name}.sigstore.json"), &*bundle),
    ];
    let mut told = json!({"keyId": key_id});
    for (what, name, bytes) in written {
        let path = args.out.join(name);
        files::write(&path, bytes)?;
        told[what] = path.display().to_string().into();
        if !args.json {
            output::line(path.display())?;
        }
    }
    if args.json {
        output::json(&told)?;
    }
    Ok(Outcome::Clean)
}

fn verify(manifest: &[u8], bundle: &[u8], pem: &[u8]) -> Result<Bundle> {
    Manifest::parse(manifest)?;
    let key = PublicKey::from_pem(pem)?;
    let bundle = Bundle::parse(bundle)?;
    bundle.verify(&key, &Sha256::of(manifest))?;
    Ok(bundle)
}

fn field(export: &Value, name: &str) -> Result<String> {
    let value = export[name].as_str().map(ToOwned::to_owned);
    value.with_context(|| format!("the control plane's answer has no {name}"))
}

/// An answer names no file elsewhere.
fn file_name(export_id: &str) -> Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_name = !export_id.is_empty() && export_id.bytes().all(is_plain);
    is_name
        .then_some(export_id)
        .context("the control plane's answer has an exportId that is none")
}
