//! The verdict of each control, from files, a key, and nothing else.

use ig_signing::{PublicKey, TrustedRoot};
use serde::Serialize;

use crate::{About, Check, Claim, Controls, Files, json};

/// What is known of a control.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Its evidence is there, and passed.
    Pass,
    /// Evidence is missing, so nothing is known.
    Gap,
    /// Evidence says that it does not hold, or is not what it should be.
    Fail,
}

impl Verdict {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Gap => "GAP",
            Self::Fail => "FAIL",
        }
    }
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) why: String,
}

impl Finding {
    pub(crate) fn pass(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Pass,
            why: why.into(),
        }
    }

    pub(crate) fn gap(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Gap,
            why: why.into(),
        }
    }

    pub(crate) fn fail(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            why: why.into(),
        }
    }
}

/// What there is to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The bundle's files.
    pub files: &'a Files,
    /// Which release it is.
    pub about: &'a About,
    /// Whose signatures count.
    pub key: &'a PublicKey,
    /// The log that has to have them.
    pub root: &'a TrustedRoot,
}

/// A claim's verdict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct JudgedClaim {
    /// What decided.
    pub check: Check,
    /// What it read.
    pub files: Vec<Evidence>,
    /// What it found.
    pub verdict: Verdict,
    /// Why, in words.
    pub why: String,
}

/// A file that a check read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Evidence {
    /// Its name, or that of a folder with a `/` at its end.
    pub name: String,
    /// Its SHA-256; none for a folder, and for what is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A control's verdict: the worst of its claims'.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Judged {
    /// Of the control.
    pub id: String,
    /// The worst.
    pub verdict: Verdict,
    /// In the order of `controls.toml`.
    pub claims: Vec<JudgedClaim>,
}

/// All verdicts: `verdicts.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verdicts {
    /// Of which release.
    pub version: String,
    /// Of which commit.
    pub commit: String,
    /// When it was judged.
    pub created: String,
    /// In the order of `controls.toml`.
    pub controls: Vec<Judged>,
}

impl Verdicts {
    /// As the bundle has them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::write(self)
    }

    /// How many controls have a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.controls
            .iter()
            .filter(|one| one.verdict == verdict)
            .count()
    }
}

/// Judges every control.
#[must_use]
pub fn judge(controls: &Controls, given: &Given<'_>) -> Verdicts {
    let controls = controls.controls.iter().map(|control| {
        let claims = control.claims.iter().map(|claim| judge_claim(claim, given));
        let claims: Vec<_> = claims.collect();
        let worst = claims.iter().map(|claim| claim.verdict).max();
        Judged {
            id: control.id.clone(),
            verdict: worst.unwrap_or(Verdict::Gap),
            claims,
        }
    });
    Verdicts {
        version: given.about.version.clone(),
        commit: given.about.commit.clone(),
        created: crate::rfc3339(given.about.created()),
        controls: controls.collect(),
    }
}

fn judge_claim(claim: &Claim, given: &Given<'_>) -> JudgedClaim {
    let mut found = claim.check.decide(given, claim);
    if found.verdict == Verdict::Pass && given.about.dirty {
        found = Finding::gap("the tree had changes that the commit does not have");
    }
    let evidence = |name: String| Evidence {
        sha256: given.files.digest(&name).map(|digest| digest.to_string()),
        name,
    };
    JudgedClaim {
        check: claim.check,
        files: claim.check.files().into_iter().map(evidence).collect(),
        verdict: found.verdict,
        why: found.why,
    }
}
