use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A day of the Gregorian calendar (RFC 3339 `full-date`), in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A text is not a day.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no day: write 2026-12-31")]
pub struct InvalidDate(String);

impl Date {
    /// The same day a year later; the last of February for a leap day.
    pub fn in_a_year(self) -> Self {
        let year = self.year.saturating_add(1);
        Self {
            year,
            day: self.day.min(days(year, self.month)),
            ..self
        }
    }

    /// The last of the days that a text for people names, as `2026-12-31`: of
    /// two, the later one is safe.
    pub fn find(text: &str) -> Option<Self> {
        let is_digit = |at: usize| {
            let byte = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
            byte.is_some_and(u8::is_ascii_digit)
        };
        text.char_indices()
            .filter_map(|(start, _)| {
                let date = text.get(start..start + 10)?.parse().ok()?;
                // `12026-12-31` and `2026-12-311` name no day.
                (!is_digit(start) && !is_digit(start + 11)).then_some(date)
            })
            .max()
    }
}

fn days(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let read = || {
            let is_shaped = text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
            let date = Self {
                year: text.get(..4)?.parse().ok()?,
                month: text.get(5..7)?.parse().ok()?,
                day: text.get(8..)?.parse().ok()?,
            };
            let is_day = (1..=12).contains(&date.month)
                && (1..=days(date.year, date.month)).contains(&date.day);
            (is_shaped && text.len() == 10 && is_day).then_some(date)
        };
        read().ok_or_else(|| InvalidDate(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn dates() {
        for good in ["2026-12-31", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(good.parse::<Date>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "2100-02-29",
            "2026-1-01",
            "2026-01-1",
            "+026-01-01",
            "2026-01-01T",
            "２026-01-01",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_names_a_day() {
        let cases = [
            ("Use `b`. Removal on 2026-12-31 UTC.", Some("2026-12-31")),
            ("é2026-12-31", Some("2026-12-31")),
            ("12026-12-31 and 2026-12-311", None),
            ("v2026-99-99, then 2027-01-01", Some("2027-01-01")),
            ("some day", None),
        ];
        for (text, day) in cases {
            let found = Date::find(text).map(|day| day.to_string());
            assert_eq!(found.as_deref(), day, "{text}");
        }
    }

    #[test]
    fn a_year_later() {
        let leap: Date = "2024-02-29".parse().unwrap();
        assert_eq!(leap.in_a_year().to_string(), "2025-02-28");
    }
}
