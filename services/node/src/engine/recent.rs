//! Statements written lately, so that what was just made durable need not be read back to be sent.

use lienthong_core::ids::AgencyId;
use lienthong_core::record::{Record, StatementRecord};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// Statements kept: several group commits, far more than the queues are ever behind.
const KEPT: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");
/// A larger statement, with its content, is read from the ledger again, so that the cache stays below 100 MiB.
const BYTES_KEPT: usize = 8 << 10;

/// The cache.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<LruCache<(AgencyId, u64), Arc<StatementRecord>>>);

impl Recent {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }

    /// Keeps a statement that is signed. It is looked up only by places that are durable.
    pub(crate) fn keep(&self, agency: &AgencyId, index: u64, record: Record) {
        if let Record::Statement(record) = record
            && record.statement.sealed.body.len() + record.content.as_ref().map_or(0, |c| c.len())
                <= BYTES_KEPT
        {
            self.lock().put((agency.clone(), index), Arc::new(record));
        }
    }

    pub(crate) fn get(&self, agency: &AgencyId, index: u64) -> Option<Arc<StatementRecord>> {
        self.lock().get(&(agency.clone(), index)).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<(AgencyId, u64), Arc<StatementRecord>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
