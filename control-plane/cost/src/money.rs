//! Amounts of money, as integers.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits after the point.
const DIGITS: usize = 9;
const UNIT: i128 = 1_000_000_000;

/// An amount in billionths of the currency's unit. As text it is a decimal number of
/// units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(i128);

/// A text is no amount.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not an amount: write digits, with up to nine after a point, as in `1250.00`")]
pub struct NotAnAmount(pub String);

impl Amount {
    /// None.
    pub const ZERO: Self = Self(0);

    /// An amount of so many billionths of a unit.
    pub const fn of_billionths(billionths: i128) -> Self {
        Self(billionths)
    }

    /// Billionths of a unit.
    pub const fn billionths(self) -> i128 {
        self.0
    }

    /// For gauges and ratios only: sums are made of integers.
    #[allow(clippy::cast_precision_loss, reason = "what it is for is not exact")]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// This, divided and rounded to the nearest, halves up; `None` for nothing.
    pub fn per(self, count: u64) -> Option<Self> {
        let count = i128::from(count);
        let half = count / 2;
        self.0
            .checked_add(half)?
            .checked_div_euclid(count)
            .map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let all = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let fraction = format!("{:0DIGITS$}", all % unit);
        // Cents at least, and nothing that says nothing.
        let (cents, rest) = fraction.split_at(2);
        let rest = rest.trim_end_matches('0');
        write!(f, "{sign}{}.{cents}{rest}", all / unit)
    }
}

/// Digits before the point, at most: below them nothing overflows that adds up
/// amounts.
const MAX_DIGITS: usize = 15;

/// Reads a decimal number without a sign as an integer of `10^-digits`.
pub(crate) fn decimal(text: &str, digits: usize) -> Option<u128> {
    let (whole, fraction) = match text.split_once('.') {
        None => (text, ""),
        Some((_, "")) => return None,
        Some(parts) => parts,
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=MAX_DIGITS).contains(&whole.len()) && fraction.len() <= digits;
    if !fits || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (text_, sign) = match text.strip_prefix('-') {
            Some(rest) => (rest, -1),
            None => (text, 1),
        };
        let read = decimal(text_, DIGITS).and_then(|all| i128::try_from(all).ok());
        // What is wrong may be as long as somebody likes.
        let shown = || text.chars().take(40).collect();
        read.map(|all| Self(sign * all))
            .ok_or_else(|| NotAnAmount(shown()))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

/// Shares a total by weights, so that the shares add up to it: each has what is due
/// rounded down, and those with the largest remainders one more (Hamilton's method).
/// Of equal remainders, the first has it. Where all weights are zero, nothing is
/// shared, and the answer is `None`.
pub fn share(total: u128, weights: &[u64]) -> Option<Vec<u128>> {
    let mut sum: u128 = weights.iter().copied().map(u128::from).sum();
    let mut shift = 0;
    // Products of two of them have to fit.
    while sum >> 64 > 0 {
        shift += 1;
        sum = weights.iter().map(|one| u128::from(one >> shift)).sum();
    }
    if sum == 0 {
        return None;
    }
    let (each, rest) = (total / sum, total % sum);
    let mut left = total;
    let mut remainders = Vec::with_capacity(weights.len());
    let mut shares = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        let weight = u128::from(weight >> shift);
        let due = each * weight + rest * weight / sum;
        left -= due;
        remainders.push((rest * weight % sum, place));
        shares.push(due);
    }
    // Fewer are left than weights that have a remainder.
    remainders.sort_unstable_by(|(a, i), (b, j)| b.cmp(a).then(i.cmp(j)));
    for (_, place) in remainders {
        if left == 0 {
            break;
        }
        if let Some(share) = shares.get_mut(place) {
            *share += 1;
            left -= 1;
        }
    }
    Some(shares)
}
