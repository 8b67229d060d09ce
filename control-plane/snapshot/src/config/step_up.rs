//! Proofs of presence.

use std::collections::BTreeSet;

use ig_contract::snapshot::{StepUp, VerificationKey};
use ig_contract::step_up::Acr;
use serde::Deserialize;

/// Issuer and keys are those of the control plane, which puts them in itself.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawStepUp {
    issuer: String,
    keys: Vec<RawKey>,
    #[serde(default = "StepUp::default_single_use")]
    single_use: BTreeSet<String>,
    #[serde(default = "StepUp::default_max_age_seconds")]
    max_age_seconds: u32,
    #[serde(default = "StepUp::default_acr")]
    acr: Acr,
}

#[derive(Deserialize)]
struct RawKey {
    kid: String,
    x: String,
}

impl From<RawStepUp> for StepUp {
    fn from(raw: RawStepUp) -> Self {
        let key = |RawKey { kid, x }| VerificationKey { kid, x };
        Self {
            issuer: raw.issuer,
            keys: raw.keys.into_iter().map(key).collect(),
            single_use: raw.single_use,
            max_age_seconds: raw.max_age_seconds,
            acr: raw.acr,
        }
    }
}
