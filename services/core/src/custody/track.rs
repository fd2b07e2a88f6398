//! One track as one agency knows it.

use crate::ids::{AgencyId, Digest, Hop, LedgerIndex, Sid, Tid, TrackId, WallMs};
use crate::statement::{Channel, Commitment, Kind, RefusalCause};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Where a track stands for this agency (protocol.md 8, `phase(n,d)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Known as a copy, or from a recall that came before its offer: no part in custody yet.
    Followed,
    /// Custodian.
    Held,
    /// Custodian, locked: offered and undecided as far as is known here.
    Offered(Tid),
    /// Offered to this agency, which has not decided.
    Inbox(Tid),
    /// Handed over.
    Gone,
    /// Refused by this agency.
    Out,
}

/// A track: facts of the intake, the phase, and the ledger positions of everything about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Place of receipt, which follows the track to its end.
    pub origin: AgencyId,
    /// Dossier code.
    pub code: Arc<str>,
    /// Procedure code.
    pub procedure: Arc<str>,
    /// Procedure version.
    pub procedure_version: u32,
    /// Channel of intake.
    pub channel: Channel,
    /// Wall time of the intake, as claimed.
    pub received_at: WallMs,
    /// Promised date.
    pub due_at: Option<WallMs>,
    /// What the content is.
    pub commitment: Option<Commitment>,
    /// Record here that has the content beside it.
    pub content: Option<LedgerIndex>,
    /// Where it stands for this agency.
    pub phase: Phase,
    /// Highest hop known.
    pub hop: Hop,
    /// Every statement about the track, in ledger order.
    pub entries: Vec<Entry>,
    /// Every transfer known, by tid.
    pub transfers: BTreeMap<Tid, Transfer>,
    /// The COMPLETED statement.
    pub completed: Option<Sid>,
    /// The RETURNED statement: the track is closed.
    pub returned: Option<Sid>,
}

/// A statement about the track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub sid: Sid,
    /// Its kind.
    pub kind: Kind,
    /// Its predecessor on the spine; none for an intake and beside the spine.
    pub prev: Option<Sid>,
    /// Its place in this ledger.
    pub index: LedgerIndex,
    /// This agency's RECEIVED or ACK that answered it.
    pub answer: Option<LedgerIndex>,
}

/// A hand-off. `outcome` is the write-once register `dec[tid]`, owned by the receiver, a copy elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Number of the offer.
    pub hop: Hop,
    /// Giver; none where a follower saw the decision before the offer.
    pub from: Option<AgencyId>,
    /// Receiver.
    pub to: AgencyId,
    /// The OFFER's place in this ledger.
    pub offer: Option<LedgerIndex>,
    /// Whether the OFFER itself came here with its content, not only its bytes in a certificate.
    pub arrived: bool,
    /// The RECEIVED that covers it.
    pub receipt: Option<LedgerIndex>,
    /// The decision.
    pub outcome: Option<Outcome>,
    /// The CANCEL that asks for it back.
    pub cancel: Option<LedgerIndex>,
}

/// A decision on a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The ACCEPT or REFUSE.
    pub sid: Sid,
    /// Its place in this ledger.
    pub index: LedgerIndex,
    /// None: accepted. Otherwise why it was refused.
    pub refused: Option<RefusalCause>,
}

impl Outcome {
    /// Whether custody moved.
    pub fn accepted(&self) -> bool {
        self.refused.is_none()
    }
}

impl Track {
    /// The entry of a statement.
    pub fn entry(&self, sid: &Sid) -> Option<&Entry> {
        self.entries.iter().find(|e| e.sid == *sid)
    }

    /// The entry whose predecessor on the spine is `sid`.
    pub fn successor(&self, sid: &Sid) -> Option<&Entry> {
        self.entries.iter().find(|e| e.prev == Some(*sid))
    }

    /// The last statement reached from the intake without a gap.
    pub fn tip(&self, id: &TrackId) -> Sid {
        let mut at = *id;
        while let Some(next) = self.successor(&at) {
            at = next.sid;
        }
        at
    }

    /// Ledger positions of the spine from the intake up to and with `sid`; `None` when there is a gap.
    pub fn spine_to(&self, sid: &Sid) -> Option<Vec<LedgerIndex>> {
        let mut spine = Vec::new();
        let mut at = Some(*sid);
        while let Some(sid) = at {
            let entry = self.entry(&sid)?;
            spine.push(entry.index);
            at = entry.prev;
        }
        spine.reverse();
        Some(spine)
    }

    /// The custodian as far as this agency knows: the receiver of the highest accepted hop, else the origin.
    pub fn custodian(&self) -> &AgencyId {
        self.transfers
            .values()
            .filter(|t| t.outcome.is_some_and(|o| o.accepted()))
            .max_by_key(|t| t.hop)
            .map_or(&self.origin, |t| &t.to)
    }

    /// The transfer with the highest hop.
    pub fn last_transfer(&self) -> Option<(&Tid, &Transfer)> {
        self.transfers.iter().max_by_key(|(_, t)| t.hop)
    }

    /// How many notes it has.
    pub fn notes(&self) -> u32 {
        self.entries.iter().filter(|e| e.kind == Kind::Note).count() as u32
    }

    /// The commitment's digest.
    pub fn commitment_digest(&self) -> Option<Digest> {
        self.commitment.as_ref().map(|c| c.digest)
    }
}
