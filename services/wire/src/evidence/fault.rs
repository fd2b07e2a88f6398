//! The first fault of an evidence file: where and what.

use crate::directory::DirectoryFaults;
use crate::record::RecordError;
use lienthong_core::custody::spine::Break;
use lienthong_core::ids::{AgencyId, LedgerIndex, Sid};
use lienthong_core::reason::Reason;

/// The first fault. `Display` says it in Vietnamese and in English, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Position,
    /// What.
    pub what: What,
}

/// A place in an evidence file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The file as a whole.
    File,
    /// One link.
    Link {
        /// Counted from 0 in the file.
        number: usize,
        /// The record's place in the ledger.
        index: LedgerIndex,
    },
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Above a limit of [`crate::limits`].
    TooLarge,
    /// No evidence file.
    Undecodable,
    /// A format this version does not read.
    Format(u64),
    /// A field of the head is missing or wrong.
    Field(&'static str),
    /// The directory in the file is wrong.
    Directory(DirectoryFaults),
    /// The link is neither a hash nor a record.
    Link,
    /// The shown record cannot be read.
    Record(RecordError),
    /// The statement does not verify.
    Signature(Reason),
    /// A record that is not about this track.
    Foreign,
    /// The statement was shown before.
    Twice(Sid),
    /// Said to be made here, but its maker is another.
    NotMadeHere(AgencyId),
    /// Said to have come from elsewhere, but made by this agency.
    TakenFromSelf,
    /// Made here, but it claims another place in the ledger.
    Place(LedgerIndex),
    /// The ledger's head it claims is not on this chain: a record before it was changed, left out or put in.
    Head,
    /// The last link is no checkpoint of this agency.
    NoCheckpoint,
    /// A checkpoint that is not the last link.
    EarlyCheckpoint,
    /// The record comes after the head the checkpoint attests.
    Unattested,
    /// No intake of this track.
    NoIntake,
    /// Two statements name the same predecessor.
    Fork(Sid),
    /// It may not follow its predecessor.
    Spine(Break),
    /// A receipt or recall by an agency that is no party to the offer.
    Stranger(AgencyId),
}

impl Fault {
    pub(super) fn file(what: What) -> Self {
        Self { at: Position::File, what }
    }
}

impl std::error::Error for Fault {}
