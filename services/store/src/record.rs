//! What is appended and what is read back.

use crate::format::{BODY_ALIGN, BODY_FRAME, FRAME};
use crate::position::Position;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, LedgerIndex};

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Whose ledger it goes to.
    pub agency: AgencyId,
    /// Its index there: the size of that ledger before it.
    pub index: LedgerIndex,
    /// What the chain hash is taken over; at most [`crate::format::PAYLOAD_LIMIT`] bytes.
    pub payload: Bytes,
    /// Signatures and the like, kept beside and not part of the chain; at most [`crate::format::PROOF_LIMIT`] bytes.
    pub proof: Bytes,
    /// Content that can be erased later; at most [`crate::format::BODY_LIMIT`] bytes.
    pub body: Option<Bytes>,
}

impl NewRecord {
    /// The most bytes this record adds to a commit; keep the sum below [`crate::Ledger::commit_room`].
    pub fn stored_bytes(&self) -> u64 {
        let body = self.body.as_ref().map_or(0, |b| b.len() + BODY_FRAME + BODY_ALIGN);
        (self.frame_len() + body) as u64
    }

    pub(crate) fn frame_len(&self) -> usize {
        (FRAME + self.agency.as_str().len() + self.payload.len() + self.proof.len()).next_multiple_of(8)
    }
}

/// The detached body of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The bytes, whose checksum was right.
    Present(Bytes),
    /// It was erased.
    Erased {
        /// How long it was, in bytes.
        len: u32,
    },
}

/// A record as it is in the ledger. During a replay or a scan its parts share the memory of their whole commit: copy
/// what is kept for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Whose ledger it is in.
    pub agency: AgencyId,
    /// Its index there.
    pub index: LedgerIndex,
    /// Chain hash of the agency's record before it.
    pub prev: Digest,
    /// Its own chain hash.
    pub hash: Digest,
    /// What the chain hash is taken over.
    pub payload: Bytes,
    /// What is kept beside it.
    pub proof: Bytes,
    /// The detached body; `None` when there never was one, or when only the meta part was asked for.
    pub body: Option<Body>,
    /// Length of the body in bytes, known without reading it.
    pub body_len: Option<u32>,
    /// Where it is.
    pub position: Position,
}
