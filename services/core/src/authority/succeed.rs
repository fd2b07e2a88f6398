//! SUCCEED: what a retired agency B held is its successor's, S, as far as any agency that is left can tell that B held it.
//!
//! S asks every agency of the directory that is not retired ([`super::collecting`]). ESTATE names all acts S knows; whoever
//! knows just these, does not recover and has no open question of its own about offers to B answers, for each track that S
//! names or that B holds as far as is known there, with all statements of it (LEFT). S asks round after round until everybody
//! has said of one list that it has nothing else, and nobody gave anything new meanwhile. Only then S signs
//! SUCCEED(track, hop, what it follows, act) behind the last statement that anybody has, and holds the track.
//!
//! Why no two hold one track then, among those who are not retired:
//!
//! - Whoever answered had the acts before, so it takes nothing of B afterwards. What of B's anybody has who is not retired,
//!   it had from B before its own answer, or from somebody for whom the same holds (as in [`super::reclaim`]). So S knows the
//!   whole spine that is left, and whoever came to hold the track behind B has told so.
//! - B may have offered the track to C. Where C has that OFFER in its inbox, it says so: it may still accept it and cannot
//!   refuse (LT204), so S leaves the track to C. Where C says nothing of an inbox, the OFFER can never come to it any more, for C
//!   takes nothing of B: SUCCEED stands in the place of the decision. Where C is retired, everybody else has said that it
//!   knows of no decision, and SUCCEED stands there too.
//! - The giver A of an offer to B that B may have accepted ends its own asking first: it answers S when it has B's ACCEPT from
//!   whoever has it, or holds the track again by RECLAIM.
//! - Two acts name two successors: who answers knows the same acts as the asker, so each needs the other's answer, given
//!   when that one had ceased to be the successor, or was not yet. Acts only become more. Whichever signed first says so in
//!   its answer, and the other then has nothing to take over.
//! - A peer that is put back to an old copy makes S begin anew: what lay in its inbox may be forgotten.
//! - S is put back to before its SUCCEED: it comes back with the others' answers (R2), or nobody has it and S asks anew; what
//!   of it is on its way is of an earlier incarnation.
//!
//! Something of a track that has no place on the spine is doubt: a part of its past is lost everywhere, and S leaves it alone.
//! Not where its maker would have what comes before it ([`State::may_have_lost`]): nobody can make a track doubtful alone.
//! All of the asking may be forgotten. Nobody is named: nothing happens. The successor is retired itself: an act that names
//! another one corrects that.

use super::Acts;
use crate::custody::state::State;
use crate::custody::track::{Phase, Track};
use crate::ids::{AgencyId, Hop, Incarnation, Sid, TrackId};
use alloc::collections::BTreeSet;

/// Body of a SUCCEED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succeed {
    /// The track.
    pub track: TrackId,
    /// Predecessor on the spine: the last statement that anybody has. It may be an OFFER that came to nobody.
    pub prev: Sid,
    /// The highest hop up to there.
    pub hop: Hop,
    /// The act that retires the custodian and names the maker.
    pub act: Sid,
}

impl Acts {
    /// Retired agencies whose work an agency takes over, by the acts that stand.
    pub fn left_to(&self, successor: &AgencyId) -> BTreeSet<AgencyId> {
        let named = self.retired().filter(|(_, act)| act.successor.as_ref() == Some(successor));
        named.map(|(_, act)| act.agency.clone()).collect()
    }
}

impl State {
    /// Tracks that one of these holds as far as is known here, and that are not closed.
    pub fn held_by<'s>(
        &'s self,
        estate: &'s BTreeSet<AgencyId>,
    ) -> impl Iterator<Item = (TrackId, &'s Track)> {
        let held = self.tracks.open().filter(|(_, track)| track.returned.is_none());
        held.filter(|(_, track)| estate.contains(track.custodian())).map(|(id, track)| (*id, track))
    }

    /// Whether what comes before a statement of an agency may be lost, where nobody gives it. Whoever makes a statement of a
    /// spine has all of the spine up to there. One that is not retired has answered, and unless it was ever put back to an old
    /// copy it has lost nothing: where it does not give what its own statement follows, there is no such thing.
    pub fn may_have_lost(&self, maker: &AgencyId) -> bool {
        let gone = *maker == self.me || self.memory.acts.retires(maker);
        gone || self.memory.highest(maker) > Incarnation(0)
    }

    /// Whether something of a track is known here that has no place, because a part of its past is lost everywhere.
    pub fn past_lost(&self, track: &Track) -> bool {
        track.floating().any(|entry| self.may_have_lost(&entry.maker))
    }

    /// The statement by which this agency takes a track over; `None` where it may not, or not any more. `undecided` tells
    /// whether the track lies in somebody's inbox.
    pub fn succeed(&self, id: TrackId, undecided: bool) -> Option<Succeed> {
        let track = self.track(&id).filter(|t| t.returned.is_none() && !self.past_lost(t))?;
        let standing = track.standing();
        let (act, named) = self.memory.acts.standing(standing.holder)?;
        let free = match track.phase {
            Phase::Followed | Phase::Gone | Phase::Out => !self.recovering() && !self.retired(),
            Phase::Held | Phase::Offered(_) | Phase::Inbox(_) => false,
        };
        let receiver = match standing.open {
            Some(tid) => Some(&track.transfers.get(&tid)?.to),
            None => None,
        };
        let came_to_nobody = receiver.is_none_or(|to| !undecided || self.memory.acts.retires(to));
        let mine = named.successor.as_ref() == Some(&self.me);
        (mine && free && came_to_nobody).then_some(Succeed {
            track: id,
            prev: standing.tip,
            hop: standing.hop,
            act: *act,
        })
    }
}
