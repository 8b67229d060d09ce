//! What is paid for what: a map with a version, and the history of maps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::money::{Amount, decimal};
use crate::period::{HOUR_MILLIS, timestamp};

/// The region whose prices hold where a map does not name one.
pub const ANY_REGION: &str = "*";
/// Most regions of a map.
pub const MAX_REGIONS: usize = 200;
/// Largest quantity of an hour, in the smallest units of a [`Resource`].
pub const MAX_QUANTITY: u64 = 1_000_000_000_000_000;
/// Largest price, in units of the currency.
const MAX_PRICE: u64 = 10_000;
/// Digits of a price after the point.
const DIGITS: usize = 12;
const PRICE_UNIT: u64 = 1_000_000_000_000;

/// What is paid for.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// Time of a processor, in seconds.
    CpuSecond,
    /// A gigabyte (10⁹ bytes) to clients.
    GbEgress,
    /// An hour of a replica: what it costs to be there.
    ReplicaHour,
    /// A request at a gateway.
    Request,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::CpuSecond,
        Self::GbEgress,
        Self::ReplicaHour,
        Self::Request,
    ];

    /// As price maps and stores name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CpuSecond => "cpuSecond",
            Self::GbEgress => "gbEgress",
            Self::ReplicaHour => "replicaHour",
            Self::Request => "request",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Reads a quantity in what is paid for, as a decimal text: `12.5` seconds. None
    /// of more digits than its smallest unit has, or above [`MAX_QUANTITY`].
    pub fn read(self, text: &str) -> Option<u64> {
        let digits = self.unit().ilog10() as usize;
        let quantity = u64::try_from(decimal(text, digits)?).ok()?;
        (quantity <= MAX_QUANTITY).then_some(quantity)
    }

    /// A quantity in what is paid for, as a decimal text.
    pub fn show(self, quantity: u64) -> String {
        let digits = self.unit().ilog10() as usize;
        if digits == 0 {
            return quantity.to_string();
        }
        let fraction = format!("{:0digits$}", quantity % self.unit());
        match fraction.trim_end_matches('0') {
            "" => (quantity / self.unit()).to_string(),
            fraction => format!("{}.{fraction}", quantity / self.unit()),
        }
    }

    /// How many of its smallest units, in which quantities are, are paid for at once:
    /// microseconds of CPU, bytes, millionths of an hour of a replica, requests.
    pub const fn unit(self) -> u64 {
        match self {
            Self::CpuSecond | Self::ReplicaHour => 1_000_000,
            Self::GbEgress => 1_000_000_000,
            Self::Request => 1,
        }
    }
}

/// A price in units of the currency; as text a decimal number with up to twelve
/// digits after the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Price(u64);

impl Price {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let price = u64::try_from(decimal(text, DIGITS)?).ok()?;
        (price <= MAX_PRICE * PRICE_UNIT).then_some(Self(price))
    }

    /// What a quantity costs, rounded to the nearest billionth, halves up.
    pub fn of(self, quantity: u64, resource: Resource) -> Amount {
        let product = u128::from(self.0) * u128::from(quantity);
        // From billionths of billionths to billionths.
        let divisor = u128::from(resource.unit()) * 1000;
        let cost = (product + divisor / 2) / divisor;
        Amount::of_billionths(i128::try_from(cost).unwrap_or(i128::MAX))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0DIGITS$}", self.0 % PRICE_UNIT);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / PRICE_UNIT),
            fraction => write!(f, "{}.{fraction}", self.0 / PRICE_UNIT),
        }
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "a price is text: a decimal number up to {MAX_PRICE}, with {DIGITS} digits after \
                 the point at most, as in \"0.0000133334\""
            ))
        })
    }
}

/// Prices of one region. Members are in the order of their names: what is written of
/// it is canonical.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionPrices {
    /// For a second of CPU.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub cpu_second: Price,
    /// For a gigabyte to clients.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub gb_egress: Price,
    /// For an hour of a replica.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub replica_hour: Price,
    /// For a request.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub request: Price,
}

impl RegionPrices {
    /// The price of a resource.
    pub const fn of(&self, resource: Resource) -> Price {
        match resource {
            Resource::CpuSecond => self.cpu_second,
            Resource::GbEgress => self.gb_egress,
            Resource::ReplicaHour => self.replica_hour,
            Resource::Request => self.request,
        }
    }
}

/// A version of the prices. Members are in the order of their names.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceMap {
    /// Three capital letters (ISO 4217).
    pub currency: String,
    /// From when on it holds, in milliseconds since the epoch: the start of an hour.
    pub effective_from: i64,
    /// By region; `*` is any that is not named.
    pub regions: BTreeMap<String, RegionPrices>,
    /// Its name, for ever.
    pub version: String,
}

/// Everything that is wrong with a price map.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the price map is not valid: {}", .0.join("; "))]
pub struct InvalidPrices(pub Vec<String>);

/// A name that canonical JSON has without an escape.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl PriceMap {
    /// Checks what its types do not say.
    ///
    /// # Errors
    /// [`InvalidPrices`] with every problem.
    pub fn check(&self) -> Result<(), InvalidPrices> {
        let mut problems = Vec::new();
        let currency = self.currency.as_bytes();
        if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
            problems.push("currency: three capital letters (ISO 4217), as in `EUR`".to_owned());
        }
        if self.effective_from < 0 || self.effective_from % HOUR_MILLIS != 0 {
            problems.push(
                "effectiveFrom: the start of an hour, in milliseconds since the epoch".to_owned(),
            );
        }
        if timestamp(self.effective_from).is_empty() {
            problems.push("effectiveFrom: before the year 10000".to_owned());
        }
        if !is_plain(&self.version) {
            problems.push("version: 1 to 64 letters, digits, `.`, `_` and `-`".to_owned());
        }
        if !(1..=MAX_REGIONS).contains(&self.regions.len()) {
            problems.push(format!("regions: 1 to {MAX_REGIONS}"));
        }
        for region in self.regions.keys() {
            if region != ANY_REGION && !is_plain(region) {
                problems.push(
                    "regions: names of 1 to 64 letters, digits, `.`, `_` and `-`, or `*`"
                        .to_owned(),
                );
                break;
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(InvalidPrices(problems)),
        }
    }

    /// Canonical JSON (RFC 8785): members are in the order of their names, and
    /// nothing in it needs an escape or is a fraction.
    pub fn canonical(&self) -> String {
        // Texts and an integer are JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the canonical JSON, in hex: what a report names.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.canonical()))
    }

    /// The prices of a region.
    pub fn of_region(&self, region: &str) -> Option<&RegionPrices> {
        self.regions
            .get(region)
            .or_else(|| self.regions.get(ANY_REGION))
    }
}

/// The history of prices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Prices(BTreeMap<i64, PriceMap>);

impl Prices {
    /// Of maps in the order in which they were made: a later one replaces what holds
    /// from the same hour on.
    pub fn new(maps: impl IntoIterator<Item = PriceMap>) -> Self {
        let by_hour = maps.into_iter().map(|map| (map.effective_from, map));
        Self(by_hour.collect())
    }

    /// The currency of all maps; none where there are none.
    pub fn currency(&self) -> Option<&str> {
        self.0.values().next().map(|map| map.currency.as_str())
    }

    /// What holds in the hour that begins then.
    pub fn at(&self, hour: i64) -> Option<&PriceMap> {
        self.0.range(..=hour).next_back().map(|(_, map)| map)
    }
}
