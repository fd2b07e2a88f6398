//! What the words of a recovery change in the state, live and in replay alike.

use super::{Memory, Pin, Recovery, Word};
use crate::code;
use crate::custody::state::State;
use crate::delivery::outbox::Awaits;
use crate::ids::{AgencyId, Incarnation, LedgerIndex, Sid, WallMs};
use crate::statement::{Claim, Kind, Statement};
use alloc::vec::Vec;

impl State {
    pub(crate) fn apply_word(&mut self, index: LedgerIndex, statement: &Statement, word: &Word) {
        let (claim, sid) = (&statement.claim, statement.sid());
        let mine = claim.agency == self.me;
        match word {
            Word::Fence { incarnation, .. } if mine => self.begin_recovery((index, sid), claim, *incarnation),
            Word::Fence { incarnation, .. } => {
                self.memory.acts.forgotten_by(Some(&claim.agency));
                self.memory.raise(&claim.agency, *incarnation, Some(sid));
                self.void_receipts(Some(&claim.agency.clone()));
            }
            Word::Fenced { .. } if !mine => self.memory.raise(&claim.agency, claim.incarnation, None),
            Word::Resumed { vouched, last, .. } if mine => {
                self.memory.vouched.extend(vouched.iter().map(|sid| (*sid, index)));
                if *last {
                    self.memory.recovery = None;
                }
            }
            Word::Resumed { vouched, last, .. } => {
                self.memory.raise(&claim.agency, claim.incarnation, None);
                let fence = self.memory.fences.entry(claim.agency.clone()).or_default();
                fence.vouched.extend(vouched);
                fence.recovering &= !last;
            }
            Word::Acts { known, .. } if !mine => self.memory.acts.heard(&claim.agency, known),
            Word::Fenced { .. }
            | Word::Acts { .. }
            | Word::Seek { .. }
            | Word::Sought { .. }
            | Word::Estate(_)
            | Word::Left(_)
            | Word::Stands { .. }
            | Word::Ask(_)
            | Word::Given(_)
            | Word::Hello
            | Word::Rollback => {}
        }
    }

    fn begin_recovery(&mut self, (index, sid): (LedgerIndex, Sid), claim: &Claim, incarnation: Incarnation) {
        self.incarnation = incarnation;
        let (kept, since) =
            self.memory.recovery.map_or((index.0, claim.made_at), |earlier| (earlier.kept, earlier.since));
        // Also in a recovery: codes that were issued in it may be lost with a copy from its middle.
        self.leave_gap(claim.made_at);
        self.memory.acts.forgotten_by(None);
        if self.memory.recovery.is_none() {
            self.void_receipts(None);
        }
        self.memory.recovery = Some(Recovery { incarnation, fence: index, sid, kept, since });
        self.memory.last_fence = Some(sid);
        self.memory.answers_from = index;
    }

    /// Codes of this day that were issued after the copy was made are unknown, so the counter jumps.
    fn leave_gap(&mut self, at: WallMs) {
        let day = code::day(at);
        let prefix = alloc::format!("{day}-");
        let of_day = self.numbers.iter().filter(|(k, _)| k.starts_with(&*prefix));
        let highest = of_day.map(|(_, number)| *number).max().unwrap_or(0);
        if let Ok(digits) = day.as_bytes().try_into() {
            let before = self.memory.code_gap.filter(|(d, _)| *d == digits).map_or(0, |(_, above)| above);
            self.memory.code_gap = Some((digits, highest.max(before).saturating_add(super::CODE_GAP)));
        }
    }

    /// Who recovers may have lost what it receipted: the offers are sent again until it says so anew. `None`: this node
    /// recovers, and asks all who had its offers again, whose decisions it may have lost.
    fn void_receipts(&mut self, peer: Option<&AgencyId>) {
        let open = self.outbox.rows().filter(|((_, to), row)| {
            row.kind == Kind::Offer && row.awaits == Awaits::Decision && peer.is_none_or(|p| p == to)
        });
        let open: Vec<_> = open.map(|(key, row)| (key.clone(), row.track, row.sid)).collect();
        for (key, track, tid) in open {
            self.outbox.unreceived(&key);
            let track = self.tracks.get_mut(&track);
            if let Some(transfer) = track.and_then(|t| t.transfers.get_mut(&tid)) {
                transfer.receipt = None;
            }
        }
    }

    /// A statement of a peer shows how far its ledger is.
    pub(crate) fn pin(&mut self, at: LedgerIndex, claim: &Claim) {
        let pin = Pin { incarnation: claim.incarnation, index: claim.index, at };
        let known = self.memory.pins.entry(claim.agency.clone()).or_insert(pin);
        if (pin.incarnation, pin.index) > (known.incarnation, known.index) {
            *known = pin;
        }
    }
}

impl Memory {
    /// A higher incarnation of a peer: what the one before vouched for stands no more.
    fn raise(&mut self, peer: &AgencyId, incarnation: Incarnation, fence: Option<Sid>) {
        let known = self.fences.entry(peer.clone()).or_default();
        if incarnation > known.min {
            known.vouched.clear();
            (known.min, known.fence, known.recovering) = (incarnation, fence, fence.is_some());
        }
    }
}
