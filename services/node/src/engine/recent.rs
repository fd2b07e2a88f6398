//! Statements written lately, so that what was just made durable need not be read back to be sent.

use super::places::{Places, Run};
use lienthong_core::ids::AgencyId;
use lienthong_core::record::{Record, StatementRecord};
use lienthong_store::Position;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Statements kept at most: several group commits, far more than the queues are ever behind.
const STATEMENTS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");
/// Bytes of bodies and contents kept at most.
const BYTES: usize = 64 << 20;
/// A larger statement, with its content, is read from the ledger again: it would push out hundreds of others. A RECEIVED
/// of 256 items is below it; read again it would wait for the queues, and all these offers with it.
const LARGEST: usize = 32 << 10;

type Key = (AgencyId, u64);

/// The cache.
#[derive(Debug)]
pub(crate) struct Recent {
    statements: Mutex<Kept>,
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Kept {
    statements: LruCache<Key, Arc<StatementRecord>>,
    bytes: usize,
}

impl Recent {
    pub(crate) fn new() -> Self {
        let statements = Kept { statements: LruCache::new(STATEMENTS), bytes: 0 };
        Self { statements: Mutex::new(statements), places: Mutex::default() }
    }

    /// Keeps a statement that is signed. It is looked up only by places that are durable.
    pub(crate) fn keep(&self, agency: &AgencyId, index: u64, record: Record) {
        if let Record::Statement(record) = record
            && weight(&record) <= LARGEST
        {
            self.lock().keep((agency.clone(), index), Arc::new(record));
        }
    }

    pub(crate) fn get(&self, agency: &AgencyId, index: u64) -> Option<Arc<StatementRecord>> {
        self.lock().statements.get(&(agency.clone(), index)).cloned()
    }

    /// Keeps where durable records of one commit are that follow each other from `first` on.
    pub(crate) fn keep_places(&self, agency: &AgencyId, first: u64, at: &[Position]) {
        if let Some(run) = Run::of(at) {
            self.places().written(agency, first, run);
        }
    }

    /// Keeps where records are whose place was looked up.
    pub(crate) fn found(&self, agency: &AgencyId, first: u64, run: Run) {
        self.places().found(agency, first, run);
    }

    /// Where a record is, when that is known here. The rows that say so may be behind.
    pub(crate) fn place(&self, agency: &AgencyId, index: u64) -> Option<Position> {
        self.places().get(agency, index)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, key: Key, record: Arc<StatementRecord>) {
        self.bytes += weight(&record);
        if let Some((_, old)) = self.statements.push(key, record) {
            self.bytes -= weight(&old);
        }
        while self.bytes > BYTES {
            let Some((_, old)) = self.statements.pop_lru() else { break };
            self.bytes -= weight(&old);
        }
    }
}

fn weight(record: &StatementRecord) -> usize {
    record.statement.sealed.body.len() + record.content.as_ref().map_or(0, |c| c.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::{Digest, Head, Incarnation, LedgerIndex, WallMs};
    use lienthong_core::record::Origin;
    use lienthong_core::statement::{Body, Claim, Sealed, Statement};

    fn record(bytes: usize) -> Record {
        let claim = Claim {
            agency: AgencyId::parse("a").expect("an id"),
            incarnation: Incarnation(0),
            index: LedgerIndex(0),
            head: Head::EMPTY,
            made_at: WallMs(0),
            epoch: 1,
            officer: None,
        };
        let sealed = Sealed { sid: Digest::ZERO, body: vec![0; bytes].into(), proof: Arc::from([]) };
        let statement = Arc::new(Statement { claim, body: Body::Received(Vec::new()), sealed });
        Record::Statement(StatementRecord {
            origin: Origin::Made,
            statement,
            command: None,
            trace: None,
            content: None,
        })
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let (recent, agency) = (Recent::new(), AgencyId::parse("a").expect("an id"));
        let kept = || {
            let kept = recent.lock();
            (kept.statements.len(), kept.bytes)
        };
        for index in 0..9_000 {
            recent.keep(&agency, index, record(100));
            recent.keep(&agency, index, record(100));
        }
        assert_eq!(kept(), (8_192, 819_200));
        for index in 0..4_000 {
            recent.keep(&agency, index, record(LARGEST));
        }
        assert_eq!(kept(), (BYTES / LARGEST, BYTES));
        assert!(recent.get(&agency, 3_999).is_some(), "the newest is there");
        recent.keep(&agency, 4_000, record(LARGEST + 1));
        assert!(recent.get(&agency, 4_000).is_none(), "one that is too large is not kept");
    }
}
