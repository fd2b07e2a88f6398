//! The invariants one agency can check on itself (protocol.md 8), each with its id.

use super::state::State;
use super::track::{Phase, Track, Transfer};
use crate::delivery::outbox::Awaits;
use crate::ids::{Incarnation, LedgerIndex, Tid, TrackId};
use crate::statement::Kind;

/// An invariant that does not hold, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Id in protocol.md 8.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// Where.
    pub track: TrackId,
}

impl State {
    /// Checks every track and every outbox row. Linear in their number.
    pub fn check(&self) -> Result<(), Violation> {
        self.tracks.iter().try_for_each(|(id, kept)| self.check_track(id, &kept.read()))?;
        self.outbox.rows().try_for_each(|((index, _), row)| {
            let kept = self.tracks.kept(&row.track);
            let known = kept.is_some_and(|t| t.read().entry(&row.sid).is_some_and(|e| e.index == *index));
            expect(known, "I14", "an outbox row has no statement", &row.track)
        })
    }

    /// Checks one track.
    pub fn check_track(&self, id: &TrackId, track: &Track) -> Result<(), Violation> {
        // Who came back from an old copy has the contents that somebody else had.
        let has_bytes =
            track.commitment.is_none() || track.content.is_some() || self.incarnation > Incarnation(0);
        match track.phase {
            Phase::Held => {
                expect(has_bytes || self.may_lack_content(track), "I3", "held without content", id)?
            }
            Phase::Offered(tid) => {
                expect(has_bytes, "I3", "offered without content", id)?;
                let waits = track.transfers.get(&tid).is_some_and(|t| self.waits_for_decision(t));
                expect(waits, "I2", "offered without an outbox row", id)?;
            }
            Phase::Inbox(tid) => {
                let open = track.transfers.get(&tid).is_some_and(|t| t.outcome.is_none() && t.to == self.me);
                expect(open, "I4", "in the inbox though decided", id)?;
                expect(has_bytes, "I3", "in the inbox without content", id)?;
            }
            Phase::Followed | Phase::Gone | Phase::Out => {}
        }
        let holds = matches!(track.phase, Phase::Held | Phase::Offered(_));
        let standing = track.standing();
        expect(!holds || *standing.holder == self.me, "I1", "holds what was accepted elsewhere", id)?;
        let open = match track.phase {
            Phase::Offered(tid) => Some(tid),
            _ => None,
        };
        expect(!holds || standing.open == open, "I10", "the spine and the phase tell two offers", id)?;
        track.transfers.iter().try_for_each(|(tid, t)| self.check_transfer(id, track, tid, t))
    }

    /// A successor has no more than what the retired one had told others, unless it took the track in or accepted it at some time;
    /// and what it lacks it hands to nobody.
    fn may_lack_content(&self, track: &Track) -> bool {
        let made =
            |kinds: &[Kind]| track.entries.iter().any(|e| e.maker == self.me && kinds.contains(&e.kind));
        made(&[Kind::Succeed]) && !made(&[Kind::Intake, Kind::Accept])
    }

    fn waits_for_decision(&self, transfer: &Transfer) -> bool {
        let row = self.outbox.row(&(transfer.offer, transfer.to.clone()));
        row.is_some_and(|row| matches!(row.awaits, Awaits::Receipt | Awaits::Decision))
    }

    fn check_transfer(&self, id: &TrackId, track: &Track, tid: &Tid, t: &Transfer) -> Result<(), Violation> {
        let written = |index: Option<LedgerIndex>| index.is_none_or(|i| i < self.next);
        let all = [Some(t.offer), t.receipt, t.cancel, t.outcome.map(|o| o.index)].into_iter().all(written);
        expect(all, "I11", "a transfer points beyond the ledger", id)?;
        let party = t.from == self.me || t.to == self.me;
        expect(!party || t.hop <= track.hop, "I10", "a hop is above the track's", id)?;
        expect(self.transfers.get(tid) == Some(id), "I19", "a transfer is not indexed", id)
    }
}

fn expect(
    holds: bool,
    invariant: &'static str,
    what: &'static str,
    track: &TrackId,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, what, track: *track }) }
}
