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
pub(crate) struct Phases {
    by_phase: BTreeMap<v1::Phase, BTreeMap<u64, TrackId>>,
    /// The phase of each number, so that one that goes on need not be looked for in all: a byte for each record of the ledger
    /// from the oldest open dossier on, in pages, where there are any.
    of: BTreeMap<u64, Page>,
}

/// Phases of so many numbers that follow each other; zero, which is no phase, where there is no open dossier.
const PAGE: usize = 1_024;

#[derive(Debug)]
struct Page {
    phases: Box<[u8; PAGE]>,
    open: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { phases: Box::new([0; PAGE]), open: 0 }
    }
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
        let open = Some(now).filter(|now| *now != v1::Phase::Closed);
        let before = self.replace(number, open);
        if before == open {
            return;
        }
        if let Some(dossiers) = before.and_then(|before| self.by_phase.get_mut(&before)) {
            dossiers.remove(&number);
        }
        if let Some(now) = open {
            self.by_phase.entry(now).or_default().insert(number, *id);
        }
    }

    /// Puts another phase in the place of the one it had.
    fn replace(&mut self, number: u64, now: Option<v1::Phase>) -> Option<v1::Phase> {
        let (at, place) = (number / PAGE as u64, (number % PAGE as u64) as usize);
        let page = self.of.entry(at).or_default();
        let now = now.map_or(0, |now| now as u8);
        let before = std::mem::replace(&mut page.phases[place], now);
        page.open = page.open + usize::from(now != 0) - usize::from(before != 0);
        if page.open == 0 {
            self.of.remove(&at);
        }
        v1::Phase::try_from(i32::from(before)).ok().filter(|_| before != 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use v1::Phase;

    #[test]
    fn a_number_has_the_phase_it_was_given_last() {
        let mut phases = Phases::default();
        let all = [0, 1, 1_023, 1_024, 5_000_000, u64::MAX];
        let given = [Some(Phase::Held), Some(Phase::Offered), Some(Phase::Offered), None, Some(Phase::Inbox)];
        for number in all {
            let mut before = None;
            for now in given {
                assert_eq!(phases.replace(number, now), before, "{number}");
                before = now;
            }
        }
        assert_eq!(phases.of.len(), 4, "0 to 1,023 share a page");
        for number in all {
            assert_eq!(phases.replace(number, None), Some(Phase::Inbox));
        }
        assert!(phases.of.is_empty(), "a page without open dossiers is let go");
    }
}
