//! C2SP `tlog-policy`: a policy as a text file.
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> <number|any|all> <witness>...
//! quorum <witness or group, or none>
//! ```
//!
//! Two things are narrower here. All keys of logs are of one log, and every one
//! of them has to have signed, where the format takes any of many logs. And a
//! group has witnesses, not groups.

use super::policy::{MAX_WITNESSES, PolicyError};
use super::{CheckpointError, KeyError, Policy, VerifierKey};

/// The most bytes of a policy.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;

/// Why a file is no policy. Lines are counted from 1.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// Longer than [`MAX_POLICY_BYTES`].
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("a policy is UTF-8")]
    Characters,
    /// A line that is none of the four.
    #[error(
        "line {0}: a line is `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME any|all|NUMBER WITNESS...` or `quorum NAME`"
    )]
    Line(usize),
    /// A key is none.
    #[error("line {line}: {error}")]
    Key {
        /// Where.
        line: usize,
        /// Why.
        error: KeyError,
    },
    /// A name twice; `none` is taken.
    #[error("line {0}: the name is taken")]
    Taken(usize),
    /// A name that no line before defines, a group in a group, or one member
    /// twice.
    #[error("line {0}: members are witnesses of lines before, each once")]
    Member(usize),
    /// A group that asks for more than it has, or for nothing.
    #[error("line {0}: a group asks for `any`, `all`, or a number from 1 to that of its members")]
    Threshold(usize),
    /// A second line, or a name that no line before defines.
    #[error("line {0}: there is one quorum, of a witness or group of a line before, or `none`")]
    Quorum(usize),
    /// What nobody says is not guessed: a file that was cut off would ask for
    /// less.
    #[error("no line says the quorum; `quorum none` asks for no witness")]
    NoQuorum,
    /// No key of a log, or of more than one log.
    #[error("no log, or more than one: all keys of `log` lines have one name")]
    Logs,
    /// The name of the log's keys can be no origin.
    #[error(transparent)]
    Origin(#[from] CheckpointError),
    /// The keys make no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Whose names have been defined.
#[derive(Default)]
struct Names<'a> {
    witnesses: Vec<(&'a str, VerifierKey)>,
    groups: Vec<(&'a str, Quorum)>,
}

/// How many of which witnesses.
#[derive(Clone)]
struct Quorum {
    needed: usize,
    of: Vec<VerifierKey>,
}

impl<'a> Names<'a> {
    fn witness(&self, name: &str) -> Option<&VerifierKey> {
        let found = self.witnesses.iter().find(|(known, _)| *known == name);
        found.map(|(_, key)| key)
    }

    fn check_free(&self, line: usize, name: &str) -> Result<(), PolicyFileError> {
        let is_taken = name == "none"
            || self.witness(name).is_some()
            || self.groups.iter().any(|(known, _)| *known == name);
        match is_taken {
            true => Err(PolicyFileError::Taken(line)),
            false => Ok(()),
        }
    }

    fn group(
        &self,
        line: usize,
        needed: &str,
        members: &[&'a str],
    ) -> Result<Quorum, PolicyFileError> {
        let mut of = Vec::new();
        for (position, member) in members.iter().enumerate() {
            let is_new = members.iter().position(|other| other == member) == Some(position);
            let key = self.witness(member).filter(|_| is_new);
            of.push(key.ok_or(PolicyFileError::Member(line))?.clone());
        }
        let needed = match needed {
            "any" => Some(1),
            "all" => Some(of.len()),
            number => number.parse().ok(),
        };
        let needed = needed.filter(|needed| (1..=of.len()).contains(needed));
        let needed = needed.ok_or(PolicyFileError::Threshold(line))?;
        Ok(Quorum { needed, of })
    }

    fn quorum(&self, name: &str) -> Option<Quorum> {
        if name == "none" {
            let of = self.witnesses.iter().map(|(_, key)| key.clone()).collect();
            return Some(Quorum { needed: 0, of });
        }
        if let Some(key) = self.witness(name) {
            let of = vec![key.clone()];
            return Some(Quorum { needed: 1, of });
        }
        let group = self.groups.iter().find(|(known, _)| *known == name);
        group.map(|(_, quorum)| quorum.clone())
    }
}

impl Policy {
    /// Reads a policy. Witnesses that are not asked for by the quorum say nothing;
    /// with `quorum none` all that are listed are reported.
    ///
    /// # Errors
    /// [`PolicyFileError`].
    pub fn from_file(file: &[u8]) -> Result<Self, PolicyFileError> {
        use PolicyFileError as E;
        if file.len() > MAX_POLICY_BYTES {
            return Err(E::TooLong);
        }
        let text = str::from_utf8(file).map_err(|_| E::Characters)?;
        let (mut logs, mut names, mut quorum) = (Vec::new(), Names::default(), None);
        for (line, text) in (1..).zip(text.lines()) {
            let key = |vkey: &str| {
                let key: Result<VerifierKey, _> = vkey.parse();
                key.map_err(|error| E::Key { line, error })
            };
            let words: Vec<_> = text.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [word, ..] if word.starts_with('#') => {}
                ["log", vkey] | ["log", vkey, _] => logs.push(key(vkey)?),
                ["witness", name, vkey] | ["witness", name, vkey, _] => {
                    names.check_free(line, name)?;
                    if names.witnesses.len() == MAX_WITNESSES {
                        return Err(PolicyError::Count.into());
                    }
                    names.witnesses.push((name, key(vkey)?));
                }
                ["group", name, needed, members @ ..] => {
                    names.check_free(line, name)?;
                    let group = names.group(line, needed, members)?;
                    names.groups.push((name, group));
                }
                ["quorum", name] if quorum.is_none() => {
                    quorum = Some(names.quorum(name).ok_or(E::Quorum(line))?);
                }
                ["quorum", _] => return Err(E::Quorum(line)),
                _ => return Err(E::Line(line)),
            }
        }
        let Quorum { needed, of } = quorum.ok_or(E::NoQuorum)?;
        Self::of_keys(logs, of, needed)
    }

    /// The policy of one log's published keys, and of witnesses.
    ///
    /// # Errors
    /// [`PolicyFileError::Logs`] for keys of several names;
    /// [`PolicyFileError::Policy`].
    pub fn of_keys(
        log: Vec<VerifierKey>,
        witnesses: Vec<VerifierKey>,
        quorum: usize,
    ) -> Result<Self, PolicyFileError> {
        let name = log.first().ok_or(PolicyFileError::Logs)?.name().to_owned();
        if log.iter().any(|key| key.name() != name) {
            return Err(PolicyFileError::Logs);
        }
        Ok(Self::new(name.parse()?, log, witnesses, quorum)?)
    }
}
