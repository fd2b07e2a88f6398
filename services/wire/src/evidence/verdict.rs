//! What a sound evidence file proves.

use lienthong_core::ids::{AgencyId, Hop, LedgerIndex, Sid, TrackId, WallMs};
use lienthong_core::statement::{Kind, RefusalCause};

/// The result of a check without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose ledger it is.
    pub agency: AgencyId,
    /// The track.
    pub track: TrackId,
    /// The dossier's code.
    pub code: String,
    /// The procedure's code.
    pub procedure: String,
    /// The spine from the intake on.
    pub steps: Vec<CustodyStep>,
    /// Each offer on the spine and what became of it.
    pub custodians: Vec<HandOver>,
    /// Who holds the track after the last step; while an offer is open, the giver.
    pub custodian_now: AgencyId,
    /// Whether the result was returned.
    pub closed: bool,
    /// Statements of the track's spine that are shown but hang on one that is not: this ledger has a gap there.
    pub unlinked: Vec<Sid>,
    /// How many statements are shown.
    pub statements: usize,
    /// How many links the chain has.
    pub links: usize,
    /// Whether the keys came from the verifier's own directory and not from the file.
    pub trusted_directory: bool,
}

/// One step of the spine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustodyStep {
    /// Where the statement lies in the ledger.
    pub index: LedgerIndex,
    /// Its id.
    pub sid: Sid,
    /// Its kind.
    pub kind: Kind,
    /// Its maker.
    pub maker: AgencyId,
    /// The maker's wall time.
    pub at: WallMs,
    /// Who holds the track after it.
    pub custodian_after: AgencyId,
}

/// One hand-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Its number.
    pub hop: Hop,
    /// The giver.
    pub from: AgencyId,
    /// The receiver.
    pub to: AgencyId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No decision is in this evidence.
    Undecided,
    /// Custody moved.
    Accepted,
    /// Custody stayed.
    Refused(RefusalCause),
}
