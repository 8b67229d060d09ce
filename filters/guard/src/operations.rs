//! Decoded operations and prepared texts, kept within a number of bytes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ig_contract::Snapshot;
use ig_contract::snapshot::{Operation, OperationIndex};
use ig_persisted_query::Prepared;
use lru::LruCache;

/// Least recently used first out. Decoded records and prepared texts have one
/// budget each, since a record is small and every request needs it.
pub(crate) struct Operations {
    records: RefCell<LruCache<OperationIndex, Rc<Operation>>>,
    prepared: RefCell<LruCache<OperationIndex, Rc<Prepared>>>,
    prepared_bytes: Cell<usize>,
    max_prepared_bytes: usize,
}

/// Most decoded records kept; about half a kilobyte each.
const MAX_RECORDS: usize = 4096;

impl Operations {
    pub(crate) fn new(max_prepared_bytes: usize) -> Self {
        Self {
            records: RefCell::new(LruCache::unbounded()),
            prepared: RefCell::new(LruCache::unbounded()),
            prepared_bytes: Cell::new(0),
            max_prepared_bytes,
        }
    }

    pub(crate) fn record(
        &self,
        snapshot: &Snapshot,
        index: OperationIndex,
    ) -> Option<Rc<Operation>> {
        let mut records = self.records.borrow_mut();
        if let Some(record) = records.get(&index) {
            return Some(record.clone());
        }
        let record = Rc::new(snapshot.operation(index)?);
        if records.len() >= MAX_RECORDS {
            records.pop_lru();
        }
        records.put(index, record.clone());
        Some(record)
    }

    pub(crate) fn prepared(&self, index: OperationIndex) -> Option<Rc<Prepared>> {
        self.prepared.borrow_mut().get(&index).cloned()
    }

    pub(crate) fn keep(&self, index: OperationIndex, prepared: &Rc<Prepared>) {
        let mut cache = self.prepared.borrow_mut();
        let mut bytes = self.prepared_bytes.get() + prepared.byte_count();
        if let Some(before) = cache.put(index, prepared.clone()) {
            bytes -= before.byte_count();
        }
        while bytes > self.max_prepared_bytes && cache.len() > 1 {
            let Some((_, evicted)) = cache.pop_lru() else {
                break;
            };
            bytes -= evicted.byte_count();
        }
        self.prepared_bytes.set(bytes);
    }
}
