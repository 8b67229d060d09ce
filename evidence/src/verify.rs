//! Verification: a key and hashes are believed, and nothing that the bundle says of
//! itself.

use std::collections::BTreeMap;

use ig_signing::{Bundle, Manifest, PublicKey, Sha256, TrustedRoot};
use serde::Serialize;

use crate::delta::{Delta, Growth};
use crate::log_entry::{self, Entered};
use crate::{
    About, Controls, Files, Given, Judged, Verdict, attest, check, judge, names, rfc3339, seal,
    seen,
};

/// What is wrong with something; the names are those of `ig-verify`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is not what it should be.
    Malformed,
    /// It is not what was signed, or by another key.
    Signature,
    /// The ledger is not known to have it.
    Inclusion,
    /// The ledger is not the one of a checkpoint that was kept, or did not only grow.
    Consistency,
    /// A file that the manifest names is not there.
    Missing,
    /// A file has other bytes than the manifest says, or says something else than what is
    /// computed.
    Changed,
    /// A file that the manifest does not name.
    Extra,
    /// It is of another release than was asked for, or of one that cannot be yet.
    OtherRelease,
    /// What it claims does not hold.
    Claim,
    /// Evidence is missing: nothing is known to be wrong.
    NotShown,
}

/// What is wrong with one thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: Kind,
    /// The file, or the control.
    pub item: String,
    /// In words.
    pub why: String,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Whose signature counts.
    pub key: &'a PublicKey,
    /// The ledger to believe; without it, the one that the signer names.
    pub trusted_root: Option<&'a TrustedRoot>,
    /// A checkpoint of the ledger that was kept: the last release's.
    pub checkpoint: Option<&'a [u8]>,
    /// The commit that it has to be of.
    pub commit: Option<&'a str>,
    /// Artefacts, by name: they have to be the ones that it speaks of.
    pub artefacts: BTreeMap<String, Vec<u8>>,
    /// What time it is, in seconds since 1970: it cannot be of later. Without it, nobody
    /// looks.
    pub now: Option<u64>,
    /// Gaps are no problem; they are still said.
    pub allow_gaps: bool,
}

impl<'a> Asked<'a> {
    /// By a key alone.
    #[must_use]
    pub fn by(key: &'a PublicKey) -> Self {
        Self {
            key,
            trusted_root: None,
            checkpoint: None,
            commit: None,
            artefacts: BTreeMap::new(),
            now: None,
            allow_gaps: false,
        }
    }
}

/// What was found.
#[derive(Clone, Default, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What verifies, in words.
    pub verified: Vec<String>,
    /// What was not looked at, or is not there.
    pub not_checked: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The controls, as they were judged here.
    pub controls: Vec<Judged>,
}

impl Verified {
    fn problem(&mut self, kind: Kind, item: impl Into<String>, why: impl ToString) {
        let (item, why) = (item.into(), why.to_string());
        self.problems.push(Problem { kind, item, why });
    }

    /// As `ig-verify` ends: 0 when nothing is wrong, 1 when something is, 2 when it is only
    /// not known.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let unknown = |problem: &Problem| problem.kind == Kind::NotShown;
        match self.problems.as_slice() {
            [] => 0,
            all if all.iter().all(unknown) => 2,
            _ => 1,
        }
    }
}

/// What is known of a bundle once its signature is.
struct Opened {
    about: About,
    controls: Controls,
    root: TrustedRoot,
}

/// Verifies a bundle.
#[must_use]
pub fn verify(files: &Files, asked: &Asked<'_>) -> Verified {
    let mut report = Verified::default();
    let signature = manifest(files, asked.key, &mut report);
    let is_theirs = signature.is_some() && report.problems.is_empty();
    let opened = open(files, asked, &mut report);
    if let (Some(signature), Some(opened)) = (&signature, &opened) {
        ledger(files, signature, opened, asked, &mut report);
    }
    // Reports are judged whoever signed: who looks for what is wrong wants all of it. But
    // controls of just anybody may ask for so much that it takes hours.
    if let Some(opened) = &opened {
        release(opened, asked, &mut report);
        if is_theirs || differences(&opened.controls).is_empty() {
            claims(files, opened, asked, &mut report);
        } else {
            let what = "what the controls claim: they are not those of this program, and it is \
                        not what the key signed";
            report.not_checked.push(what.to_owned());
        }
        artefacts(files, asked, &mut report);
    }
    report.ok = report.problems.is_empty();
    report
}

/// That the key signed the manifest, and the manifest names these files and no others.
fn manifest(files: &Files, key: &PublicKey, report: &mut Verified) -> Option<Bundle> {
    let mut signed = None;
    let (Some(bytes), Some(signature)) = (files.get(names::MANIFEST), files.get(names::SIGNATURE))
    else {
        let name = [names::MANIFEST, names::SIGNATURE];
        let name = name.into_iter().find(|name| files.get(name).is_none());
        report.problem(
            Kind::Missing,
            name.unwrap_or_default(),
            "there is no such file",
        );
        return None;
    };
    match Bundle::parse(signature) {
        Err(error) => report.problem(Kind::Malformed, names::SIGNATURE, error),
        Ok(bundle) => match bundle.verify(key, &Sha256::of(bytes)) {
            Err(failure) => report.problem(Kind::Signature, names::MANIFEST, failure),
            Ok(()) => {
                report
                    .verified
                    .push(format!("{}: signed by {}", names::MANIFEST, key.key_id()));
                signed = Some(bundle);
            }
        },
    }
    match Manifest::parse(bytes) {
        Err(error) => report.problem(Kind::Malformed, names::MANIFEST, error),
        Ok(manifest) => compare(files, &manifest, report),
    }
    signed
}

fn compare(files: &Files, manifest: &Manifest, report: &mut Verified) {
    let before = report.problems.len();
    if (manifest.tenant(), manifest.purpose()) != (seal::TENANT, seal::PURPOSE) {
        report.problem(
            Kind::Malformed,
            names::MANIFEST,
            "it is of something else than evidence",
        );
    }
    let about = files.get(names::ABOUT).map(About::parse);
    if let Some(Ok(about)) = about
        && manifest.created_by() != seal::created_by(&about)
    {
        let (by, version) = (manifest.created_by(), &about.version);
        let why = format!("it is by {by:?}, and the bundle is of version {version}");
        report.problem(Kind::Malformed, names::MANIFEST, why);
    }
    let mut named = BTreeMap::new();
    for item in manifest.items() {
        named.insert(item.id.as_str(), item.sha256);
        match files.digest(&item.id) {
            None => report.problem(Kind::Missing, &*item.id, "there is no such file"),
            Some(digest) if digest != item.sha256 => {
                let why = format!("its SHA-256 is {digest}; the manifest says {}", item.sha256);
                report.problem(Kind::Changed, &*item.id, why);
            }
            Some(_) => {}
        }
    }
    for (name, _) in files.iter() {
        let is_own = [names::MANIFEST, names::SIGNATURE].contains(&name);
        if !is_own && !named.contains_key(name) {
            report.problem(Kind::Extra, name, "the manifest does not name it");
        }
    }
    if report.problems.len() == before {
        report
            .verified
            .push(format!("{} files, and no others", named.len()));
    }
}

/// What a bundle is of, and which ledger has it.
fn open(files: &Files, asked: &Asked<'_>, report: &mut Verified) -> Option<Opened> {
    let file = |name: &str| {
        files
            .get(name)
            .ok_or_else(|| "there is no such file".to_owned())
    };
    let about =
        file(names::ABOUT).and_then(|bytes| About::parse(bytes).map_err(|error| error.to_string()));
    let controls = file(names::CONTROLS)
        .and_then(|bytes| Controls::parse(bytes).map_err(|error| error.to_string()));
    let root = file(names::TRUSTED_ROOT)
        .and_then(|bytes| TrustedRoot::parse(bytes).map_err(|error| error.to_string()));
    let mut wrong = |name, why: &String| report.problem(Kind::Malformed, name, why);
    if let Err(why) = &about {
        wrong(names::ABOUT, why);
    }
    if let Err(why) = &controls {
        wrong(names::CONTROLS, why);
    }
    if let Err(why) = &root {
        wrong(names::TRUSTED_ROOT, why);
    }
    let (about, controls, root) = (about.ok()?, controls.ok()?, root.ok()?);
    let root = match asked.trusted_root {
        Some(trusted) => trusted.clone(),
        None => {
            let what = "whether the ledger is the one that you know: no --trusted-root; it is the \
                        one that the signer names";
            report.not_checked.push(what.to_owned());
            root
        }
    };
    Some(Opened {
        about,
        controls,
        root,
    })
}

/// That the ledger has the manifest's signature, right after what the bundle shows of it.
fn ledger(
    files: &Files,
    signature: &Bundle,
    opened: &Opened,
    asked: &Asked<'_>,
    report: &mut Verified,
) {
    let entered = match log_entry::verify(signature, asked.key, &opened.root) {
        Ok(entered) => entered,
        Err(why) => return report.problem(Kind::Inclusion, names::SIGNATURE, why),
    };
    report.verified.push(format!(
        "{}: entry {} of the ledger, of {} entries",
        names::MANIFEST,
        entered.index,
        entered.head.size
    ));
    let Some(log) = opened.root.logs().first() else {
        return;
    };
    let grown = files
        .get(names::DELTA)
        .ok_or_else(|| "there is no such file".to_owned());
    let growth = log_entry::policy(log).and_then(|policy| {
        let growth = Delta::parse(grown?)?.verify(&policy)?;
        Ok((growth, policy))
    });
    match growth {
        Err(why) => report.problem(Kind::Consistency, names::DELTA, why),
        Ok((growth, _)) if !growth.is_before(&entered) => {
            let why = "the manifest's entry does not come right after what it shows of the ledger";
            report.problem(Kind::Consistency, names::DELTA, why);
        }
        Ok((growth, policy)) => {
            let head = asked.checkpoint.map(|note| {
                let head = policy.checkpoint(note).map_err(|error| error.to_string());
                head.map(|verified| verified.checkpoint.head)
            });
            match head {
                Some(Ok(head)) => kept(&head, &growth, &entered, report),
                Some(Err(why)) => report.problem(Kind::Consistency, "--checkpoint", why),
                None => report.not_checked.push(
                    "whether the ledger grew from a checkpoint that you kept: no --checkpoint"
                        .to_owned(),
                ),
            }
        }
    }
}

/// That a tree that was kept is one that the bundle shows.
fn kept(
    kept: &ig_ledger::verify::TreeHead,
    growth: &Growth,
    entered: &Entered,
    report: &mut Verified,
) {
    // Whoever is between gives the release before for the one that was asked for: the
    // checkpoint that was kept of it is its own.
    if *kept == entered.head {
        let why = "it is this bundle's own: it says nothing of a release before, or this is that";
        return report.problem(Kind::OtherRelease, "--checkpoint", why);
    }
    let trees = [growth.since, growth.head, entered.head];
    match trees.iter().find(|tree| tree.size == kept.size) {
        Some(tree) if tree.root == kept.root => {
            let (from, to) = (kept.size, entered.head.size);
            report
                .verified
                .push(format!("the ledger grew from {from} to {to} entries"));
        }
        Some(_) => {
            let why = "a fork: the ledger had another tree of this size";
            report.problem(Kind::Consistency, "--checkpoint", why);
        }
        None => {
            let why = format!(
                "the bundle shows the ledger from {} to {} entries, and not how it grew from {}",
                growth.since.size, entered.head.size, kept.size
            );
            report.problem(Kind::NotShown, "--checkpoint", why);
        }
    }
}

fn release(opened: &Opened, asked: &Asked<'_>, report: &mut Verified) {
    let about = &opened.about;
    let (version, made) = (&about.version, rfc3339(about.created()));
    report.verified.push(format!(
        "version {version}, commit {}, made {made}",
        about.commit
    ));
    if asked.commit.is_none() {
        let what = "whether it is of the release that you mean: no --commit; an older one verifies \
                    by the same key";
        report.not_checked.push(what.to_owned());
    }
    if let Some(commit) = asked.commit.filter(|commit| *commit != about.commit) {
        let why = format!("it is of the commit {}, not of {commit}", about.commit);
        report.problem(Kind::OtherRelease, names::ABOUT, why);
    }
    // Clocks of two machines are not the same.
    let is_later = |now: u64| about.created() > now.saturating_add(crate::time::DAY);
    if let Some(now) = asked.now.filter(|now| is_later(*now)) {
        let why = format!("it was made {made}, and now it is {}", rfc3339(now));
        report.problem(Kind::OtherRelease, names::ABOUT, why);
    }
}

/// Judges the controls, and compares with what the bundle says of them.
fn claims(files: &Files, opened: &Opened, asked: &Asked<'_>, report: &mut Verified) {
    let given = Given {
        files,
        about: &opened.about,
        key: asked.key,
        root: &opened.root,
    };
    let verdicts = judge(&opened.controls, &given);
    for (name, bytes) in seal::derived(&opened.controls, &verdicts) {
        match files.get(name) {
            None => report.problem(Kind::Missing, name, "there is no such file"),
            Some(found) if found != bytes => {
                let why = "it is not what controls.toml and the reports give";
                report.problem(Kind::Changed, name, why);
            }
            Some(_) => {}
        }
    }
    for control in &verdicts.controls {
        for claim in &control.claims {
            let (check, why) = (claim.check.as_str(), &claim.why);
            let item = format!("{}: {check}", control.id);
            match claim.verdict {
                Verdict::Pass => {}
                Verdict::Fail => report.problem(Kind::Claim, item, why),
                Verdict::Gap if asked.allow_gaps => {
                    report.not_checked.push(format!("{item}: GAP: {why}"));
                }
                Verdict::Gap => report.problem(Kind::NotShown, item, format!("GAP: {why}")),
            }
        }
    }
    for (item, why) in differences(&opened.controls) {
        match asked.allow_gaps {
            true => report.not_checked.push(format!("{item}: GAP: {why}")),
            false => report.problem(Kind::NotShown, item, format!("GAP: {why}")),
        }
    }
    // What no control asks for has to be in order as well.
    if let Err(why) = attest::expected(files, &opened.about) {
        report.problem(Kind::Claim, "reports", why);
    }
    for absent in check::absent(&given) {
        report
            .not_checked
            .push(format!("{absent}: it is not there"));
    }
    let count = |verdict| verdicts.count(verdict);
    report.verified.push(format!(
        "controls judged again: {} PASS, {} GAP, {} FAIL",
        count(Verdict::Pass),
        count(Verdict::Gap),
        count(Verdict::Fail)
    ));
    report.controls = verdicts.controls;
}

/// Where the bundle's controls are not those of this program: a signer who leaves out what
/// does not hold has nothing that fails.
fn differences(found: &Controls) -> Vec<(String, String)> {
    let known = match Controls::known() {
        Ok(known) => known,
        Err(error) => return vec![(names::CONTROLS.to_owned(), error.to_string())],
    };
    let mut all = Vec::new();
    if found.notice != known.notice {
        let why = "its notice is not the one of this program";
        all.push((names::CONTROLS.to_owned(), why.to_owned()));
    }
    for control in &known.controls {
        let why = match found.controls.iter().find(|one| one.id == control.id) {
            Some(one) if one == control => continue,
            Some(_) => "the bundle asks for something else than this program",
            None => "the bundle does not ask for it, and this program does",
        };
        all.push((control.id.clone(), why.to_owned()));
    }
    for control in &found.controls {
        if known.controls.iter().all(|one| one.id != control.id) {
            let why = "this program knows no such control";
            all.push((control.id.clone(), why.to_owned()));
        }
    }
    all
}

/// That artefacts are the ones that it speaks of, and name nothing that it does not.
fn artefacts(files: &Files, asked: &Asked<'_>, report: &mut Verified) {
    let sums = attest::subjects(files.get(names::SUMS).unwrap_or_default()).unwrap_or_default();
    let seen = files.get(names::SEEN).map(seen::parse);
    let seen = seen.and_then(Result::ok).unwrap_or_default();
    if asked.artefacts.is_empty() && !sums.is_empty() {
        let what = "whether programs and module are the ones that it speaks of: no --artifacts";
        report.not_checked.push(what.to_owned());
    }
    let is_missing =
        |name: &str| !asked.artefacts.is_empty() && !asked.artefacts.contains_key(name);
    for one in sums.iter().filter(|one| is_missing(&one.name)) {
        let what = format!("{}: it is not among the artefacts", one.name);
        report.not_checked.push(what);
    }
    for (name, bytes) in &asked.artefacts {
        let digest = Sha256::of(bytes);
        match sums.iter().find(|one| one.name == *name) {
            None => report.problem(Kind::Extra, name, "SHA256SUMS does not name it"),
            Some(one) if one.sha256 != digest => {
                let why = format!("its SHA-256 is {digest}; the bundle says {}", one.sha256);
                report.problem(Kind::Changed, name, why);
            }
            Some(_) if seen.get(name) != Some(&seen::crates(bytes)) => {
                let why = "it does not name the crates that seen.json says";
                report.problem(Kind::Changed, name, why);
            }
            Some(_) => report
                .verified
                .push(format!("{name}: the one that the bundle speaks of")),
        }
    }
}
