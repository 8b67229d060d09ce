//! What is checked out: which commit a run, and a bundle, is of.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::time;

/// What is checked out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// The commit, in full.
    pub commit: String,
    /// Whether there are changes that it does not have.
    pub dirty: bool,
}

/// Why it is not known what is checked out.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Git does not run.
    #[error("cannot run git in {path}: {why}", path = .folder.display())]
    Run {
        /// Where.
        folder: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// Git knows no checkout there, or no commit.
    #[error("{path}: git {command}: {said}", path = .folder.display())]
    Git {
        /// Where.
        folder: PathBuf,
        /// What was asked.
        command: String,
        /// What Git says of it.
        said: String,
    },
}

impl Tree {
    /// Of a checkout.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn of(root: &Path) -> Result<Self, TreeError> {
        Ok(Self {
            commit: git(root, &["rev-parse", "HEAD"])?,
            dirty: !git(root, &["status", "--porcelain"])?.is_empty(),
        })
    }

    /// The top of the checkout that a folder is in.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn top(folder: &Path) -> Result<PathBuf, TreeError> {
        Ok(git(folder, &["rev-parse", "--show-toplevel"])?.into())
    }

    /// Of a run that began with this tree and ends now.
    ///
    /// # Errors
    /// [`TreeError`]: it is no repository any more.
    pub fn until_now(&self, root: &Path) -> Result<Self, TreeError> {
        Ok(self.until(&Self::of(root)?))
    }

    /// A run may take hours. Where the tree is another after it, nobody knows which one it
    /// was of, so it speaks for no commit.
    fn until(&self, after: &Self) -> Self {
        Self {
            commit: self.commit.clone(),
            dirty: self.dirty || self != after,
        }
    }

    /// What a report says of its run.
    #[must_use]
    pub fn stamp(&self, command: &str) -> Value {
        json!({
            "commit": self.commit,
            "dirty": self.dirty,
            "date": time::rfc3339(time::now()),
            "command": command,
        })
    }
}

/// What Git answers, without the end of its last line.
fn git(folder: &Path, words: &[&str]) -> Result<String, TreeError> {
    let ran = Command::new("git")
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    let ran = ran.map_err(|why| TreeError::Run {
        folder: folder.to_owned(),
        why,
    })?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        return Err(TreeError::Git {
            folder: folder.to_owned(),
            command: words.join(" "),
            said: said.lines().next().unwrap_or("it fails").to_owned(),
        });
    }
    let said = String::from_utf8_lossy(&ran.stdout);
    Ok(said.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_of_a_tree_that_stayed() {
        let tree = |(commit, dirty): (&str, bool)| Tree {
            commit: commit.into(),
            dirty,
        };
        for (before, after, expected) in [
            (("a", false), ("a", false), ("a", false)),
            (("a", false), ("a", true), ("a", true)),
            (("a", true), ("a", false), ("a", true)),
            (("a", true), ("a", true), ("a", true)),
            // Committed or checked out meanwhile.
            (("a", false), ("b", false), ("a", true)),
            (("a", true), ("b", false), ("a", true)),
        ] {
            let found = tree(before).until(&tree(after));
            assert_eq!(found, tree(expected), "{before:?} {after:?}");
        }
    }

    #[test]
    fn where_no_checkout_is_there_is_no_tree() {
        let folder = tempfile::tempdir().unwrap();
        // Of a checkout above it this would say what that is; there `.git` is no repository.
        std::fs::write(folder.path().join(".git"), "").unwrap();
        for error in [
            Tree::of(folder.path()).unwrap_err(),
            Tree::top(folder.path()).unwrap_err(),
        ] {
            assert!(matches!(error, TreeError::Git { .. }), "{error}");
        }
        let nowhere = folder.path().join("nowhere");
        let error = Tree::of(&nowhere).unwrap_err();
        assert!(matches!(error, TreeError::Run { .. }), "{error}");
    }
}
