//! Which open dossiers are in which phase, by number: what lists by phase are made of. Built from the state at each start and
//! kept by the loop, for the phase of a dossier changes with nearly every record and rows of it were most of what was written.

use super::rows::number;
use crate::grpc::shape;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::ids::TrackId;
use lienthong_proto::v1;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Open dossiers of one agency. Closed ones, in time nearly all, are not in it.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    by_phase: BTreeMap<v1::Phase, BTreeMap<u64, TrackId>>,
    /// Where each is among them, so that one that goes on need not be looked for in all.
    of: HashMap<u64, v1::Phase>,
}

impl Phases {
    /// Those of a state.
    pub(crate) fn of(state: &State) -> Self {
        let mut phases = Self::default();
        state.tracks.open().for_each(|(id, track)| phases.follow(id, track));
        phases
    }

    /// A dossier is what it is now.
    pub(crate) fn follow(&mut self, id: &TrackId, track: &Track) {
        let (number, now) = (number(track), shape::phase(track.phase, track.returned.is_some()));
        let before =
            if now == v1::Phase::Closed { self.of.remove(&number) } else { self.of.insert(number, now) };
        if before == Some(now) {
            return;
        }
        if let Some(dossiers) = before.and_then(|before| self.by_phase.get_mut(&before)) {
            dossiers.remove(&number);
        }
        if now != v1::Phase::Closed {
            self.by_phase.entry(now).or_default().insert(number, *id);
        }
    }

    /// Those in a phase after a number, the one that came first at the beginning.
    pub(crate) fn after(
        &self,
        phase: v1::Phase,
        after: Option<u64>,
    ) -> impl Iterator<Item = (u64, TrackId)> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let dossiers = self.by_phase.get(&phase).into_iter();
        dossiers.flat_map(move |dossiers| dossiers.range((from, Bound::Unbounded))).map(|(n, id)| (*n, *id))
    }
}
