//! The table that buckets are in.

use crate::bucket::Bucket;

/// How many places a bucket may be at.
pub(crate) const PROBES: u32 = 4;

/// A table of buckets that workers share: values by number, with a version that
/// changes with every write.
pub trait Slots {
    /// The value of a slot and its version; none where none was written.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn read(&self, slot: u32) -> Result<Option<(Vec<u8>, u32)>, Unavailable>;

    /// Writes a slot if it has this version still, or, without one, if it was
    /// never written. Answers whether it did.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn write(&self, slot: u32, value: &[u8], version: Option<u32>) -> Result<bool, Unavailable>;
}

/// The table cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unavailable;

/// A bucket, and where it is or may be put.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) version: Option<u32>,
    pub(crate) bucket: Bucket,
}

/// Finds the bucket of a key, or a place for it; none where all its places are
/// taken by buckets that are not full.
///
/// Where a place becomes free while two workers look for one, each may take
/// another, and the key has two buckets until one is full.
pub(crate) fn find(
    slots: &dyn Slots,
    count: u32,
    key: u64,
    now: u64,
) -> Result<Option<Place>, Unavailable> {
    let mut free = None;
    for probe in 0..PROBES {
        let slot = slot(count, key, probe);
        let fresh = |version| Place {
            slot,
            version,
            bucket: Bucket {
                key,
                ..Bucket::default()
            },
        };
        let Some((bytes, version)) = slots.read(slot)? else {
            // Nothing is behind what was never written.
            return Ok(Some(free.unwrap_or_else(|| fresh(None))));
        };
        let bucket = Bucket::decode(&bytes);
        let version = Some(version);
        if bucket.key == key {
            return Ok(Some(Place {
                slot,
                version,
                bucket,
            }));
        }
        if free.is_none() && bucket.is_full(now) {
            free = Some(fresh(version));
        }
    }
    Ok(free)
}

fn slot(count: u32, key: u64, probe: u32) -> u32 {
    let slot = key.wrapping_add(probe.into()) % u64::from(count.max(1));
    u32::try_from(slot).unwrap_or_default()
}
