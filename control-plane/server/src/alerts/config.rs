//! `[issues]` of the control plane's configuration.

use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::auth::is_safe_url;

/// The most labels of an issue.
const MAX_LABELS: usize = 10;
/// The longest label, in bytes: GitHub's limit.
const MAX_LABEL_BYTES: usize = 50;
/// The longest token, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

/// Which API a tracker has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackerKind {
    /// GitHub's, also of its Enterprise Server.
    Github,
    /// Gitea's, which Forgejo has too.
    Gitea,
}

/// Where issues are opened for alerts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IssuesConfig {
    /// Which API it has.
    pub kind: TrackerKind,
    /// The API's base: `https://api.github.com`, or of Gitea one that ends with
    /// `/api/v1`.
    pub url: String,
    /// Owner and name.
    pub repository: String,
    /// A file with a token that may write issues there, as its only line. It is read
    /// for each turn, so that a new one counts at once.
    pub token_file: PathBuf,
    /// Authorities to trust; those of the system by default.
    pub ca: Option<PathBuf>,
    /// Labels of every issue.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Labels of issues of critical alerts, beside those.
    #[serde(default)]
    pub critical_labels: Vec<String>,
}

impl IssuesConfig {
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_safe_url(&self.url) || self.url.contains(['?', '#']) {
            problems.push(
                "issues.url: the API's base, with `https://`; `http://` on this machine only"
                    .into(),
            );
        }
        if !is_repository(&self.repository) {
            problems.push("issues.repository: owner and name, as `acme/operations`".into());
        }
        for (key, labels) in [
            ("labels", &self.labels),
            ("critical-labels", &self.critical_labels),
        ] {
            let is_good = |label: &String| {
                (1..=MAX_LABEL_BYTES).contains(&label.len()) && !label.contains(char::is_control)
            };
            if labels.len() > MAX_LABELS || !labels.iter().all(is_good) {
                problems.push(format!(
                    "issues.{key}: {MAX_LABELS} at most, each of 1 to {MAX_LABEL_BYTES} bytes"
                ));
            }
        }
        problems.extend(self.token().err().map(|why| format!("issues.{why}")));
        problems
    }

    /// The labels of an issue.
    pub(super) fn labels(&self, is_critical: bool) -> Vec<&str> {
        let critical = self.critical_labels.iter().filter(|_| is_critical);
        self.labels
            .iter()
            .chain(critical)
            .map(|label| &**label)
            .collect()
    }

    /// The token, as the file has it now.
    ///
    /// # Errors
    /// Why there is none, without anything of it.
    pub(super) fn token(&self) -> Result<Zeroizing<String>, String> {
        let path = self.token_file.display();
        let unreadable = |error: std::io::Error| format!("token-file: cannot read {path}: {error}");
        let wrong = || format!("token-file: {path} is not a file with a token in one line");
        let metadata = std::fs::metadata(&self.token_file).map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > MAX_TOKEN_BYTES {
            return Err(wrong());
        }
        let text = std::fs::read(&self.token_file).map(Zeroizing::new);
        let text = text.map_err(unreadable)?;
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        let is_token = !line.is_empty() && line.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(line) {
            Ok(line) if is_token => Ok(Zeroizing::new(line.to_owned())),
            _ => Err(wrong()),
        }
    }
}

fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=100).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && !part.starts_with('.')
    };
    text.split_once('/')
        .is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_the_token_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        std::fs::write(&token_file, "ghp_secret\n").unwrap();
        let good = IssuesConfig {
            kind: TrackerKind::Github,
            url: "https://api.github.com".into(),
            repository: "acme/operations".into(),
            token_file,
            ca: None,
            labels: vec!["alert".into()],
            critical_labels: Vec::new(),
        };
        assert_eq!(good.problems(), [""; 0]);
        assert_eq!(good.token().unwrap().as_str(), "ghp_secret");
        let of = |change: fn(&mut IssuesConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.problems()
        };
        for (problems, key) in [
            (of(|one| one.url = "http://tracker.example".into()), "url"),
            (of(|one| one.url = "https://a/?x".into()), "url"),
            (of(|one| one.repository = "acme".into()), "repository"),
            (of(|one| one.repository = "acme/../x".into()), "repository"),
            (of(|one| one.labels = vec![String::new()]), "labels"),
            (
                of(|one| one.critical_labels = vec!["a\nb".into()]),
                "critical-labels",
            ),
            (of(|one| one.token_file = "/none".into()), "token-file"),
        ] {
            assert_eq!(problems.len(), 1, "{key}: {problems:?}");
            assert!(
                problems[0].starts_with(&format!("issues.{key}: ")),
                "{problems:?}"
            );
        }
        for wrong in ["", "two\nlines\n", "spa ce", "\u{e9}"] {
            std::fs::write(&good.token_file, wrong).unwrap();
            let said = good.token().unwrap_err();
            assert!(said.contains("token in one line"), "{said}");
            assert!(wrong.is_empty() || !said.contains(wrong));
        }
    }
}
