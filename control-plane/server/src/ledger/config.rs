//! `[ledger]` of the control plane's configuration.

use std::path::PathBuf;

use ig_ledger::verify::{KeyType, Origin, Policy, VerifierKey};
use serde::Deserialize;

/// The most witnesses that are asked, and logs that are witnessed.
const MOST: usize = 32;

/// The log of this control plane, and who vouches for it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LedgerConfig {
    /// The log's name: the host name of its URL. By default that of `public-url`,
    /// or `localhost`, from when the log begins; it never changes then.
    pub origin: Option<String>,
    /// The log's keys; by default they are made, and kept in the database.
    pub keys: Option<LedgerKeys>,
    /// Who is asked to cosign.
    pub witnesses: Vec<WitnessUrl>,
    /// Whose logs are cosigned here.
    pub witness: WitnessConfig,
}

/// Private keys in PKCS#8, in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LedgerKeys {
    /// Of Ed25519.
    pub ed25519: PathBuf,
    /// Of P-256.
    pub p256: PathBuf,
}

/// A witness (C2SP `tlog-witness`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WitnessUrl {
    /// Its submission prefix: what stands before `/add-checkpoint`.
    pub url: String,
    /// Its key, as it publishes it (`vkey`).
    pub key: String,
}

/// This control plane as a witness of others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct WitnessConfig {
    /// The witness's name: a URL without its scheme. By default the log's own
    /// origin, and `/ledger/witness`.
    pub name: Option<String>,
    /// Its Ed25519 key in PKCS#8, in PEM; by default one is made.
    pub key: Option<PathBuf>,
    /// Logs that it cosigns.
    pub logs: Vec<LoggedKeys>,
}

/// A log of somebody else.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedKeys {
    /// Its keys, as it publishes them (`vkey`). Their name is its origin; all of
    /// them have to have signed.
    pub keys: Vec<String>,
}

/// A witness that is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) key: VerifierKey,
}

impl LedgerConfig {
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let origin = self.origin.as_deref().map(str::parse::<Origin>);
        if let Some(Err(error)) = origin {
            problems.push(format!("ledger.origin: {error}"));
        }
        problems.extend(self.asked().err());
        problems.extend(self.witness.policies().err());
        if let Some(keys) = &self.keys {
            let of = "log.example".parse().map_err(|_| ());
            if let Ok(Err(error)) = of.map(|origin| super::keys::of_files(keys, origin)) {
                problems.push(error.to_string());
            }
        }
        if let Some(file) = &self.witness.key
            && let Err(error) = super::keys::witness_of_file(file, "log.example")
        {
            problems.push(error.to_string());
        }
        problems
    }

    /// The witnesses that are asked.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn asked(&self) -> Result<Vec<Asked>, String> {
        if self.witnesses.len() > MOST {
            return Err(format!("ledger.witnesses: {MOST} at most"));
        }
        let mut asked: Vec<Asked> = Vec::new();
        for WitnessUrl { url, key } in &self.witnesses {
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(format!(
                    "ledger.witnesses.url: {url} must begin with `https://` or `http://`"
                ));
            }
            let key: VerifierKey = key
                .parse()
                .map_err(|error| format!("ledger.witnesses.key: {error}"))?;
            if key.key_type() != KeyType::Cosignature {
                return Err(format!("ledger.witnesses.key: {key} is no witness's key"));
            }
            let is_same =
                |one: &Asked| one.key.bytes() == key.bytes() || one.key.name() == key.name();
            if asked.iter().any(is_same) {
                return Err(format!("ledger.witnesses.key: {key} is there twice"));
            }
            let url = url.trim_end_matches('/').to_owned();
            asked.push(Asked { url, key });
        }
        Ok(asked)
    }
}

impl WitnessConfig {
    /// Whom to believe, by origin.
    ///
    /// # Errors
    /// What is wrong with the keys.
    pub(super) fn policies(&self) -> Result<Vec<(Origin, Policy)>, String> {
        const AT: &str = "ledger.witness.logs.keys";
        if self.logs.len() > MOST {
            return Err(format!("ledger.witness.logs: {MOST} at most"));
        }
        let mut policies: Vec<(Origin, Policy)> = Vec::new();
        for log in &self.logs {
            let keys = log.keys.iter().map(|key| key.parse());
            let keys: Result<Vec<VerifierKey>, _> = keys.collect();
            let keys = keys.map_err(|error| format!("{AT}: {error}"))?;
            let name = keys.first().map(VerifierKey::name).unwrap_or_default();
            let origin: Origin = name.parse().map_err(|error| format!("{AT}: {error}"))?;
            if policies.iter().any(|(known, _)| *known == origin) {
                return Err(format!("{AT}: {origin} is there twice"));
            }
            let policy = Policy::new(origin.clone(), keys, Vec::new(), 0);
            let policy = policy.map_err(|error| format!("{AT}: {error}"))?;
            policies.push((origin, policy));
        }
        Ok(policies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        toml::from_str::<LedgerConfig>(text).unwrap().problems()
    }

    fn cosigner() -> String {
        let key = ig_ledger::sign::WitnessKey::from_bytes("w.example", &[3; 32]).unwrap();
        key.key().to_string()
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cosigner = cosigner();
        let twice = format!(
            "[[witnesses]]\nurl = \"https://w\"\nkey = \"{cosigner}\"\n\
             [[witnesses]]\nurl = \"https://v\"\nkey = \"{cosigner}\"\n"
        );
        for (text, said) in [
            ("origin = \"a b\"", "ledger.origin: "),
            ("[[witnesses]]\nurl = \"w\"\nkey = \"\"", "witnesses.url"),
            (
                "[[witnesses]]\nurl = \"https://w\"\nkey = \"x\"",
                "witnesses.key",
            ),
            (twice.as_str(), "there twice"),
            (
                "[keys]\ned25519 = \"/no/a.pem\"\np256 = \"/no/b.pem\"",
                "/no/a.pem",
            ),
            ("[witness]\nkey = \"/no/w.pem\"", "/no/w.pem"),
            ("[[witness.logs]]\nkeys = []", "witness.logs.keys"),
            // A witness's key signs no log.
            (
                &format!("[[witness.logs]]\nkeys = [\"{cosigner}\"]"),
                "witness.logs.keys",
            ),
        ] {
            let problems = problems(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].contains(said), "{text}: {problems:?}");
        }
        assert!(problems("").is_empty());
        let one = format!(
            "origin = \"log.example\"\n[[witnesses]]\nurl = \"https://w/x/\"\nkey = \"{cosigner}\"\n"
        );
        assert!(problems(&one).is_empty());
        let config: LedgerConfig = toml::from_str(&one).unwrap();
        assert_eq!(config.asked().unwrap()[0].url, "https://w/x");
    }

    /// The example of the documentation is valid, files of its machine aside.
    #[test]
    fn the_documented_configuration_is_valid() {
        #[derive(Deserialize)]
        struct File {
            ledger: toml::Table,
        }
        let page = include_str!("../../../../docs/ledger.md");
        let (_, example) = page.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let File { ledger } = toml::from_str(example).unwrap();
        let mut unknown = Vec::new();
        let config: LedgerConfig = serde_ignored::deserialize(ledger, |path| {
            unknown.push(path.to_string());
        })
        .unwrap();
        assert!(unknown.is_empty(), "{unknown:?}");
        let problems = config.problems();
        let is_file = |problem: &String| problem.starts_with("/etc/ig/");
        assert!(problems.iter().all(is_file), "{problems:?}");
        assert_eq!(problems.len(), 2);
        assert_eq!(config.witnesses.len() + config.witness.logs.len(), 2);
    }
}
