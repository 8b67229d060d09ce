//! `ig evidence build`

mod gather;
mod keys;
mod out;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ig_evidence::seal::{Sealed, seal};
use ig_evidence::{About, Asked, Kind, Tree, Verdict, verify};
use ig_ledger::Log;
use ig_ledger::layout::Resource;
use ig_ledger::storage::{Disk, Files as _};
use ig_ledger::verify::Origin;
use ig_signing::KeySource;
use serde_json::json;

use crate::output;
use crate::{Outcome, export, files};
use gather::Gathered;
use keys::Keys;
use out::Out;

/// Build the evidence of a release: reports, bill of materials, provenance, dashboards,
/// attestations, the ledger's growth and the verdict of each control, in one signed
/// manifest that the ledger has.
///
/// It is of what is checked out. A report counts when it is of that commit, of a tree
/// without changes, and at most a day old. One that is missing, or of another commit or
/// day, is a GAP; it is not taken. Nothing is run here: `cargo xtask evidence --run` makes
/// reports, and then has this build the bundle.
///
/// Beside the bundle's folder come a .tar of it, the public key (cosign.pub), and the
/// ledger's checkpoint: auditors want all three, and the next release the checkpoint.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 it is built, and no control fails (there may be a GAP, of which \
`ig evidence verify` says 2);
1 it is built, and a control fails;
2 it is not built; usage.

Examples:
  ig evidence build
  ig evidence build --since evidence/release/v0.2.checkpoint --key key.pem --out next/v0.2
  ig evidence build --reports reports --dist target/dist --keys keys --ledger ledger \\
      --out bundle/v0.2 --json"
)]
pub(crate) struct Args {
    /// A folder of the checkout that it is of.
    #[arg(long, value_name = "DIR", default_value = ".")]
    checkout: PathBuf,
    /// The version that it is of: by default the workspace's, in the checkout's Cargo.toml.
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// The bundle's folder: by default evidence/release/v0.2 of the checkout.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The private key that signs, as `ig export sign` takes it; without it, one of --keys.
    #[arg(long, value_name = "FILE_OR_URI")]
    key: Option<KeySource>,
    /// The password of the key, or a token's PIN, as the only line; without it, a file's
    /// password is the variable COSIGN_PASSWORD.
    #[arg(long, value_name = "FILE", requires = "key")]
    password_file: Option<PathBuf>,
    /// The library that speaks to the token, where the URI has no `module-path=`.
    #[arg(long, env = "IG_PKCS11_MODULE", value_name = "FILE")]
    pkcs11_module: Option<PathBuf>,
    /// Keys of the ledger, and one to sign with, made where they are not there: by default
    /// target/evidence/keys of the checkout.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The project's ledger, begun where it is not there: by default target/evidence/ledger
    /// of the checkout.
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The ledger's name, a host name: verifiers of Sigstore ask for one.
    #[arg(long, value_name = "HOST", default_value = "ledger.intelgraph.example")]
    origin: Origin,
    /// The checkpoint of the last release; without it, the ledger's beginning.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Where reports are: by default reports of the checkout.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Where `cargo xtask dist` has left programs and module: by default target/dist of the
    /// checkout.
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,
    /// Which check decides about which control: by default evidence/controls.toml of the
    /// checkout.
    #[arg(long, value_name = "FILE")]
    controls: Option<PathBuf>,
    /// Grafana's dashboards: by default charts/ig-guard/files/dashboards of the checkout.
    #[arg(long, value_name = "DIR")]
    dashboards: Option<PathBuf>,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
}

/// Where things are. What was not said is in the checkout.
struct Places {
    out: PathBuf,
    keys: PathBuf,
    ledger: PathBuf,
    reports: PathBuf,
    dist: PathBuf,
    controls: PathBuf,
    dashboards: PathBuf,
}

impl Places {
    fn of(args: &Args, top: &Path) -> Self {
        let at = |said: &Option<PathBuf>, usual: &str| match said {
            Some(path) => path.clone(),
            None => top.join(usual),
        };
        Self {
            out: at(&args.out, "evidence/release/v0.2"),
            keys: at(&args.keys, "target/evidence/keys"),
            ledger: at(&args.ledger, "target/evidence/ledger"),
            reports: at(&args.reports, "reports"),
            dist: at(&args.dist, "target/dist"),
            controls: at(&args.controls, "evidence/controls.toml"),
            dashboards: at(&args.dashboards, "charts/ig-guard/files/dashboards"),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let top = Tree::top(&args.checkout)?;
    let places = Places::of(args, &top);
    // What could not be written in the end is not in the ledger either.
    let out = Out::new(places.out.clone())?;
    let about = about(args, &top)?;
    let Gathered { files, gaps } = Gathered::of(&places, &about)?;
    output::remark(format_args!("signs {} files", files.iter().count()));
    let key = args.key.as_ref().map(|key| {
        let module = args.pkcs11_module.as_deref();
        export::key::open(key, args.password_file.as_deref(), module)
    });
    let keys = Keys::open(&places.keys, &args.origin, key.transpose()?)?;
    let sealed = sealed(args, &places, &keys, files)?;
    out.write(&sealed, keys.signer().public())?;
    let printed = match args.json {
        true => output::json(&json!({
            "bundle": out.folder.display().to_string(),
            "tar": out.tar.display().to_string(),
            "publicKey": out.key.display().to_string(),
            "checkpoint": out.checkpoint.display().to_string(),
            "dirty": about.dirty,
            "notTaken": gaps,
            "verdicts": sealed.verdicts,
        })),
        false => print(&sealed, &gaps, &out),
    };
    match printed {
        // What was found decides, whoever reads on.
        Err(error) if !output::is_broken_pipe(&error) => return Err(error),
        _ => {}
    }
    Ok(Outcome::clean_if(sealed.verdicts.count(Verdict::Fail) == 0))
}

/// Which release it is of.
fn about(args: &Args, top: &Path) -> Result<About> {
    let tree = Tree::of(top)?;
    let version = match &args.release {
        Some(version) => version.clone(),
        None => version(&top.join("Cargo.toml"))?,
    };
    let changes = match tree.dirty {
        true => ", with changes that it does not have: they make every claim a GAP",
        false => "",
    };
    let commit = &tree.commit;
    output::remark(format_args!("version {version}, commit {commit}{changes}"));
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        output::remark(format_args!(
            "this is ig {own}: another one may make other pages of the same reports, and refuse these"
        ));
    }
    let about = About::new(&version, commit, tree.dirty, ig_evidence::now());
    Ok(about?)
}

/// The version of a workspace.
fn version(path: &Path) -> Result<String> {
    let manifest = files::read_text(path)?.parse::<toml::Table>();
    let manifest = manifest.with_context(|| format!("{} is no TOML", path.display()))?;
    let version = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    let version = version.with_context(|| {
        let path = path.display();
        format!("{path} has no version of a workspace: give --release")
    })?;
    Ok(version.to_owned())
}

/// Seals, and verifies what came of it: nothing is written that nobody would believe.
fn sealed(args: &Args, places: &Places, keys: &Keys, files: ig_evidence::Files) -> Result<Sealed> {
    let since = args.since.as_deref().map(files::read_text).transpose()?;
    let since = since.as_deref();
    let mut log = ledger(&places.ledger, keys)?;
    let signer = keys.signer();
    let sealed = seal(files, signer, &mut log, keys.log().keys(), since)?;
    output::remark("verifies what came of it");
    let asked = Asked {
        allow_gaps: true,
        checkpoint: since.map(str::as_bytes),
        ..Asked::by(signer.public())
    };
    let found = verify(&sealed.files, &asked);
    let mut problems = found.problems.iter();
    match problems.find(|one| one.kind != Kind::Claim) {
        Some(broken) => bail!(
            "the bundle does not verify: {}: {}",
            broken.item,
            broken.why
        ),
        None => Ok(sealed),
    }
}

/// Opens the ledger, or begins it.
fn ledger(folder: &Path, keys: &Keys) -> Result<Log<Disk>> {
    let context = || format!("the ledger in {}", folder.display());
    let disk = Disk::open(folder).with_context(context)?;
    let there = disk.read(Resource::Checkpoint).with_context(context)?;
    let log = match there {
        None => Log::create(disk, keys.log()),
        Some(_) => Log::open(disk, keys.log(), None),
    };
    log.with_context(context)
}

/// For people.
fn print(sealed: &Sealed, gaps: &[String], out: &Out) -> Result<()> {
    for gap in gaps {
        output::line(format_args!("GAP   {gap}"))?;
    }
    for control in &sealed.verdicts.controls {
        let verdict = control.verdict.as_str();
        output::line(format_args!("{verdict:<5} {}", control.id))?;
        let claims = control.claims.iter();
        for claim in claims.filter(|claim| claim.verdict != Verdict::Pass) {
            let (verdict, check) = (claim.verdict.as_str(), claim.check.as_str());
            output::line(format_args!("      {verdict} {check}: {}", claim.why))?;
        }
    }
    let [pass, gap, fail] =
        [Verdict::Pass, Verdict::Gap, Verdict::Fail].map(|verdict| sealed.verdicts.count(verdict));
    let folder = out.folder.display();
    output::line(format_args!(
        "{folder}: {pass} PASS, {gap} GAP, {fail} FAIL"
    ))
}
