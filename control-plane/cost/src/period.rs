//! Hours and months of UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};

/// Milliseconds of an hour.
pub const HOUR_MILLIS: i64 = 3_600_000;

/// When the hour of a time began.
pub const fn hour_of(millis: i64) -> i64 {
    millis - millis.rem_euclid(HOUR_MILLIS)
}

/// A time as RFC 3339 has it, in UTC and to the second, as FOCUS wants it; empty
/// beyond the year 9999.
pub fn timestamp(millis: i64) -> String {
    moment(millis)
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default()
}

fn moment(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok()
}

/// A month of the Gregorian calendar in UTC: `2026-11`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Month {
    year: i32,
    /// From 1 on.
    month: u8,
}

/// A text is no month.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is not a month: write it as in `2026-11`, from 1970 to 9998")]
pub struct NotAMonth;

impl Month {
    /// The month that a time is in. Times that no calendar has are in the first or
    /// last month that it has.
    pub fn of(millis: i64) -> Self {
        match moment(millis) {
            Some(moment) => Self {
                year: moment.year(),
                month: moment.month().into(),
            },
            None if millis < 0 => Self { year: 0, month: 1 },
            None => Self {
                year: 9998,
                month: 12,
            },
        }
    }

    /// When it begins.
    pub fn start(self) -> i64 {
        let month = time::Month::try_from(self.month).unwrap_or(time::Month::January);
        let date = Date::from_calendar_date(self.year, month, 1);
        let date = date.map(|date| date.midnight().assume_offset(UtcOffset::UTC));
        date.map_or(0, |date| date.unix_timestamp().saturating_mul(1000))
    }

    /// When the next one begins.
    pub fn end(self) -> i64 {
        let next = match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                year: self.year,
                month: month + 1,
            },
        };
        next.start()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let number = |part: &str, length: usize| -> Option<u16> {
            let is_number = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        };
        let read = || {
            let (year, month) = text.split_once('-')?;
            let year = number(year, 4).filter(|year| (1970..=9998).contains(year))?;
            let month = number(month, 2).filter(|month| (1..=12).contains(month))?;
            Some(Self {
                year: i32::from(year),
                month: u8::try_from(month).ok()?,
            })
        };
        read().ok_or(NotAMonth)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
