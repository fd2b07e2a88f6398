//! One track as one agency knows it.

use super::transfers::Transfers;
use crate::ids::{AgencyId, Digest, Hop, LedgerIndex, Sid, Tid, WallMs};
use crate::limits;
use crate::statement::{Body, Channel, Commitment, Kind, RefusalCause, Statement};
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
    /// Highest hop on the spine.
    pub hop: Hop,
    /// Every statement about the track, in ledger order; the intake is the first.
    pub entries: Vec<Entry>,
    /// Every transfer known, by tid.
    pub transfers: Transfers,
    /// The COMPLETED statement of the spine.
    pub completed: Option<Sid>,
    /// The RETURNED statement of the spine: the track is closed.
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
    /// Who made it.
    pub maker: AgencyId,
    /// Why, where it is a REFUSE.
    pub cause: Option<RefusalCause>,
    /// Bytes it takes in a certificate, roughly: its body, and what a proof and a type name need.
    pub size: u32,
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
    /// Giver.
    pub from: AgencyId,
    /// Receiver.
    pub to: AgencyId,
    /// The OFFER's place in this ledger.
    pub offer: LedgerIndex,
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

impl Entry {
    /// The entry of a statement at `index`.
    pub(crate) fn of(index: LedgerIndex, statement: &Statement) -> Self {
        let cause = match &statement.body {
            Body::Refuse(refuse) => Some(refuse.cause),
            Body::Reclaim(_) => Some(RefusalCause::Reclaimed),
            _ => None,
        };
        let on_an_act = matches!(statement.body, Body::Reclaim(_) | Body::Succeed(_));
        let beside = if on_an_act { limits::ACTS_ROOM } else { 0 };
        Self {
            sid: statement.sid(),
            kind: statement.body.kind(),
            prev: statement.body.prev(),
            maker: statement.claim.agency.clone(),
            cause,
            size: (statement.sealed.body.len() + limits::PROOF_ROOM + beside) as u32,
            index,
            answer: None,
        }
    }
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

    /// The entry that `maker` put behind `prev`. Two of them would be a fork.
    pub fn behind(&self, prev: &Sid, maker: &AgencyId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.prev == Some(*prev) && e.maker == *maker)
    }

    /// Reads the spine from the intake on. A copy that came early floats until the gap before it is closed; one whose
    /// maker had no right to it floats for ever, and nothing follows from it.
    pub fn standing(&self) -> Standing<'_> {
        let mut at = Standing {
            tip: self.entries.first().map_or(Digest::ZERO, |e| e.sid),
            length: 1,
            holder: &self.origin,
            hop: Hop(0),
            notes: 0,
            open: None,
            completed: None,
            returned: None,
        };
        // Nearly always the spine is in ledger order, so that one turn through the entries reads it all.
        let mut turn = self.entries.iter().cycle();
        let mut missed = 0;
        while missed < self.entries.len() {
            match turn.next() {
                Some(entry) => {
                    let hop = self.transfers.get(&entry.sid).map(|t| t.hop);
                    missed = if at.takes(entry, hop, &self.transfers) { 0 } else { missed + 1 };
                }
                None => break,
            }
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

    /// Bytes of the spine as a certificate. What floats is in no certificate.
    pub fn spine_bytes(&self) -> usize {
        let mut bytes = 0;
        let mut at = Some(self.standing().tip);
        while let Some(entry) = at.and_then(|sid| self.entry(&sid)) {
            bytes += entry.size as usize;
            at = entry.prev;
        }
        bytes
    }

    /// The custodian as far as this agency knows.
    pub fn custodian(&self) -> &AgencyId {
        self.standing().holder
    }

    /// The last hand-off on the spine. An OFFER that floats is only somebody's claim.
    pub fn last_transfer(&self) -> Option<(&Tid, &Transfer)> {
        let mut at = Some(self.standing().tip);
        while let Some(entry) = at.and_then(|sid| self.entry(&sid)) {
            if let Some(last) = self.transfers.entry(&entry.sid) {
                return Some(last);
            }
            at = entry.prev;
        }
        None
    }

    /// Who handed the track to the custodian before `successor`, by the last hand-off that was accepted: it gets a copy.
    pub(crate) fn last_giver(&self, successor: &AgencyId) -> Option<&AgencyId> {
        let accepted = self.transfers.values().filter(|t| t.outcome.is_some_and(|o| o.accepted()));
        let last = accepted.max_by_key(|t| t.hop)?;
        (last.from != *successor).then_some(&last.from)
    }

    /// Whether something about the track has no place on its spine as far as that is known here.
    pub fn floats(&self) -> bool {
        self.floating().next().is_some()
    }

    /// What has no place on the spine as far as that is known here.
    pub fn floating(&self) -> impl Iterator<Item = &Entry> {
        let spine = self.spine_to(&self.standing().tip).unwrap_or_default();
        self.entries.iter().filter(move |e| e.prev.is_some() && !spine.contains(&e.index))
    }

    /// The commitment's digest.
    pub fn commitment_digest(&self) -> Option<Digest> {
        self.commitment.as_ref().map(|c| c.digest)
    }
}

/// What the spine says, as far as it is known here without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'t> {
    /// Its last statement.
    pub tip: Sid,
    /// How many statements it has.
    pub length: usize,
    /// The custodian.
    pub holder: &'t AgencyId,
    /// The highest hop.
    pub hop: Hop,
    /// How many notes it has.
    pub notes: u32,
    /// An offer without decision.
    pub open: Option<Tid>,
    /// The COMPLETED statement.
    pub completed: Option<Sid>,
    /// The RETURNED statement.
    pub returned: Option<Sid>,
}

impl<'t> Standing<'t> {
    /// Goes on by `entry` where it follows; `hop` is that of an OFFER. The rules are those of [`super::spine::Walk`],
    /// for what is known of statements taken before.
    pub(crate) fn takes(&mut self, entry: &'t Entry, hop: Option<Hop>, transfers: &Transfers) -> bool {
        if entry.prev != Some(self.tip) || self.returned.is_some() {
            return false;
        }
        let right = match self.open {
            _ if entry.kind == Kind::Succeed => self.succeeded(entry),
            Some(tid) => self.decided(entry, transfers.get(&tid)),
            None => entry.maker == *self.holder && self.by_holder(entry, hop),
        };
        if right {
            self.tip = entry.sid;
            self.length += 1;
        }
        right
    }

    /// Its act, which names the holder and the maker, was there when it was taken.
    fn succeeded(&mut self, entry: &'t Entry) -> bool {
        let other = entry.maker != *self.holder;
        if other {
            (self.holder, self.open) = (&entry.maker, None);
        }
        other
    }

    fn decided(&mut self, entry: &'t Entry, open: Option<&Transfer>) -> bool {
        let Some(open) = open else { return false };
        let right = match entry.kind {
            Kind::Accept | Kind::Refuse => open.to == entry.maker,
            Kind::Reclaim => open.from == entry.maker, // its act was there when it was taken
            _ => false,
        };
        if !right {
            return false;
        }
        if entry.kind == Kind::Accept {
            self.holder = &entry.maker;
        }
        self.open = None;
        true
    }

    fn by_holder(&mut self, entry: &Entry, hop: Option<Hop>) -> bool {
        match entry.kind {
            Kind::Note => {
                self.notes += 1;
                self.notes <= limits::NOTES
            }
            Kind::Offer => match hop {
                Some(hop) if hop > self.hop => {
                    self.hop = hop;
                    self.open = Some(entry.sid);
                    true
                }
                _ => false,
            },
            Kind::Completed if self.completed.is_none() => {
                self.completed = Some(entry.sid);
                true
            }
            Kind::Returned if self.completed.is_some() => {
                self.returned = Some(entry.sid);
                true
            }
            Kind::Completed
            | Kind::Returned
            | Kind::Accept
            | Kind::Refuse
            | Kind::Reclaim
            | Kind::Succeed => false,
            Kind::Intake
            | Kind::Received
            | Kind::Cancel
            | Kind::Ack
            | Kind::Checkpoint
            | Kind::Recovery
            | Kind::Retire => false,
        }
    }
}
