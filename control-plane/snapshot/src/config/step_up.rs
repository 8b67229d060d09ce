//! Proofs of presence.

use std::collections::BTreeSet;

use ig_contract::Mode;
use ig_contract::snapshot::{Head, Modes, StepUp, VerificationKey};
use ig_contract::step_up::{Acr, MAX_LIFE_SECONDS};
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

/// What in a snapshot is valid, and hardly what was meant.
#[must_use]
pub fn remarks(head: &Head) -> Vec<String> {
    let Some(step_up) = &head.step_up else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    let of_tenants = head.tenants.values().filter_map(|tenant| tenant.modes);
    let lets_all_pass = |modes: Modes| {
        [modes.persisted_query, modes.policy] == [Mode::Shadow; 2] && modes.step_up == Mode::Enforce
    };
    if of_tenants.chain([head.modes]).any(lets_all_pass) {
        remarks.push(
            "modes: allow-list and policy are in shadow, so requests pass that are in no catalogue, \
             and nobody knows whether they would need a proof of presence"
                .to_owned(),
        );
    }
    if step_up.single_use.is_empty() {
        remarks.push(
            "step-up.single-use: is empty, so a token counts again and again until it is over, \
             for exports too"
                .to_owned(),
        );
    }
    if u64::from(step_up.max_age_seconds) > MAX_LIFE_SECONDS {
        remarks.push(format!(
            "step-up.max-age-seconds: is {}, and no token counts for longer than \
             {MAX_LIFE_SECONDS} s",
            step_up.max_age_seconds
        ));
    }
    remarks
}
