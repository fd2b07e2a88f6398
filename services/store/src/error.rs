//! What can go wrong, and where.

use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::fmt;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What is wrong at the place a [`Fault`] names.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Wrong {
    /// The disk did not give the bytes.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A segment file is not there.
    #[error("the segment is missing")]
    Missing,
    /// A segment is never shortened or lengthened after it was prepared.
    #[error("the segment should be {expected} bytes long and is {found}")]
    Length {
        /// What its header or the preparation says.
        expected: u64,
        /// What the file has.
        found: u64,
    },
    /// A segment header that cannot be what was written.
    #[error("segment header: {0}")]
    SegmentHeader(&'static str),
    /// A commit header that cannot be what was written.
    #[error("commit header: {0}")]
    CommitHeader(&'static str),
    /// There is a commit or a mark behind this place, so this was durable once.
    #[error("no commit here, although commit or mark {later} follows")]
    Lost {
        /// Sequence of what was found behind it.
        later: u64,
    },
    /// The commit does not continue the one before it.
    #[error("the commit does not continue the physical chain")]
    Chain,
    /// The checksum of the meta section.
    #[error("the checksum of the records is wrong")]
    Records,
    /// A record frame that cannot be what was written.
    #[error("record: {0}")]
    Frame(&'static str),
    /// A record out of turn.
    #[error("record index {found} where {expected} was due")]
    Index {
        /// The index that was due.
        expected: u64,
        /// The index found.
        found: u64,
    },
    /// A record that does not continue its agency's chain.
    #[error("the record does not continue the agency's hash chain")]
    Prev,
    /// A body that is neither what was written nor erased.
    #[error("body: {0}")]
    Body(&'static str),
    /// Bytes where nothing was ever written.
    #[error("bytes that are not zero where nothing was written")]
    Stray,
}

/// A fault in the ledger: where it is and what is wrong.
#[derive(Debug, Error)]
pub struct Fault {
    /// The segment file.
    pub segment: PathBuf,
    /// Offset of the commit or frame in it, in bytes.
    pub offset: u64,
    /// Sequence of the commit, where known.
    pub seq: Option<u64>,
    /// Agency of the record, where known.
    pub agency: Option<AgencyId>,
    /// Index of the record, where known.
    pub index: Option<LedgerIndex>,
    /// What is wrong.
    #[source]
    pub what: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger fault in {} at byte {}", self.segment.display(), self.offset)?;
        if let Some(seq) = self.seq {
            write!(f, ", commit {seq}")?;
        }
        if let (Some(agency), Some(index)) = (&self.agency, &self.index) {
            write!(f, ", record {} of {agency}", index.0)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Why the ledger could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The ledger holds a fault that no power cut explains.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The snapshot's place is not in this ledger: start from another snapshot or from the start.
    #[error("the ledger has no commit boundary at {position} with the physical head of the snapshot")]
    NoSuchPlace {
        /// The place that was asked for.
        position: crate::Position,
    },
    /// The taker of the records refused one.
    #[error("replay stopped: {0}")]
    Replay(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something about the files.
    #[error("cannot {attempted}")]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why an append, a mark, an erasure or a read failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An earlier write or sync failed. Nothing is known about the disk until the ledger is opened again.
    #[error("the ledger takes nothing more since a write failed: {0}")]
    Poisoned(String),
    /// The write or the sync failed just now; the ledger is poisoned.
    #[error("cannot make the commit durable")]
    Write(#[source] io::Error),
    /// No room or no right for the next segment. Nothing was written and the ledger is not poisoned.
    #[error("cannot prepare the next segment")]
    Prepare(#[source] io::Error),
    /// A record out of turn. Nothing was written.
    #[error("record index {found} of {agency} where {expected} was due")]
    Index {
        /// Whose ledger.
        agency: AgencyId,
        /// The index that was due.
        expected: u64,
        /// The index given.
        found: u64,
    },
    /// A part of a record above its limit. Nothing was written.
    #[error("{part} of {len} bytes, above the limit of {limit}")]
    TooLarge {
        /// `payload`, `proof`, `body` or `commit`.
        part: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The record has no body to erase.
    #[error("no body at {0}")]
    NoBody(crate::Position),
    /// What was read is not what was written.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something about the files; the ledger itself is as before.
    #[error("cannot {attempted}")]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
