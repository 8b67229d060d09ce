//! `controls.toml`: which check of which file decides about which control.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::Check;

/// The most bytes of the file.
const MAX_BYTES: usize = 256 << 10;
/// The most controls, and the most claims of all: each reads its files anew.
const MAX: usize = 200;

/// The controls that a release's evidence speaks for.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    format: u32,
    /// What the page is called.
    pub title: String,
    /// What a mapping is not.
    pub notice: String,
    /// The controls, in their order.
    #[serde(rename = "control")]
    pub controls: Vec<Control>,
}

/// A control: what frameworks ask for, and what shows it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Lower-case letters and `-`, once in the file.
    pub id: String,
    /// For people.
    pub title: String,
    /// Criteria of SOC 2 (TSP section 100), such as `CC6.1`.
    pub soc2: Vec<String>,
    /// Controls of NIST SP 800-53 revision 5, as OSCAL's catalogue names them: `ac-2`,
    /// `ac-6.7`.
    pub nist: Vec<String>,
    /// What the product does for it.
    pub text: String,
    /// What a deployment has to do itself.
    pub yours: String,
    /// What shows it, all of it.
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
}

/// What one file shows.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// In words.
    pub says: String,
    /// What decides.
    pub check: Check,
    /// What has to be in the file: tests, scenarios, dashboards, thresholds.
    #[serde(default)]
    pub names: Vec<String>,
}

/// Why a file maps no controls.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlsError {
    /// Too long.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not its TOML.
    #[error("{0}")]
    Toml(String),
    /// Another format.
    #[error("format is not 1")]
    Format,
    /// None, or too many.
    #[error("a file has 1 to {MAX} controls, each with a claim, and at most {MAX} claims")]
    Count,
    /// An id that is none, or is there twice.
    #[error("the id {0:?} is there twice, or is not of lower-case letters and `-`")]
    Id(String),
    /// An id of a framework that is none.
    #[error("{0}: {1:?} is no id of its framework")]
    Framework(String, String),
    /// Nothing that has to be there.
    #[error("{0}: the check {1} needs names")]
    Names(String, &'static str),
}

impl Controls {
    /// Those of this program: what a bundle says of its own controls is its signer's word.
    ///
    /// # Errors
    /// [`ControlsError`]: none, as the tests see.
    pub fn known() -> Result<Self, ControlsError> {
        Self::parse(include_bytes!("../controls.toml"))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`ControlsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ControlsError> {
        if bytes.len() > MAX_BYTES {
            return Err(ControlsError::TooLong);
        }
        let wrong = |error: String| ControlsError::Toml(error);
        let text = str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let controls: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if controls.format != 1 {
            return Err(ControlsError::Format);
        }
        if !(1..=MAX).contains(&controls.controls.len()) {
            return Err(ControlsError::Count);
        }
        let claims = controls.controls.iter().map(|one| one.claims.len());
        if claims.sum::<usize>() > MAX {
            return Err(ControlsError::Count);
        }
        let mut seen = BTreeSet::new();
        for control in &controls.controls {
            if !is_id(&control.id) || !seen.insert(control.id.as_str()) {
                return Err(ControlsError::Id(control.id.clone()));
            }
            control.check()?;
        }
        Ok(controls)
    }
}

impl Control {
    fn check(&self) -> Result<(), ControlsError> {
        if self.claims.is_empty() {
            return Err(ControlsError::Count);
        }
        let wrong = |id: &String| ControlsError::Framework(self.id.clone(), id.clone());
        if let Some(id) = self.soc2.iter().find(|id| !is_soc2(id)) {
            return Err(wrong(id));
        }
        if let Some(id) = self.nist.iter().find(|id| !is_nist(id)) {
            return Err(wrong(id));
        }
        let lacks = |claim: &&Claim| claim.check.needs_names() && claim.names.is_empty();
        match self.claims.iter().find(lacks) {
            Some(claim) => Err(ControlsError::Names(self.id.clone(), claim.check.as_str())),
            None => Ok(()),
        }
    }
}

fn is_id(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 64 && text.split('-').all(is_part)
}

fn is_number(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `CC6.1`.
fn is_soc2(text: &str) -> bool {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let parts = letters.split_once('.');
    (1..=2).contains(&(text.len() - letters.len()))
        && parts.is_some_and(|(series, number)| is_number(series) && is_number(number))
}

/// `ac-2` or `ac-6.7`.
fn is_nist(text: &str) -> bool {
    let Some((family, number)) = text.split_once('-') else {
        return false;
    };
    let (control, enhancement) = number.split_once('.').unwrap_or((number, "1"));
    family.len() == 2
        && family.bytes().all(|byte| byte.is_ascii_lowercase())
        && is_number(control)
        && is_number(enhancement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_so_many_claims_and_no_more() {
        let control = |id: &str, claims: usize| {
            let head = format!(
                "[[control]]\nid = \"{id}\"\ntitle = \"\"\nsoc2 = []\nnist = []\ntext = \"\"\nyours = \"\"\n"
            );
            head + &"[[control.claim]]\nsays = \"\"\ncheck = \"sbom\"\n".repeat(claims)
        };
        let parsed = |controls: &[String]| {
            let head = "format = 1\ntitle = \"\"\nnotice = \"\"\n";
            Controls::parse(format!("{head}{}", controls.concat()).as_bytes())
        };
        assert!(parsed(&[control("a", MAX - 1), control("b", 1)]).is_ok());
        let too_many = parsed(&[control("a", MAX - 1), control("b", 2)]);
        assert_eq!(too_many, Err(ControlsError::Count));
        // Without a claim there is none to write: TOML's list is missing.
        assert!(parsed(&[control("a", 0)]).is_err());
    }

    #[test]
    fn ids_are_those_of_frameworks() {
        for id in ["CC6.1", "CC7.2", "A1.2", "CC6.10"] {
            assert!(is_soc2(id), "{id}");
        }
        for id in ["", "CC6", "cc6.1", "CC6.1a", "CC.1", "CC6.1.2", "6.1"] {
            assert!(!is_soc2(id), "{id}");
        }
        for id in ["ac-2", "ac-6.7", "sc-12", "au-10"] {
            assert!(is_nist(id), "{id}");
        }
        for id in ["", "AC-2", "ac2", "ac-2(3)", "acc-1", "ac-"] {
            assert!(!is_nist(id), "{id}");
        }
    }
}
