//! Statements that others gave, until each has its place at the end of its spine.

use super::POOLED_OF_ONE;
use crate::custody::state::State;
use crate::custody::track::{Entry, Track};
use crate::ids::{AgencyId, Sid, TrackId};
use crate::statement::{Accept, Body, Refuse, Statement};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// Statements without a place, by track, each with who gave it first.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    tracks: BTreeMap<TrackId, BTreeMap<Sid, (Arc<Statement>, AgencyId)>>,
    /// How many of them each peer gave: whoever gives without end spoils its own answers only.
    given: BTreeMap<AgencyId, usize>,
}

impl Pool {
    /// Adds statements of a track, which a peer gave, to those that wait for their place. `false` when there is no room for what
    /// it gives: no honest peer gives so much that has no place, and what was not taken must not count as given.
    #[must_use]
    pub fn add(&mut self, from: &AgencyId, track: TrackId, statements: &[Arc<Statement>]) -> bool {
        let given = self.given.get(from).copied().unwrap_or(0);
        if given > POOLED_OF_ONE {
            return false;
        }
        let pool = self.tracks.entry(track).or_default();
        let before = pool.len();
        for statement in statements.iter().filter(|s| s.track() == Some(track)) {
            pool.entry(statement.sid()).or_insert_with(|| (statement.clone(), from.clone()));
        }
        let given = given + pool.len() - before;
        if given > 0 {
            self.given.insert(from.clone(), given);
        }
        if pool.is_empty() {
            self.tracks.remove(&track);
        }
        true
    }

    /// The next statement of a track that has its place at the end of the spine as it is known now.
    pub fn next_of(&mut self, state: &State, id: &TrackId) -> Option<Arc<Statement>> {
        let Self { tracks, given } = self;
        let pool = tracks.get_mut(id)?;
        let mut gone = |from: &AgencyId| {
            if let Some(given) = given.get_mut(from) {
                *given -= 1;
            }
        };
        let known = state.track(id);
        pool.retain(|sid, (_, from)| {
            let waits = known.is_none_or(|t| t.entry(sid).is_none());
            if !waits {
                gone(from);
            }
            waits
        });
        let sid = match known {
            None => pool.get(id).filter(|(s, _)| matches!(s.body, Body::Intake(_))).map(|(s, _)| s.sid()),
            Some(track) => pool.values().find(|(s, _)| follows(state, track, s, pool)).map(|(s, _)| s.sid()),
        };
        let found = sid.and_then(|sid| pool.remove(&sid)).map(|(statement, from)| {
            gone(&from);
            statement
        });
        if pool.is_empty() {
            tracks.remove(id);
        }
        found
    }

    /// Who made what has no place about a track.
    pub fn makers(&self, track: &TrackId) -> impl Iterator<Item = &AgencyId> {
        self.tracks.get(track).into_iter().flat_map(BTreeMap::values).map(|(s, _)| &s.claim.agency)
    }

    /// Statements of an agency that have no place.
    pub fn unplaced(&self, of: &AgencyId) -> usize {
        self.tracks.values().flat_map(BTreeMap::values).filter(|(s, _)| s.claim.agency == *of).count()
    }
}

/// Whether a statement is the next of the spine. An undecided offer to this node is not: its giver sends it again, with
/// its content, and it is receipted then; only a giver who is retired does not.
fn follows(
    state: &State,
    track: &Track,
    statement: &Statement,
    pool: &BTreeMap<Sid, (Arc<Statement>, AgencyId)>,
) -> bool {
    let mut standing = track.standing();
    let hop = match &statement.body {
        Body::Offer(offer) if offer.to == state.me => {
            let decided = pool.values().any(|(s, _)| s.body.prev() == Some(statement.sid()));
            if !decided && !state.memory.acts.retires(&statement.claim.agency) {
                return false;
            }
            Some(offer.hop)
        }
        Body::Offer(offer) => Some(offer.hop),
        _ => None,
    };
    // Over what contradicts the intake or the offer no certificate could be walked.
    let fits = match &statement.body {
        Body::Offer(offer) => offer.content.as_ref().map(|c| c.digest) == track.commitment_digest(),
        Body::Accept(Accept { tid, hop, .. }) | Body::Refuse(Refuse { tid, hop, .. }) => {
            track.transfers.get(tid).is_some_and(|t| t.hop == *hop)
        }
        // Its act came beside it.
        Body::Reclaim(b) => {
            let transfer = track.transfers.get(&b.tid);
            let retired = state.memory.acts.0.get(&b.act).map(|act| &act.agency);
            transfer.is_some_and(|t| t.hop == b.hop && Some(&t.to) == retired)
        }
        Body::Succeed(b) => state.memory.acts.0.get(&b.act).is_some_and(|act| {
            let named = act.successor.as_ref() == Some(&statement.claim.agency);
            named && act.agency == *standing.holder && b.hop == standing.hop
        }),
        _ => true,
    };
    if !fits {
        return false;
    }
    let entry = Entry::of(state.next, statement);
    standing.takes(&entry, hop, &track.transfers)
}
