//! Which open dossiers are in which phase, by number: what lists by phase are made of. Built from the state at each start and
//! kept by the loop, for the phase of a dossier changes with nearly every record and rows of it were most of what was written.

use super::rows::number;
use crate::grpc::shape;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::ids::TrackId;
use lienthong_proto::v1;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Open dossiers of one agency. Closed ones, in time nearly all, are not in it.
#[derive(Debug, Default)]
pub(crate) struct Phases(BTreeMap<v1::Phase, BTreeMap<u64, TrackId>>);

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
        for (phase, dossiers) in &mut self.0 {
            if *phase != now {
                dossiers.remove(&number);
            }
        }
        if now != v1::Phase::Closed {
            self.0.entry(now).or_default().insert(number, *id);
        }
    }

    /// Those in a phase after a number, the one that came first at the beginning.
    pub(crate) fn after(
        &self,
        phase: v1::Phase,
        after: Option<u64>,
    ) -> impl Iterator<Item = (u64, TrackId)> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let dossiers = self.0.get(&phase).into_iter();
        dossiers.flat_map(move |dossiers| dossiers.range((from, Bound::Unbounded))).map(|(n, id)| (*n, *id))
    }
}
