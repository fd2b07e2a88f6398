//! What comes out of a node: records to persist, and statements that may leave once they are.

use crate::ids::{AgencyId, LedgerIndex, TrackId};
use crate::record::Record;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Records to persist, in order, as one commit.
#[derive(Debug)]
pub struct Batch {
    /// Place of the first.
    pub first: LedgerIndex,
    /// The records; own statements still without proof.
    pub records: Vec<Record>,
    /// Tracks they touch.
    pub touched: BTreeSet<TrackId>,
}

/// How urgent a statement is to its receiver; lanes of the courier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// OFFER.
    Offer,
    /// RECEIVED, ACCEPT, REFUSE, ACK.
    Answer,
    /// CANCEL and copies.
    Ctl,
}

/// A statement that may leave. Made only here, from durable records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatch {
    /// The giver of the envelope.
    pub from: AgencyId,
    /// Its receiver.
    pub to: AgencyId,
    /// Its lane.
    pub lane: Lane,
    /// The statement's place in the ledger.
    pub statement: LedgerIndex,
    /// Places of the certificate's statements.
    pub certificate: Vec<LedgerIndex>,
    /// Place of the record that has the content beside it.
    pub content: Option<LedgerIndex>,
    /// Earlier attempts.
    pub attempts: u32,
}
