//! Of which tree a report is, and of when.

use serde_json::Value;

use crate::about::is_commit;
use crate::{About, time};

/// The oldest that a report may be when its bundle is made, in seconds: a day.
pub(crate) const MAX_AGE: u64 = time::DAY;

/// Of which tree a report is, and of when.
///
/// Reports of several programs have it in different places: in `run`, in `versions`, in
/// those of `engine`, or beside the rest. Wherever it is, it is complete, and said once or alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// 40 hexadecimal digits.
    pub commit: String,
    /// Whether the tree had changes that no commit has.
    pub dirty: bool,
    /// Seconds since 1970.
    pub time: u64,
}

impl Stamp {
    /// Of a report.
    ///
    /// # Errors
    /// What is missing, or contradicts itself.
    pub fn of(report: &Value) -> Result<Self, String> {
        let commit = one(report, &["commit"])?;
        let commit = commit.as_str().filter(|text| is_commit(text));
        let dirty = one(report, &["dirty", "isDirty"])?.as_bool();
        let at = one(report, &["date", "time", "finished"])?;
        let at = at.as_str().and_then(time::parse);
        Ok(Self {
            commit: commit
                .ok_or("its commit is not 40 hexadecimal digits")?
                .to_owned(),
            dirty: dirty.ok_or("its dirty is not true or false")?,
            time: at.ok_or("its date is not a time of RFC 3339 in UTC")?,
        })
    }

    /// Whether a report with this stamp speaks for a release.
    ///
    /// # Errors
    /// Why it does not.
    pub fn is_for(&self, about: &About) -> Result<(), String> {
        if self.commit != about.commit {
            let (found, wanted) = (&self.commit, &about.commit);
            return Err(format!(
                "it is of the commit {found}, and the bundle of {wanted}"
            ));
        }
        if self.dirty && !about.dirty {
            return Err("it is of a tree with changes that the commit does not have".into());
        }
        let (at, made) = (time::rfc3339(self.time), time::rfc3339(about.created()));
        match about.created().checked_sub(self.time) {
            None => Err(format!("it is of {at}, after the bundle was made ({made})")),
            Some(age) if age > MAX_AGE => Err(format!(
                "it is of another day: of {at}, and the bundle of {made}"
            )),
            Some(_) => Ok(()),
        }
    }
}

/// The one value that a report has under these names.
fn one<'a>(report: &'a Value, names: &[&str]) -> Result<&'a Value, String> {
    let places = [
        report.get("run"),
        report.get("versions"),
        report.pointer("/engine/versions"),
        Some(report),
    ];
    let objects = places
        .into_iter()
        .flatten()
        .filter(|place| place.is_object());
    let mut found = objects.flat_map(|place| names.iter().filter_map(move |name| place.get(name)));
    let name = names.join(" or ");
    let first = found
        .next()
        .ok_or_else(|| format!("it does not say its {name}"))?;
    match found.all(|other| other == first) {
        true => Ok(first),
        false => Err(format!("it says two things of its {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_stamp_is_found_where_reports_have_it() {
        let parts = json!({"commit": COMMIT, "dirty": false, "date": "2026-11-28T10:00:00Z"});
        for report in [
            json!({"run": parts}),
            json!({"versions": parts, "scenarios": []}),
            json!({"engine": {"name": "ig-load", "versions": {
                "version": "0.1.0", "commit": COMMIT, "isDirty": false,
                "date": "2026-11-28T10:00:00Z",
            }}}),
            parts.clone(),
            json!({"run": {"commit": COMMIT, "dirty": false}, "time": "2026-11-28T10:00:00Z"}),
        ] {
            let stamp = Stamp::of(&report).unwrap();
            assert_eq!((stamp.commit.as_str(), stamp.dirty), (COMMIT, false));
            assert_eq!(time::rfc3339(stamp.time), "2026-11-28T10:00:00Z");
        }
    }

    #[test]
    fn what_does_not_say_it_has_none() {
        for (report, why) in [
            (json!({}), "it does not say its commit"),
            (
                json!({"commit": COMMIT, "dirty": false}),
                "it does not say its date",
            ),
            (
                json!({"commit": "abc", "dirty": false, "date": "2026-11-28"}),
                "its commit is not",
            ),
            (
                json!({"commit": COMMIT, "dirty": "no", "date": "2026-11-28"}),
                "its dirty is not",
            ),
            (
                json!({"commit": COMMIT, "dirty": false, "date": "today"}),
                "its date is not",
            ),
            (
                json!({"commit": COMMIT, "run": {"commit": "x"}, "dirty": false, "date": "x"}),
                "it says two things of its commit",
            ),
        ] {
            let said = Stamp::of(&report).unwrap_err();
            assert!(said.contains(why), "{report}: {said}");
        }
    }

    #[test]
    fn a_report_is_of_the_commit_and_the_day() {
        let noon = time::parse("2026-11-28T12:00:00Z").unwrap();
        let about = About::new("0.1.0", COMMIT, false, noon).unwrap();
        let stamp = |dirty, time| Stamp {
            commit: COMMIT.into(),
            dirty,
            time,
        };
        for (stamp, good) in [
            (stamp(false, noon), true),
            (stamp(false, noon - MAX_AGE), true),
            (stamp(false, noon - MAX_AGE - 1), false),
            (stamp(false, noon + 1), false),
            (stamp(true, noon), false),
            (
                Stamp {
                    commit: COMMIT.replace('0', "1"),
                    ..stamp(false, noon)
                },
                false,
            ),
        ] {
            assert_eq!(stamp.is_for(&about).is_ok(), good, "{stamp:?}");
        }
    }
}
