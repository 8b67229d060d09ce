//! `ig token --user`

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::json;

use super::claims::User;
use super::key::{DEFAULT_FOLDER, KeyFolder, PrivateKey};
use crate::{Outcome, output};

#[derive(clap::Args)]
pub(crate) struct Issue {
    /// The user, who becomes the subject of the token.
    #[arg(long, value_name = "USER")]
    user: String,
    /// Tenant of the user; needed for users that are not in the demo.
    #[arg(long)]
    tenant: Option<String>,
    /// Groups, comma-separated.
    #[arg(long, value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// Purposes, comma-separated.
    #[arg(long, value_delimiter = ',')]
    purposes: Option<Vec<String>>,
    /// How long the token is valid.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// Issuer of the token.
    #[arg(long, env = "IG_ISSUER", default_value = "https://issuer.localhost")]
    issuer: String,
    /// Audience of the token.
    #[arg(long, env = "IG_AUDIENCE", default_value = "ig")]
    audience: String,
    /// Client that the token was issued to (`azp`).
    #[arg(long, default_value = "ig-cli")]
    client: String,
    /// The issuer's private key, PKCS #8 PEM; instead of --dir.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    key: Option<PathBuf>,
    /// Folder of the issuer's keys; made on first use.
    #[arg(long, value_name = "DIR", env = "IG_KEYS", default_value = DEFAULT_FOLDER)]
    dir: PathBuf,
}

pub(super) fn run(args: Issue) -> Result<Outcome> {
    let user = User::new(&args.user, args.tenant, args.groups, args.purposes)?;
    let key = match &args.key {
        Some(path) => PrivateKey::read(path)?,
        None => KeyFolder(&args.dir).key()?,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = key.sign(&json!({
        "iss": args.issuer,
        "sub": args.user,
        "aud": args.audience,
        "iat": now,
        "nbf": now,
        // Whoever asks for a token here has logged in by that.
        "auth_time": now,
        "exp": now.saturating_add(args.ttl.as_secs()),
        "jti": uuid::Uuid::new_v4().to_string(),
        "azp": args.client,
        "tenant": user.tenant,
        "groups": user.groups,
        "purposes": user.purposes,
    }));
    output::line(token)?;
    Ok(Outcome::Clean)
}
