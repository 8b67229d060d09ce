//! What is wrong with something people wrote: all of it, each with its place.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// Where: a path of keys (`tenants.alpha.region`) or a file.
    pub path: String,
    /// What.
    pub message: String,
}

/// Everything that is wrong; never empty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            match problem.path.as_str() {
                "" => f.write_str(&problem.message)?,
                path => write!(f, "{path}: {}", problem.message)?,
            }
        }
        Ok(())
    }
}

impl Problems {
    /// `value`, if nothing is wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.0.push(Problem {
            path: path.into(),
            message: message.to_string(),
        });
    }

    pub(crate) fn check(
        &mut self,
        holds: bool,
        path: impl Into<String>,
        message: impl fmt::Display,
    ) {
        if !holds {
            self.add(path, message);
        }
    }

    /// Checks a number's bounds, both included.
    pub(crate) fn range(&mut self, path: impl Into<String>, number: u32, least: u32, most: u32) {
        let message = format!("{number} is not between {least} and {most}");
        self.check((least..=most).contains(&number), path, message);
    }
}
