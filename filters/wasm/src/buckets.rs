//! Token buckets in the memory that workers share.

use ig_guard::{Slots, Unavailable};

use crate::host::{self, HostError};

/// The host's shared data as a table.
pub(crate) struct SharedSlots;

fn key(slot: u32) -> String {
    format!("ig.bucket.{slot}")
}

impl Slots for SharedSlots {
    fn read(&self, slot: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        host::shared(&key(slot)).map_err(|_| Unavailable)
    }

    fn write(&self, slot: u32, value: &[u8], version: Option<u32>) -> Result<bool, Unavailable> {
        host::set_shared(&key(slot), value, version).map_err(|_| Unavailable)
    }
}

/// The seed that all have who share the table; the first makes it.
pub(crate) fn seed() -> Result<[u8; 16], HostError> {
    const KEY: &str = "ig.bucket.seed";
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|_| host::UNREADABLE)?;
    host::set_shared(KEY, &seed, None)?;
    let (seed, _) = host::shared(KEY)?.ok_or(host::UNREADABLE)?;
    seed.try_into().map_err(|_| host::UNREADABLE)
}
