//! What requests cost: counts of what gateways served, and the usage and prices of
//! what served them, become a statement whose parts add up to its total exactly.
//!
//! No I/O, and no floating point where money is. Times are milliseconds since the
//! epoch, and hours begin where UTC's do.

mod focus;
mod key;
mod money;
mod period;
mod price;
mod statement;
mod sums;
mod work;

pub use focus::{COLUMNS, Invoice, csv};
pub use key::{BATCH, Counts, DENIED, Key, MAX_NAME_CHARS, OVERFLOW, UNKNOWN, UNNAMED};
pub use money::{Amount, NotAnAmount, share};
pub use period::{HOUR_MILLIS, Month, NotAMonth, hour_of, timestamp};
pub use price::{
    ANY_REGION, InvalidPrices, MAX_QUANTITY, MAX_REGIONS, Price, PriceMap, Prices, RegionPrices,
    Resource,
};
pub use statement::{
    Entry, Group, Hour, Line, Owner, Reason, Scope, Seen, Statement, Unpriced, Usage, Weight,
};
pub use sums::Sums;
