//! `ig tenant put`, `ig tenant set`, `ig tenant get`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use ig_contract::snapshot::{Link, LinkAttribute};
use serde_json::{Map, Value, json};
use ureq::http::HeaderValue;

use super::path;
use crate::control_plane::{Client, Connection, Refusal};
use crate::output::{self, text};
use crate::{Outcome, files};

/// Put a tenant, all of it: what is not given is not. A tenant that has something
/// which is not given stays as it is, unless that is to go.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant put charlie --region eu-west-1 --purpose investigation --purpose audit
  ig tenant put alpha --purpose audit --group-purpose analyst=audit --policy-mode shadow --replace
  ig tenant put alpha --purpose audit --rate-percent 200 --priority high --replace
  ig tenant put alpha --purpose audit --issuer https://login.example,oid,externalId --replace
  ig tenant get alpha --json > alpha.json && ig tenant put alpha --file alpha.json")]
pub(crate) struct PutArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    #[command(flatten)]
    given: Given,
    /// All of it in a file, as `ig tenant get --json` prints it. What is not in it
    /// goes.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "region", "purposes", "by_group", "issuers", "persisted_query_mode", "policy_mode",
            "step_up_mode", "rate_limit_mode", "residency_mode", "rate_percent", "priority",
            "replace",
        ]
    )]
    file: Option<PathBuf>,
    /// What the tenant has and is not given here goes.
    #[arg(long)]
    replace: bool,
}

/// Change some settings of a tenant: those that are given. A setting that is a list
/// is given as a whole.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant set alpha --rate-percent 50
  ig tenant set alpha --purpose investigation --purpose audit --policy-mode enforce
  ig tenant set alpha --unset rate-percent --unset modes")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    #[command(flatten)]
    given: Given,
    /// A setting that is to be as if it had never been said; may be given several
    /// times.
    #[arg(long, value_enum, value_name = "SETTING")]
    unset: Vec<Setting>,
}

/// Get a tenant.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant get alpha
  ig tenant get alpha --json > alpha.json")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    /// Print JSON, as `ig tenant put --file` takes it.
    #[arg(long)]
    json: bool,
}

/// Settings of a tenant.
#[derive(clap::Args)]
struct Given {
    /// Region its data lives in.
    #[arg(long)]
    region: Option<String>,
    /// A purpose that exists for it; may be given several times.
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<String>,
    /// A purpose that a group has, beside those of the token.
    #[arg(long = "group-purpose", value_name = "GROUP=PURPOSE")]
    by_group: Vec<Pair>,
    /// An issuer whose tokens may name this tenant, and how its subjects are
    /// linked to the tenant's users: the claim, by default `sub`, has the value
    /// of `externalId`, the default, or `userName`. May be given several times;
    /// every trusted issuer's tokens may, by default.
    #[arg(long = "issuer", value_name = "URL[,CLAIM[,ATTRIBUTE]]")]
    issuers: Vec<Issuer>,
    /// Mode of the allow-list for this tenant.
    #[arg(long, value_enum)]
    persisted_query_mode: Option<Mode>,
    /// Mode of policy for this tenant.
    #[arg(long, value_enum)]
    policy_mode: Option<Mode>,
    /// Mode of proofs of presence for this tenant.
    #[arg(long, value_enum)]
    step_up_mode: Option<Mode>,
    /// Mode of rate limits for this tenant.
    #[arg(long, value_enum)]
    rate_limit_mode: Option<Mode>,
    /// Mode of regions for this tenant.
    #[arg(long, value_enum)]
    residency_mode: Option<Mode>,
    /// What the tenant and its subjects may ask for, in percent of the limits;
    /// 100 by default.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate_percent: Option<u32>,
    /// Whose circuit breakers count for its requests.
    #[arg(long, value_enum)]
    priority: Option<Priority>,
}

/// A setting, by the flag that gives it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Setting {
    Region,
    Purpose,
    GroupPurpose,
    Issuer,
    Modes,
    RatePercent,
    Priority,
}

impl Setting {
    const ALL: [Self; 7] = [
        Self::Region,
        Self::Purpose,
        Self::GroupPurpose,
        Self::Issuer,
        Self::Modes,
        Self::RatePercent,
        Self::Priority,
    ];

    /// As the API has it.
    const fn key(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Purpose => "purposes",
            Self::GroupPurpose => "purposesByGroup",
            Self::Issuer => "issuers",
            Self::Modes => "modes",
            Self::RatePercent => "ratePercent",
            Self::Priority => "priority",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Priority {
    Default,
    High,
}

impl Priority {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::High => "high",
        }
    }
}

#[derive(Clone)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (group, purpose) = text.split_once('=').ok_or("write GROUP=PURPOSE")?;
        Ok(Self(group.to_owned(), purpose.to_owned()))
    }
}

#[derive(Clone)]
struct Issuer(String, Link);

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split(',').collect();
        let (url, claim, attribute) = match parts.as_slice() {
            [url] => (url, None, None),
            [url, claim] => (url, Some(claim), None),
            [url, claim, attribute] => (url, Some(claim), Some(attribute)),
            _ => return Err("write URL, URL,CLAIM or URL,CLAIM,ATTRIBUTE".into()),
        };
        let mut link = Link::default();
        if let Some(claim) = claim {
            link.claim = (*claim).to_owned();
        }
        link.attribute = match attribute.copied() {
            None => link.attribute,
            Some("externalId") => LinkAttribute::ExternalId,
            Some("userName") => LinkAttribute::UserName,
            Some(_) => return Err("the attribute is externalId or userName".into()),
        };
        match link.problem() {
            None => Ok(Self((*url).to_owned(), link)),
            Some(problem) => Err(format!("the claim {problem}")),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Enforce,
    Shadow,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

impl Given {
    /// What is given, as the API has it: of modes, those that are.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        let mut put = |setting: Setting, value: Value| {
            settings.insert(setting.key().to_owned(), value);
        };
        if let Some(region) = &self.region {
            put(Setting::Region, json!(region));
        }
        if !self.purposes.is_empty() {
            put(Setting::Purpose, json!(self.purposes));
        }
        if !self.by_group.is_empty() {
            let mut by_group = BTreeMap::<_, BTreeSet<_>>::new();
            for Pair(group, purpose) in &self.by_group {
                by_group.entry(group).or_default().insert(purpose);
            }
            put(Setting::GroupPurpose, json!(by_group));
        }
        if !self.issuers.is_empty() {
            let issuers = self.issuers.iter().map(|Issuer(url, link)| (url, link));
            put(Setting::Issuer, json!(BTreeMap::from_iter(issuers)));
        }
        let modes = [
            ("persistedQuery", self.persisted_query_mode),
            ("policy", self.policy_mode),
            ("stepUp", self.step_up_mode),
            ("rateLimit", self.rate_limit_mode),
            ("residency", self.residency_mode),
        ];
        let modes = modes
            .into_iter()
            .filter_map(|(name, mode)| Some((name.to_owned(), json!(mode?.as_str()))));
        let modes: Map<String, Value> = modes.collect();
        if !modes.is_empty() {
            put(Setting::Modes, Value::Object(modes));
        }
        if let Some(percent) = self.rate_percent {
            put(Setting::RatePercent, json!(percent));
        }
        if let Some(priority) = self.priority {
            put(Setting::Priority, json!(priority.as_str()));
        }
        settings
    }
}

pub(super) fn put(args: &PutArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let path = path(&args.tenant);
    if let Some(file) = &args.file {
        let tenant: Value = serde_json::from_str(&files::read_text(file)?)
            .with_context(|| format!("{} is not JSON", file.display()))?;
        client.put_json(&path, &tenant)?;
        output::line(format!("{} is there", args.tenant))?;
        return Ok(Outcome::Clean);
    }
    let settings = args.given.settings();
    let mut tag = None;
    if !args.replace
        && let Some((there, at)) = get_if_any(&client, &path)?
    {
        let lost = lost(&there, &settings);
        ensure!(
            lost.is_empty(),
            "{} has {}, which is not given and would go: `ig tenant set` changes what is given \
             only; with --replace it goes",
            args.tenant,
            lost.join(", ")
        );
        tag = at;
    }
    client.put_at(&path, &Value::Object(settings), tag)?;
    output::line(format!("{} is there", args.tenant))?;
    Ok(Outcome::Clean)
}

/// A tenant and its entity tag; `None` of one that is new.
fn get_if_any(client: &Client, path: &str) -> Result<Option<(Value, Option<HeaderValue>)>> {
    match client.get_tagged(path) {
        Ok(there) => Ok(Some(there)),
        Err(error) => match error.downcast_ref::<Refusal>() {
            Some(Refusal { status: 404, .. }) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Settings of a tenant that are not among those that are given: of the modes, each
/// by itself.
fn lost(there: &Value, given: &Map<String, Value>) -> Vec<String> {
    let has = |value: &Value| match value {
        Value::Null => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        _ => true,
    };
    let mut lost = Vec::new();
    for (key, value) in there.as_object().into_iter().flatten() {
        match (given.get(key), value) {
            // Enforced is what a mode is that is not said.
            (Some(given), Value::Object(modes)) if key == Setting::Modes.key() => {
                let is_lost = |mode: &&String| given[mode.as_str()].is_null();
                let shadows = modes.iter().filter(|(_, value)| *value != "enforce");
                let shadows = shadows.map(|(mode, _)| mode).filter(is_lost);
                lost.extend(shadows.map(|mode| format!("modes.{mode}")));
            }
            (None, value) if has(value) => lost.push(key.clone()),
            _ => {}
        }
    }
    lost
}

pub(super) fn set(args: &SetArgs) -> Result<Outcome> {
    let given = args.given.settings();
    if given.is_empty() && args.unset.is_empty() {
        bail!("nothing is given that is to change");
    }
    let both = |setting: &&Setting| given.contains_key(setting.key());
    if let Some(setting) = args.unset.iter().find(both) {
        bail!("{} is given, and to be unset", setting.key());
    }
    let client = Client::new(&args.connection)?;
    let path = path(&args.tenant);
    let (mut tenant, tag) = client.get_tagged(&path)?;
    let settings = tenant
        .as_object_mut()
        .context("the control plane's answer is no tenant")?;
    for setting in &args.unset {
        settings.remove(setting.key());
    }
    for (key, value) in given {
        let there = settings.entry(key.clone()).or_insert(Value::Null);
        match (there, value) {
            // Each mode is a setting of its own.
            (Value::Object(modes), Value::Object(given)) if key == Setting::Modes.key() => {
                modes.extend(given);
            }
            (there, value) => {
                if key == Setting::Modes.key() {
                    output::remark(format!(
                        "{} had the modes of each graph; those that are not given are enforce now",
                        args.tenant
                    ));
                }
                *there = value;
            }
        }
    }
    client.put_at(&path, &tenant, tag)?;
    output::line(format!("{} is changed", args.tenant))?;
    Ok(Outcome::Clean)
}

pub(super) fn get(args: &GetArgs) -> Result<Outcome> {
    let tenant = Client::new(&args.connection)?.get_json(&path(&args.tenant))?;
    if args.json {
        output::json(&tenant)?;
        return Ok(Outcome::Clean);
    }
    let rows = Setting::ALL.map(|setting| {
        let value = &tenant[setting.key()];
        let shown = match value {
            Value::Object(_) => value.to_string(),
            value => text(value),
        };
        [setting.key().to_owned(), shown]
    });
    output::table(["SETTING", "VALUE"], rows)?;
    Ok(Outcome::Clean)
}
